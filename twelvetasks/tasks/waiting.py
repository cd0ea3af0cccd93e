"""Waiting for items of any list to end: one poll serves any number of them.

A poll lists the items under way. An item that is missing there may have ended, or have been missed
because the pages shifted: so each missing item is retrieved, and only that answer counts. If many
are missing, the whole list is read first: it shows in one request as many as a page holds.
Like a listing's stream, a wait is an async generator written as a class: a cancelled `anext` loses
nothing, and its requests stay in flight for the next one. They hold no reference to the wait.
"""

from __future__ import annotations

import asyncio
import inspect
import random
import weakref
from collections import deque
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from typing import Any, Generic, TypeVar

import attrs

from twelvetasks.paging.reads import Read
from twelvetasks.streams.requests import Requests, all_ended, cancel, class_of, end
from twelvetasks.streams.resumable import ResumableGenerator
from twelvetasks.tasks.polling import Schedule, WaitPlan
from twelvetasks.tasks.requests import checked_item_id
from twelvetasks.values.checks import refuse
from twelvetasks.values.display import excerpt
from twelvetasks.values.errors import (
    BadRequestError,
    NotFoundError,
    SessionClosedError,
    TaskFailedError,
    TwelveTasksError,
    WaitTimeoutError,
    is_transient,
)
from twelvetasks.values.models import Page
from twelvetasks.values.query import ListQuery
from twelvetasks.values.resources import Resource
from twelvetasks.values.tasks import Task

ItemT = TypeVar("ItemT")

FIRST_POLL = 5.0
"""Seconds that the first poll has beyond the timeout of the wait."""

FEW = 100
"""Items that a poll retrieves one by one. If more are missing, it reads the whole list first."""


async def wait_for(
    requests: Requests, item: str | ItemT, plan: WaitPlan[ItemT], *, raise_on_failure: bool
) -> ItemT:
    """Return the item in its final state; raise TaskFailedError, or as `ItemWaiting` does."""
    async with ItemWaiting(requests, [item], plan) as waiting:
        ended = await anext(waiting)
    resource = plan.query.resource
    if raise_on_failure and (status := resource.status_of(ended)) in resource.failures:
        reason = excerpt(resource.reason_of(ended) or "")
        outcome = "has failed" if status == "failed" else f"has ended as {status}"
        raise TaskFailedError(
            f"{resource.singular} {excerpt(resource.id_of(ended))} {outcome}"
            f"{f': {reason}' if reason else ', and no reason is given'}",
            advice="Check the video against the platform's requirements",
            task=ended,
        )
    return ended


