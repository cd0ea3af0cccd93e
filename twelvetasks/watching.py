"""The progress of one watch: which read to ask for next, and what to deliver of its answer.

Pure: no asyncio, no clock, no network. A poll reads what was updated last, from the head down past
the newest time delivered, by reads that touch (see `chain`). What is updated meanwhile moves above
the first of these reads, so a poll counts only up to there, and the next poll goes on from there.
"""

from __future__ import annotations

import operator
import random as randomness
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import attrs

from twelvetasks.announced import Announced
from twelvetasks.chain import Chain, Link
from twelvetasks.checkpoint import Checkpoint
from twelvetasks.errors import (
    BadRequestError,
    InvalidArgumentError,
    ListingDriftError,
    RateLimitedError,
    ResponseError,
    ServerError,
    TransportError,
    TwelveTasksError,
)
from twelvetasks.evidence import Totals
from twelvetasks.models import SortBy, SortOption, Task, TaskPage, TaskStatus
from twelvetasks.paging import Paging
from twelvetasks.query import MAX_PAGE_LIMIT, TaskQuery, positive_seconds, refuse
from twelvetasks.reads import Read, straddling
from twelvetasks.trust import sort_keys

__all__ = ["TaskChange", "WatchPlan", "Watching"]

HEAD = 10
"""Tasks that a poll asks for at first, unless it has reason to expect more."""

REMEMBERED = 10_000
"""Tasks whose last state a watch without `deletions` remembers."""

PATIENCE = 64
"""Answers in a row that join nothing, before giving up."""

ATTEMPTS = 3
"""Times that one read may be answered with nonsense, or one poll be refused, in a row."""

GROWTH = 1.5
"""By how much a quiet poll lengthens the interval; an error doubles it."""

JITTER = 0.1
"""By which part of itself an interval varies, so that watches do not move in step."""

PASSING = (TransportError, ServerError, RateLimitedError)
"""The errors that a watch outlives, however often they come."""

BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


@attrs.frozen
class TaskChange:
    """The difference between two looks at one task.

    A task that changes twice between two polls shows only its newest state: that is one change.
    """

    before: Task | None
    """The task when it was last seen; None if it is new, or if this watch had not seen it yet."""
    after: Task | None
    """The task as it is now; None if it has been deleted."""

    @property
    def task(self) -> Task:
        """The task as far as it is known: `after`, or `before` if it has been deleted."""
        task = self.after if self.after is not None else self.before
        if task is None:
            raise AssertionError("a change is one of a task")
        return task


def _without_a_time(_: object, __: object, query: TaskQuery) -> None:
    if query.updated_at is not None:
        refuse("updated_at", query.updated_at, "a watch begins at a time by `since`")


def _moment(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, datetime) or value.utcoffset() is None:
        refuse(field.name, value, "must be a datetime with a time zone")


def _flag(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, bool):
        refuse(field.name, value, "must be True or False")


def _place(resume: Checkpoint | str | None) -> Checkpoint | None:
    return Checkpoint.parse(resume) if isinstance(resume, str) else resume


@attrs.frozen(kw_only=True)
class WatchPlan:
    """What a watch is to deliver, and how often it looks.

    Raises InvalidArgumentError, which names parameter and value, for what makes no watch.
    """

    query: TaskQuery = attrs.field(validator=_without_a_time)
    """The filters. The order is the watch's own."""
    since: datetime | None = attrs.field(default=None, validator=attrs.validators.optional(_moment))
    """Deliver what was updated at or after this time; None for what is updated from now on."""
    resume: Checkpoint | None = attrs.field(default=None, converter=_place)
    """Go on from here instead."""
    deletions: bool = attrs.field(default=False, validator=_flag)
    """Whether to know every task, and so to notice which of them are gone."""
    min_interval: float = attrs.field(default=5.0, validator=positive_seconds)
    """Seconds between two polls after a change."""
    max_interval: float = attrs.field(default=60.0, validator=positive_seconds)
    """Seconds to which the interval grows while nothing changes."""

    def __attrs_post_init__(self) -> None:
        if self.max_interval < self.min_interval:
            refuse("max_interval", self.max_interval, "must be at least min_interval")
        if self.resume is None:
            return
        if self.since is not None:
            refuse("since", self.since, "must be left out where `resume` says where to begin")
        if self.resume.query != self.name:
            raise InvalidArgumentError(
                f"resume: the checkpoint belongs to something else ({self.resume.query}), "
                f"not to this watch ({self.name})",
                advice="Resume with a checkpoint of a watch with the same filters",
            )

    @property
    def name(self) -> str:
        """What tells this watch's checkpoints from those of listings and of other watches."""
        filters = self.query.params()[4:]
        return "&".join(["watch", *(f"{name}={value}" for name, value in filters)])

    @property
    def by_update(self) -> TaskQuery:
        """The listing that a poll reads the head of.

        Without the status filter: a task that leaves it would vanish instead of showing up.
        """
        return attrs.evolve(
            self.query, status=None, sort_by=SortBy.UPDATED_AT, sort_option=SortOption.DESC
        )

    @property
    def by_creation(self) -> TaskQuery:
        """The listing of every task there is, in an order that no change disturbs."""
        return attrs.evolve(
            self.query,
            status=None,
            sort_by=SortBy.CREATED_AT,
            sort_option=SortOption.DESC,
            page_limit=MAX_PAGE_LIMIT,
        )

    def matches(self, change: TaskChange) -> bool:
        """Whether the task was, or is, in one of the states that are asked for."""
        statuses = self.query.status
        states = (change.before, change.after)
        return statuses is None or any(task.status in statuses for task in states if task)


