"""`TaskWatch`: the changes of an account's tasks, as an async generator that has no end.

Like a stream of a listing it is a class, so that a cancelled `anext` loses nothing. It looks only
while its reader waits: nothing is under way while the reader is busy, or once it has gone.
Webhooks make it look at once; what it delivers is what it sees.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from twelvetasks.streams.requests import Requests, cancel
from twelvetasks.streams.resumable import ResumableGenerator
from twelvetasks.values.checkpoint import Checkpoint
from twelvetasks.values.checks import refuse
from twelvetasks.values.errors import SessionClosedError, TwelveTasksError
from twelvetasks.values.models import Page, Task, TaskStatus
from twelvetasks.values.tasks import TaskQuery
from twelvetasks.watching.plan import TaskChange, WatchPlan
from twelvetasks.watching.progress import Watching

if TYPE_CHECKING:
    from twelvetasks.values.events import Event

__all__ = ["Announcer", "TaskWatch"]

logger: logging.Logger = logging.getLogger("twelvetasks.watch")


class Announcer(Protocol):
    """What a watch needs of a `twelvetasks.webhooks.Receiver`."""

    def attach(self, listener: TaskWatch, /) -> None:
        """Announce each event to the watch from now on; keep no strong reference to it."""
        ...

    def detach(self, listener: TaskWatch, /) -> None:
        """Announce nothing more to it."""
        ...


class TaskWatch(ResumableGenerator[TaskChange]):
    """An endless async generator of `TaskChange`; made by `TaskSession.watch`.

    Errors that pass (no connection, no answer in time, status 429 and 5xx) are logged as warnings
    and outlived. Any other is raised with its `checkpoint`, and raised again from then on.
    """

    def __init__(
        self, requests: Requests, plan: WatchPlan, webhooks: Announcer | None = None
    ) -> None:
        self.query: TaskQuery = plan.query
        """The filters."""
        self._requests = requests
        self._watching = Watching(plan)
        self._answered: float | None = None
        self._resting: asyncio.Timeout | None = None
        self._fetches: list[asyncio.Task[Page[Task]]] = []
        self._failure: Exception | None = None
        backstop = weakref.finalize(self, cancel, self._fetches)
        backstop.atexit = False
        self._webhooks = _checked(webhooks)
        if self._webhooks is not None:
            self._webhooks.attach(self)

    @property
    def checkpoint(self) -> Checkpoint:
        """The place after the last change delivered: pass it as `resume` to go on from there."""
        return self._watching.checkpoint

    @property
    def polls(self) -> int:
        """How often it has been seen what was updated last."""
        return self._watching.polls

    @property
    def next_poll(self) -> float | None:
        """When it looks again, by its event loop's `time()`; None before it has looked."""
        return self._due

    def announce(self, event: Event) -> None:
        """Look at once for what a webhook has told, and again soon if it does not show yet.

        `webhooks=receiver` sees to this; it is for webhooks that another process has received, and
        has to be called in the event loop of the watch. What is delivered, and in which order, does
        not depend on it. A watch that has ended takes no notice.
        """
        from twelvetasks.values.events import TaskFailed, TaskReady  # noqa: PLC0415 - only webhooks need it

        if isinstance(event, TaskReady):
            self._watching.announce(event.data.id, TaskStatus.READY)
        elif isinstance(event, TaskFailed):
            self._watching.announce(event.data.id, TaskStatus.FAILED)
        if self._resting is not None and not self._resting.expired():
            self._resting.reschedule(self._due)

    async def _next(self) -> TaskChange:
        if self._failure is not None:
            raise self._failure
        try:
            return await self._change()
        except TwelveTasksError as error:
            self._failure = error.located(checkpoint=self.checkpoint)
        except Exception as error:  # noqa: BLE001 - raised below, and again from then on
            self._failure = error
        self._detach()
        raise self._failure

    async def _change(self) -> TaskChange:
        while True:
            if self._requests.closed:
                raise _closed()
            if (change := self._watching.take()) is not None:
                return change
            if not self._fetches:
                await self._rest()
                self._fetches.append(self._requests.spawn(self._read()))
            await asyncio.wait(self._fetches)
            self._take_in(self._fetches.pop())

    def _read(self) -> Coroutine[Any, Any, Page[Task]]:
        query, read = self._watching.next_read()
        return self._requests.read_page(query, read)

    @property
    def _due(self) -> float | None:
        """When the next read is to be sent, on the clock of the loop; None for at once."""
        return None if self._answered is None else self._answered + self._watching.wait

    async def _rest(self) -> None:
        """Wait until the next read is due, or the session is closed."""
        due = self._due
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

    def _take_in(self, fetch: asyncio.Task[Page[Task]]) -> None:
        try:
            page = fetch.result()
        except asyncio.CancelledError:
            raise SessionClosedError("the request was cancelled") from None
        except TwelveTasksError as error:
            self._watching.fail(error)
            logger.warning(
                "the watch goes on in %.1f seconds after %s: %s",
                self._watching.wait,
                type(error).__name__,
                error,
            )
        else:
            self._watching.receive(page)
        self._answered = asyncio.get_running_loop().time()

    def _detach(self) -> None:
        if self._webhooks is not None:
            self._webhooks.detach(self)

    async def _stop(self) -> None:
        self._detach()
        fetches = tuple(self._fetches)
        cancel(fetches)
        self._fetches.clear()
        if fetches:
            await asyncio.wait(fetches)


def _checked(webhooks: Any) -> Announcer | None:
    if webhooks is not None and not callable(getattr(webhooks, "attach", None)):
        refuse("webhooks", webhooks, "must be a twelvetasks.webhooks.Receiver, or None")
    announcer: Announcer | None = webhooks
    return announcer


def _closed() -> SessionClosedError:
    return SessionClosedError(
        "the session was closed during the watch",
        advice="Leave the watch before the session's `async with` block ends",
    )
