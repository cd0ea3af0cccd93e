"""Creating tasks: what is sent, what is refused before, and what becomes of a failed upload."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any, Self

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from tests.conftest import until_no_connection
from twelvetasks import (
    AuthenticationError,
    BadRequestError,
    InvalidArgumentError,
    NotFoundError,
    RateLimitedError,
    RequestTimeoutError,
    ResponseError,
    ServerError,
    SessionClosedError,
    TaskSession,
    TransportError,
)
from twelvetasks.tasks.uploads import MAX_FILESIZE, PIECE, checked_upload
from twelvetasks.testing import FakePlatform, ReceivedFile
from twelvetasks.values.errors import UploadError

INDEX = "62a0906d47f5678267ec10a6"
VIDEO = bytes(range(256)) * 3000
URL_OF_VIDEO = "https://example.com/harbour.mp4?signature=a%2Fb+c"


@pytest.fixture
async def session(platform: FakePlatform) -> AsyncIterator[TaskSession]:
    async with TaskSession(platform.api_key, base_url=platform.base_url) as opened:
        yield opened


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "harbour.mp4"
    path.write_bytes(VIDEO)
    return path


async def pieces(*some: Any) -> AsyncGenerator[Any, None]:
    for piece in some:
        yield piece


def received(platform: FakePlatform) -> ReceivedFile:
    [upload] = platform.uploads
    assert upload.file is not None
    return upload.file


def posts(platform: FakePlatform) -> int:
    return sum(request.method == "POST" for request in platform.requests)


async def test_a_file_arrives_as_it_is_under_its_name(
    platform: FakePlatform, session: TaskSession, video: Path
) -> None:
    task = await session.create(index_id=INDEX, video_file=video)
    [upload] = platform.uploads
    assert (task.id, task.video_id, task.status) == (upload.task_id, upload.video_id, None)
    assert upload.index_id == INDEX
    assert upload.enable_video_stream
    assert upload.user_metadata is None
    file = received(platform)
    assert (file.filename, file.content_type) == ("harbour.mp4", "video/mp4")
    assert (file.size, file.sha256) == (len(VIDEO), hashlib.sha256(VIDEO).hexdigest())
    assert (await session.task(task.id)).status == "uploading"


async def test_a_file_is_announced_with_its_length(
    platform: FakePlatform, session: TaskSession, video: Path
) -> None:
    await session.create(index_id=INDEX, video_file=str(video))
    headers = platform.requests[0].headers
    assert int(headers["Content-Length"]) > len(VIDEO)
    assert "Transfer-Encoding" not in headers
    assert headers["Content-Type"].startswith("multipart/form-data; boundary=")


async def test_a_url_is_sent_as_it_is_and_as_a_form_too(
    platform: FakePlatform, session: TaskSession
) -> None:
    await session.create(index_id=INDEX, video_url=URL_OF_VIDEO)
    await session.create(index_id=INDEX, video_url=URL("https://example.com/v.mp4"))
    assert [upload.video_url for upload in platform.uploads] == [
        URL_OF_VIDEO,
        "https://example.com/v.mp4",
    ]
    assert platform.requests[0].headers["Content-Type"].startswith("multipart/form-data")


async def test_the_switch_and_the_metadata_go_with_it(
    platform: FakePlatform, session: TaskSession
) -> None:
    metadata = {"season": 3, "name": "Hafen Köln \ud800", "tags": ["a", None], "live": True}
    await session.create(
        index_id=INDEX,
        video_url=URL_OF_VIDEO,
        enable_video_stream=False,
        user_metadata=metadata | {"name": "Hafen Köln"},
    )
    [upload] = platform.uploads
    assert not upload.enable_video_stream
    assert upload.user_metadata == metadata | {"name": "Hafen Köln"}


async def test_bytes_of_a_known_size_are_announced_with_their_length(
    platform: FakePlatform, session: TaskSession
) -> None:
    await session.create(
        index_id=INDEX,
        video_file=pieces(VIDEO[:1000], bytearray(VIDEO[1000:]), b"", memoryview(b"end")),
        filename="stream.webm",
        size=len(VIDEO) + 3,
    )
    file = received(platform)
    assert (file.filename, file.content_type) == ("stream.webm", "video/webm")
    assert file.sha256 == hashlib.sha256(VIDEO + b"end").hexdigest()
    assert "Content-Length" in platform.requests[0].headers


async def test_bytes_of_an_unknown_size_are_sent_in_chunks(
    platform: FakePlatform, session: TaskSession
) -> None:
    await session.create(index_id=INDEX, video_file=pieces(b"", VIDEO, b""))
    file = received(platform)
    assert file.filename == "video"
    assert file.sha256 == hashlib.sha256(VIDEO).hexdigest()
    assert platform.requests[0].headers["Transfer-Encoding"] == "chunked"


class Replayed:
    """Bytes from an iterable that is no generator."""

    def __init__(self, *some: bytes) -> None:
        self._some = iter(some)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        for piece in self._some:
            return piece
        raise StopAsyncIteration


async def test_bytes_may_come_from_any_async_iterable(
    platform: FakePlatform, session: TaskSession
) -> None:
    await session.create(index_id=INDEX, video_file=Replayed(VIDEO, VIDEO))
    assert received(platform).sha256 == hashlib.sha256(2 * VIDEO).hexdigest()


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.binary(max_size=2 * PIECE), min_size=1, max_size=5).filter(any),
    st.booleans(),
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=50),
)
def test_any_pieces_arrive_under_any_name(chunks: list[bytes], sized: bool, name: str) -> None:
    async def upload() -> None:
        async with (
            FakePlatform() as platform,
            TaskSession(platform.api_key, base_url=platform.base_url) as session,
        ):
            whole = b"".join(chunks)
            size = len(whole) if sized else None
            source = pieces(*chunks)
            await session.create(index_id=INDEX, video_file=source, filename=name, size=size)
            file = received(platform)
            assert file.sha256 == hashlib.sha256(whole).hexdigest()
            # The platform of the tests leaves out what makes a name look like an absolute path.
            assert file.filename == name.replace('"', "%22").lstrip("\\/")

    asyncio.run(upload())


@pytest.mark.parametrize("sized", [True, False])
async def test_progress_is_told_in_bytes_of_the_video(
    platform: FakePlatform, session: TaskSession, video: Path, sized: bool
) -> None:
    told: list[tuple[int, int | None]] = []
    source = video if sized else pieces(VIDEO)
    await session.create(
        index_id=INDEX, video_file=source, on_progress=lambda *both: told.append(both)
    )
    total = len(VIDEO) if sized else None
    assert told == [(PIECE, total), (2 * PIECE, total), (len(VIDEO), total)]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"index_id": ""}, "index_id=''"),
    ({"index_id": None}, "index_id=None"),
    ({"index_id": "a\nb"}, "index_id="),
    ({"index_id": "\ud800"}, "index_id="),
    ({}, "give either video_file or video_url"),
    ({"video_url": URL_OF_VIDEO, "video_file": "v.mp4"}, "give either"),
    ({"video_url": "ftp://example.com/v.mp4"}, "video_url='ftp"),
    ({"video_url": "harbour.mp4"}, "there is video_file"),
    ({"video_url": "https:///v.mp4"}, "video_url="),
    ({"video_url": "http://["}, "video_url="),
    ({"video_url": "https://example.com/a b"}, "spaces"),
    ({"video_url": "https://u:pw@h:bad/v.mp4?sig=abc"}, "video_url='***': must"),
    ({"video_url": "https://h/v.mp4 ?sig=abc#d"}, "='https://h/v.mp4%20?***#***': must"),
    ({"video_url": "https://example.com/a\nb"}, "video_url="),
    ({"video_url": 7}, "video_url=7"),
    ({"video_url": URL_OF_VIDEO, "filename": "v.mp4"}, "filename='v.mp4'"),
    ({"video_url": URL_OF_VIDEO, "size": 7}, "size=7"),
    ({"video_url": URL_OF_VIDEO, "enable_video_stream": "yes"}, "enable_video_stream='yes'"),
    ({"video_url": URL_OF_VIDEO, "user_metadata": [1]}, "user_metadata="),
    ({"video_url": URL_OF_VIDEO, "user_metadata": {1: 2}}, "user_metadata="),
    ({"video_url": URL_OF_VIDEO, "user_metadata": {"a": {1}}}, "serializable to JSON"),
    ({"video_url": URL_OF_VIDEO, "user_metadata": {"a": float("nan")}}, "user_metadata="),
    ({"video_url": URL_OF_VIDEO, "on_progress": 7}, "on_progress=7"),
    ({"video_file": b"bytes"}, "must be a path or an async iterable"),
    ({"video_file": ["v.mp4"]}, "must be a path or an async iterable"),
    ({"video_file": "no such file.mp4"}, "no such file.mp4"),
    ({"video_file": "a\0b"}, "null"),
    ({"video_file": "."}, "regular file"),
    ({"video_file": __file__, "size": 7}, "size=7"),
    ({"video_file": __file__, "filename": ""}, "filename=''"),
    ({"video_file": __file__, "filename": "a\r\nb"}, "filename="),
    ({"video_file": __file__, "filename": 7}, "filename=7"),
]


@pytest.mark.parametrize(("arguments", "named"), REFUSED)
async def test_what_cannot_be_right_is_refused_before_a_request(
    platform: FakePlatform, session: TaskSession, arguments: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await session.create(**({"index_id": INDEX, **arguments}))
    assert named in str(caught.value)
    assert platform.requests == []


@pytest.mark.parametrize("size", [0, -1, 1.5, True, MAX_FILESIZE + 1])
async def test_a_size_that_no_video_has_is_refused(
    platform: FakePlatform, session: TaskSession, size: Any
) -> None:
    source = pieces(VIDEO)
    with pytest.raises(InvalidArgumentError, match="size="):
        await session.create(index_id=INDEX, video_file=source, size=size)
    await source.aclose()
    assert platform.requests == []


async def test_an_async_progress_function_is_refused(session: TaskSession) -> None:
    async def progress(sent: int, total: int | None) -> None:
        raise AssertionError

    with pytest.raises(InvalidArgumentError, match="plain function"):
        await session.create(index_id=INDEX, video_url=URL_OF_VIDEO, on_progress=progress)


async def test_a_file_that_no_video_can_be_is_refused(
    platform: FakePlatform, session: TaskSession, tmp_path: Path
) -> None:
    empty, huge, pipe = (tmp_path / name for name in ("empty.mp4", "huge.mp4", "pipe.mp4"))
    empty.touch()
    with huge.open("wb") as opened:
        opened.truncate(MAX_FILESIZE + 1)
    os.mkfifo(pipe)
    for path, reason in ((empty, "0 bytes"), (huge, "bytes"), (pipe, "regular file")):
        with pytest.raises(InvalidArgumentError, match=reason) as caught:
            await session.create(index_id=INDEX, video_file=path)
        assert str(path) in str(caught.value)
    assert platform.requests == []


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        (2, "more than the 2 bytes"),
        (4, "after 3 of 4 bytes"),
    ],
)
async def test_bytes_that_are_not_those_announced_make_no_task(
    platform: FakePlatform, session: TaskSession, size: int, reason: str
) -> None:
    with pytest.raises(UploadError, match=reason) as caught:
        await session.create(index_id=INDEX, video_file=pieces(b"v", b"vv"), size=size)
    assert caught.value.__context__ is None
    assert platform.uploads == []
    assert posts(platform) <= 1


@pytest.mark.parametrize("some", [(), (b"",)])
async def test_no_bytes_make_no_task(
    platform: FakePlatform, session: TaskSession, some: tuple[bytes, ...]
) -> None:
    with pytest.raises(UploadError, match="no bytes"):
        await session.create(index_id=INDEX, video_file=pieces(*some))
    assert platform.uploads == []


async def test_bytes_without_end_are_stopped(
    platform: FakePlatform, session: TaskSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twelvetasks.tasks.uploads.MAX_FILESIZE", 1000)
    with pytest.raises(UploadError, match="more than 1000 bytes"):
        await session.create(index_id=INDEX, video_file=pieces(b"v" * 600, b"v" * 600))
    assert platform.uploads == []


async def test_what_is_not_bytes_makes_no_task(
    platform: FakePlatform, session: TaskSession
) -> None:
    with pytest.raises(UploadError, match="str"):
        await session.create(index_id=INDEX, video_file=pieces(b"v", "text"))
    assert platform.uploads == []


@pytest.mark.parametrize("change", ["shorter", "longer"])
async def test_a_file_that_changes_on_the_way_makes_no_task(
    platform: FakePlatform, session: TaskSession, video: Path, change: str
) -> None:
    def change_it(sent: int, total: int | None) -> None:
        os.truncate(video, sent if change == "shorter" else 2 * len(VIDEO))

    with pytest.raises(UploadError, match=r"after|more than"):
        await session.create(index_id=INDEX, video_file=video, on_progress=change_it)
    assert platform.uploads == []
    assert posts(platform) == 1


async def test_a_file_that_can_no_longer_be_read_makes_no_task(
    platform: FakePlatform, session: TaskSession, video: Path
) -> None:
    platform.fail(status=429)
    platform.before_each(lambda *_: video.unlink(missing_ok=True))
    with pytest.raises(UploadError, match=r"harbour\.mp4 could not be read") as caught:
        await session.create(index_id=INDEX, video_file=video)
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    assert platform.uploads == []


class OwnError(Exception):
    pass


class OwnSignal(BaseException):
    pass


@pytest.mark.parametrize("kind", [OwnError, OwnSignal])
async def test_an_error_of_the_callers_own_bytes_is_raised_as_it_is(
    platform: FakePlatform, session: TaskSession, kind: type[BaseException]
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"v"
        raise kind

    with pytest.raises(kind) as caught:
        await session.create(index_id=INDEX, video_file=broken())
    assert caught.value.__context__ is None
    assert platform.uploads == []


RAISED = [OwnError, OwnSignal, KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit]


@pytest.mark.parametrize("kind", RAISED)
async def test_an_error_of_the_callers_progress_is_raised_as_it_is(
    platform: FakePlatform, session: TaskSession, video: Path, kind: type[BaseException]
) -> None:
    error = kind("it ends")

    def progress(sent: int, total: int | None) -> None:
        raise error

    with pytest.raises(kind) as caught:
        await session.create(index_id=INDEX, video_file=video, on_progress=progress)
    assert caught.value is error
    assert platform.uploads == []
    # The connection may be cut before the platform knows of the request.
    assert posts(platform) <= 1


async def test_no_traceback_of_a_fault_leads_to_the_key(
    platform: FakePlatform, session: TaskSession
) -> None:
    with pytest.raises(UploadError) as caught:
        await session.create(index_id=INDEX, video_file=pieces("text"))
    traceback = caught.value.__traceback__
    while traceback is not None:
        assert "aiohttp" not in traceback.tb_frame.f_code.co_filename
        traceback = traceback.tb_next


async def test_a_file_is_sent_again_from_its_start_after_a_429(
    platform: FakePlatform, session: TaskSession, video: Path
) -> None:
    platform.fail(status=429, times=2)
    await session.create(index_id=INDEX, video_file=video)
    assert received(platform).sha256 == hashlib.sha256(VIDEO).hexdigest()
    assert posts(platform) == 3


async def test_bytes_that_can_be_had_only_once_are_not_sent_again(
    platform: FakePlatform, session: TaskSession
) -> None:
    platform.fail(status=429, headers={"Retry-After": "7"})
    with pytest.raises(RateLimitedError) as caught:
        await session.create(index_id=INDEX, video_file=pieces(VIDEO))
    assert caught.value.retry_after == 7
    assert platform.uploads == []
    assert posts(platform) == 1


async def test_no_second_form_is_made_of_them() -> None:
    upload = await checked_upload(index_id=INDEX, video_file=pieces(VIDEO), stall_timeout=1)
    upload.form()
    upload.form()
    source = upload._video
    assert source is not None
    assert [len(piece) async for piece in upload.pieces(source)]
    with pytest.raises(UploadError, match="only once"):
        upload.form()


@pytest.mark.parametrize(
    ("failure", "kind"),
    [({"status": 500}, ServerError), ({"status": 503}, ServerError), ({"disconnect": True}, None)],
)
async def test_an_upload_that_may_have_arrived_is_never_sent_again(
    platform: FakePlatform,
    session: TaskSession,
    video: Path,
    failure: dict[str, Any],
    kind: type[Exception] | None,
) -> None:
    platform.fail(**failure)
    with pytest.raises(kind or TransportError):
        await session.create(index_id=INDEX, video_file=video)
    assert posts(platform) == 1


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("usage_limit_exceeded", 400),
        ("video_resolution_too_low", 400),
        ("video_duration_too_long", 400),
        ("video_filesize_too_large", 413),
        ("parameter_not_provided", 400),
    ],
)
async def test_a_refusal_of_the_platform_carries_its_code(
    platform: FakePlatform, session: TaskSession, video: Path, code: str, status: int
) -> None:
    platform.fail(status=status, body={"code": code, "message": "No."})
    with pytest.raises(BadRequestError) as caught:
        await session.create(index_id=INDEX, video_file=video)
    assert caught.value.code == code


async def test_an_unknown_index_and_a_wrong_key_are_errors_of_their_own(
    platform: FakePlatform, session: TaskSession, video: Path
) -> None:
    platform.index_ids = [INDEX]
    with pytest.raises(NotFoundError):
        await session.create(index_id="another", video_file=video)
    platform.api_key = "tlk_rotated"
    with pytest.raises(AuthenticationError):
        await session.create(index_id=INDEX, video_file=video)


@pytest.mark.parametrize("status", [200, 201])
async def test_either_success_gives_the_task(
    platform: FakePlatform, session: TaskSession, status: int
) -> None:
    platform.respond(lambda _: web.Response(status=status, body=b'{"_id": "t", "video_id": "v"}'))
    task = await session.create(index_id=INDEX, video_url=URL_OF_VIDEO)
    assert (task.id, task.video_id) == ("t", "v")


async def test_a_success_without_an_id_is_an_error(
    platform: FakePlatform, session: TaskSession
) -> None:
    platform.respond(lambda _: web.Response(status=201, body=b'{"video_id": "v"}'))
    with pytest.raises(ResponseError) as caught:
        await session.create(index_id=INDEX, video_url=URL_OF_VIDEO)
    assert (caught.value.json_path, caught.value.status) == ("$._id", 201)


async def begun(platform: FakePlatform, upload: asyncio.Task[Any]) -> None:
    while not platform.in_flight:
        assert not upload.done()
        await asyncio.sleep(0.001)


async def test_a_cancelled_upload_leaves_nothing_running_and_no_task(
    platform: FakePlatform, session: TaskSession
) -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"v" * 1000
                await asyncio.sleep(0.001)
        finally:
            closed.set()

    upload = asyncio.ensure_future(session.create(index_id=INDEX, video_file=endless()))
    await begun(platform, upload)
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    assert closed.is_set()
    await until_no_connection(platform)
    assert platform.uploads == []


async def test_a_cancelled_upload_of_a_file_closes_it(
    platform: FakePlatform, session: TaskSession, tmp_path: Path
) -> None:
    path = tmp_path / "long.mp4"
    with path.open("wb") as opened:
        opened.truncate(64 * 1024 * 1024)
    told = asyncio.Event()
    upload = asyncio.ensure_future(
        session.create(index_id=INDEX, video_file=path, on_progress=lambda *_: told.set())
    )
    await told.wait()
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    # A file left open would complain of it now, and warnings are errors.
    gc.collect()


async def test_closing_the_session_ends_an_upload(
    platform: FakePlatform, session: TaskSession
) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"v"
        await asyncio.Event().wait()

    upload = asyncio.ensure_future(session.create(index_id=INDEX, video_file=slow()))
    await begun(platform, upload)
    await session.aclose()
    with pytest.raises(SessionClosedError):
        await upload
    assert platform.uploads == []


async def test_a_platform_that_takes_no_more_bytes_is_not_waited_for_for_ever(
    tmp_path: Path,
) -> None:
    path = tmp_path / "long.mp4"
    with path.open("wb") as opened:
        opened.truncate(64 * 1024 * 1024)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with TaskSession("tlk_demo", base_url=url, timeout=0.2) as session:
            with pytest.raises(RequestTimeoutError):
                await session.create(index_id=INDEX, video_file=path)


async def test_an_answer_that_never_comes_is_not_waited_for_for_ever(video: Path) -> None:
    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass
        writer.close()

    async with await asyncio.start_server(swallow, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with TaskSession("tlk_demo", base_url=url, timeout=0.2) as session:
            with pytest.raises(RequestTimeoutError):
                await session.create(index_id=INDEX, video_file=video)
