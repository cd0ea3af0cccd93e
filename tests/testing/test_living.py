"""Living demo tasks, and the platform that serves them from the command line."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from tests.testing.asking import ask
from twelvetasks.testing import FakeList, FakePlatform
from twelvetasks.testing.demo import INDEX_IDS


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def living(count: int = 100, **options: Any) -> tuple[FakePlatform, Clock]:
    clock = Clock()
    return FakePlatform.demo(count, living=True, clock=clock, **options), clock


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_the_newest_task_is_recent_and_none_is_of_the_future() -> None:
    platform, clock = living()
    tasks = platform.tasks()
    assert timedelta(0) <= clock.now - moment(tasks[0]["created_at"]) < timedelta(days=7)
    assert all(moment(task["updated_at"]) <= clock.now for task in tasks)


def test_every_task_that_is_being_indexed_becomes_ready() -> None:
    platform, clock = living(changes_per_minute=0, indexing_time=30)
    unfinished = {t["_id"] for t in platform.tasks() if t["status"] not in {"ready", "failed"}}
    assert unfinished
    clock.pass_seconds(31)
    statuses = {task["_id"]: task["status"] for task in platform.tasks()}
    assert {statuses[one] for one in unfinished} == {"ready"}


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("indexed_assets", {"index_id": INDEX_IDS[0]}),
        ("embedding_tasks", {}),
        ("older_embedding_tasks", {}),
        ("analysis_tasks", {}),
        ("analysis_batches", {}),
    ],
)
def test_what_is_under_way_in_another_list_ends(name: str, scope: dict[str, Any]) -> None:
    platform, clock = living(300, changes_per_minute=0, indexing_time=30)
    items: FakeList = getattr(platform, name)
    before = items.items(**scope)
    final = items.kind.final
    assert any(item["status"] not in final for item in before)
    clock.pass_seconds(31)
    after = items.items(**scope)
    assert len(after) == len(before)
    assert {item["status"] for item in after} <= final


def test_an_upload_becomes_an_indexed_asset() -> None:
    platform, clock = living(indexing_time=10)
    assets = platform.indexed_assets
    before = {item["_id"] for one in INDEX_IDS for item in assets.items(index_id=one)}
    clock.pass_seconds(120)
    platform.tasks()
    clock.pass_seconds(11)
    after = {item["_id"]: item for one in INDEX_IDS for item in assets.items(index_id=one)}
    uploaded = after.keys() - before
    assert len(uploaded) > 5
    assert any(after[one]["status"] == "ready" for one in uploaded)
    tasks = {task["_id"] for task in platform.tasks()}
    assert uploaded & tasks


def test_no_status_goes_back() -> None:
    platform, clock = living(changes_per_minute=0, indexing_time=40)
    order = ["uploading", "pending", "validating", "queued", "indexing", "ready", "failed"]
    before = {task["_id"]: order.index(task["status"]) for task in platform.tasks()}
    for _ in range(45):
        clock.pass_seconds(1)
        after = {task["_id"]: order.index(task["status"]) for task in platform.tasks()}
        assert all(after[one] >= before[one] for one in before)
        before = after


def test_tasks_are_uploaded_updated_and_deleted_as_often_as_told() -> None:
    platform, clock = living(changes_per_minute=20, indexing_time=10)
    before = {task["_id"] for task in platform.tasks()}
    for _ in range(60):
        clock.pass_seconds(10)
        platform.tasks()
    after = {task["_id"]: task for task in platform.tasks()}
    uploaded = [task for one, task in after.items() if one not in before]
    assert 80 < len(uploaded) < 160
    assert before - after.keys()
    assert Counter(task["status"] for task in uploaded)["ready"] > 70


def test_the_same_seed_and_clock_live_the_same_life() -> None:
    lives = []
    for _ in range(2):
        platform, clock = living(seed=3)
        for _ in range(20):
            clock.pass_seconds(7)
            platform.tasks()
        lives.append(platform.tasks())
    assert lives[0] == lives[1]


def test_a_long_pause_costs_a_bounded_number_of_changes() -> None:
    platform, clock = living(10)
    platform.tasks()
    clock.pass_seconds(10 * 365 * 86_400)
    assert len(platform.tasks()) < 1100


def test_a_browser_may_use_it_where_cross_origin_is_allowed() -> None:
    with FakePlatform.demo(3, cross_origin=True).run_in_thread() as platform:
        asked = ask(platform, method="OPTIONS", key=None)
        assert (asked.status, asked.headers["Access-Control-Allow-Headers"]) == (204, "*")
        assert ask(platform).headers["Access-Control-Allow-Origin"] == "*"
        assert ask(platform, key=None).headers["Access-Control-Allow-Origin"] == "*"
    with FakePlatform.demo(3).run_in_thread() as platform:
        assert "Access-Control-Allow-Origin" not in ask(platform).headers


def started(*arguments: str) -> tuple[subprocess.Popen[str], list[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "twelvetasks.testing", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    lines = [process.stdout.readline()]
    while "Ctrl-C" not in lines[-1]:
        assert process.poll() is None
        lines.append(process.stdout.readline())
    return process, lines


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send SIGTERM to a process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_command_serves_until_it_is_told_to_stop(number: signal.Signals) -> None:
    received = asyncio.Event()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"tl-signature" in head.lower():
            received.set()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(receive, "127.0.0.1") as receiver:
        port = receiver.sockets[0].getsockname()[1]
        process, lines = await asyncio.to_thread(
            started,
            *("--tasks", "30", "--indexing-time", "0.4", "--changes-per-minute", "600"),
            *("--webhook", f"http://127.0.0.1:{port}/"),
        )
        try:
            said = "".join(lines)
            base_url = re.search(r"http://127\.0\.0\.1:\d+/v1\.3", said)
            key = re.search(r"API key: +(\S+)", said)
            assert base_url
            assert key
            request = urllib.request.Request(
                f"{base_url[0]}/tasks?page_limit=1", headers={"x-api-key": key[1]}
            )

            def read() -> Any:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return msgspec.json.decode(answer.read())

            answer = await asyncio.to_thread(read)
            assert answer["page_info"]["total_results"] >= 20
            await asyncio.wait_for(received.wait(), 30)
        finally:
            process.send_signal(number)
            code = await asyncio.to_thread(process.wait, 30)
            assert process.stdout is not None
            process.stdout.close()
        assert code == 0


def test_a_port_that_is_taken_is_one_line_of_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = subprocess.run(
            [sys.executable, "-m", "twelvetasks.testing", "--port", str(taken.getsockname()[1])],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert ended.returncode == 2
    assert "cannot listen on 127.0.0.1" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("wrong", [("--tasks", "-1"), ("--indexing-time", "0"), ("--port", "x")])
def test_wrong_options_are_refused_by_name(wrong: tuple[str, str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "twelvetasks.testing", *wrong],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2
    assert wrong[0] in ended.stderr
