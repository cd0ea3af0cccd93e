"""Async generators that continue after a cancelled `anext`.

A generator function that is cancelled at an `await` has ended: it would silently cut a listing
short. So listings, watches and waits are classes, and the protocol that they share is here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from twelvetasks.values.suggestions import refuse_synchronous_use
from twelvetasks.values.uncopied import Uncopied

T_co = TypeVar("T_co", covariant=True)


class ResumableGenerator(AsyncGenerator[T_co, None], Uncopied):
    """The protocol of an async generator, and of a context manager that closes it."""

    _why_uncopied = "it holds requests in flight, as an async generator does; make another"
    _running = False
    _over = False
    _closers = 0

    @abstractmethod
    async def _next(self) -> T_co | None:
        """Return the next item, or None after the last. Cancelled, it can be called again."""

    async def _stop(self) -> None:
        """End what is in flight, and wait for that; several may call this at once."""

    def _enter_loop(self, *, to_close: bool) -> None:
        """Raise SessionClosedError where this generator cannot be used, before it changes."""

    if not TYPE_CHECKING:  # type checkers would take it for an iterable
        # `for` calls it where there is no `__iter__`, which would make this an Iterable.
        __getitem__ = refuse_synchronous_use

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T_co:
        return await self.asend(None)

    async def asend(self, value: None, /) -> T_co:  # noqa: ARG002 - the protocol's
        """Return the next item. Cancelled, it loses nothing: call it again."""
        self._enter("asend")
        try:
            self._enter_loop(to_close=False)
            item = None if self._over else await self._next()
            if item is None:
                self._over = True
                raise StopAsyncIteration
            return item
        finally:
            self._running = False

    async def athrow(self, typ: Any, val: Any = None, tb: TracebackType | None = None, /) -> T_co:
        """End it and raise the exception given, as a suspended generator would."""
        await self._end("athrow")
        error = typ if isinstance(typ, BaseException) else val if val is not None else typ()
        raise error.with_traceback(tb) if tb is not None else error

    async def aclose(self) -> None:
        """End it: when this returns, no request of it is in flight.

        Several may call it at once; each waits until the requests have ended.
        """
        await self._end("aclose")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def _end(self, method: str) -> None:
        if not self._closers:
            self._enter(method)
        self._closers += 1
        try:
            self._enter_loop(to_close=True)
            self._over = True
            await self._stop()
        finally:
            self._closers -= 1
            if not self._closers:
                self._running = False

    def _enter(self, method: str) -> None:
        if self._running:
            raise RuntimeError(f"{method}(): asynchronous generator is already running")
        self._running = True
