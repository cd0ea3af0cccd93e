"""Waiting for tasks to end: one poll serves any number of them.

A poll lists the tasks under way. A task that is missing there may have ended, or have been missed
because the pages shifted: so each missing task is retrieved, and only that answer counts.
Like a listing's stream, a wait is an async generator written as a class: a cancelled `anext` loses
nothing, and its requests stay in flight for the next one. They hold no reference to the wait.
"""

from __future__ import annotations

import asyncio
import inspect
import random
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

import attrs

from twelvetasks.paging.reads import Read
from twelvetasks.streams.requests import Requests, cancel, end
from twelvetasks.streams.resumable import ResumableGenerator
from twelvetasks.tasks.polling import Polling, Schedule
from twelvetasks.tasks.requests import checked_id, retrieve
from twelvetasks.values.checks import positive_seconds, refuse
from twelvetasks.values.display import excerpt
from twelvetasks.values.errors import (
    TRANSIENT_FAILURES,
    BadRequestError,
    NotFoundError,
    SessionClosedError,
    TaskFailedError,
    TwelveTasksError,
    WaitTimeoutError,
)
from twelvetasks.values.models import Page, Task, TaskStatus
from twelvetasks.values.tasks import TASKS, TaskQuery

__all__ = ["OnChange", "TaskWaiting", "WaitPlan", "under_way", "wait_for"]

ENDED = frozenset((TaskStatus.READY, TaskStatus.FAILED))
UNDER_WAY = tuple(status for status in TaskStatus if status not in ENDED)

OnChange = Callable[[Task], Awaitable[None] | None]
"""Called, or awaited, with each task when it is first seen and whenever its status changes."""


def under_way(index_id: str | None = None) -> TaskQuery:
    """Return the query for the tasks under way, in one index or in all."""
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
    """Seconds, from the first poll."""
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
    """Return the task as it ended; raise TaskFailedError, or as `TaskWaiting` does."""
    async with TaskWaiting(requests, [task], plan) as waiting:
        ended = await anext(waiting)
    if raise_on_failure and ended.status == TaskStatus.FAILED:
        reason = excerpt(ended.error_reason or "")
        raise TaskFailedError(
            f"task {excerpt(ended.id)} has failed"
            f"{f': {reason}' if reason else ', and no reason is given'}",
            advice="Check the video against the platform's requirements",
            task=ended,
        )
    return ended