class ItemWaiting(ResumableGenerator[ItemT]):
    """An async generator of items, each as soon as it has ended; made by `Listing.wait_all`.

    A cancelled `anext` loses nothing: the next one carries on with the same requests, so
    `asyncio.wait_for(anext(waiting), 1)` can serve as a heartbeat. Leave it with `async with` or
    `aclose()`, which end its requests. ::

        tasks = await session.analysis_tasks(status="ready", max_items=2)
        async with session.analysis_tasks().wait_all(tasks, timeout=600) as waiting:
            async for task in waiting:
                print(task.id, task.status, len(waiting.remaining))

    Transient failures (no connection, no answer in time, status 429 and 5xx) are retried at the
    next poll. Raises WaitTimeoutError when the `timeout` is over, and NotFoundError after all
    others have ended if an item does not exist. Any other error, such as a TransportError that is
    `lasting`, is raised at once; the next `anext` carries on.
    """

    def __init__(
        self, requests: Requests, items: Iterable[str | ItemT], plan: WaitPlan[ItemT]
    ) -> None:
        self._requests = requests
        self._plan = plan
        self._query = plan.query.under_way
        self._resource: Resource[ItemT] = plan.query.resource
        self._waiting: dict[str, ItemT | None] = _checked_items(items, plan.query)
        self._unseen: list[str] = []
        self._ended: deque[ItemT] = deque()
        self._changed: deque[ItemT] = deque()
        self._gone: dict[str, NotFoundError] = {}
        self._pages = 1
        self._listing: _Listing[ItemT] | None = None
        self._has_read_all = False
        self._fetches: list[asyncio.Task[Any]] = []
        self._retrieved: list[str] = []
        self._schedule: Schedule | None = None
        self._polls = 0
        self._late = self._is_polling = self._is_unanswered = False
        self._transient: TwelveTasksError | None = None
        self._calls: list[asyncio.Task[None]] = []
        for under_way in (self._fetches, self._calls):
            backstop = weakref.finalize(self, cancel, under_way)
            backstop.atexit = False

    @property
    def remaining(self) -> tuple[str, ...]:
        """The ids of the items that no poll has shown to have ended, in the order given."""
        return tuple(self._waiting)

    async def _next(self) -> ItemT | None:
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
            except TwelveTasksError as error:
                if not is_transient(error):
                    raise
                self._transient = error
                self._polls, self._is_polling = self._polls + 1, False

    async def _step(self, schedule: Schedule) -> None:
        """Wait for what is next: the answers under way, or the time of the next poll."""
        if self._requests.closing.is_set():
            raise SessionClosedError(
                "the session was closed during the wait",
                advice="Finish the wait inside the session's `async with` block",
            )
        if not (self._fetches or self._left(schedule)):
            self._late = True
            return
        if not self._fetches and not self._send():
            self._polls += self._is_polling
            self._is_polling = False
            if pause := schedule.pause:
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._requests.closing.wait()
            elif self._polls and not schedule.left:
                self._late = True
            else:
                schedule.polled()
                self._is_polling = True
                self._has_read_all = False
                self._listing = _Listing(
                    self._query, dict.fromkeys(self._waiting), pages=self._pages
                )
            return
        if not await all_ended(self._fetches, self._left(schedule)):
            self._is_unanswered = True
            self._late = True
            await self._stop()
            return
        fetches = tuple(self._fetches)
        self._fetches.clear()
        if self._listing is not None:
            self._take_pages(self._listing, fetches)
        else:
            self._take_tasks(fetches)

    def _left(self, schedule: Schedule) -> float:
        """Return the seconds left; the first poll has some more, and any pause before it."""
        if self._polls:
            return schedule.left
        return schedule.left_with(FIRST_POLL) + self._requests.transport.gate.pause_left()

    def _send(self) -> bool:
        """Send the next requests of the poll; False if it needs no more."""
        if self._listing is not None and self._read_on(self._listing):
            return True
        many = len(self._unseen) > FEW
        if many and self._resource.list_is_whole and not self._has_read_all:
            self._has_read_all = True
            unseen = dict.fromkeys(self._unseen)
            self._listing = _Listing(self._plan.query, unseen, is_whole=True)
            return self._read_on(self._listing)
        self._retrieved = self._unseen[: self._requests.concurrency]
        for item_id in self._retrieved:
            asked = self._requests.retrieve(self._query, item_id)
            self._fetches.append(self._requests.spawn(asked))
        return bool(self._retrieved)

    def _read_on(self, listing: _Listing[ItemT]) -> bool:
        """Send the next pages of a listing; False, and end it, if it need not be read further."""
        left = listing.pages - listing.page + 1
        # Once there are no more items left than pages, retrieving them takes fewer requests.
        if len(listing.unseen) <= left:
            self._end_listing(listing)
            return False
        width = self._requests.concurrency if listing.is_whole else 1
        for page in range(listing.page, listing.page + min(width, left)):
            read = Read(page, self._resource.max_page_limit)
            fetch = self._requests.read_page(listing.query, read, strict=False)
            self._fetches.append(self._requests.spawn(fetch))
        return True

    def _take_pages(self, listing: _Listing[ItemT], fetches: Iterable[asyncio.Task[Any]]) -> None:
        for fetch in fetches:
            try:
                self._take_page(listing, _result(fetch))
            except BadRequestError:
                if listing.page == 1:
                    self._listing = None
                    raise
                listing.page = listing.pages + 1
            except TwelveTasksError:
                self._listing = None
                raise
        if listing.page > listing.pages:
            self._end_listing(listing)

    def _take_page(self, listing: _Listing[ItemT], page: Page[ItemT]) -> None:
        self._transient = None
        for item in page.items:
            if (item_id := self._resource.id_of(item)) in listing.unseen:
                del listing.unseen[item_id]
                if self._has_ended(item) and not listing.is_whole:
                    listing.ended.append(item_id)
                else:
                    self._see(item)
        listing.pages = max(page.page_info.total_page or 0, 1)
        listing.page += 1
        if not listing.is_whole:
            self._pages = listing.pages

    def _end_listing(self, listing: _Listing[ItemT]) -> None:
        """Note which items have to be retrieved: those not listed, and those that have ended.

        A list may leave out what only an item that is retrieved alone carries.
        """
        self._unseen = [
            item_id for item_id in (*listing.ended, *listing.unseen) if item_id in self._waiting
        ]
        self._listing = None

    def _take_tasks(self, fetches: Iterable[asyncio.Task[Any]]) -> None:
        self._transient = None
        faults: list[Exception] = []
        for item_id, fetch in zip(self._retrieved, fetches, strict=True):
            try:
                item = _result(fetch)
            except NotFoundError as error:
                if self._requests.was_just_made(item_id):
                    self._transient = error
                else:
                    self._gone[item_id] = error
                    del self._waiting[item_id]
            except Exception as error:  # noqa: BLE001 - raised below
                if not isinstance(error, TwelveTasksError) or not is_transient(error):
                    faults.append(error)
                    continue
                self._transient = error
            else:
                self._see(item)
            self._unseen.remove(item_id)
        if faults:
            raise faults[0]

    async def _stop(self) -> None:
        await end([*self._fetches, *self._calls])
        self._fetches.clear()
        self._calls.clear()

    def _enter_loop(self, *, to_close: bool) -> None:
        self._requests.enter(to_close=to_close)

    def _has_ended(self, item: ItemT) -> bool:
        return self._resource.status_of(item) in self._resource.ended

    def _see(self, item: ItemT) -> None:
        """Note the current state of an item."""
        item_id, status_of = self._resource.id_of(item), self._resource.status_of
        before, self._waiting[item_id] = self._waiting[item_id], item
        if before is None or status_of(before) != status_of(item):
            self._changed.append(item)
        if self._has_ended(item):
            del self._waiting[item_id]
            self._ended.append(item)

    async def _notify(self) -> None:
        """Call `on_change` for each item that has changed. The `timeout` does not limit this."""
        while self._calls or self._changed:
            if not self._calls:
                item = self._changed.popleft()
                result = None if self._plan.on_change is None else self._plan.on_change(item)
                if not inspect.isawaitable(result):
                    continue
                # A task continues when this `anext` is cancelled, so no callback is cut short. It
                # is not one of the session's, because a callback may close the session.
                call = asyncio.get_running_loop().create_task(_awaited(result))
                self._calls.append(call)
            await all_ended(self._calls)
            self._calls.pop().result()

    def _none_there(self) -> NotFoundError:
        """Return the error for items that do not exist; the platform's own if it is one item."""
        first = next(iter(self._gone.values()))
        if len(self._gone) == 1:
            # To raise an error again makes its traceback longer.
            return first.with_traceback(None)
        return NotFoundError(
            f"{len(self._gone)} of the {self._resource.noun} do not exist: {_listed(self._gone)}",
            advice=first.advice,
            status=first.status,
            code=first.code,
            request_id=first.request_id,
        )

    def _too_late(self) -> WaitTimeoutError:
        states = [
            f"{item_id} ({'not seen' if item is None else self._resource.status_of(item)})"
            for item_id, item in self._waiting.items()
        ]
        polls = "1 poll" if self._polls == 1 else f"{self._polls} polls"
        seen = f"{_listed(states)}, after {polls}"
        if self._transient is not None:
            seen += f"; the last one failed: {self._transient.reason}"
        elif self._is_unanswered:
            seen += " and one without an answer"
        return WaitTimeoutError(
            f"not ended within {self._plan.timeout:g} seconds: {seen}",
            advice="Wait again, with a longer `timeout`",
            task_ids=self.remaining,
        )


