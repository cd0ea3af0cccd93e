"""Waiting for tasks to end: one poll serves any number of them.

A poll never takes a listing's word that a task has ended: tasks that a listing of those under way
does not show are looked at one by one, and only that decides. So nothing depends on pages holding
still. Like a listing's stream, a wait is an async generator written as a class: cancelled, it keeps
its place. All it runs, it runs within the call that awaits it.
"""

from __future__ import annotations

import asyncio
import inspect
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

import attrs

from twelvetasks.paging.reads import Read
from twelvetasks.streams.requests import Requests
from twelvetasks.streams.resumable import ResumableGenerator
from twelvetasks.tasks.polling import Polling, Schedule
from twelvetasks.tasks.requests import checked_id, retrieve
from twelvetasks.values.checks import positive_seconds, refuse
from twelvetasks.values.errors import (
    BadRequestError,
    NotFoundError,
    RateLimitedError,
    ServerError,
    SessionClosedError,
    TaskFailedError,
    TransportError,
    TwelveTasksError,
    WaitTimeoutError,
)
from twelvetasks.values.models import Task, TaskStatus
from twelvetasks.values.tasks import TASKS, TaskQuery

__all__ = ["OnChange", "TaskWaiting", "WaitPlan", "under_way", "wait_for"]

ENDED = frozenset((TaskStatus.READY, TaskStatus.FAILED))
UNDER_WAY = tuple(status for status in TaskStatus if status not in ENDED)

PASSING = (RateLimitedError, ServerError, TransportError)
"""What may be over by the next poll."""

OnChange = Callable[[Task], Awaitable[None] | None]
"""Called, or awaited, with a task whose status is another one than at the last look."""


def under_way(index_id: str | None = None) -> TaskQuery:
    """Give the listing of the tasks under way, in one index or in all."""
    return TaskQuery(status=UNDER_WAY, index_id=index_id)


