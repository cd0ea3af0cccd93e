"""Pages side by side, sealed by stamps: however many at once, in any order, whatever stamps show.

A default listing takes stamps as a gain of speed. It never fails for want of them.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import attrs
import pytest
from aiohttp import web

from tests.paging.histories import Setting, by_paging, drive, judged, let_it_change, modes
from tests.paging.model import Account
from twelvetasks import SortBy, SortOption, TaskQuery, TaskSession, TaskStatus
from twelvetasks.paging.chain import Chain
from twelvetasks.paging.links import Edge, Link
from twelvetasks.paging.options import ListingOptions
from twelvetasks.paging.page_checks import KeyedPage, examine_page
from twelvetasks.paging.progress import ListingProgress
from twelvetasks.paging.reads import Read
from twelvetasks.paging.sealing import HELD
from twelvetasks.paging.stamps import Stamps
from twelvetasks.paging.totals import Calm
from twelvetasks.testing import FakePlatform

Served = Callable[[Account, Read], KeyedPage[Any] | None]

Waiting = list[tuple[Read, KeyedPage[Any] | None]]


def honestly(account: Account, read: Read) -> KeyedPage[Any]:
    return account.read(read)


def without_sorting(account: Account, read: Read) -> KeyedPage[Any]:
    """Answer a stamp with the listing's own first page."""
    page = account.read(attrs.evolve(read, stamp=False)).whole()
    query = account.query_of(read)
    return examine_page(KeyedPage.of(page, query), query, read)


def with_another_stamp_each_time(account: Account, read: Read) -> KeyedPage[Any]:
    page = account.read(read)
    if not read.stamp:
        return page
    page.ids[0] = f"t{account.tick()}-{id(read)}"
    return page


def with_another_total_each_time(account: Account, read: Read) -> KeyedPage[Any]:
    page = account.read(read)
    if not read.stamp:
        return page
    info = attrs.evolve(page.page_info, total_results=page.total + account.tick() % 7)
    return attrs.evolve(page, page_info=info)


def without_times_in_stamps(account: Account, read: Read) -> KeyedPage[Any]:
    page = account.read(read).whole()
    query = account.query_of(read)
    if not read.stamp:
        return examine_page(KeyedPage.of(page, query), query, read)
    data = tuple(attrs.evolve(task, created_at=None, updated_at=None) for task in page.items)
    return examine_page(KeyedPage.of(attrs.evolve(page, data=data), query), query, read)


def without_times(account: Account, read: Read) -> KeyedPage[Any]:
    page = account.read(attrs.evolve(read, stamp=False)).whole()
    data = tuple(attrs.evolve(task, created_at=None, updated_at=None) for task in page.items)
    query = account.query_of(read)
    return examine_page(KeyedPage.of(attrs.evolve(page, data=data), query), query, read)


def without_stamps(account: Account, read: Read) -> KeyedPage[Any] | None:
    return None if read.stamp else account.read(read)


def at_random(random: Random, waiting: Waiting) -> int:
    return random.randrange(len(waiting))


def newest_first(_: Random, waiting: Waiting) -> int:
    return len(waiting) - 1


def head_last(_: Random, waiting: Waiting) -> int:
    """Let the first page that is needed come after all that may be asked for meanwhile."""
    return min(1, len(waiting) - 1)


def stamps_last(_: Random, waiting: Waiting) -> int:
    return next((at for at, (read, _) in enumerate(waiting) if not read.stamp), 0)


def listed(
    account: Account,
    query: TaskQuery,
    *,
    seed: int,
    at_once: int,
    served: Served = honestly,
    next_of: Callable[[Random, Waiting], int] = at_random,
    change: Setting | None = None,
) -> list[str]:
    """List to the end; `next_of` chooses which answer arrives next."""
    random = Random(seed)
    progress = ListingProgress(ListingOptions(query=query))
    waiting: Waiting = []
    ids: list[str] = []
    while True:
        while (page := progress.take()) is not None:
            ids += [task.id for task in page.items]
        while len(waiting) < at_once and (read := progress.next_read(at_once)) is not None:
            waiting.append((read, served(account, read)))
            if change is not None:
                let_it_change(account, random, change)
        if not waiting:
            if progress.stuck is not None:
                raise progress.stuck
            assert progress.finished
            return ids
        read, answer = waiting.pop(next_of(random, waiting))
        if answer is None:
            progress.fail(read)
        else:
            progress.receive(read, answer)


