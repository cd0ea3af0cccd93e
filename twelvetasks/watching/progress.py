"""The progress of one watch: which page to read next, and which changes its answer shows.

Pure: no asyncio, no clock, no network. A poll reads the latest updates, from the head down past the
newest time delivered, by reads that overlap (see `chain`). A task updated meanwhile moves above the
first of these reads, so it is left to the next poll.
"""

from __future__ import annotations

import operator
import random as randomness
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from twelvetasks.paging.page_checks import KeyedPage, contradiction
from twelvetasks.paging.reads import Read
from twelvetasks.values.checkpoint import Checkpoint
from twelvetasks.values.errors import (
    TRANSIENT_FAILURES,
    BadRequestError,
    RateLimitedError,
    ResponseError,
    TwelveTasksError,
)
from twelvetasks.values.models import Page, TaskStatus
from twelvetasks.watching.announcements import Announced
from twelvetasks.watching.census import Census
from twelvetasks.watching.memory import Memory
from twelvetasks.watching.plan import ItemChange, WatchPlan
from twelvetasks.watching.poll import Poll

__all__ = ["Watching"]

HEAD = 10
"""Tasks that a poll reads first, unless it expects more."""

REMEMBERED = 10_000
"""Tasks whose last state a watch without `deletions` remembers."""

ATTEMPTS = 3
"""Malformed answers to one read, or refusals of one poll, in a row, that are tolerated."""

GROWTH = 1.5
"""Factor by which a poll without changes lengthens the interval; an error doubles it."""

JITTER = 0.1
"""Share by which an interval varies at random, so that watches do not poll in step."""

BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