class TaskWaiting(ItemWaiting[Task]):
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

    A task that this session created in the last 10 seconds may still be unknown to the platform.
    If more than 100 tasks have ended by one poll, they are taken from pages of the list, so
    without their `hls`.

    Transient failures are retried, and errors raised, as `ItemWaiting` does: WaitTimeoutError when
    the `timeout` is over, and NotFoundError after all others have ended if a task does not exist.
    """


@attrs.define
class _Listing(Generic[ItemT]):
    """A listing at the beginning of a poll."""

    query: ListQuery[ItemT]
    """What is listed."""
    unseen: dict[str, None]
    """The items that no page has shown yet, in order."""
    is_whole: bool = False
    """Whether it lists what has ended, too."""
    pages: int = 1
    """How many pages there are, as far as known."""
    page: int = 1
    """The page to read next."""
    ended: list[str] = attrs.field(factory=list)
    """The items that a page has shown to have ended, and that have to be retrieved."""


async def _awaited(result: Awaitable[None]) -> None:
    await result


def _result(fetch: asyncio.Task[Any]) -> Any:
    try:
        return fetch.result()
    except asyncio.CancelledError:
        raise SessionClosedError("the request was cancelled") from None


def _checked_items(items: Any, query: ListQuery[ItemT]) -> dict[str, ItemT | None]:
    """Map each id, once, to the item as the caller knows it."""
    class_, noun = class_of(query.resource), query.resource.noun
    if isinstance(items, (str, class_)) or not isinstance(items, Iterable):
        refuse(noun, items, f"must be several {noun} or ids; for a single one there is wait()")
    return {
        checked_item_id(query.resource, item): item if isinstance(item, class_) else None
        for item in items
    }


def _listed(words: Iterable[str]) -> str:
    """Join the first five words, and count the rest."""
    several = [excerpt(each) for each in words]
    more = len(several) - 5
    return ", ".join(several[:5]) + (f" and {more} more" if more > 0 else "")
