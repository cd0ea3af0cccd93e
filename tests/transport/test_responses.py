"""What the platform answered beside a body: of a page, of a stream, and of any call in a block."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import pickle
from collections import deque
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import attrs
import pytest

from tests.transport.raw import EMPTY_PAGE, KEY, answer, raw, within
from twelvetasks import (
    NotFoundError,
    Page,
    Response,
    RetryPolicy,
    TaskSession,
    responses,
    to_dict,
)
from twelvetasks.testing import FakePlatform

LIMITS = ("X-RateLimit-Limit: 60", "X-RateLimit-Remaining: 41", "X-RateLimit-Reset: 1753876800")

FAR = datetime(2286, 11, 20, 17, 46, 39, tzinfo=UTC)


async def answered(*headers: str) -> Response:
    """Give what is told of an answer with these headers."""
    async with (
        raw(answer("200 OK", *headers, body=EMPTY_PAGE)) as server,
        TaskSession(KEY, base_url=server.base_url) as session,
    ):
        page = await session.tasks(page_limit=1).page(1)
    assert page.response is not None
    return page.response


async def test_a_page_has_the_request_id_status_headers_and_what_is_left_of_the_limit() -> None:
    told = await answered("X-Request-Id: r-1", "X-Api-Version: 1.3", *LIMITS)
    assert (told.method, told.path) == ("GET", "/v1.3/tasks")
    assert (told.status, told.request_id) == (200, "r-1")
    assert told.headers["x-api-version"] == told.headers["X-API-Version"] == "1.3"
    assert (told.remaining, told.limit) == (41, 60)
    assert told.resets_at == datetime(2025, 7, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "left"),
    [
        ((), (None, None, None)),
        (("X-RateLimit-Remaining: 0",), (0, None, None)),
        (("x-ratelimit-request-remaining: 7", "x-ratelimit-request-limit: 9"), (7, 9, None)),
        ((*LIMITS, "X-RateLimit-Request-Remaining: 3"), (3, None, None)),
        ((*LIMITS[:2], "X-RateLimit-Reset: soon"), (41, 60, None)),
        ((*LIMITS[:2], "X-RateLimit-Reset: 9999999999"), (41, 60, FAR)),
        ((*LIMITS[:2], "X-RateLimit-Reset: 999999999999"), (41, 60, None)),
        (("X-RateLimit-Remaining: -1",), (None, None, None)),
        (("X-RateLimit-Remaining: 1, 2",), (None, None, None)),
        (("X-RateLimit-Duration-Remaining: 5",), (None, None, None)),
    ],
)
async def test_what_is_left_is_that_of_requests_or_none(
    headers: tuple[str, ...], left: tuple[object, ...]
) -> None:
    told = await answered(*headers)
    assert (told.remaining, told.limit, told.resets_at) == left
    assert told.request_id is None


async def test_headers_of_one_name_are_joined_and_cannot_be_changed() -> None:
    told = await answered("Vary: a", "vary: b")
    assert told.headers["VARY"] == "a, b"
    assert [name for name in told.headers if name.lower() == "vary"] == ["Vary"]
    assert "vary" in told.headers
    assert "missing" not in told.headers
    with pytest.raises(TypeError):
        told.headers["Vary"] = "c"  # type: ignore[index]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        told.status = 500  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(told)) == copy.deepcopy(told) == told


async def test_a_server_that_sends_the_key_back_does_not_show_it() -> None:
    told = await answered(f"X-Echo: {KEY.upper()}", f"X-Request-Id: {KEY}", "Set-Cookie: s=1")
    assert told.headers["X-Echo"] == told.request_id == "***"
    assert KEY.lower() not in (repr(told) + repr(told.headers)).lower()
    assert "s=1" not in repr(told)


async def test_pages_and_stream_have_that_of_each_page(
    platform: FakePlatform, session: TaskSession
) -> None:
    async with session.tasks().pages() as stream:
        assert stream.response is None
        pages = [page async for page in stream]
    told = [page.response for page in pages]
    ids = {one.request_id for one in told if one is not None}
    assert len(ids) == 5
    assert None not in ids
    assert stream.response in told
    async with session.tasks() as tasks:
        await anext(tasks)
        assert tasks.response is not None
        assert tasks.response.status == 200


async def test_it_is_no_part_of_the_page_itself(session: TaskSession) -> None:
    first, again = await session.tasks().page(1), await session.tasks().page(1)
    assert first.response != again.response
    assert first == again
    assert "response" not in to_dict(first)
    assert pickle.loads(pickle.dumps(first)).response == first.response
    assert Page[object](data=()).response is None


async def test_a_field_of_the_platform_with_this_name_is_kept_as_it_came() -> None:
    body = EMPTY_PAGE.replace(b'{"data"', b'{"response": 7, "data"')
    async with (
        raw(answer(body=body)) as server,
        TaskSession(KEY, base_url=server.base_url) as session,
    ):
        page = await session.tasks(page_limit=1).page(1)
    assert page.extra == {"response": 7}
    assert to_dict(page)["response"] == 7
    assert isinstance(page.response, Response)


class TestABlock:
    async def test_it_sees_each_single_call(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        before = platform.tasks(status="ready")[0]["_id"]
        with responses() as seen:
            await session.task(before)
            await session.delete(before)
            made = await session.create(index_id="i", video_url="https://example.com/v.mp4")
            await session.tasks().count()
            with pytest.raises(NotFoundError):
                await session.task(before)
        assert [(one.method, one.path, one.status) for one in seen] == [
            ("GET", f"/v1.3/tasks/{before}", 200),
            ("DELETE", f"/v1.3/tasks/{before}", 204),
            ("POST", "/v1.3/tasks", 201),
            ("GET", "/v1.3/tasks", 200),
            ("GET", f"/v1.3/tasks/{before}", 404),
        ]
        assert made.id
        assert len({one.request_id for one in seen}) == 5
        await session.tasks().count()
        assert len(seen) == 5

    async def test_it_sees_all_pages_of_a_listing_and_retries(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        platform.fail(status=503, page=1)
        with responses() as seen:
            assert len(await session.tasks()) == 230
        assert sorted(one.status for one in seen) == [200] * 5 + [503]
        assert seen[0].status == 503

    async def test_blocks_at_the_same_time_do_not_mix(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        ids = [task["_id"] for task in platform.tasks()[:20]]

        async def path_of(task_id: str) -> list[str]:
            with responses() as seen:
                await session.task(task_id)
                await session.task(task_id)
            return [one.path for one in seen]

        paths = await within(asyncio.gather(*map(path_of, ids)))
        assert paths == [[f"/v1.3/tasks/{task_id}"] * 2 for task_id in ids]

    async def test_one_inside_another_is_seen_by_both(self, session: TaskSession) -> None:
        with responses() as outer:
            await session.tasks().count()
            with responses() as inner:
                await session.tasks().count()
            await session.tasks().count()
        assert (len(outer), len(inner)) == (3, 1)
        assert inner[0] is outer[1]

    async def test_it_ends_with_an_error_or_in_another_context_too(
        self, session: TaskSession
    ) -> None:
        @contextlib.asynccontextmanager
        async def block() -> AsyncIterator[deque[Response]]:
            with responses() as seen:
                yield seen

        entered = block()
        seen = await asyncio.create_task(entered.__aenter__())
        await asyncio.create_task(entered.__aexit__(None, None, None))
        await session.tasks().count()
        assert len(seen) == 0
        with contextlib.suppress(ZeroDivisionError), responses() as seen:
            raise ZeroDivisionError
        await session.tasks().count()
        assert len(seen) == 0

    async def test_it_keeps_the_newest_thousand(self, session: TaskSession) -> None:
        with responses() as seen:
            for _ in range(1005):
                await session.tasks().count()
        assert len(seen) == 1000

    async def test_a_session_with_other_options_is_seen_as_well(self, session: TaskSession) -> None:
        with responses() as seen:
            await session.with_options(retry=RetryPolicy(attempts=1)).tasks().count()
        assert [one.status for one in seen] == [200]
