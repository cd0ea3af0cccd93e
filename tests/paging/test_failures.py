"""Reads that fail or are refused: a listing goes on, or ends at one of them, and never hangs."""

from __future__ import annotations

from random import Random
from typing import Any

import attrs
import pytest

from tests.paging.histories import Setting, in_the_model, let_it_change, modes
from tests.paging.model import Account
from twelvetasks import ResponseError, SortBy, TaskQuery
from twelvetasks.paging.chain import Chain
from twelvetasks.paging.links import Link
from twelvetasks.paging.options import ListingOptions
from twelvetasks.paging.page_checks import KeyedPage
from twelvetasks.paging.progress import ListingProgress
from twelvetasks.paging.reads import Read
from twelvetasks.values.checkpoint import Checkpoint

RESUMPTIONS = 12


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("sort_by", SortBy)
def test_a_listing_goes_on_or_ends_at_a_read_that_failed(
    sort_by: SortBy, exact: bool, histories: int
) -> None:
    for seed in range(histories):
        random = Random(seed)
        setting = attrs.evolve(
            random.choice(modes(sort_by)),
            rate=random.choice((0, 0, 0.05, 0.3)),
            concurrency=random.choice((1, 8, 16)),
        )
        account = in_the_model(random, random.choice((120, 300, 1000, 1500)), setting)
        place: Checkpoint | None = None
        for _ in range(RESUMPTIONS):
            options = ListingOptions(query=setting.query, exact=exact, resume=place)
            progress: ListingProgress[Any] = ListingProgress(options)
            if ends(progress, account, random, setting):
                break
            place = progress.checkpoint()


def ends(
    progress: ListingProgress[Any], account: Account, random: Random, setting: Setting
) -> bool:
    """List until the end, or until a read that failed comes next; return whether it is the end."""
    failed: set[Read] = set()
    asked: list[Read] = []
    served: list[tuple[Read, KeyedPage[Any] | None]] = []
    most = 1
    while True:
        if progress.take() is not None:
            most = setting.concurrency
            continue
        if progress.finished or progress.stuck is not None:
            return True
        if progress.head in failed:
            return False
        while len(asked) + len(served) < most and (read := progress.next_read(most)) is not None:
            asked.append(read)
        assert asked or served, "it waits for nothing"
        while asked and (not served or random.random() < 0.6):
            read = asked.pop(random.randrange(len(asked)))
            served.append((read, None if random.random() < 0.1 else account.read(read)))
            let_it_change(account, random, setting)
        read, page = served.pop(random.randrange(len(served)))
        if page is not None:
            progress.receive(read, page)
        elif random.random() < 0.7 or not progress.receive_nothing(read):
            failed.add(read)
            progress.fail(read)


def test_closing_reads_before_one_that_failed_are_taken_whatever_follows_it() -> None:
    query = TaskQuery()
    account = Account(Random(0), 200, ties=1, query=query)
    chain: Chain[Any] = Chain(query)

    def arrived(read: Read, *, joined: bool) -> Link[Any]:
        link = Link[Any](read, asked=1, is_closing=True, joined=joined)
        link.arrive(account.read(read), 2)
        return link

    first, after = arrived(Read(1, 50), joined=True), arrived(Read(4, 50), joined=False)
    failed = Link[Any](Read(2, 49), asked=1, is_closing=True, failed=True)
    under_way = Link[Any](Read(3, 48), asked=1, is_closing=True)
    chain.links = [first, under_way, failed, after]
    assert chain.take() is None
    # What follows one that failed is not asked for, such as this bridge.
    chain.links = [first, failed, Link[Any](Read(3, 48), seeks=first.edge), after]
    assert chain.take() is first
    assert chain.take() is None


def test_a_walk_that_ends_at_a_read_that_failed_is_resumed_where_it_ended() -> None:
    query = TaskQuery()
    account = Account(Random(0), 720, ties=1, query=query)
    place: Checkpoint | None = None
    ids: list[str] = []
    for lost in (6, 12, None):
        progress: ListingProgress[Any] = ListingProgress(ListingOptions(query=query, resume=place))
        while not progress.finished:
            while (page := progress.take()) is not None:
                ids += [task.id for task in page.items]
            assert progress.stuck is None
            read = progress.next_read(1)
            if read is None or (read.page_limit == 50 and read.page == lost):
                break
            answer = account.read(read)
            doubt = ResponseError("it proves nothing") if read.page > 1 else None
            progress.receive(read, attrs.evolve(answer, doubt=doubt))
        place = progress.checkpoint()
    assert ids == account.ids
