"""Notices for the user while nothing arrives: connecting, waiting, retrying, or rate limited.

A terminal shows a lost connection at once, and any other state that lasts as one line on stderr,
below which the seconds are counted. Without a terminal, only long waits are reported: no
connection, no answer for ten seconds, or a pause of the rate limit, with its end. The notices come
from aiohttp's traces, the log records of retries, and the gate.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import attrs

from twelvetasks.cli.ending import say
from twelvetasks.cli.terminal import can_rewrite, is_terminal
from twelvetasks.transport.gate import Gate
from twelvetasks.values.display import duration_text

SILENCE = 1.6
"""Seconds without an answer or a notice after which a notice is due."""

LONG = 10.0
"""Seconds after which a lost connection is reported again, or, without a terminal, at all."""

SAME_END = timedelta(seconds=1.5)
"""Two ends of a pause that are no further apart count as one, and are reported once."""

LOOK = 0.2
"""Seconds between two checks: no silence lasts longer than two seconds."""


class Count:
    """A line on a terminal that counts the seconds of a silence, and is erased after it."""

    def __init__(self) -> None:
        self._shown = ""

    def show(self, seconds: float) -> None:
        """Show the seconds, unless a bar or a view moves there, or no line can be erased."""
        text = f"  {duration_text(round(seconds))}"
        if text != self._shown and can_rewrite(sys.stderr):
            self._write(f"\r\x1b[2K{text}")
            self._shown = text

    def erase(self) -> None:
        """Take the line away."""
        if self._shown:
            self._shown = ""
            self._write("\r\x1b[2K")

    @staticmethod
    def _write(text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()


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
    """The number of the attempt after the lost connection reported last, and when that was."""
    _is_terminal: bool = attrs.field(default=True, init=False)
    _until: datetime | None = attrs.field(default=None, init=False)
    """The end of the rate limit's pause that was reported last."""
    _count: Count = attrs.field(factory=Count, init=False)
    _silent_since: float = attrs.field(default=0.0, init=False)

    def trace_config(self) -> aiohttp.TraceConfig:
        """Return the hooks that note which requests are connecting, and when something is sent."""

        async def connect(_: object, request: object, __: object) -> None:
            self._connecting.add(id(request))

        async def connected(_: object, request: object, __: object) -> None:
            self._connecting.discard(id(request))

        async def answered(_: object, request: object, __: object) -> None:
            self._connecting.discard(id(request))
            self._note_sign()
            self._retry, self._told = "", ""

        async def sent(_: object, __: object, ___: object) -> None:
            self._note_sign()

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
        self._is_terminal = is_terminal(sys.stderr)
        self._note_sign()
        with log_read("twelvetasks", logging.INFO, self._read):
            looking = asyncio.create_task(self._look())
            try:
                yield
            finally:
                looking.cancel()
                await asyncio.wait([looking])
                self._count.erase()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            state = self.state()
            if not self._is_terminal and self.gate.pause_left() < LONG:
                continue
            now = self.clock()
            if state and state != self._told and now - self._last_sign >= SILENCE:
                self._say(state)
                self._told, self._last_sign = state, now
            elif state and state == self._told and self._is_terminal:
                self._count.show(now - self._silent_since)
            elif not state:
                self._count.erase()

    def _note_sign(self) -> None:
        self._last_sign = self._silent_since = self.clock()
        self._count.erase()

    def _say(self, line: str) -> None:
        self._count.erase()
        self.tell(line)

    def state(self) -> str:
        """Say what the requests wait for; empty if there are none."""
        pause = self.gate.pause_left()
        until = datetime.now().astimezone() + timedelta(seconds=pause)
        is_new = self._until is None or abs(until - self._until) > SAME_END
        if pause >= 1 or (pause > 0 and not is_new):
            if is_new:
                self._until = until
            return f"waiting for the rate limit until {self._until:%H:%M:%S}"
        if self._connecting:
            return f"connecting to {self.host}"
        if self.gate.under_way:
            return f"waiting for an answer of {self.host}"
        return self._retry

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
            self._say(record.getMessage())

    def _tell_loss(self, attempt: int, wait: float, reason: str) -> None:
        """Tell of a lost connection, once for all requests that lost theirs together."""
        told, when = self._lost
        now = self.clock()
        if attempt > told or now - when >= LONG:
            self._lost = attempt, now
            why = reason.removeprefix("the connection failed: ")
            count = f"({attempt}/{self.attempts})"
            self._say(f"connection failed, retrying {count} in {wait:.0f} s: {why}")
            self._told, self._last_sign = self._retry, now


@contextmanager
def log_read(name: str, level: int, read: Callable[[logging.LogRecord], None]) -> Iterator[None]:
    """Pass what a logger logs at a level or above to a function, and let it log that much."""
    logger, reader = logging.getLogger(name), _Reader(level)
    before = logger.level
    reader.read = read
    if not logger.isEnabledFor(level):
        logger.setLevel(level)
    logger.addHandler(reader)
    try:
        yield
    finally:
        logger.removeHandler(reader)
        logger.setLevel(before)


class _Reader(logging.Handler):
    read: Callable[[logging.LogRecord], None]

    def emit(self, record: logging.LogRecord) -> None:
        self.read(record)