class Watching:
    """The progress of one watch. Take all changes there are before asking for the next read."""

    def __init__(self, plan: WatchPlan, random: Callable[[], float] = randomness.random) -> None:
        self.polls: int = 0
        """How often it has been seen what was updated last."""
        self.wait: float = 0.0
        """Seconds from the last answer, or error, until the next read is to be sent."""
        self._plan = plan
        self._by_update = plan.by_update
        self._by_creation = plan.by_creation
        self._random = random
        self._interval = plan.min_interval
        place = plan.resume
        self._key = plan.since if place is None else place.key
        self._ids = set() if place is None else set(place.ids)
        self._memory = _Memory(None if plan.deletions else REMEMBERED)
        self._updated: deque[tuple[datetime, Task]] = deque()
        self._others: deque[TaskChange] = deque()
        self._expected = 0
        self._poll: _Poll | None = None
        self._poll_refused = self._garbled = 0
        self._census: _Census | None = None
        self._census_is_needed = False
        self._counted = False
        self._rested = self._next_census = 0.0
        self._announced = Announced()
        self._shortest = self._unrested = 0.0

    @property
    def checkpoint(self) -> Checkpoint:
        """The place after the last change taken."""
        return Checkpoint(query=self._plan.name, key=self._key, ids=frozenset(self._ids))

    # What to ask for

    def next_read(self) -> tuple[TaskQuery, Read]:
        """Give the read whose answer is needed, the same one until it has been answered."""
        if self._updated or self._others:
            raise AssertionError("there are changes to be taken first")
        self._unrested = 0.0
        if self._census_is_needed:
            self._census_is_needed = False
            self._census = _Census(self._by_creation, self._memory.ids)
        if self._census is not None:
            return self._by_creation, self._census.read
        if self._poll is None:
            page_limit = min(max(HEAD, len(self._ids) + self._expected + 1), MAX_PAGE_LIMIT)
            self._poll = _Poll(self._by_update, page_limit, self._key)
        if not self._poll.reads:
            self._announced.begin_poll()
        return self._by_update, self._poll.read

    def announce(self, id: str, status: TaskStatus) -> None:  # noqa: A002
        """Look soon for a task in this state, by changing `wait`; it has been announced."""
        self._announced.add(id, status)
        self.wait = min(self.wait, self._shortest)
        cut = max(self._unrested - self._shortest, 0.0)
        self._unrested -= cut
        self._rested -= cut

    # What has come

    def receive(self, page: TaskPage) -> None:
        """Take in the answer to the read.

        Raises ListingDriftError, or ResponseError if it is nonsense once too often.
        """
        self.wait = 0.0
        if self._census is not None:
            self._garbled = 0
            self._count(self._census, self._census.receive(page))
        elif self._poll is not None:
            if (fault := _fault_of(self._poll.read, page)) is not None:
                self.fail(fault)
                return
            self._garbled = 0
            self._poll.receive(page)
            if self._poll.is_over:
                self._end_poll(self._poll)

    def fail(self, error: TwelveTasksError) -> None:
        """Take in that the read failed. Raises the error if the watch ends with it."""
        if isinstance(error, BadRequestError) and self._may_lie_past_the_end():
            return
        if isinstance(error, ResponseError) and self._garbled < ATTEMPTS - 1:
            self._garbled += 1
        elif not isinstance(error, PASSING):
            raise error
        if not isinstance(error, RateLimitedError):
            self._rest(self._interval * 2)
            return
        self._rest(self._interval * 2, patiently=True)
        if error.retry_after is not None:
            self.wait = max(self.wait, error.retry_after)
        self._shortest = self.wait

    def _may_lie_past_the_end(self) -> bool:
        """Go on after a page was refused, if that may be because there are fewer by now."""
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

    def _end_poll(self, poll: _Poll) -> None:
        self._poll = None
        self._poll_refused = 0
        self.polls += 1
        if self._key is None:
            self._begin_at(poll)
        else:
            self._updated.extend(self._changes(poll))
        due = {task.id: task for _, task in self._updated}
        self._announced.end_poll(lambda id: due.get(id) or self._memory.get(id))  # noqa: A006
        self._expected = len(self._updated)
        self._rest(self._plan.min_interval if self._updated else self._interval * GROWTH)
        if self._plan.deletions and self._has_to_count(poll):
            self._census_is_needed = True
            self.wait = 0.0

    def _begin_at(self, poll: _Poll) -> None:
        """Begin a watch here: all that is there already is no change."""
        self._key = poll.newest or BEFORE_ALL
        self._ids = {task.id for key, task in poll.tasks if key == self._key}
        self._memory.add(task for key, task in poll.tasks if key <= self._key)

    def _changes(self, poll: _Poll) -> list[tuple[datetime, Task]]:
        """Give what was updated since the last change taken, oldest first; remember the rest."""
        changes: dict[tuple[datetime, str], Task] = {}
        rest: list[Task] = []
        for key, task in reversed(poll.tasks):
            if not self._is_change(key, task):
                rest.append(task)
            elif poll.newest is not None and key <= poll.newest:
                # What is above the first read has come since, and is left to the next poll.
                changes[key, task.id] = task
        self._memory.add(rest)
        return sorted(
            ((key, task) for (key, _), task in changes.items()), key=operator.itemgetter(0)
        )

    def _is_change(self, key: datetime, task: Task) -> bool:
        if self._key is None or task.updated_at is None or key < self._key:
            return False
        if key > self._key or task.id not in self._ids:
            return True
        known = self._memory.get(task.id)
        return known is not None and known.status != task.status

    # Which changes to deliver

    def take(self) -> TaskChange | None:
        """Give the next change; None if there is none before the next answer."""
        while self._updated:
            key, task = self._updated.popleft()
            change = TaskChange(self._memory.swap(task), task)
            if key != self._key:
                self._key, self._ids = key, set()
            self._ids.add(task.id)
            if self._plan.matches(change):
                return change
        return self._others.popleft() if self._others else None

    # Which tasks are gone

    def _has_to_count(self, poll: _Poll) -> bool:
        """Whether there are fewer tasks than are known, so that all have to be listed once.

        Every task that there is has been known, or is among those updated now. With one read that
        is exact; with several, some may have gone unseen in between, which can only hide others.
        """
        if not self._counted:
            return True
        known = self._memory.count_with(task for _, task in self._updated)
        differs = known > poll.total or (poll.reads == 1 and known != poll.total)
        return differs and self._rested >= self._next_census

    def _count(self, census: _Census, tasks: list[Task]) -> None:
        for task in tasks:
            # What was updated since is left to the next poll, in its order.
            if not self._is_change(task.updated_at or BEFORE_ALL, task):
                self._found(task)
        if census.is_over:
            self._end_census(census)

    def _found(self, task: Task) -> None:
        before = self._memory.swap(task)
        if self._counted and (before is None or before.updated_at != task.updated_at):
            # The platform has shown it late: better out of its order than not at all.
            self._deliver(TaskChange(before, task))

    def _end_census(self, census: _Census) -> None:
        self._census = None
        for id in census.missing:  # noqa: A001
            self._deliver(TaskChange(self._memory.forget(id), None))
        if self._counted:
            # So many polls could have been made instead: counting at most doubles the requests.
            self._next_census = self._rested + census.reads * self._plan.min_interval
        self._counted = True
        self._rest(self._interval)

    def _deliver(self, change: TaskChange) -> None:
        if self._plan.matches(change):
            self._others.append(change)


