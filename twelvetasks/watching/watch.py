"""`TaskWatch`: the changes of an account's tasks, as an endless async generator.

Like a listing's stream it is a class, so that a cancelled `anext` loses nothing. It starts requests
only inside `anext`. Webhooks only make it look sooner; it delivers what the platform shows.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from twelvetasks.streams.requests import Requests, all_ended, cancel, end
from twelvetasks.streams.resumable import ResumableGenerator
from twelvetasks.transport.home_loop import running_loop
from twelvetasks.values.checkpoint import Checkpoint
from twelvetasks.values.checks import refuse
from twelvetasks.values.errors import SessionClosedError, TwelveTasksError
from twelvetasks.values.tasks import TaskStatus
from twelvetasks.watching.announcements import MOST
from twelvetasks.watching.keeping import Keeping
from twelvetasks.watching.lookups import Lookup
from twelvetasks.watching.plan import ItemChange, TaskChange, WatchPlan
from twelvetasks.watching.progress import Watching

if TYPE_CHECKING:
    from twelvetasks.values.events import Event

ChangeT = TypeVar("ChangeT", bound=ItemChange[Any])

logger: logging.Logger = logging.getLogger("twelvetasks.watch")


class Announcer(Protocol):
    """What a watch needs of a `twelvetasks.webhooks.Receiver`."""

    def attach(self, listener: ItemWatch[Any], /) -> None:
        """Announce each event to the watch from now on; keep no strong reference to it."""
        ...

    def detach(self, listener: ItemWatch[Any], /) -> None:
        """Announce nothing more to it."""
        ...


class ItemWatch(ResumableGenerator[ChangeT]):
    """An endless async generator of `ItemChange`; made by `Listing.watch`.

    Leave it with `async with` or `aclose()`, which end its request. A cancelled `anext` loses
    nothing: the next one carries on, with the same request. ::

        from datetime import UTC, datetime

        listing = session.indexed_assets("62a0906d47f5678267ec10a6")
        async with listing.watch(since=datetime(2025, 3, 1, tzinfo=UTC)) as watch:
            async for change in watch:
                print(change.item.id, change.item.status)
                stored = str(watch.checkpoint)
                break

    Transient failures (no connection, no answer in time, status 429 and 5xx) are logged as
    warnings to the logger ``twelvetasks.watch`` and retried. Any other `TwelveTasksError`, such as
    a TransportError that is `lasting`, is raised with its `checkpoint`, and raised again by each
    later `anext`. When the session is closed, `anext` raises SessionClosedError.
    """

    def __init__(
        self, requests: Requests, plan: WatchPlan, webhooks: Announcer | None = None
    ) -> None:
        self.query: Any = plan.query
        """The filters."""
        self._requests = requests
        self._plan = plan
        self._watching = Watching(plan)
        store = plan.checkpoint_file
        self._keeping = None if store is None else Keeping(store)
        self._handled = False
        self._answered: float | None = None
        self._resting: asyncio.Timeout | None = None
        self._fetches: list[asyncio.Task[Any]] = []
        self._failure: Exception | None = None
        self._traceback: TracebackType | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._announced: deque[tuple[str, TaskStatus]] = deque(maxlen=MOST)
        backstop = weakref.finalize(self, cancel, self._fetches)
        backstop.atexit = False
        self._webhooks = webhooks
        if webhooks is not None:
            if not callable(getattr(webhooks, "attach", None)):
                refuse("webhooks", webhooks, "must be a twelvetasks.webhooks.Receiver, or None")
            webhooks.attach(self)

    @property
    def checkpoint(self) -> Checkpoint:
        """The place after the last change delivered: pass it as `resume` to continue from there."""
        return self._watching.checkpoint

    @property
    def polls(self) -> int:
        """How many polls have been completed."""
        return self._watching.polls

    @property
    def next_poll(self) -> float | None:
        """When the next request is due, by the loop's `time()`; None before the first answer."""
        return None if self._answered is None else self._answered + self._watching.wait

    def announce(self, event: Event) -> None:
        """Poll soon because of a webhook's event, and again until a poll shows what it says.

        ``session.watch(webhooks=receiver)`` calls this for you; call it yourself for webhooks that
        another process received. Any thread and any event loop may call it. What it says is never
        delivered, only what the platform shows: if two polls do not show it, the task is fetched
        individually. A watch that has ended ignores it.
        """
        from twelvetasks.values.events import TaskFailed, TaskReady  # noqa: PLC0415 - only webhooks need it

        if isinstance(event, TaskReady):
            self._announced.append((event.data.id, TaskStatus.READY))
        elif isinstance(event, TaskFailed):
            self._announced.append((event.data.id, TaskStatus.FAILED))
        if self._loop is None:
            return  # the first `anext` reads what was announced before it
        if running_loop() is self._loop:
            self._read_announced()
        else:
            with suppress(RuntimeError):  # its loop has closed, so the watch has ended
                self._loop.call_soon_threadsafe(self._read_announced)

    def _read_announced(self) -> None:
        """Take in what was announced, and shorten the pause that is under way."""
        while self._announced:
            self._watching.announce(*self._announced.popleft())
        if self._resting is not None and not self._resting.expired():
            self._resting.reschedule(self.next_poll)

    async def _next(self) -> ChangeT:
        if self._failure is not None:
            # With its first traceback: to raise an error again makes its traceback longer.
            raise self._failure.with_traceback(self._traceback)
        try:
            await self._begin()
            return await self._change()
        except TwelveTasksError as error:
            self._failure = error.located(checkpoint=self.checkpoint)
        except Exception as error:  # noqa: BLE001 - raised below, and again from then on
            self._failure = error
        self._traceback = self._failure.__traceback__
        self._detach()
        raise self._failure

    async def _begin(self) -> None:
        """Continue from the stored checkpoint, if there is one."""
        if self._keeping is not None and not self._keeping.loaded:
            place = await self._keeping.load(self._plan)
            if place is not None:
                self._watching = Watching(self._plan.resumed(place))
        # Set before it is read what was announced: an event of another thread meets one of both.
        self._loop = asyncio.get_running_loop()
        self._read_announced()

    async def _change(self) -> ChangeT:
        while True:
            if self._requests.closed:
                raise _closed()
            if self._keeping is not None:
                await self._keeping.save(self.checkpoint)
            if (change := self._watching.take()) is not None:
                return cast("ChangeT", change)
            if not self._fetches:
                await self._rest()
                self._fetches.append(self._requests.spawn(self._read()))
            await all_ended(self._fetches)
            self._take_in(self._fetches.pop())

    def _read(self) -> Coroutine[Any, Any, Any]:
        query, read = self._watching.next_read()
        if isinstance(read, Lookup):
            return self._requests.retrieve(query, read.id)
        return self._requests.read_page(query, read)

    async def _rest(self) -> None:
        """Wait until the next read is due, or the session is closed."""
        due = self.next_poll
        if due is None or due <= asyncio.get_running_loop().time():
            return
        try:
            async with asyncio.timeout_at(due) as self._resting:
                await self._requests.closing.wait()
        except TimeoutError:
            return
        finally:
            self._resting = None
        raise _closed()

    def _take_in(self, fetch: asyncio.Task[Any]) -> None:
        try:
            answer = fetch.result()
        except asyncio.CancelledError:
            raise SessionClosedError("the request was cancelled") from None
        except TwelveTasksError as error:
            if not self._watching.fail(error):
                logger.warning(
                    "the watch continues in %.1f seconds after %s: %s",
                    self._watching.wait,
                    type(error).__name__,
                    error,
                )
        else:
            self._watching.receive(answer)
        self._answered = asyncio.get_running_loop().time()

    def _detach(self) -> None:
        if self._webhooks is not None:
            self._webhooks.detach(self)

    async def _stop(self) -> None:
        self._detach()
        await end(self._fetches)
        self._fetches.clear()
        if self._keeping is None:
            return
        if self._handled and self._keeping.loaded:
            await self._keeping.save(self.checkpoint)
        await self._keeping.aclose()

    async def __aexit__(self, *exc_info: object) -> None:
        # Left without an error, the last change has been handled.
        self._handled = exc_info[0] is None
        await super().__aexit__(*exc_info)

    def _enter_loop(self, *, to_close: bool) -> None:
        self._requests.enter(to_close=to_close)


class TaskWatch(ItemWatch[TaskChange]):
    """An endless async generator of `TaskChange`; made by `TaskSession.watch`.

    Leave it with `async with` or `aclose()`, which end its request. A cancelled `anext` loses
    nothing: the next one carries on, with the same request. ::

        from datetime import UTC, datetime

        async with session.watch(since=datetime(2025, 6, 30, tzinfo=UTC)) as watch:
            async for change in watch:
                print(change.task.id, change.task.status)
                stored = str(watch.checkpoint)
                break

    Transient failures are logged and retried, and other errors raised, as `ItemWatch` does: each
    with its `checkpoint`, and again by each later `anext`.
    """


def _closed() -> SessionClosedError:
    return SessionClosedError(
        "the session was closed during the watch",
        advice="Leave the watch before the session's `async with` block ends",
    )
