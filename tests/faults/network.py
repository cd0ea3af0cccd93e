"""The proxy process as the tests see it: start it, open bad networks in it, ask how they fared."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
from yarl import URL

from tests import unmeasured
from tests.faults.schedule import Schedule
from twelvetasks.testing import FakePlatform

__all__ = ["Network", "Networks", "proxy_process"]

ROOT = Path(__file__).parents[2]


@attrs.define(eq=False)
class Network:
    """One port of the proxy."""

    base_url: URL
    enacted: dict[str, int] = attrs.field(factory=dict)
    """How many connections have met which fault; known at the end."""


class Networks:
    """Gives orders to the proxy process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def through(self, schedule: Schedule, platform: FakePlatform) -> AsyncIterator[Network]:
        """Open a network to a platform; at its end, insist that nobody has left a connection."""
        order = {"open": attrs.asdict(schedule), "upstream": platform.base_url.port}
        port = (await self._ask(order))["port"]
        network = Network(platform.base_url.with_port(port))
        try:
            yield network
            for _ in range(400):
                if not (await self._ask({"status": port}))["open"]:
                    break
                await asyncio.sleep(0.005)
            else:
                raise AssertionError("connections were left open")
        finally:
            network.enacted = (await self._ask({"close": port}))["enacted"]

    async def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        async with self._turn, asyncio.timeout(20):
            stdin.write(f"{json.dumps(order)}\n".encode())
            answer: dict[str, Any] = json.loads(await stdout.readline())
        return answer


@asynccontextmanager
async def proxy_process() -> AsyncIterator[Networks]:
    """Run the proxy; when its input ends it has to end, too, and in good order."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.faults.proxy"),
        cwd=ROOT,
        env=unmeasured.environment(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Networks(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(20):
                code = await process.wait()
        except TimeoutError:
            process.kill()
            code = await process.wait()
    assert code == 0