# Tests that go the same ways more slowly are measured; here it would take three times as long.
unmeasured = pytest.mark.no_cover

SORTS = [(sort_by, option) for sort_by in SortBy for option in SortOption]


def setting(sort_by: SortBy, option: SortOption, rate: float = 0.0) -> Setting:
    return Setting(sort_by=sort_by, sort_option=option, filtered=False, ties=1, rate=rate)


@unmeasured
@pytest.mark.parametrize("at_once", [1, 2, 8, 11, 16, 32, 64, 150])
@pytest.mark.parametrize("next_of", [at_random, newest_first, head_last, stamps_last])
def test_any_number_of_pages_may_be_fetched_at_once_and_come_in_any_order(
    at_once: int, next_of: Callable[[Random, Waiting], int]
) -> None:
    for sort_by, option in SORTS:
        for page_limit, filtered in ((10, False), (50, True)):
            mode = attrs.evolve(setting(sort_by, option), filtered=filtered)
            query: Any = mode.query_of(page_limit)
            pages = 300 if page_limit == 10 else 100
            account = Account(Random(at_once), page_limit * pages, ties=1, query=query)
            ids = listed(account, query, seed=at_once, at_once=at_once, next_of=next_of)
            assert ids == account.ids


@unmeasured
@pytest.mark.parametrize("at_once", [8, 16, 64])
@pytest.mark.parametrize(
    "served",
    [
        without_sorting,
        with_another_stamp_each_time,
        with_another_total_each_time,
        without_times_in_stamps,
        without_times,
        without_stamps,
    ],
)
def test_a_listing_ends_whatever_its_stamps_show(served: Served, at_once: int) -> None:
    for sort_by, option in SORTS:
        for next_of in (at_random, head_last):
            mode = attrs.evolve(setting(sort_by, option), filtered=next_of is at_random)
            query: Any = mode.query_of(20)
            account = Account(Random(at_once), 4000, ties=1, query=query)
            for _ in range(300):
                account.change_status()
            ids = listed(
                account, query, seed=at_once, at_once=at_once, served=served, next_of=next_of
            )
            assert ids == account.ids


