"""How much memory an upload of 1 GiB takes, and how long, over a loopback socket.

The client is a process of its own, and so is the platform, which counts the bytes as they come. The
file is sparse: nothing of it is on the disk.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import orjson

from tests.benchmarks._report import Report
from twelvetasks import TaskSession
from twelvetasks.testing import FakePlatform

SIZES = (1, 1024)
"""MiB. The smallest shows what a process that uploads takes anyhow."""

MEBI = 1024 * 1024


def main(report: Report) -> None:
    """Print the peak memory of a client before its upload and after, and its pace."""
    rows = []
    with FakePlatform().run_in_thread() as platform, tempfile.TemporaryDirectory() as folder:
        for mebibytes in report.either(SIZES, SIZES[:1]):
            path = Path(folder, "video.mp4")
            with path.open("wb") as opened:
                opened.truncate(mebibytes * MEBI)
            for kind in ("file", "async bytes"):
                before, after, seconds = asyncio.run(
                    _measured(str(platform.base_url), str(path), kind)
                )
                received = platform.uploads[-1].file
                if received is None or received.size != mebibytes * MEBI:
                    sys.exit(f"the platform received {received}")
                rows.append(
                    (
                        f"{mebibytes} MiB, {kind}",
                        f"{before / 1024:.1f}",
                        f"{(after - before) / 1024:.1f}",
                        f"{mebibytes / seconds:.0f}",
                    )
                )
    report.table("Uploading", ("video", "base MiB", "peak above base MiB", "MiB/s"), rows)


async def _measured(base_url: str, path: str, kind: str) -> tuple[int, int, float]:
    client = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, base_url, path, kind), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await client.communicate()
    before, after, seconds = orjson.loads(said)
    return before, after, seconds


async def _upload(base_url: str, path: str, kind: str) -> None:
    async with TaskSession("tlk_demo", base_url=base_url, timeout=600) as session:
        await session.create(index_id="i", video_url="https://example.com/v.mp4")
        before = _peak()
        began = time.perf_counter()
        source = path if kind == "file" else _pieces(path)
        await session.create(index_id="i", video_file=source)
        seconds = time.perf_counter() - began
    sys.stdout.write(orjson.dumps([before, _peak(), seconds]).decode())


async def _pieces(path: str) -> AsyncIterator[bytes]:
    with Path(path).open("rb") as opened:  # noqa: ASYNC230 - opening alone
        while piece := await asyncio.to_thread(opened.read, MEBI):
            yield piece


def _peak() -> int:
    """Give the most memory the process has had so far, in KiB, as Linux counts it.

    Not `ru_maxrss`: that begins with what the parent had.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


if __name__ == "__main__":
    asyncio.run(_upload(*sys.argv[1:]))
