"""Notices for the user while nothing arrives: connecting, waiting, retrying, or rate limited.

A terminal is told of a lost connection at once, and of any other state that lasts by one line on
stderr. Without a terminal, only what keeps the command waiting for long is told: that there is no
connection, or no answer for ten seconds. The notices read what is reported anyway: aiohttp's
traces, the log records of retries, and the gate.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import attrs

from twelvetasks.cli.ending import say
from twelvetasks.cli.terminal import is_terminal
from twelvetasks.transport.gate import Gate

__all__ = ["Notices"]

SILENCE = 1.6
"""Seconds without an answer or a notice after which a notice is due."""

LONG = 10.0
"""Seconds after which a lost connection is told again, and without a terminal at all."""

LOOK = 0.2
"""Seconds between two checks: no silence lasts longer than two seconds."""


@attrs.define
class Notices:
    """Says what the requests of a session wait for, if none has been answered for a while."""

    host: str
    gate: Gate
    attempts: int
    """How often the session sends one request at most."""
    tell: Callable[[str], None] = say
    clock: Callable[[], float] = time.monotonic
    _connecting: set[int] = attrs.field(factory=set, init=False)
    _retry: str = attrs.field(default="", init=False)
    _told: str = attrs.field(default="", init=False)
    _last_sign: float = attrs.field(default=0.0, init=False)
    _lost: tuple[int, float] = attrs.field(default=(0, -LONG), init=False)
    """The number of the attempt after the lost connection told last, and when it was told."""
    _is_terminal: bool = attrs.field(default=True, init=False)

    def trace_config(self) -> aiohttp.TraceConfig:
        """Give the hooks that tell which requests are connecting, and when something is sent."""

        async def connect(_: object, request: object, __: object) -> None:
            self._connecting.add(id(request))

        async def connected(_: object, request: object, __: object) -> None:
            self._connecting.discard(id(request))

        async def answered(_: object, request: object, __: object) -> None:
            self._connecting.discard(id(request))
            self._last_sign, self._retry, self._told = self.clock(), "", ""

        async def sent(_: object, __: object, ___: object) -> None:
            self._last_sign = self.clock()

        traces = aiohttp.TraceConfig()
        traces.on_connection_create_start.append(connect)
        traces.on_connection_create_end.append(connected)
        traces.on_request_exception.append(connected)
        traces.on_request_chunk_sent.append(sent)
        traces.on_request_end.append(answered)
        return traces

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Show notices while the context lasts; only lost connections if stderr is no terminal."""
        self._last_sign = self.clock()
        self._is_terminal = is_terminal(sys.stderr)
        if not self._is_terminal:
            with self._reading_log():
                yield
            return
        with self._reading_log():
            looking = asyncio.create_task(self._look())
            try:
                yield
            finally:
                looking.cancel()
                await asyncio.wait([looking])

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            state = self.state()
            if state and state != self._told and self.clock() - self._last_sign >= SILENCE:
                self.tell(state)
                self._told, self._last_sign = state, self.clock()

    def state(self) -> str:
        """Say what the requests wait for; empty if there are none."""
        pause = self.gate.pause_left()
        if pause >= 1:
            until = datetime.now().astimezone() + timedelta(seconds=pause)
            return f"waiting for the rate limit until {until:%H:%M:%S}"
        if self._connecting:
            return f"connecting to {self.host}"
        if self.gate.under_way:
            return f"waiting for an answer of {self.host}"
        return self._retry

    @contextmanager
    def _reading_log(self) -> Iterator[None]:
        logger = logging.getLogger("twelvetasks")
        reader, level = _Reader(self._read), logger.level
        logger.addHandler(reader)
        if not logger.isEnabledFor(logging.INFO):
            logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.setLevel(level)
            logger.removeHandler(reader)

    def _read(self, record: logging.LogRecord) -> None:
        if record.name == "twelvetasks" and record.msg.startswith("retry "):
            args: Any = record.args
            failures, *_, wait, reason = args
            self._retry = f"retrying ({failures + 1}/{self.attempts}) in {wait:.0f} s: {reason}"
            connected = getattr(record, "connected", True)
            silent = self.clock() - self._last_sign >= LONG
            if getattr(record, "lost", False) and (self._is_terminal or silent or not connected):
                self._tell_loss(failures + 1, wait, reason)
        elif record.name == "twelvetasks" and record.levelno >= logging.WARNING:
            self.tell(record.getMessage())

    def _tell_loss(self, attempt: int, wait: float, reason: str) -> None:
        """Tell of a lost connection, once for all requests that lost theirs together."""
        told, when = self._lost
        now = self.clock()
        if attempt > told or now - when >= LONG:
            self._lost = attempt, now
            why = reason.removeprefix("the connection failed: ")
            count = f"({attempt}/{self.attempts})"
            self.tell(f"connection failed, retrying {count} in {wait:.0f} s: {why}")
            self._told, self._last_sign = self._retry, now


class _Reader(logging.Handler):
    def __init__(self, read: Callable[[logging.LogRecord], None]) -> None:
        super().__init__(logging.INFO)
        self._read = read

    def emit(self, record: logging.LogRecord) -> None:
        self._read(record)
