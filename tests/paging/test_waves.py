"""Waves of requests: how long a listing takes, in requests one after another.

Every request takes one unit of time, so that none is measured. A wave is what is under way at once.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from random import Random

import pytest

from tests.paging.model import Account
from twelvetasks import Page, Task, TaskQuery
from twelvetasks.paging.options import ListingOptions
from twelvetasks.paging.progress import ListingProgress
from twelvetasks.paging.reads import Read
from twelvetasks.paging.waves import Waves


class Pairwise(Account):
    """An account in which one task in fifty has the time of the one before."""

    def tick(self) -> int:
        self._now += self._random.random() > 0.02
        return self._now


class Timed:
    """A listing of a quiet account, in which every request takes as long."""

    def __init__(
        self, tasks: int, *, at_once: int, of: type[Account] = Account, exact: bool = False
    ) -> None:
        query = TaskQuery()
        self.account = of(Random(tasks), tasks, ties=1, query=query)
        self.waves = 0
        self._at_once = at_once
        self._progress: ListingProgress[Task] = ListingProgress(
            ListingOptions(query=query, exact=exact)
        )
        self._under_way: deque[tuple[int, Read]] = deque()

    @property
    def requests(self) -> int:
        return self._progress.report.requests

    def pages(self) -> Iterator[Page[Task]]:
        at_once = 1
        while True:
            while (page := self._progress.take()) is not None:
                at_once = self._at_once
                yield page
                self._ask(at_once)
            self._ask(at_once)
            if not self._under_way:
                assert self._progress.finished
                return
            self.waves, read = self._under_way.popleft()
            self._progress.receive(read, self.account.read(read))

    def _ask(self, at_once: int) -> None:
        while len(self._under_way) < at_once and (read := self._progress.next_read(at_once)):
            self._under_way.append((self.waves + 1, read))


@pytest.mark.parametrize(
    ("tasks", "at_once"),
    [(5000, 16), (4990, 16), (5000, 32), (10_000, 32), (2500, 16), (2500, 8), (1050, 16)],
)
def test_a_quiet_listing_takes_no_wave_of_requests_more_than_its_pages(
    tasks: int, at_once: int
) -> None:
    listing = Timed(tasks, at_once=at_once)
    found = list(listing.pages())
    count = math.ceil(tasks / 50)
    assert [task.id for page in found for task in page.items] == listing.account.ids
    assert listing.waves == 1 + math.ceil((count - 1) / at_once)
    assert listing.requests <= max(1.04 * count, count + 3)


def test_tasks_of_one_time_on_both_sides_of_a_seam_are_no_sign_of_change() -> None:
    listing = Timed(20_000, at_once=16, of=Pairwise)
    assert [task.id for page in listing.pages() for task in page.items] == listing.account.ids
    bridges = listing._progress.report.bridges
    assert 4 <= bridges <= 16
    assert listing.requests <= 1.02 * 400 + bridges


def test_an_exact_listing_reads_on_while_it_waits_for_a_bridge() -> None:
    waves = least = bridges = 0
    for tasks in range(4990, 4998):
        listing = Timed(tasks, at_once=16, of=Pairwise, exact=True)
        assert [one.id for page in listing.pages() for one in page.items] == listing.account.ids
        waves += listing.waves
        least += 1 + math.ceil((listing.requests - 1) / 16)
        bridges += listing._progress.report.bridges
    assert bridges >= 6
    assert waves <= least + 1  # a bridge at the very end costs a wave


def test_the_last_pages_of_a_quiet_listing_are_as_long_as_all_others() -> None:
    for tasks in range(2500, 2600, 3):
        listing = Timed(tasks, at_once=16)
        found = list(listing.pages())
        count = math.ceil(tasks / 50)
        assert [task.id for page in found for task in page.items] == listing.account.ids
        assert [len(page.items) for page in found[:-1]] == [50] * (count - 1)
        infos = [page.page_info for page in found]
        assert [info.page for info in infos] == list(range(1, count + 1))
        assert {(info.limit_per_page, info.total_page) for info in infos} == {(50, count)}
        assert {info.total_results for info in infos} == {tasks}


def test_a_wave_begins_with_the_first_answer_to_a_request_of_the_one_before() -> None:
    waves = Waves()
    waves.ask()
    assert waves.left(4) == 3
    waves.answer(1, 2)
    assert waves.left(4) == 4
    for _ in range(3):
        waves.ask()
    assert waves.left(4) == 1
    waves.answer(4, 6)
    assert waves.left(4) == 4
    waves.ask()
    for moment in (8, 9):  # the others of the wave before
        waves.answer(moment - 5, moment)
    assert waves.left(4) == 3
