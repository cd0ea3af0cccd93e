"""Uploading: what the form may hold, what becomes of it, and how a task then moves on."""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import until_no_connection
from tests.testing.asking import ask
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.indexing import Indexing
from twelvetasks.testing.kinds import TASKS

INDEX = "62a0906d47f5678267ec10a6"
URL = "https://example.com/harbour.mp4"


@attrs.frozen
class Said:
    status: int
    json: Any


async def send(platform: FakePlatform, *parts: tuple[str, Any]) -> Said:
    """Post a form; a part of bytes is sent as a file of that name."""
    with aiohttp.MultipartWriter("form-data") as form:
        for name, value in parts:
            part = form.append(value)
            if isinstance(value, bytes):
                part.set_content_disposition("form-data", name=name, filename=f"{name}.mp4")
            else:
                part.set_content_disposition("form-data", name=name)
    return await post(platform, form)


async def post(platform: FakePlatform, data: Any, **headers: str) -> Said:
    async with (
        aiohttp.ClientSession(headers=headers | {"x-api-key": platform.api_key}) as client,
        client.post(platform.base_url / "tasks", data=data) as answer,
    ):
        return Said(answer.status, await answer.json())


async def test_it_does_not_matter_how_a_form_is_cut_into_packets() -> None:
    head = (
        b'--cut\r\nContent-Disposition: form-data; name="index_id"\r\n\r\ni\r\n'
        b'--cut\r\nContent-Disposition: form-data; name="video_file"; filename="v.mp4"\r\n\r\n'
    )
    video, foot = bytes(300_000), b"\r\n--cut--\r\n"
    async with FakePlatform() as platform:
        host, port = platform.base_url.host, platform.base_url.port
        reader, writer = await asyncio.open_connection(host, port)
        length = len(head) + len(video) + len(foot)
        writer.write(
            f"POST /v1.3/tasks HTTP/1.1\r\nHost: {host}\r\nx-api-key: {platform.api_key}\r\n"
            f"Content-Type: multipart/form-data; boundary=cut\r\nContent-Length: {length}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        # A few bytes of the video come alone, fewer than its boundary has; then many at once.
        for piece in (head + video[:70_000], video[:3], video[70_003:] + foot):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.05)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        assert answer.startswith(b"HTTP/1.1 201"), answer
        assert platform.uploads[-1].file is not None
        assert platform.uploads[-1].file.size == len(video)


async def test_a_file_becomes_a_task_that_is_uploading() -> None:
    video = bytes(range(256)) * 1000
    async with FakePlatform.demo(3) as platform:
        said = await send(platform, ("index_id", INDEX), ("video_file", video))
        [upload] = platform.uploads
        assert said.status == 201
        assert said.json == {"_id": upload.task_id, "video_id": upload.video_id}
        assert upload.index_id == INDEX
        assert upload.file is not None
        assert upload.file.filename == "video_file.mp4"
        assert upload.file.size == len(video)
        assert upload.file.sha256 == hashlib.sha256(video).hexdigest()
        assert upload.enable_video_stream
        assert upload.user_metadata is None
        newest = platform.tasks()[0]
        assert newest["_id"] == upload.task_id
        assert newest["status"] == "uploading"
        assert newest["index_id"] == INDEX
        metadata = {"filename": "video_file.mp4", "duration": 12, "width": 1280, "height": 720}
        assert newest["system_metadata"] == metadata
        assert upload.video_id == upload.task_id
        assert "video_id" not in newest
        await until_no_connection(platform)


@settings(max_examples=30, deadline=None)
@given(st.binary(min_size=1, max_size=300), st.integers(1, 500))
def test_any_bytes_arrive_as_they_were(piece: bytes, times: int) -> None:
    video = piece * times

    async def upload() -> None:
        async with FakePlatform() as platform:
            await send(platform, ("index_id", INDEX), ("video_file", video))
            received = platform.uploads[0].file
            assert received is not None
            assert received.size == len(video)
            assert received.sha256 == hashlib.sha256(video).hexdigest()
            await until_no_connection(platform)

    asyncio.run(upload())


async def test_a_url_the_switch_and_the_metadata_are_recorded() -> None:
    async with FakePlatform() as platform:
        await send(
            platform,
            ("index_id", INDEX),
            ("video_url", URL),
            ("enable_video_stream", "false"),
            ("user_metadata", json.dumps({"season": 3, "tags": ["harbour"]})),
        )
        [upload] = platform.uploads
        assert upload.video_url == URL
        assert upload.file is None
        assert not upload.enable_video_stream
        assert upload.user_metadata == {"season": 3, "tags": ["harbour"]}
        await until_no_connection(platform)