class TaskWaiting(ResumableGenerator[Task]):
    """An async generator of `Task`: each one as soon as it has ended; made by `wait_all`.

    A cancelled `anext` loses nothing: the next one carries on with the same requests, so
    `asyncio.wait_for(anext(waiting), 1)` can serve as a heartbeat. Leave it with `async with` or
    `aclose()`, which end its requests. ::

        urls = ["https://example.com/one.mp4", "https://example.com/two.mp4"]
        index = "62a0906d47f5678267ec10a6"
        tasks = [await session.create(index_id=index, video_url=url) for url in urls]
        async with session.wait_all(tasks, timeout=600) as waiting:
            async for task in waiting:
                print(task.id, task.status, len(waiting.remaining))

    Transient failures (no connection, no answer in time, status 429 and 5xx) are retried at the
    next poll. Raises WaitTimeoutError when the `timeout` is over, and NotFoundError after all
    others have ended if a task does not exist. Any other error is raised at once; the next `anext`
    carries on.
    """

    def __init__(self, requests: Requests, tasks: Iterable[str | Task], plan: WaitPlan) -> None:
        self._requests = requests
        self._plan = plan
        self._waiting = _checked_tasks(tasks)
        self._unseen: list[str] = []
        self._ended: deque[Task] = deque()
        self._changed: deque[Task] = deque()
        self._gone: dict[str, NotFoundError] = {}
        self._pages = 1
        self._listing: _Listing | None = None
        self._fetches: list[asyncio.Task[Any]] = []
        self._retrieved: list[str] = []
        self._schedule: Schedule | None = None
        self._late = False
        self._transient: TwelveTasksError | None = None
        backstop = weakref.finalize(self, cancel, self._fetches)
        backstop.atexit = False

    @property
    def remaining(self) -> tuple[str, ...]:
        """The ids of the tasks that no poll has shown to have ended, in the order given."""
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
            await self._notify()
            if self._ended:
                return self._ended.popleft()
            if not self._waiting:
                if self._gone:
                    raise self._none_there()
                return None
            if self._late:
                raise self._too_late() from self._transient
            try:
                await self._step(self._schedule)
            except TRANSIENT_FAILURES as error:
                self._transient = error

    async def _step(self, schedule: Schedule) -> None:
        """Wait for what is next: the answers under way, or the time of the next poll."""
        if self._requests.closing.is_set():
            raise SessionClosedError(
                "the session was closed during the wait",
                advice="Finish the wait inside the session's `async with` block",
            )
        if not (self._fetches or schedule.left):
            self._late = True
            return
        if not self._fetches and not self._send():
            if pause := schedule.pause:
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._requests.closing.wait()
            else:
                schedule.polled()
                self._listing = _Listing(dict.fromkeys(self._waiting))
            return
        _, pending = await asyncio.wait(self._fetches, timeout=schedule.left)
        if pending:
            self._late = True
            await self._stop()
            return
        fetches = tuple(self._fetches)
        self._fetches.clear()
        if self._listing is not None:
            self._take_page(self._listing, fetches[0])
        else:
            self._take_tasks(fetches)

    def _send(self) -> bool:
        """Send the next requests of the poll; False if it needs no more."""
        if self._listing is not None:
            # Once there are no more tasks left than pages, retrieving them takes fewer requests.
            if len(self._listing.unseen) > self._pages - self._listing.page + 1:
                read = Read(self._listing.page, TASKS.max_page_limit)
                fetch = self._requests.read_page(self._plan.query, read)
                self._fetches.append(self._requests.spawn(fetch))
                return True
            self._end_listing(self._listing)
        self._retrieved = self._unseen[: self._requests.concurrency]
        for task_id in self._retrieved:
            asked = retrieve(self._requests, self._plan.query, task_id)
            self._fetches.append(self._requests.spawn(asked))
        return bool(self._retrieved)

    def _take_page(self, listing: _Listing, fetch: asyncio.Task[Any]) -> None:
        try:
            page: Page[Task] = _result(fetch)
        except BadRequestError:
            if listing.page == 1:
                self._listing = None
                raise
            self._end_listing(listing)
            return
        except TwelveTasksError:
            self._listing = None
            raise
        self._transient = None
        for task in page.items:
            if task.id in listing.unseen:
                del listing.unseen[task.id]
                self._see(task)
        self._pages = max(page.page_info.total_page, 1)
        listing.page += 1
        if listing.page > self._pages:
            self._end_listing(listing)

    def _end_listing(self, listing: _Listing) -> None:
        """Note which tasks have to be retrieved, because the listing did not show them."""
        self._unseen = [task_id for task_id in listing.unseen if task_id in self._waiting]
        self._listing = None

    def _take_tasks(self, fetches: Iterable[asyncio.Task[Any]]) -> None:
        self._transient = None
        faults: list[Exception] = []
        for task_id, fetch in zip(self._retrieved, fetches, strict=True):
            try:
                task = _result(fetch)
            except NotFoundError as error:
                self._gone[task_id] = error
                del self._waiting[task_id]
            except TRANSIENT_FAILURES as error:
                self._transient = error
            except Exception as error:  # noqa: BLE001 - raised below
                faults.append(error)
                continue
            else:
                self._see(task)
            self._unseen.remove(task_id)
        if faults:
            raise faults[0]

    async def _stop(self) -> None:
        await end(self._fetches)
        self._fetches.clear()

    def _enter_loop(self, *, to_close: bool) -> None:
        self._requests.enter(to_close=to_close)

    def _see(self, task: Task) -> None:
        """Note the current state of a task."""
        before, self._waiting[task.id] = self._waiting[task.id], task
        if before is None or before.status != task.status:
            self._changed.append(task)
        if task.status in ENDED:
            del self._waiting[task.id]
            self._ended.append(task)

    async def _notify(self) -> None:
        """Call `on_change` for each task that has changed. The `timeout` does not limit this."""
        while self._changed:
            task = self._changed.popleft()
            if self._plan.on_change is not None:
                result = self._plan.on_change(task)
                if inspect.isawaitable(result):
                    await result

    def _none_there(self) -> NotFoundError:
        """Return the error for tasks that do not exist; the platform's own if it is one task."""
        first = next(iter(self._gone.values()))
        if len(self._gone) == 1:
            # To raise an error again makes its traceback longer.
            return first.with_traceback(None)
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


@attrs.define
class _Listing:
    """The listing at the beginning of a poll."""

    unseen: dict[str, None]
    """The tasks that no page has shown yet, in order."""
    page: int = 1
    """The page to read next."""


def _result(fetch: asyncio.Task[Any]) -> Any:
    try:
        return fetch.result()
    except asyncio.CancelledError:
        raise SessionClosedError("the request was cancelled") from None


def _checked_tasks(tasks: Iterable[str | Task]) -> dict[str, Task | None]:
    """Map each id, once, to the task as the caller knows it."""
    if isinstance(tasks, (str, Task)) or not isinstance(tasks, Iterable):
        refuse("tasks", tasks, "must be several tasks or ids; for a single one there is wait()")
    return {checked_id(task): task if isinstance(task, Task) else None for task in tasks}


def _listed(words: Iterable[str]) -> str:
    """Join the first five words, and count the rest."""
    several = [excerpt(each) for each in words]
    more = len(several) - 5
    return ", ".join(several[:5]) + (f" and {more} more" if more > 0 else "")
