"""Other libraries that record, copy or cache requests: they work, and none of them keeps the key.

The guide on testing shows them as they are meant to be used, and its snippets run.
"""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
import vcr

from twelvetasks import TaskSession
from twelvetasks.testing import FakePlatform

KEY = "tlk_PLANTED0KEY0THAT0MUST0NEVER0SHOW"


def session_of(platform: FakePlatform, **options: Any) -> TaskSession:
    return TaskSession(KEY, base_url=platform.base_url, **options)


async def test_a_trace_hook_may_copy_the_headers_deeply() -> None:
    copies: list[dict[str, str]] = []

    async def spy(_: object, __: SimpleNamespace, sent: aiohttp.TraceRequestStartParams) -> None:
        copies.append(copy.deepcopy(dict(sent.headers)))

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(spy)
    async with (
        FakePlatform.demo(120, api_key=KEY) as platform,
        session_of(platform, trace_configs=[trace]) as session,
    ):
        assert len(await session.tasks()) == 120
    assert [headers["x-api-key"] for headers in copies] == [KEY] * 3
    assert KEY not in repr(copies)
    assert "***" in repr(copies)


UNFILTERED = """
import asyncio, sys, vcr
from twelvetasks import TaskSession

async def main(folder, key, base_url):
    recorder = vcr.VCR(cassette_library_dir=folder)
    with recorder.use_cassette("tasks.yaml"):
        async with TaskSession(key, base_url=base_url) as session:
            print(len(await session.tasks()), flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


def test_vcrpy_without_a_filter_refuses_to_write_the_key(tmp_path: Path) -> None:
    """In a process of its own: a cassette that cannot be written stays in use for ever."""
    with FakePlatform.demo(20, api_key=KEY).run_in_thread() as platform:
        ended = subprocess.run(
            [sys.executable, "-c", UNFILTERED, str(tmp_path), KEY, str(platform.base_url)],
            check=False,
            capture_output=True,
            encoding="utf-8",
        )
    assert ended.returncode == 1
    assert ended.stdout == "20\n"
    assert "cannot be pickled" in ended.stderr.splitlines()[-1]
    assert KEY not in ended.stderr
    assert not list(tmp_path.iterdir())


async def test_vcrpy_replays_what_it_recorded_in_order(tmp_path: Path) -> None:
    recorder = vcr.VCR(cassette_library_dir=str(tmp_path), filter_headers=["x-api-key"])
    ids = []
    async with FakePlatform.demo(500, api_key=KEY) as platform:
        expected = [task["_id"] for task in platform.tasks()]
        for mode in ("once", "none"):
            with recorder.use_cassette("tasks.yaml", record_mode=mode):
                async with session_of(platform) as session:
                    ids.append([task.id async for task in session.tasks()])
        assert len(platform.requests) == 10
    assert ids == [expected, expected]
    assert KEY not in (tmp_path / "tasks.yaml").read_text("utf-8")


CACHED = """
import asyncio, sys
from aiohttp import http_writer
from aiohttp_client_cache import CachedSession, SQLiteBackend
from twelvetasks import TaskSession

async def main(path, key, base_url):
    async with (
        CachedSession(cache=SQLiteBackend(path)) as cached,
        TaskSession(key, base_url=base_url, client_session=cached) as session,
    ):
        print(len(await session.tasks()), http_writer._serialize_headers.__module__)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("without_extensions", ["", "1"])
def test_a_cache_on_disk_does_not_hold_the_key(tmp_path: Path, without_extensions: str) -> None:
    """The key is sent all the same, be it by the C code of aiohttp or by its Python."""
    path = tmp_path / "cache.sqlite"
    with FakePlatform.demo(120, api_key=KEY).run_in_thread() as platform:
        for _ in range(2):
            ended = subprocess.run(
                [sys.executable, "-c", CACHED, str(path), KEY, str(platform.base_url)],
                check=True,
                env=os.environ | {"AIOHTTP_NO_EXTENSIONS": without_extensions},
                stdout=subprocess.PIPE,
                encoding="utf-8",
            )
            tasks, writer = ended.stdout.split()
            assert tasks == "120"
            assert (writer == "aiohttp.http_writer") == bool(without_extensions)
        assert [request.status for request in platform.requests] == [200] * 3
    stored = path.read_bytes()
    assert b"request_raw_headers" in stored
    assert KEY.encode() not in stored