def _checked_callback(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if not callable(value):
        refuse(field.name, value, "must be a function that takes a task")


def _default_policy(polling: Polling | None) -> Polling:
    return Polling() if polling is None else polling


def _checked_policy(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, Polling):
        refuse(field.name, value, "must be a Polling")


@attrs.frozen(kw_only=True)
class WaitPlan:
    """How to wait. Raises InvalidArgumentError for a value out of range."""

    timeout: float = attrs.field(validator=positive_seconds)
    """Seconds, from the first look."""
    polling: Polling = attrs.field(
        default=None, converter=_default_policy, validator=_checked_policy
    )
    on_change: OnChange | None = attrs.field(
        default=None, validator=attrs.validators.optional(_checked_callback)
    )
    query: TaskQuery = attrs.field(factory=under_way)
    """The listing that shows which tasks are under way."""


async def wait_for(
    requests: Requests, task: str | Task, plan: WaitPlan, *, raise_on_failure: bool
) -> Task:
    """Give the task as it ended, or raise as `TaskWaiting` does, or TaskFailedError."""
    async with TaskWaiting(requests, [task], plan) as waiting:
        ended = await anext(waiting)
    if raise_on_failure and ended.status == TaskStatus.FAILED:
        raise TaskFailedError(
            f"task {ended.id} has failed",
            advice="The API gives no reason: check the video against the platform's requirements",
            task=ended,
        )
    return ended


class TaskWaiting(ResumableGenerator[Task]):
    """Tasks, each given as soon as it has ended; an async generator of `Task`.

    Cancelled, it loses nothing: the next `anext` carries on. After every other task has ended, it
    raises NotFoundError if one is gone. Raises WaitTimeoutError when the time is over, and any
    error that is not a passing one where it arises; asked again, it goes on.
    """

    def __init__(self, requests: Requests, tasks: Iterable[str | Task], plan: WaitPlan) -> None:
        self._requests = requests
        self._plan = plan
        self._waiting = _checked_tasks(tasks)
        self._unseen: list[str] = []
        self._ended: deque[Task] = deque()
        self._untold: deque[Task] = deque()
        self._gone: dict[str, NotFoundError] = {}
        self._pages = 1
        self._schedule: Schedule | None = None
        self._late = False
        self._passed: TwelveTasksError | None = None

    @property
    def remaining(self) -> tuple[str, ...]:
        """The ids of the tasks that have not ended, as far as is known."""
        return tuple(self._waiting)

    async def _next(self) -> Task | None:
        if self._schedule is None:
            self._schedule = Schedule(
                self._plan.polling,
                timeout=self._plan.timeout,
                clock=asyncio.get_running_loop().time,
                chance=random.random,
            )
        while True:
            await self._tell()
            if self._ended:
                return self._ended.popleft()
            if not self._waiting:
                if self._gone:
                    raise self._none_there()
                return None
            if self._late:
                raise self._too_late() from self._passed
            try:
                async with asyncio.timeout(self._schedule.left):
                    await self._step(self._schedule)
            except PASSING as error:
                self._passed = error
            except TimeoutError:
                self._late = True

    async def _step(self, schedule: Schedule) -> None:
        """Do what is next: look at tasks, wait for the next poll, or begin it."""
        if self._requests.closing.is_set():
            raise SessionClosedError(
                "the session was closed during the wait",
                advice="Finish the wait inside the session's `async with` block",
            )
        if self._unseen:
            await self._look()
        elif pause := schedule.pause:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._requests.closing.wait()
        else:
            schedule.polled()
            await self._list()

    async def _list(self) -> None:
        """Find out which tasks have to be looked at one by one.

        As soon as there are no more of them than pages of the listing are left, they all have to:
        that takes fewer requests.
        """
        unseen = dict.fromkeys(self._waiting)
        page = 1
        while len(unseen) > self._pages - page + 1:
            try:
                asked = Read(page, TASKS.max_page_limit)
                read = await self._requests.read_page(self._plan.query, asked)
            except BadRequestError:
                if page == 1:
                    raise
                break
            self._passed = None
            for task in read.items:
                if task.id in unseen:
                    del unseen[task.id]
                    self._see(task)
            self._pages = max(read.page_info.total_page, 1)
            page += 1
            if page > self._pages:
                break
        self._unseen = [task_id for task_id in unseen if task_id in self._waiting]

    async def _look(self) -> None:
        """Look at the next few of those that have to be."""
        looked_at = self._unseen[: self._requests.concurrency]
        found = await asyncio.gather(*map(self._retrieve, looked_at), return_exceptions=True)
        self._passed = None
        faults: list[BaseException] = []
        for task_id, what in zip(looked_at, found, strict=True):
            if isinstance(what, Task):
                self._see(what)
            elif isinstance(what, NotFoundError):
                self._gone[task_id] = what
                del self._waiting[task_id]
            elif isinstance(what, PASSING):
                self._passed = what
            else:
                faults.append(what)
                continue
            self._unseen.remove(task_id)
        if faults:
            raise faults[0]

    async def _retrieve(self, task_id: str) -> Task:
        return await retrieve(self._requests.transport, self._requests.base_url, task_id)

    def _see(self, task: Task) -> None:
        """Take note of a task as it is now."""
        before, self._waiting[task.id] = self._waiting[task.id], task
        if before is None or before.status != task.status:
            self._untold.append(task)
        if task.status in ENDED:
            del self._waiting[task.id]
            self._ended.append(task)

    async def _tell(self) -> None:
        """Call `on_change` for what has changed. The time for that is the caller's own."""
        while self._untold:
            task = self._untold.popleft()
            if self._plan.on_change is not None:
                told = self._plan.on_change(task)
                if inspect.isawaitable(told):
                    await told

    def _none_there(self) -> NotFoundError:
        """Make the error for tasks that are gone; the platform's own if it is one."""
        first = next(iter(self._gone.values()))
        if len(self._gone) == 1:
            return first
        return NotFoundError(
            f"{len(self._gone)} of the tasks do not exist: {_listed(self._gone)}",
            advice=first.advice,
            status=first.status,
            code=first.code,
            request_id=first.request_id,
        )

    def _too_late(self) -> WaitTimeoutError:
        states = [
            f"{task_id} ({'not seen' if task is None else task.status})"
            for task_id, task in self._waiting.items()
        ]
        return WaitTimeoutError(
            f"not ended within {self._plan.timeout:g} seconds: {_listed(states)}",
            advice="Wait again, with a longer `timeout`",
            task_ids=self.remaining,
        )


def _checked_tasks(tasks: Iterable[str | Task]) -> dict[str, Task | None]:
    """Map each id, once, to the task as the caller knows it."""
    if isinstance(tasks, (str, Task)) or not isinstance(tasks, Iterable):
        refuse("tasks", tasks, "must be several tasks or ids; for a single one there is wait()")
    return {checked_id(task): task if isinstance(task, Task) else None for task in tasks}


def _listed(words: Iterable[str]) -> str:
    """Write the first few of many."""
    several = list(words)
    more = len(several) - 5
    return ", ".join(several[:5]) + (f" and {more} more" if more > 0 else "")
