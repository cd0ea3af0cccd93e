"""Watches over real sockets, and ways to read them that end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.conftest import until_no_connection
from twelvetasks import TaskChange, TaskSession, TaskWatch
from twelvetasks.testing import FakePlatform

LONG = 20.0
"""Seconds after which a test that waits for something has failed."""


class Opened:
    """A session whose watches hardly rest between two polls, unless told otherwise."""

    def __init__(self, session: TaskSession) -> None:
        self.session = session

    async def aclose(self) -> None:
        await self.session.aclose()

    def watch(self, *, interval: float = 0.002, **options: Any) -> TaskWatch:
        return self.session.watch(min_interval=interval, max_interval=interval, **options)


@asynccontextmanager
async def opened(platform: FakePlatform) -> AsyncIterator[Opened]:
    """Open a session on a running platform; nothing of it is left behind."""
    session = Opened(TaskSession(platform.api_key, base_url=platform.base_url, timeout=5))
    try:
        yield session
    finally:
        await session.aclose()
        await until_no_connection(platform)


async def begun(watch: TaskWatch) -> TaskWatch:
    """Let a watch find its beginning, and everything it is to know from the start."""
    waiting = asyncio.ensure_future(anext(watch))
    async with asyncio.timeout(LONG):
        while watch.polls < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    waiting.cancel()
    await asyncio.wait([waiting])
    return watch


async def take(watch: TaskWatch, count: int) -> list[TaskChange]:
    """Give the next changes, or fail if they do not come."""
    async with asyncio.timeout(LONG):
        return [await anext(watch) for _ in range(count)]