class _Memory:
    """The last state of each task that has been seen; of the `most` seen last, if that is given."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._tasks: OrderedDict[str, Task] = OrderedDict()

    @property
    def ids(self) -> Iterable[str]:
        """All that are remembered, by the time they were seen first or changed last."""
        return self._tasks

    def get(self, id: str) -> Task | None:  # noqa: A002
        return self._tasks.get(id)

    def count_with(self, tasks: Iterable[Task]) -> int:
        """Count the tasks that are remembered and those, each once."""
        return len(self._tasks) + len({task.id for task in tasks} - self._tasks.keys())

    def add(self, tasks: Iterable[Task]) -> None:
        """Remember tasks of which nothing is known yet."""
        for task in tasks:
            if task.id not in self._tasks:
                self.swap(task)

    def swap(self, task: Task) -> Task | None:
        """Remember the state of a task, and give the one before it."""
        before = self._tasks.pop(task.id, None)
        self._tasks[task.id] = task
        if self._most is not None and len(self._tasks) > self._most:
            self._tasks.popitem(last=False)
        return before

    def forget(self, id: str) -> Task:  # noqa: A002
        return self._tasks.pop(id)


class _Poll:
    """One look at what was updated last: reads that touch, from the head down past a key."""

    def __init__(self, query: TaskQuery, page_limit: int, floor: datetime | None) -> None:
        self.is_over = False
        self.newest: datetime | None = None
        """The key of the first task of the first read; None if there was none."""
        self.tasks: list[tuple[datetime, Task]] = []
        """Every task that was read, with its key: newest first, some of them twice."""
        self.total = 0
        """How many tasks there were at the first read."""
        self.reads = 0
        self._query = query
        self._floor = floor
        self._totals = Totals(trusted=False)
        self._chain = Chain(operator.gt, self._totals, keys_change=True)
        self._chain.links.append(Link(Read(1, page_limit)))
        self._fruitless = 0

    @property
    def read(self) -> Read:
        """The read whose answer is needed."""
        return self._awaited.read

    @property
    def _awaited(self) -> Link:
        return next(link for link in self._chain.links if link.page is None)

    def receive(self, page: TaskPage) -> None:
        total = page.page_info.total_results
        self._awaited.arrive(page, sort_keys(page, self._query), self._totals.note(total))
        self.reads += 1
        self._chain.settle(total)
        self._fruitless += 1
        while (link := self._chain.take()) is not None and link.page is not None:
            self._fruitless = 0
            self._collect(link.keys, link.page)
        if self._fruitless >= PATIENCE:
            raise ListingDriftError(
                f"the account changes faster than its pages can be joined ({PATIENCE} reads in a "
                "row brought nothing new)",
                advice="All that was delivered is proven: go on with resume=error.checkpoint",
            )
        if not self.is_over and not self._chain.links:
            self._chain.links.append(self._next_link(total))

    def _collect(self, keys: list[datetime], page: TaskPage) -> None:
        if not self.tasks:
            self.newest = keys[0] if keys else None
            self._floor = self._floor or self.newest
            self.total = page.page_info.total_results
        self.tasks += zip(keys, page.tasks, strict=True)
        edge = self._chain.edge
        if edge is None or edge.at_end or (self._floor is not None and edge.key < self._floor):
            self.is_over = True

    def _next_link(self, total: int) -> Link:
        edge = self._chain.edge
        if edge is None:
            raise AssertionError("a poll without an edge is over")
        if edge.target is not None or edge.rank >= total:
            return Link(edge.bridge(total), seeks=edge)
        before = edge.rank - len(edge.ids) - 1
        return Link(straddling(max(before, 0), beyond=edge.rank), seeks=edge)


class _Census:
    """One exact listing of every task, to find which of those known are there no more."""

    def __init__(self, query: TaskQuery, known: Iterable[str]) -> None:
        self.missing = dict.fromkeys(known)
        """The known ids that have not been listed: when it is over, those that are gone."""
        self.reads = 0
        self._paging = Paging(query, exact=True)
        self.read = self._next_read()

    @property
    def is_over(self) -> bool:
        return self._paging.finished

    def receive(self, page: TaskPage) -> list[Task]:
        """Take in an answer and give the tasks that are listed with it."""
        self.reads += 1
        self._paging.receive(self.read, page)
        return self._listed()

    def receive_nothing(self) -> list[Task] | None:
        """Take in that the read was refused; None if it cannot be because it lies past the end."""
        self.reads += 1
        return self._listed() if self._paging.receive_nothing(self.read) else None

    def _listed(self) -> list[Task]:
        tasks: list[Task] = []
        while (page := self._paging.take()) is not None:
            tasks += page.tasks
        for task in tasks:
            self.missing.pop(task.id, None)
        if self._paging.stuck is not None:
            raise self._paging.stuck
        if not self._paging.finished:
            self.read = self._next_read()
        return tasks

    def _next_read(self) -> Read:
        read = self._paging.next_read(1)
        if read is None:
            raise AssertionError("a listing that is not finished asks for something")
        return read


def _fault_of(read: Read, page: TaskPage) -> ResponseError | None:
    """Give the error of a page that its own `page_info` contradicts.

    The platform may count and find at different instants, so the read is worth repeating.
    """
    total = page.page_info.total_results
    if len(page.tasks) == min(max(total - read.start, 0), read.page_limit):
        return None
    return ResponseError(
        f"the page holds {len(page.tasks)} tasks, which its own total_results of {total} "
        "contradicts",
        advice="Nothing of it was used; try again later",
        page=read.page,
    )