@unmeasured
@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("next_of", [at_random, head_last, stamps_last])
def test_the_seals_that_changes_break_are_no_reason_to_give_up(
    rate: float, next_of: Callable[[Random, Waiting], int], histories: int
) -> None:
    for seed in range(max(histories // 40, 4)):
        sort_by, option = SORTS[seed % len(SORTS)]
        mode = setting(sort_by, option, rate)
        query: Any = mode.query_of(10)
        account = Account(Random(seed), 2500, ties=1, query=query)
        account.watch()
        ids = listed(account, query, seed=seed, at_once=32, next_of=next_of, change=mode)
        assert len(set(ids)) == len(ids)
        assert account.throughout <= set(ids)


@pytest.mark.parametrize("mix", ["swaps", "everything"])
@pytest.mark.parametrize("mode", modes(SortBy.CREATED_AT), ids=str)
def test_a_long_listing_loses_nothing_while_the_account_changes_now_and_then(
    mode: Setting, mix: str, histories: int
) -> None:
    mode = attrs.evolve(mode, rate=0.01, mix=mix, concurrency=16)
    for seed in range(1, max(histories // 50, 2) + 1):
        verdict = judged(mode, seed, by_paging(exact=False), size=3200 if mode.filtered else 2600)
        assert verdict.is_right, seed


def test_reads_before_and_after_a_change_at_the_end_of_a_listing_are_told_apart() -> None:
    mode = attrs.evolve(setting(SortBy.CREATED_AT, SortOption.DESC, 0.01), mix="swaps")
    mode = attrs.evolve(mode, concurrency=32)
    assert judged(mode, 9501852, by_paging(exact=False), size=2600).is_right


def test_a_stamp_is_asked_for_also_where_the_left_page_of_a_seam_came_last() -> None:
    mode = attrs.evolve(setting(SortBy.CREATED_AT, SortOption.ASC, 0.01), mix="updates")
    mode = attrs.evolve(mode, filtered=True, ties=9, concurrency=4)
    assert judged(mode, 9200747, by_paging(exact=False), size=2600).is_right


def test_a_page_that_waits_for_its_seal_is_judged_once_for_each_stamp(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged: list[Link[Any]] = []

    def may_seal(stamps: Stamps, left: Edge, right: Link[Any]) -> bool:
        judged.append(right)
        return is_sealable(stamps, left, right)

    is_sealable = Stamps.may_seal
    monkeypatch.setattr(Stamps, "may_seal", may_seal)
    query: Any = setting(SortBy.CREATED_AT, SortOption.DESC).query_of(50)
    account = Account(Random(0), 20_000, ties=1, query=query)
    assert listed(account, query, seed=0, at_once=8) == account.ids
    assert 300 < len(judged) < 1_200  # of 400 pages


@pytest.mark.parametrize("sort_by", SortBy)
def test_to_pass_over_what_waits_for_its_seal_changes_no_read(
    sort_by: SortBy, histories: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reads(seed: int) -> list[tuple[Any, ...]]:
        random, asked = Random(seed), list[tuple[Any, ...]]()
        mode = attrs.evolve(
            random.choice(modes(sort_by)),
            rate=random.choice((0, 0.02, 0.05)),
            concurrency=random.choice((4, 8, 16)),
        )
        account = Account(random, 2600, ties=mode.ties, query=mode.query)

        def read(account: Account, read: Read) -> KeyedPage[Any]:
            asked.append(attrs.astuple(read))
            return answer(account, read)

        with monkeypatch.context() as patch:
            patch.setattr(Account, "read", read)
            progress = ListingProgress(ListingOptions(query=mode.query))
            for _ in drive(progress, account, random, mode):
                pass
        return asked

    def settle_all(chain: Chain[Any], total: int) -> None:
        chain.settled = chain.settled_pages = chain.asleep = 0
        for link in chain.links:
            link.waits_beside = None
        settle(chain, total)

    answer, settle = Account.read, Chain.settle
    for seed in range(max(histories // 20, 5)):
        quickly = reads(seed)
        with monkeypatch.context() as patch:
            patch.setattr(Chain, "settle", settle_all)
            assert reads(seed) == quickly


async def test_a_platform_that_sorts_by_nothing_else_is_listed_whole() -> None:
    platform = FakePlatform.demo(2500)

    def unsorted(request: web.Request) -> web.Response | None:
        if request.query.get("sort_by") == "updated_at":
            return web.json_response({"code": "parameter_invalid", "message": "x"}, status=400)
        return None

    platform.respond(unsorted)
    async with (
        platform,
        TaskSession(platform.api_key, base_url=platform.base_url, concurrency=32) as session,
    ):
        for status in (None, [TaskStatus.READY, TaskStatus.FAILED]):
            listed = await session.tasks(page_limit=10, status=status)
            wanted = [
                one["_id"] for one in platform.tasks() if not status or one["status"] in status
            ]
            assert [task.id for task in listed] == wanted


def test_at_most_seven_windows_of_pages_are_held_until_they_are_sealed() -> None:
    query = TaskQuery()
    account = Account(Random(0), 15_000, ties=1, query=query)
    progress = ListingProgress(ListingOptions(query=query))
    window, most, asked = 4, 0, list[Read]()
    while not progress.finished:
        while progress.take() is not None:
            pass
        while len(asked) < window and (read := progress.next_read(window)) is not None:
            asked.append(read)
        most = max(most, progress._chain.pages)
        if asked:
            read = asked.pop(0)
            progress.receive(read, account.read(read))
    assert 5 * window < most <= HELD * window


@pytest.mark.parametrize("sort_by", SortBy)
def test_the_next_listing_of_a_restless_account_tries_no_stamps_in_vain(sort_by: SortBy) -> None:
    changing = setting(sort_by, SortOption.DESC, 0.1)
    first = second = pages = 0
    for seed in range(20):
        random = Random(seed)
        account, calm = Account(random, 4990, ties=1, query=changing.query), Calm()
        requests: list[int] = []
        for _ in range(2):
            pages += len(account.ids) // 50 + 1
            progress = ListingProgress(ListingOptions(query=changing.query), calm)
            for _ in drive(progress, account, random, changing):
                pass
            requests.append(progress.report.requests)
        first += requests[0]
        second += requests[1]
    assert second < first
    assert second <= 1.27 * pages / 2


def test_reads_that_overlap_by_more_than_planned_are_a_sign_of_change() -> None:
    changing = setting(SortBy.UPDATED_AT, SortOption.DESC, 1.0)
    account = Account(Random(0), 900, ties=1, query=changing.query)
    calm = Calm()
    progress = ListingProgress(ListingOptions(query=changing.query), calm)
    for _ in drive(progress, account, Random(0), attrs.evolve(changing, mix="updates")):
        pass
    # No total has changed.
    assert calm.answers < progress.report.requests
