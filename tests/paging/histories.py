"""Histories: a listing of a changing account, by the engine or the naive way, and what it lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from itertools import pairwise
from random import Random
from typing import Any

import attrs

from tests.paging.model import MIXES, Account, RunQuery
from twelvetasks import (
    AnalysisBatchQuery,
    AnalysisTaskQuery,
    Checkpoint,
    EmbeddingTaskQuery,
    IndexedAssetQuery,
    ListingReport,
    ListQuery,
    OlderEmbeddingTaskQuery,
    Page,
    SortBy,
    SortOption,
    TaskQuery,
)
from twelvetasks.paging.options import ListingOptions
from twelvetasks.paging.page_checks import KeyedPage
from twelvetasks.paging.progress import ListingProgress
from twelvetasks.paging.reads import Read


@attrs.frozen(kw_only=True)
class Setting:
    """What a history is made of."""

    sort_by: SortBy
    sort_option: SortOption
    filtered: bool
    ties: int
    """How many tasks may share a sort key."""
    rate: float = 0.0
    """Changes of the account for each request, on average."""
    mix: str = "everything"
    concurrency: int = 8
    is_fixed: bool = False
    """Whether the list takes no sort parameters; its items are then rows, not models."""

    of: ListQuery[Any] | None = None
    """The query of another list than that of the tasks, without a filter."""

    @property
    def query(self) -> ListQuery[Any]:
        return self.query_of(50)

    def query_of(self, page_limit: int) -> ListQuery[Any]:
        order = None if self.is_fixed else (self.sort_by, self.sort_option)
        return _query(self.of, order, page_limit, filtered=self.filtered)

    def __str__(self) -> str:
        extras = ("-filtered" * self.filtered) + ("-ties" * (self.ties > 1))
        if self.of is not None:
            return f"{self.of.path}-{self.sort_by}-{self.sort_option}{extras}"
        order = "fixed" if self.is_fixed else f"{self.sort_by}-{self.sort_option}"
        return f"{order}{extras}"


@cache
def _query(
    of: ListQuery[Any] | None,
    order: tuple[SortBy, SortOption] | None,
    page_limit: int,
    *,
    filtered: bool,
) -> ListQuery[Any]:
    status: Any = ["ready", "indexing", "queued"] if filtered else None
    if of is not None:
        return attrs.evolve(of, page_limit=page_limit)
    if order is None:
        return RunQuery(page_limit=page_limit, status=status)
    sort_by, sort_option = order
    return TaskQuery(page_limit=page_limit, sort_by=sort_by, sort_option=sort_option, status=status)


@attrs.frozen(kw_only=True)
class Verdict:
    """What a listing did wrong, and what it cost."""

    lost: int
    repeated: int
    disordered: int
    requests: int
    pages: int
    """How many pages of 50 there were when the listing began."""

    @property
    def is_right(self) -> bool:
        return not (self.lost or self.repeated or self.disordered)


Outcome = tuple[list[Any], ListingReport]
"""The items that a listing yielded, and what it says of itself."""

Listed = Callable[[Account, Random, Setting], Outcome]


def modes(*sorts: SortBy) -> list[Setting]:
    """Give every direction of these sorts, with and without a status filter and ties."""
    return [
        Setting(sort_by=sort_by, sort_option=sort_option, filtered=filtered, ties=ties)
        for sort_by in sorts
        for sort_option in SortOption
        for filtered in (False, True)
        for ties in (1, 9)
    ]


def fixed_modes() -> list[Setting]:
    """Give the modes of a list that takes no sort parameters."""
    return [
        attrs.evolve(mode, is_fixed=True)
        for mode in modes(SortBy.CREATED_AT)
        if mode.sort_option is SortOption.DESC
    ]


def modes_of_each_list() -> list[Setting]:
    """Give the modes of every list but that of the tasks, by its own query and models."""
    fixed = [mode for mode in fixed_modes() if not mode.filtered]
    queries = (
        EmbeddingTaskQuery(),
        OlderEmbeddingTaskQuery(),
        AnalysisTaskQuery(),
        AnalysisBatchQuery(),
    )
    return [
        *(attrs.evolve(mode, of=query) for mode in fixed for query in queries),
        *(
            attrs.evolve(
                mode,
                of=IndexedAssetQuery(
                    index_id="i", sort_by=mode.sort_by, sort_option=mode.sort_option
                ),
            )
            for mode in modes(*SortBy)
            if not mode.filtered
        ),
    ]


Opened = Callable[[Random, int, Setting], Account]
"""Opens an account with so many tasks."""


def in_the_model(random: Random, count: int, setting: Setting) -> Account:
    return Account(random, count, ties=setting.ties, query=setting.query)


def judged(
    setting: Setting,
    seed: int,
    listed: Listed,
    size: int | None = None,
    opened: Opened = in_the_model,
) -> Verdict:
    """Let one account change while it is listed, and judge what came out."""
    random = Random(seed)
    count = size if size is not None else random.choice((0, 1, 50, 120, 300, 700))
    account = opened(random, count, setting)
    account.watch()
    pages = max(1, -(-len(account.ids) // 50))
    items, report = listed(account, random, setting)
    ids = list(map(setting.query.resource.id_of, items))
    return Verdict(
        lost=len(account.throughout - set(ids)),
        repeated=len(ids) - len(set(ids)),
        disordered=disorder(list(map(account.key_of, items)), setting),
        requests=report.requests,
        pages=pages,
    )


def disorder(keys: list[datetime], setting: Setting) -> int:
    """Count the neighbours that stand in the wrong order."""
    if setting.sort_option is SortOption.ASC:
        return sum(a > b for a, b in pairwise(keys))
    end = len(keys)
    if setting.sort_by is SortBy.UPDATED_AT:
        # What was updated meanwhile comes last, and is no older than the first task of all.
        while end > 1 and keys[end - 1] >= keys[0]:
            end -= 1
    return sum(a < b for a, b in pairwise(keys[:end]))


def let_it_change(account: Account, random: Random, setting: Setting) -> None:
    """Make a random number of random changes, `rate` of them on average."""
    whole, fraction = divmod(setting.rate * 2 * random.random(), 1)
    for _ in range(int(whole) + (random.random() < fraction)):
        random.choice(MIXES[setting.mix])(account)


def by_paging(*, exact: bool) -> Listed:
    """List through `ListingProgress` to the end."""

    def listed(account: Account, random: Random, setting: Setting) -> Outcome:
        progress = ListingProgress(ListingOptions(query=setting.query, exact=exact))
        pages = drive(progress, account, random, setting)
        return [item for page in pages for item in page.items], progress.report

    return listed


def drive(
    progress: ListingProgress[Any], account: Account, random: Random, setting: Setting
) -> Iterator[Page[Any]]:
    """Give page after page; chance decides which read is served, and which answer arrives, next."""
    asked: list[Read] = []
    served: list[tuple[Read, KeyedPage[Any]]] = []
    while True:
        while (page := progress.take()) is not None:
            yield page
        while len(asked) + len(served) < setting.concurrency:
            if (read := progress.next_read(setting.concurrency)) is None:
                break
            asked.append(read)
        if not asked and not served:
            if progress.stuck is not None:
                raise progress.stuck
            assert progress.finished
            return
        while asked and (not served or random.random() < 0.6):
            read = asked.pop(random.randrange(len(asked)))
            served.append((read, account.read(read)))
            let_it_change(account, random, setting)
        progress.receive(*served.pop(random.randrange(len(served))))


def with_interruptions(account: Account, random: Random, setting: Setting) -> Outcome:
    """List, stop anywhere, let the account change a lot, and go on from the stored checkpoint."""
    items: list[Any] = []
    stored = str(Checkpoint.start(setting.query))
    requests = 0
    for interruptions in reversed(range(random.choice((1, 2, 5)) + 1)):
        progress = ListingProgress(
            ListingOptions(query=setting.query, exact=True, resume=Checkpoint.parse(stored))
        )
        to_yield = random.choice((0, 1, 30, 50, 51, 170)) if interruptions else None
        for page in drive(progress, account, random, setting):
            new = page.items[:to_yield]
            items += new
            stored = str(progress.checkpoint(len(page.items) - len(new)))
            if to_yield is not None and not (to_yield := to_yield - len(new)):
                break
        if interruptions and setting.rate:
            for _ in range(random.choice((0, 1, 10, 100))):
                random.choice(MIXES[setting.mix])(account)
        requests += progress.report.requests
    return items, ListingReport(requests=requests, pages=requests)


def naively(account: Account, random: Random, setting: Setting) -> Outcome:
    """List as people write it: page 1, then all others at once, put together in page order."""
    first = account.read(Read(1, 50))
    answers = {1: first.whole().items}
    let_it_change(account, random, setting)
    waiting = list(range(2, (first.page_info.total_page or 0) + 1))
    under_way: list[int] = []
    while waiting or under_way:
        while waiting and len(under_way) < setting.concurrency:
            under_way.append(waiting.pop(0))
        page = under_way.pop(random.randrange(len(under_way)))
        answers[page] = account.read(Read(page, 50)).whole().items
        let_it_change(account, random, setting)
    seen: dict[str, Any] = {}
    for page in sorted(answers):
        for item in answers[page]:
            seen.setdefault(setting.query.resource.id_of(item), item)
    return list(seen.values()), ListingReport(requests=len(answers), pages=len(answers))