@pytest.mark.parametrize(
    ("parts", "code", "named"),
    [
        ([("video_url", URL)], "parameter_not_provided", "index_id"),
        ([("index_id", ""), ("video_url", URL)], "parameter_not_provided", "index_id"),
        ([("index_id", INDEX)], "parameter_not_provided", "video_file"),
        (
            [("index_id", INDEX), ("video_url", URL), ("video_file", b"v")],
            "parameter_invalid",
            "video_url",
        ),
        ([("index_id", INDEX), ("video_url", "harbour.mp4")], "parameter_invalid", "video_url"),
        ([("index_id", INDEX), ("video_url", "ftp://a/b")], "parameter_invalid", "video_url"),
        ([("index_id", INDEX), ("video_url", "http://[")], "parameter_invalid", "video_url"),
        ([("index_id", INDEX), ("video_file", "text")], "parameter_invalid", "video_file"),
        ([("index_id", INDEX), ("video_file", b"")], "video_file_broken", "empty"),
        ([("index_id", INDEX), ("video_file", b"v" * 1001)], "video_filesize_too_large", "1001"),
        (
            [("index_id", INDEX), ("video_file", b"v"), ("video_file", b"w")],
            "parameter_invalid",
            "video_file",
        ),
        (
            [("index_id", INDEX), ("index_id", INDEX), ("video_file", b"v")],
            "parameter_invalid",
            "index_id",
        ),
        (
            [("index_id", INDEX), ("video_url", URL), ("enable_video_stream", "yes")],
            "parameter_invalid",
            "enable_video_stream",
        ),
        (
            [("index_id", INDEX), ("video_url", URL), ("user_metadata", "[1]")],
            "parameter_invalid",
            "user_metadata",
        ),
        (
            [("index_id", INDEX), ("video_url", URL), ("user_metadata", "{")],
            "parameter_invalid",
            "user_metadata",
        ),
        ([("index_id", "i" * 70_000), ("video_url", URL)], "parameter_invalid", "index_id"),
        (
            [("index_id", INDEX), ("video_url", URL), ("language", "en")],
            "parameter_unknown",
            "language",
        ),
    ],
)
async def test_a_form_that_is_wrong_is_refused_by_name(
    parts: list[tuple[str, Any]], code: str, named: str
) -> None:
    async with FakePlatform(max_filesize=1000) as platform:
        said = await send(platform, *parts)
        assert said.status == 400
        assert said.json["code"] == code
        assert named in said.json["message"]
        assert platform.uploads == []
        assert platform.tasks() == []
        await until_no_connection(platform)


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b"{}", "application/json"),
        (b"index_id=1", "application/x-www-form-urlencoded"),
        (b"--x\r\n", "multipart/form-data"),
        (b"no boundary at all", "multipart/form-data; boundary=x"),
        (b"--x\r\nindex_id: 1\r\n\r\n1\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (b"--x\r\nno colon\r\n\r\n1\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (
            b'--x\r\nContent-Disposition: form-data; name="index_id"\r\n\r\n\xff\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="video_file"; filename="v"\r\n\r\nvvv',
            "multipart/form-data; boundary=x",
        ),
    ],
)
async def test_a_body_that_is_no_form_is_refused(data: bytes, content_type: str) -> None:
    async with FakePlatform() as platform:
        said = await post(platform, data, **{"Content-Type": content_type})
        assert said.status == 400
        assert said.json["code"] == "parameter_invalid"
        assert platform.tasks() == []
        await until_no_connection(platform)


async def test_an_upload_that_breaks_off_leaves_no_task() -> None:
    async with FakePlatform() as platform:
        url = platform.base_url
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(
            b"POST /v1.3/tasks HTTP/1.1\r\nHost: x\r\nx-api-key: tlk_demo\r\n"
            b"Content-Length: 1000000\r\nContent-Type: multipart/form-data; boundary=x\r\n\r\n"
            b'--x\r\nContent-Disposition: form-data; name="video_file"; filename="v"\r\n\r\nvvv'
        )
        await writer.drain()
        while not platform.in_flight:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        writer.close()
        await writer.wait_closed()
        assert await reader.read() == b""
        while platform.in_flight:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        await until_no_connection(platform)
    assert platform.tasks() == []
    assert platform.requests[0].status is None


