"""Single tasks: retrieving and deleting them, and what may be answered to that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from twelvetasks import (
    AuthenticationError,
    BadRequestError,
    InvalidArgumentError,
    NotFoundError,
    ResponseError,
    RetryPolicy,
    ServerError,
    TaskSession,
    TaskStatus,
    TransportError,
    TwelveTasksError,
    to_dict,
)
from twelvetasks.testing import FakePlatform
from twelvetasks.values.errors import TaskNotDeletableError

UNKNOWN = "62a17bf847f5678267ec10cc"


@pytest.fixture
async def session(platform: FakePlatform) -> Any:
    async with TaskSession(platform.api_key, base_url=platform.base_url) as opened:
        yield opened


def some_id(platform: FakePlatform, status: str) -> str:
    task_id: str = platform.tasks(status=status)[0]["_id"]
    return task_id


async def test_a_task_comes_with_all_that_the_platform_shows_of_it(
    platform: FakePlatform, session: TaskSession
) -> None:
    added = platform.add(status="ready", hls={"status": "COMPLETE"}, tags=["harbour"])
    task = await session.task(added["_id"])
    assert to_dict(task) == added
    assert task.status is TaskStatus.READY
    assert task.hls is not None
    assert task.hls.status == "COMPLETE"
    assert len(platform.requests) == 1


async def test_a_task_that_is_not_there_is_not_found(session: TaskSession) -> None:
    with pytest.raises(NotFoundError) as caught:
        await session.task(UNKNOWN)
    assert caught.value.code == "resource_not_exists"
    with pytest.raises(NotFoundError):
        await session.delete(UNKNOWN)


@pytest.mark.parametrize("status", ["ready", "failed"])
async def test_a_task_at_its_end_is_deleted_by_id_or_as_it_is(
    platform: FakePlatform, session: TaskSession, status: str
) -> None:
    first = some_id(platform, status)
    await session.delete(first)
    second = some_id(platform, status)
    await session.delete(await session.task(second))
    assert not {first, second} & {task["_id"] for task in platform.tasks()}


@pytest.mark.parametrize("answer", [200, 204])
async def test_a_deletion_is_done_whichever_success_it_is_answered_with(
    platform: FakePlatform, session: TaskSession, answer: int
) -> None:
    platform.respond(lambda _: web.Response(status=answer))
    await session.delete(UNKNOWN)


@pytest.mark.parametrize("status", ["uploading", "validating", "pending", "queued", "indexing"])
async def test_a_task_under_way_cannot_be_deleted_and_the_error_says_so(
    platform: FakePlatform, session: TaskSession, status: str
) -> None:
    task_id = some_id(platform, status)
    with pytest.raises(TaskNotDeletableError, match="Wait until it is ready or failed") as caught:
        await session.delete(task_id)
    assert isinstance(caught.value, BadRequestError)
    assert (caught.value.status, caught.value.code) == (400, "task_cannot_be_deleted")
    assert caught.value.request_id
    assert caught.value.__context__ is None
    assert platform.tasks(status=status)[0]["_id"] == task_id


async def test_the_error_of_a_ready_task_names_its_video(
    platform: FakePlatform, session: TaskSession
) -> None:
    platform.ready_deletion = "after_video"
    with pytest.raises(TaskNotDeletableError, match="delete its video first"):
        await session.delete(some_id(platform, "ready"))
    await session.delete(some_id(platform, "failed"))


async def test_a_refused_deletion_may_as_well_be_a_conflict(
    platform: FakePlatform, session: TaskSession
) -> None:
    platform.fail(status=409)
    with pytest.raises(TaskNotDeletableError):
        await session.delete(UNKNOWN)


async def test_another_refusal_of_a_deletion_is_what_it_is(
    platform: FakePlatform, session: TaskSession
) -> None:
    platform.fail(status=400, body={"code": "parameter_invalid"})
    with pytest.raises(BadRequestError) as caught:
        await session.delete(UNKNOWN)
    assert type(caught.value) is BadRequestError
    platform.fail(status=401)
    with pytest.raises(AuthenticationError):
        await session.delete(UNKNOWN)


async def test_a_failure_that_passes_is_tried_again(
    platform: FakePlatform, session: TaskSession
) -> None:
    task_id = some_id(platform, "ready")
    platform.fail(status=503, times=2)
    assert (await session.task(task_id)).id == task_id
    platform.fail(status=503, times=2)
    await session.delete(task_id)
    assert len(platform.requests) == 6


@pytest.mark.parametrize(
    ("body", "path"),
    [(b"", None), (b"[]", "$"), (b"{}", "$._id"), (b'{"_id": "another"}', "$._id")],
)
async def test_an_answer_that_is_not_the_task_is_refused(
    platform: FakePlatform, session: TaskSession, body: bytes, path: str | None
) -> None:
    platform.respond(lambda _: web.Response(body=body, headers={"X-Request-Id": "req-7"}))
    with pytest.raises(ResponseError) as caught:
        await session.task(UNKNOWN)
    assert caught.value.json_path == path
    assert caught.value.request_id == "req-7"
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "task_id", ["", ".", "..", "a/b", "a?b", "a#b", "a b", "a%2Fb", "ä", "a\n", 7, None, b"a"]
)
async def test_what_is_no_id_is_refused_before_a_request(
    platform: FakePlatform, session: TaskSession, task_id: Any
) -> None:
    for method in (session.task, session.delete):
        with pytest.raises(InvalidArgumentError, match="task_id="):
            await method(task_id)
    assert platform.requests == []


async def test_an_id_of_any_other_form_is_asked_for_as_it_is(
    platform: FakePlatform, session: TaskSession
) -> None:
    platform.add(_id="a.b-c_d~e..")
    assert (await session.task("a.b-c_d~e..")).id == "a.b-c_d~e.."
    assert platform.requests[0].path == "/v1.3/tasks/a.b-c_d~e.."


INDEX = "62a0906d47f5678267ec10a6"


async def late(_: web.Request) -> web.Response:
    await asyncio.sleep(2)
    return web.Response(status=201, text="{}")


async def cut(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def cut_in_the_body(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(status=201, headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'{"_id": ')
    assert request.transport is not None
    request.transport.abort()
    return response


def answering(status: int, body: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def respond(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    return respond


@pytest.mark.parametrize(
    "gateway",
    [
        late,
        cut,
        cut_in_the_body,
        answering(408, ""),
        answering(502, "<html></html>"),
        answering(504, ""),
        answering(201, "<html></html>"),
        answering(201, "[]"),
        answering(202, ""),
        answering(200, '{"video_id": "v"}'),
    ],
)
async def test_a_creation_without_a_good_answer_says_that_the_task_may_exist(
    platform: FakePlatform, gateway: Any
) -> None:
    async def make_it_all_the_same(request: web.Request) -> Any:
        if request.method != "POST":
            return None
        await request.read()
        platform.add(index_id=INDEX, status="pending")
        return await gateway(request)

    before = len(platform.tasks())
    platform.respond(make_it_all_the_same)
    async with TaskSession(platform.api_key, base_url=platform.base_url, timeout=1) as session:
        with pytest.raises(TwelveTasksError, match="The task may exist: look") as caught:
            await session.create(index_id=INDEX, video_url="https://example.org/a.mp4")
        assert caught.value.task_may_exist
        assert "again later" not in str(caught.value)
        assert isinstance(caught.value, (TransportError, ServerError, ResponseError))
    assert len(platform.tasks()) == before + 1
    assert caught.value.__context__ is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 307])
async def test_a_creation_that_was_refused_made_nothing(
    platform: FakePlatform, session: TaskSession, status: int
) -> None:
    platform.respond(answering(status, ""))
    with pytest.raises(TwelveTasksError) as caught:
        await session.create(index_id=INDEX, video_url="https://example.org/a.mp4")
    assert not caught.value.task_may_exist
    assert "may exist" not in str(caught.value)


async def test_a_creation_that_never_left_made_nothing(unused_tcp_port: int) -> None:
    once = RetryPolicy(attempts=1)
    base_url = f"http://127.0.0.1:{unused_tcp_port}/v1.3"
    async with TaskSession("tlk_x", base_url=base_url, retry=once) as session:
        with pytest.raises(TransportError) as caught:
            await session.create(index_id=INDEX, video_url="https://example.org/a.mp4")
    assert not caught.value.reached
    assert not caught.value.task_may_exist


@pytest.mark.parametrize("status", [200, 201, 202, 203])
async def test_any_success_counts_as_made(
    platform: FakePlatform, session: TaskSession, status: int
) -> None:
    platform.respond(answering(status, '{"_id": "t"}'))
    task = await session.create(index_id=INDEX, video_url="https://example.org/a.mp4")
    assert task.id == "t"
