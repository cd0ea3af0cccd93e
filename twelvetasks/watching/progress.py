"""The progress of one watch: which page to read next, and which changes its answer shows.

Pure: no asyncio, no clock, no network. A poll reads the latest updates, from the head down past the
newest time delivered less `lateness`, by reads that overlap (see `chain`): what was committed after
an update with a later time is found there. A task updated meanwhile moves above the first of these
reads, so it is left to the next poll.
"""

from __future__ import annotations

import operator
import random as randomness
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from twelvetasks.paging.page_checks import KeyedPage
from twelvetasks.paging.reads import Read
from twelvetasks.values.checkpoint import Checkpoint
from twelvetasks.values.errors import (
    BadRequestError,
    EndpointRemovedError,
    NotFoundError,
    RateLimitedError,
    ResponseError,
    TwelveTasksError,
    is_transient,
)
from twelvetasks.values.models import Page
from twelvetasks.values.tasks import TaskStatus
from twelvetasks.watching.announcements import Announced
from twelvetasks.watching.census import Census
from twelvetasks.watching.delivered import Delivered
from twelvetasks.watching.lookups import Lookup, Lookups
from twelvetasks.watching.memory import Memory
from twelvetasks.watching.plan import ItemChange, WatchPlan
from twelvetasks.watching.poll import BEFORE_ALL, Poll, earlier

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
        self._least = self._key if place is None or place.since is None else place.since
        """When the watch began or resumed: what was updated before is not to be delivered."""
        self._delivered = Delivered(() if place is None else place.states)
        if place is not None and place.key is not None:
            known = {id for id, _, _ in place.states}  # noqa: A001
            self._delivered.add_whatever(place.ids - known, place.key)
        self._polled = self._key
        """The newest time that a poll has shown."""
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
        self._lookups = Lookups()
        self._fetched: dict[str, Any] = {}
        """Announced tasks as they were fetched: the next poll shows them, or they are delivered."""
        self._pause = 0.0
        self._shortest = self._unrested = 0.0

    @property
    def checkpoint(self) -> Checkpoint:
        """The place after the last change taken."""
        return Checkpoint(
            query=self._plan.identity,
            key=self._key,
            ids=self._delivered.ids_at(self._key),
            since=self._floor,
            states=self._delivered.states,
        )

    @property
    def _floor(self) -> datetime | None:
        """How far back polls read; None before the first."""
        if self._key is None or self._least is None:
            return None
        return max(self._least, earlier(self._key, self._plan.lateness))

    # What to read next

    def next_read(self) -> tuple[Any, Read | Lookup]:
        """Return the next read, or lookup: the same one until it has been answered."""
        if self._updated or self._others:
            raise AssertionError("there are changes to be taken first")
        self._unrested = 0.0
        if self._census_is_needed:
            self._census_is_needed = False
            self._census = Census(self._by_creation, self._memory.ids)
        if self._census is not None:
            return self._by_creation, self._census.read
        if (lookup := self._lookup) is not None:
            return self._by_update, lookup
        if self._poll is None:
            most = self._by_update.resource.max_page_limit
            known = len(self._delivered.ids_at(self._key))
            least = max(HEAD, len(self._delivered) + 1, known + self._expected + 1)
            page_limit = min(least, most)
            self._poll = Poll(self._by_update, page_limit, self._floor, self._plan.lateness)
        if not self._poll.reads:
            self._announced.begin_poll()
        return self._by_update, self._poll.read

    @property
    def _lookup(self) -> Lookup | None:
        """The lookup to be made next, if it is time for one."""
        return self._lookups.next if self._census is None and self._poll is None else None

    def announce(self, id: str, status: TaskStatus) -> None:  # noqa: A002
        """Expect a task in this state, which was announced, and shorten `wait`."""
        self._announced.add(id, status)
        self.wait = min(self.wait, self._shortest)
        self._pause = min(self._pause, self._shortest)
        cut = max(self._unrested - self._shortest, 0.0)
        self._unrested -= cut
        self._rested -= cut

    # What was answered

    def receive(self, answer: Any) -> None:
        """Add the page, or the item, that answers the read; None if there is no such item.

        Raises ListingDriftError, or ResponseError if too many answers in a row are malformed.
        """
        self.wait = 0.0
        self._garbled = 0
        if self._census is not None:
            self._count(self._census, answer)
        elif (lookup := self._lookup) is not None:
            self._look_up(lookup, answer)
        elif self._poll is not None:
            page = KeyedPage.of(answer, self._by_update)
            if self._poll.read.page == 1 and page.total and not page.ids:
                # There is nothing, and there is something: ask again.
                self._poll = None
                self._rest(self._interval * GROWTH)
                return
            self._poll.receive(page)
            if self._poll.is_over:
                self._end_poll(self._poll)

    def fail(self, error: TwelveTasksError) -> bool:
        """Handle a failed read. Raises the error if it ends the watch.

        Return True if the error is an answer, too: that there is no such task.
        """
        if (lookup := self._lookup) is not None and _tells_of_no_task(error, lookup):
            self._look_up(lookup, None)
            return True
        if isinstance(error, BadRequestError) and self._may_lie_past_the_end():
            return False
        if isinstance(error, ResponseError) and self._garbled < ATTEMPTS - 1:
            self._garbled += 1
        elif not is_transient(error):
            raise error
        asked = error.retry_after
        patiently = asked is not None or isinstance(error, RateLimitedError)
        self._rest(self._interval * 2, patiently=patiently)
        if patiently:
            self._shortest = self.wait = max(self.wait, asked or 0.0)
        return False

    def _may_lie_past_the_end(self) -> bool:
        """Handle a refused page; return False if the page cannot lie past the end."""
        self.wait = 0.0
        if self._census is not None:
            if (tasks := self._census.receive_nothing()) is None:
                return False
            self._take_in(self._census, tasks)
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
        self._lookups.note_poll()
        if self._key is None:
            self._begin_at(poll)
        else:
            self._updated.extend(self._changes(poll))
        self._polled = max(self._polled or BEFORE_ALL, poll.newest or BEFORE_ALL)
        due = {self._id_of(task): task for _, task in self._updated}
        self._announced.end_poll(lambda id: self._status_in(due.get(id) or self._memory.get(id)))  # noqa: A006
        self._expected = len(self._updated)
        self._rest(self._plan.min_interval if self._updated else self._interval * GROWTH)
        self._lookups.add(self._announced.unseen, is_missing=False)
        self._announced.unseen.clear()
        if self._plan.deletions and self._has_to_count(poll):
            self._census_is_needed = True
            self.wait = 0.0
        else:
            self._rest_after_lookups()

    def _rest_after_lookups(self) -> None:
        """Look up at once what is to be looked up; then rest as long as was to be rested now."""
        if self._lookups.next is not None:
            self.wait, self._pause = 0.0, self.wait

    def _status_in(self, task: Any) -> str | None:
        return None if task is None else self._status_of(task)

    def _begin_at(self, poll: Poll) -> None:
        """Begin a watch here: what exists already is no change."""
        self._key = poll.newest or BEFORE_ALL
        self._least = earlier(self._key, self._plan.lateness)
        there = _newest_first((key, task) for key, task in poll.tasks if key <= self._key)
        for key, task in there:
            self._delivered.add(self._id_of(task), key, self._status_of(task))
        self._delivered.forget_before(self._least)
        self._memory.add(task for _, task in there)

    def _changes(self, poll: Poll) -> list[tuple[datetime, Any]]:
        """Return the updates that are to be delivered, oldest first; remember the rest."""
        changes: dict[tuple[datetime, str], Any] = {}
        rest: list[tuple[datetime, Any]] = []
        floor = self._floor
        for key, task in reversed(poll.tasks):
            # A task older than what polls read is news if one should have shown it, and did not.
            is_late = floor is not None and key < floor and self._is_news(task)
            if not (is_late or self._is_change(key, task, floor)):
                rest.append((key, task))
            elif poll.newest is not None and key <= poll.newest:
                # Newer than the first read: left to the next poll.
                changes[key, self._id_of(task)] = task
        self._memory.add(task for _, task in _newest_first(rest))
        shown = {self._id_of(task): key for key, task in reversed(poll.tasks)}
        for id, task in self._fetched.items():  # noqa: A001
            key = self._updated_at(task)
            if key is not None and key > shown.get(id, BEFORE_ALL):
                changes[key, id] = task
        self._fetched.clear()
        return sorted(
            ((key, task) for (key, _), task in changes.items()), key=operator.itemgetter(0)
        )

    def _is_change(self, key: datetime, task: Any, floor: datetime | None) -> bool:
        if floor is None or self._updated_at(task) is None or key < floor:
            return False
        return not self._delivered.holds(self._id_of(task), key, self._status_of(task))

    # Which changes to deliver

    def take(self) -> Any:
        """Return the next change; None if the next read has to be answered first."""
        while self._updated:
            key, task = self._updated.popleft()
            change = self._plan.change(self._memory.swap(task), task)
            self._delivered.add(self._id_of(task), key, self._status_of(task))
            self._lookups.done(self._id_of(task))
            self._move_on_to(key)
            if self._plan.matches(change):
                return change
        return self._others.popleft() if self._others else None

    def _move_on_to(self, key: datetime) -> None:
        """Read from here on next time; not from beyond what polls have shown."""
        if self._polled is not None:
            key = min(key, self._polled)
        if self._key is None or self._key < key:
            self._key = key
        if (floor := self._floor) is not None:
            self._delivered.forget_before(floor)

    # Which tasks were deleted

    def _has_to_count(self, poll: Poll) -> bool:
        """Whether there are fewer tasks than are known, so that all must be listed once.

        Every existing task is known already or was updated just now. For a poll of one read the
        comparison is exact. Between several reads tasks may be deleted, which can only hide others.
        """
        if not self._counted:
            return True
        if self._lookups.confirm_deletions:
            return False
        known = self._memory.count_with(task for _, task in self._updated)
        differs = known > poll.total or (poll.reads == 1 and known != poll.total)
        return differs and self._rested >= self._next_census

    def _count(self, census: Census, page: Page[Any]) -> None:
        try:
            tasks = census.receive(page)
        except ResponseError:
            # The total contradicts the pages, or lags behind: count again after another poll.
            self._end_census()
        else:
            self._take_in(census, tasks)

    def _take_in(self, census: Census, tasks: list[Any]) -> None:
        for task in tasks:
            # A newer update is left to the next poll, in order.
            if not self._is_change(self._updated_at(task) or BEFORE_ALL, task, self._floor):
                self._found(task)
        if census.is_over:
            self._lookups.add(census.missing, is_missing=True)
            if self._counted:
                # As many polls as the census had reads: it at most doubles the requests.
                self._next_census = self._rested + census.reads * self._plan.min_interval
            self._counted = True
            self._end_census()

    def _found(self, task: Any) -> None:
        if not self._is_newer(task, self._memory.get(self._id_of(task))):
            return
        before = self._memory.swap(task)
        if self._counted:
            # The platform showed it late: deliver it out of order rather than not at all.
            self._deliver(self._plan.change(before, task))

    def _is_newer(self, task: Any, before: Any) -> bool:
        """Whether a task was updated after it was last seen, or was not seen at all."""
        if before is None:
            return True
        now, then = self._updated_at(task), self._updated_at(before)
        return now is not None and (then is None or then < now)

    def _end_census(self) -> None:
        self._census = None
        self._rest(self._interval)
        self._rest_after_lookups()

    def _look_up(self, lookup: Lookup, item: Any) -> None:
        """Take in what was looked up: an item, or None if there is none."""
        self._lookups.done(lookup.id)
        if item is None:
            if lookup.is_missing:
                self._deliver(self._plan.change(self._memory.forget(lookup.id), None))
        elif lookup.is_missing:
            if not self._is_change(self._updated_at(item) or BEFORE_ALL, item, self._floor):
                self._found(item)
        elif self._plan.admits(item) and self._is_news(item):
            self._fetched[lookup.id] = item
        self.wait = 0.0 if self._lookups.next is not None else self._pause

    def _is_news(self, item: Any) -> bool:
        """Whether an item was updated since the watch began, and was not seen since then."""
        key = self._updated_at(item)
        if key is None or self._least is None or key < self._least:
            return False
        return self._is_newer(item, self._memory.get(self._id_of(item)))

    def _deliver(self, change: ItemChange[Any]) -> None:
        if self._plan.matches(change):
            self._others.append(change)


def _newest_first(tasks: Iterable[tuple[datetime, Any]]) -> list[tuple[datetime, Any]]:
    """Put the newest state of a task that was updated between two reads of a poll first."""
    return sorted(tasks, key=operator.itemgetter(0), reverse=True)


def _tells_of_no_task(error: TwelveTasksError, lookup: Lookup) -> bool:
    """Whether the answer to a lookup is that there is no such task in the account."""
    if isinstance(error, EndpointRemovedError):
        return False
    # A webhook may announce what this key may not read.
    kinds = NotFoundError if lookup.is_missing else (NotFoundError, BadRequestError)
    return isinstance(error, kinds)