async def test_only_its_own_indexes_take_uploads_where_they_are_named() -> None:
    async with FakePlatform(index_ids=[INDEX]) as platform:
        said = await send(platform, ("index_id", "another"), ("video_url", URL))
        assert (said.status, said.json["code"]) == (404, "resource_not_exists")
        assert (await send(platform, ("index_id", INDEX), ("video_url", URL))).status == 201
        await until_no_connection(platform)


async def test_what_is_scripted_refuses_an_upload_too() -> None:
    async with FakePlatform() as platform:
        platform.fail(status=400, body={"code": "usage_limit_exceeded", "message": "No more."})
        said = await send(platform, ("index_id", INDEX), ("video_file", b"v"))
        assert (said.status, said.json["code"]) == (400, "usage_limit_exceeded")
        assert platform.uploads == []
        await until_no_connection(platform)


def test_a_task_moves_on_step_by_step() -> None:
    platform = FakePlatform()
    task_id = platform.add(status="uploading")["_id"]
    seen = [platform.advance(task_id)["status"] for _ in range(3)]
    assert seen == ["queued", "indexing", "ready"] == list(TASKS.steps[1:])
    ready = platform.tasks()[0]
    assert ready["video_id"]
    with pytest.raises(ValueError, match="does not move on"):
        platform.advance(task_id)
    with pytest.raises(KeyError):
        platform.advance("no such task")


def test_the_statuses_that_only_the_documentation_names_move_on_too() -> None:
    platform = FakePlatform()
    task_id = platform.add(status="pending")["_id"]
    seen = [platform.advance(task_id)["status"] for _ in range(4)]
    assert seen == ["validating", "queued", "indexing", "ready"]


def test_a_task_ends_at_once_where_it_is_told_to() -> None:
    platform = FakePlatform()
    failed = platform.finish(platform.add(status="queued")["_id"], status="failed")
    assert failed["status"] == "failed"
    assert "video_id" not in failed
    assert failed["error_reason"]
    kept = platform.finish(platform.add(status="queued", video_id="v")["_id"])
    assert (kept["status"], kept["video_id"]) == ("ready", "v")
    with pytest.raises(ValueError, match="queued"):
        platform.finish(kept["_id"], status="queued")  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        platform.finish("no such task")


async def test_only_a_video_stored_for_streaming_gets_a_stream() -> None:
    async with FakePlatform() as platform:
        for switch in ("true", "false"):
            form = [("index_id", INDEX), ("video_url", URL), ("enable_video_stream", switch)]
            said = await send(platform, *form)
            ready = platform.finish(said.json["_id"])
            assert ready["video_id"] == said.json["video_id"]
            assert ("hls" in ready) == (switch == "true")
        await until_no_connection(platform)


def test_the_clock_moves_an_uploaded_task_on() -> None:
    now = datetime(2025, 7, 1, tzinfo=UTC)

    def clock() -> datetime:
        return now

    platform = FakePlatform(clock=clock, indexing_time=40)
    with platform.run_in_thread():
        said = asyncio.run(send(platform, ("index_id", INDEX), ("video_url", URL)))
        task_id = said.json["_id"]
        seen = []
        for _ in range(4):
            answer = ask(platform, f"/tasks/{task_id}")
            listed = ask(platform).json["data"][0]["status"]
            assert listed == answer.json["status"] == platform.tasks()[0]["status"]
            seen.append(listed)
            now += timedelta(seconds=14)
        assert seen == list(TASKS.steps)


def test_steps_that_are_due_come_once_and_in_order() -> None:
    now = datetime(2025, 7, 1, tzinfo=UTC)
    indexing = Indexing(TASKS.steps, lambda: now)
    indexing.start("a", 4)
    indexing.start("b", 40)
    indexing.start("c", 4)
    assert indexing.due() == []
    indexing.stop("c")
    indexing.stop("unknown")
    now += timedelta(seconds=100)
    assert indexing.due() == [(name, step) for name in ("a", "b") for step in TASKS.steps[1:]]
    assert indexing.due() == []


def test_a_task_that_was_moved_by_hand_or_deleted_no_longer_moves_by_itself() -> None:
    now = datetime(2025, 7, 1, tzinfo=UTC)

    def clock() -> datetime:
        return now

    platform = FakePlatform(clock=clock, indexing_time=40)
    with platform.run_in_thread():
        form = [("index_id", INDEX), ("video_url", URL)]
        by_hand, deleted = (asyncio.run(send(platform, *form)).json["_id"] for _ in range(2))
        platform.advance(by_hand)
        platform.delete(deleted)
        now += timedelta(seconds=100)
        assert [task["status"] for task in platform.tasks()] == ["queued"]