class Watching:
    """The progress of one watch. Take every change before asking for the next read."""

    def __init__(self, plan: WatchPlan, random: Callable[[], float] = randomness.random) -> None:
        self.polls: int = 0
        """How many polls have been completed."""
        self.wait: float = 0.0
        """Seconds from the last answer, or error, to the next read."""
        self._plan = plan
        self._by_update = plan.by_update
        self._by_creation = plan.by_creation
        self._random = random
        self._id_of = self._by_update.resource.id_of
        self._status_of = self._by_update.resource.status_of
        self._updated_at = self._by_update.sort_key.read
        self._interval = plan.min_interval
        place = plan.resume
        self._key = plan.since if place is None else place.key
        self._ids = set() if place is None else set(place.ids)
        self._memory = Memory(None if plan.deletions else REMEMBERED, self._id_of)
        self._updated: deque[tuple[datetime, Any]] = deque()
        self._others: deque[ItemChange[Any]] = deque()
        self._expected = 0
        self._poll: Poll | None = None
        self._poll_refused = self._garbled = 0
        self._census: Census | None = None
        self._census_is_needed = False
        self._counted = False
        self._rested = self._next_census = 0.0
        self._announced = Announced()
        self._shortest = self._unrested = 0.0

    @property
    def checkpoint(self) -> Checkpoint:
        """The place after the last change taken."""
        return Checkpoint(query=self._plan.identity, key=self._key, ids=frozenset(self._ids))

    # What to read next

    def next_read(self) -> tuple[Any, Read]:
        """Return the next read: the same one until it has been answered."""
        if self._updated or self._others:
            raise AssertionError("there are changes to be taken first")
        self._unrested = 0.0
        if self._census_is_needed:
            self._census_is_needed = False
            self._census = Census(self._by_creation, self._memory.ids)
        if self._census is not None:
            return self._by_creation, self._census.read
        if self._poll is None:
            most = self._by_update.resource.max_page_limit
            page_limit = min(max(HEAD, len(self._ids) + self._expected + 1), most)
            self._poll = Poll(self._by_update, page_limit, self._key)
        if not self._poll.reads:
            self._announced.begin_poll()
        return self._by_update, self._poll.read

    def announce(self, id: str, status: TaskStatus) -> None:  # noqa: A002
        """Expect a task in this state, which was announced, and shorten `wait`."""
        self._announced.add(id, status)
        self.wait = min(self.wait, self._shortest)
        cut = max(self._unrested - self._shortest, 0.0)
        self._unrested -= cut
        self._rested -= cut

    # What was answered

    def receive(self, page: Page[Any]) -> None:
        """Add the page that answers the read.

        Raises ListingDriftError, or ResponseError if too many answers in a row are malformed.
        """
        self.wait = 0.0
        if self._census is not None:
            self._garbled = 0
            self._count(self._census, self._census.receive(page))
        elif self._poll is not None:
            keyed = KeyedPage.of(page, self._by_update)
            if (fault := contradiction(keyed, self._by_update, self._poll.read)) is not None:
                self.fail(fault)
                return
            self._garbled = 0
            self._poll.receive(keyed)
            if self._poll.is_over:
                self._end_poll(self._poll)

    def fail(self, error: TwelveTasksError) -> None:
        """Handle a failed read. Raises the error if it ends the watch."""
        if isinstance(error, BadRequestError) and self._may_lie_past_the_end():
            return
        if isinstance(error, ResponseError) and self._garbled < ATTEMPTS - 1:
            self._garbled += 1
        elif not isinstance(error, TRANSIENT_FAILURES):
            raise error
        if not isinstance(error, RateLimitedError):
            self._rest(self._interval * 2)
            return
        self._rest(self._interval * 2, patiently=True)
        if error.retry_after is not None:
            self.wait = max(self.wait, error.retry_after)
        self._shortest = self.wait

    def _may_lie_past_the_end(self) -> bool:
        """Handle a refused page; return False if the page cannot lie past the end."""
        self.wait = 0.0
        if self._census is not None:
            if (tasks := self._census.receive_nothing()) is None:
                return False
            self._count(self._census, tasks)
            return True
        if self._poll is None or self._poll.read.page == 1 or self._poll_refused == ATTEMPTS - 1:
            return False
        self._poll_refused += 1
        self._poll = None
        return True

    def _rest(self, interval: float, *, patiently: bool = False) -> None:
        self._interval = min(interval, self._plan.max_interval)
        self.wait = self._interval * (1 + JITTER * (2 * self._random() - 1))
        if not patiently:
            self.wait = self._announced.sooner(self.wait)
        self._shortest = self._announced.soonest(self.wait)
        self._rested += self.wait
        self._unrested = self.wait

    def _end_poll(self, poll: Poll) -> None:
        self._poll = None
        self._poll_refused = 0
        self.polls += 1
        if self._key is None:
            self._begin_at(poll)
        else:
            self._updated.extend(self._changes(poll))
        due = {self._id_of(task): task for _, task in self._updated}
        self._announced.end_poll(lambda id: self._status_in(due.get(id) or self._memory.get(id)))  # noqa: A006
        self._expected = len(self._updated)
        self._rest(self._plan.min_interval if self._updated else self._interval * GROWTH)
        if self._plan.deletions and self._has_to_count(poll):
            self._census_is_needed = True
            self.wait = 0.0

    def _status_in(self, task: Any) -> str | None:
        return None if task is None else self._status_of(task)

    def _begin_at(self, poll: Poll) -> None:
        """Begin a watch here: what exists already is no change."""
        self._key = poll.newest or BEFORE_ALL
        self._ids = {self._id_of(task) for key, task in poll.tasks if key == self._key}
        self._memory.add(task for key, task in poll.tasks if key <= self._key)

    def _changes(self, poll: Poll) -> list[tuple[datetime, Any]]:
        """Return the updates since the last change taken, oldest first; remember the rest."""
        changes: dict[tuple[datetime, str], Any] = {}
        rest: list[Any] = []
        for key, task in reversed(poll.tasks):
            if not self._is_change(key, task):
                rest.append(task)
            elif poll.newest is not None and key <= poll.newest:
                # Newer than the first read: left to the next poll.
                changes[key, self._id_of(task)] = task
        self._memory.add(rest)
        return sorted(
            ((key, task) for (key, _), task in changes.items()), key=operator.itemgetter(0)
        )

    def _is_change(self, key: datetime, task: Any) -> bool:
        if self._key is None or self._updated_at(task) is None or key < self._key:
            return False
        if key > self._key or self._id_of(task) not in self._ids:
            return True
        known = self._memory.get(self._id_of(task))
        return known is not None and self._status_of(known) != self._status_of(task)

    # Which changes to deliver

    def take(self) -> Any:
        """Return the next change; None if the next read has to be answered first."""
        while self._updated:
            key, task = self._updated.popleft()
            change = self._plan.change(self._memory.swap(task), task)
            if key != self._key:
                self._key, self._ids = key, set()
            self._ids.add(self._id_of(task))
            if self._plan.matches(change):
                return change
        return self._others.popleft() if self._others else None

    # Which tasks were deleted

    def _has_to_count(self, poll: Poll) -> bool:
        """Whether there are fewer tasks than are known, so that all must be listed once.

        Every existing task is known already or was updated just now. For a poll of one read the
        comparison is exact. Between several reads tasks may be deleted, which can only hide others.
        """
        if not self._counted:
            return True
        known = self._memory.count_with(task for _, task in self._updated)
        differs = known > poll.total or (poll.reads == 1 and known != poll.total)
        return differs and self._rested >= self._next_census

    def _count(self, census: Census, tasks: list[Any]) -> None:
        for task in tasks:
            # A newer update is left to the next poll, in order.
            if not self._is_change(self._updated_at(task) or BEFORE_ALL, task):
                self._found(task)
        if census.is_over:
            self._end_census(census)

    def _found(self, task: Any) -> None:
        before = self._memory.swap(task)
        if self._counted and (before is None or self._updated_at(before) != self._updated_at(task)):
            # The platform showed it late: deliver it out of order rather than not at all.
            self._deliver(self._plan.change(before, task))

    def _end_census(self, census: Census) -> None:
        self._census = None
        for id in census.missing:  # noqa: A001
            self._deliver(self._plan.change(self._memory.forget(id), None))
        if self._counted:
            # As many polls as the census had reads: it at most doubles the requests.
            self._next_census = self._rested + census.reads * self._plan.min_interval
        self._counted = True
        self._rest(self._interval)

    def _deliver(self, change: ItemChange[Any]) -> None:
        if self._plan.matches(change):
            self._others.append(change)
