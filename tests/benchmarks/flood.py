"""How much memory a server holds while webhooks that nobody has signed keep coming.

Each flood meets a server process of its own, with aiohttp's handler. All its requests come at once,
and stop before the end of their bodies of 1 MiB, so that the server holds what it has read of them.
The unsigned have no signature, the forged a wrong one. What is read and dropped at once, as by any
server of aiohttp, does not count.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

from tests.benchmarks._processes import ROOT, environment
from tests.benchmarks._report import Report

BODY = 1024 * 1024
CHUNK = bytes(64 * 1024)
HEADERS = {"unsigned": "", "forged": f"TL-Signature: t={{now}},v1={'0' * 64}\r\n"}

SETTLED = 3.0
"""Seconds without an answer after which the requests that have none are being held."""


def main(report: Report) -> None:
    """Print what is held for each kind of flood and each number of requests."""
    numbers = report.either((50, 200, 800), (5, 10))
    held = {kind: [_held(kind, number) for number in numbers] for kind in HEADERS}
    report.table(
        "Webhooks of 1 MiB at once: memory held above that before, MiB",
        ("flood", *(f"{number:,} requests" for number in numbers)),
        [(kind, *(f"{mebi:.1f}" for mebi in grown)) for kind, grown in held.items()],
    )
    for kind, grown in held.items():
        report.judge(
            f"memory held for {numbers[-1]:,} {kind} webhooks of 1 MiB above that for {numbers[0]}",
            grown[-1] - grown[0],
            at_most=16,
            unit="MiB",
        )


def _held(kind: str, number: int) -> float:
    """Flood a new server, and give the MiB by which what it holds has grown."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks._webhooks"],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    told, asked = process.stdout, process.stdin

    def memory() -> int:
        asked.write("held\n")
        asked.flush()
        return int(told.readline())

    async def flood(port: int) -> int:
        requests = [asyncio.create_task(_request(kind, port)) for _ in range(number)]
        before = -1
        while (answered := sum(request.done() for request in requests)) > before:
            before = answered
            await asyncio.sleep(SETTLED)
        held = memory()
        for request in requests:
            request.cancel()
        await asyncio.wait(requests)
        return held

    with process:
        try:
            port = int(told.readline())
            # The first request imports and compiles.
            asyncio.run(asyncio.wait_for(_request("unsigned", port), 10))
            base = memory()
            return (asyncio.run(flood(port)) - base) / 1024**2
        finally:
            asked.close()


async def _request(kind: str, port: int) -> None:
    """Send all of a request but its end, and wait until it is answered or cut off."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    header = HEADERS[kind].format(now=int(time.time()))
    writer.write(f"POST / HTTP/1.1\r\nHost: x\r\n{header}Content-Length: {BODY}\r\n\r\n".encode())
    answered = asyncio.ensure_future(reader.readline())
    try:
        for _ in range(BODY // len(CHUNK) - 1):
            if answered.done():
                break
            writer.write(CHUNK)
            await writer.drain()
        await answered
    except ConnectionError:
        pass
    finally:
        answered.cancel()
        writer.transport.abort()
