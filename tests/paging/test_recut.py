"""The items of overlapping reads are put into whole pages, if all reads show the same list."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from random import Random
from typing import Any

import pytest

from tests.paging.model import Account
from twelvetasks import TaskQuery
from twelvetasks.paging.links import Edge, Link
from twelvetasks.paging.reads import Read
from twelvetasks.paging.recut import in_whole_pages

QUERY = TaskQuery()

READS = [Read(3, 48), Read(4, 47), Read(6, 37)]
"""From rank 96 on: these overlap by 3 items each, and the last reaches to rank 221."""


def opened(count: int) -> Account:
    return Account(Random(1), count, ties=1, query=QUERY)


def arrived(account: Account, read: Read, moment: int) -> Link[Any]:
    link = Link[Any](read, asked=moment, joined=True)
    link.arrive(account.read(read), moment + 10, moment)
    return link


def edge_of(account: Account, read: Read) -> Edge:
    edge = arrived(account, read, 1).edge
    assert edge is not None
    return edge


@pytest.mark.parametrize("page_limit", [10, 25, 50])
@pytest.mark.parametrize("count", [200, 214, 222, 300])
def test_what_overlaps_is_cut_into_whole_pages(count: int, page_limit: int) -> None:
    account = opened(count)
    edge = edge_of(account, Read(2, 50))
    links = [arrived(account, read, 3 + at) for at, read in enumerate(READS)]
    cut = in_whole_pages(links, edge, page_limit)
    pages = [link.content.whole() for link in cut]
    end = min(count, READS[-1].end)
    assert [task.id for page in pages for task in page.items] == account.ids[100:end]
    assert [id for link in cut for id in link.content.ids] == account.ids[100:end]  # noqa: A001
    assert [link.read.start for link in cut] == list(range(100, end, page_limit))
    assert {link.read.page_limit for link in cut} == {page_limit}
    assert [page.page_info.page for page in pages] == [link.read.page for link in cut]
    edges = [link.edge for link in cut if link.edge is not None]
    assert [one.rank for one in edges] == [*range(100 + page_limit, end, page_limit), end]
    assert [one.at_end for one in edges] == [False] * (len(cut) - 1) + [count < READS[-1].end]
    assert all(link.joined and not link.is_contradicted for link in cut[:-1])
    assert not any(one.is_lost for one in edges)


def swap_ends(account: Account) -> None:
    """One comes first and the last goes: the total stays the same."""
    account.insert()
    account.delete(account.items[account.ids[-1]])


CHANGES: list[Callable[[Account], object]] = [Account.insert, Account.delete, swap_ends]


def test_reads_of_a_list_that_changed_are_left_as_they_are() -> None:
    reads = [Read(2, 50), *READS]
    for changed in range(1, len(reads) + 1):
        for change, order in product(CHANGES, (1, -1)):
            account, links = opened(222), dict[Read, Link[Any]]()
            for at, read in enumerate(reads[::order]):
                if at == changed:
                    change(account)
                links[read] = arrived(account, read, 3 + at)
            first, *others = (links[read] for read in reads)
            is_same = in_whole_pages(others, first.edge, 50) is others
            assert is_same == (changed < len(reads))


def test_reads_that_only_seem_to_show_the_same_list_are_left_as_they_are() -> None:
    account = opened(222)
    edge = edge_of(account, Read(2, 50))
    links = [arrived(account, read, 3 + at) for at, read in enumerate(READS)]
    assert in_whole_pages(links, edge, 30) is links  # the edge is amid a page
    assert in_whole_pages(links, None, 50) is links
    links[1].joined = False
    assert in_whole_pages(links, edge, 50) is links
    links[1].joined = True
    page = links[1].content
    at = 144 - links[1].read.start
    page.ids[at - 1], page.ids[at] = page.ids[at], page.ids[at - 1]
    assert in_whole_pages(links, edge, 50) is links


def test_reads_that_hold_nothing_new_are_left_as_they_are() -> None:
    account = opened(100)
    links = [arrived(account, Read(3, 49), 3)]
    assert in_whole_pages(links, edge_of(account, Read(2, 50)), 50) is links
