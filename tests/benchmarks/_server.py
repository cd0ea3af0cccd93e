"""Serves embedded platforms from a process of their own, until its standard input ends.

It prints where they serve, as one line of JSON, and at its end what each was asked. Started by
`tests.benchmarks._processes`.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from contextlib import AsyncExitStack
from typing import Any

import attrs
import orjson

from twelvetasks.testing import FakePlatform, RateLimit


@attrs.frozen
class Account:
    """An account to serve."""

    tasks: int
    latency: float = attrs.field(default=0.0, kw_only=True)
    """Seconds before each answer."""
    per_minute: int | None = attrs.field(default=None, kw_only=True)
    """The most requests in a minute; None for any number."""

    def platform(self) -> FakePlatform:
        """Make the platform that serves it."""
        limit = None if self.per_minute is None else RateLimit(self.per_minute)
        return FakePlatform.demo(self.tasks, latency=self.latency, rate_limit=limit)


async def _serve(accounts: list[Account]) -> None:
    platforms = [account.platform() for account in accounts]
    # A collection that looks at all the tasks, which are no garbage, would stop every answer.
    gc.collect()
    gc.freeze()
    async with AsyncExitStack() as stack:
        for platform in platforms:
            await stack.enter_async_context(platform)
        _say([str(platform.base_url) for platform in platforms])
        await asyncio.to_thread(sys.stdin.buffer.read)
    _say(
        [
            [(request.started, request.status) for request in platform.requests]
            for platform in platforms
        ]
    )


def _say(what: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(what) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    asyncio.run(_serve([Account(**account) for account in orjson.loads(sys.argv[1])]))
