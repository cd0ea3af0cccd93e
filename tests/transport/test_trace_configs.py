"""aiohttp's own way of tracing goes through a session unchanged."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from twelvetasks import InvalidArgumentError, RetryPolicy, TaskSession, TransportError
from twelvetasks.testing import FakePlatform


class Trace(aiohttp.TraceConfig):
    """Notes what begins and ends, and what a program that prints it would show."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[str] = []
        self.ended: list[int] = []
        self.shown = ""
        self.on_request_start.append(self._begin)
        self.on_request_end.append(self._end)

    async def _begin(
        self, _: aiohttp.ClientSession, __: SimpleNamespace, params: aiohttp.TraceRequestStartParams
    ) -> None:
        self.begun.append(f"{params.method} {params.url.path}")
        self.shown += f"{params!r}{params.headers!r}"

    async def _end(
        self, _: aiohttp.ClientSession, __: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        self.ended.append(params.response.status)
        self.shown += f"{params!r}{params.headers!r}{params.response!r}"


async def test_their_hooks_are_called_for_each_request(platform: FakePlatform) -> None:
    platform.fail(page=2, status=503)
    one, other = Trace(), Trace()
    async with TaskSession(
        platform.api_key, base_url=platform.base_url, trace_configs=[one, other]
    ) as session:
        assert len(await session.tasks()) == 230
    for trace in (one, other):
        assert trace.begun == ["GET /v1.3/tasks"] * 6
        assert sorted(trace.ended) == [200] * 5 + [503]


async def test_what_they_print_does_not_show_the_key(platform: FakePlatform) -> None:
    trace = Trace()
    async with TaskSession(
        platform.api_key, base_url=platform.base_url, trace_configs=(trace,)
    ) as session:
        await session.tasks().count()
    assert "'x-api-key': '***'" in trace.shown
    assert platform.api_key not in trace.shown


async def test_they_belong_to_a_client_session_of_the_callers_own(platform: FakePlatform) -> None:
    async with aiohttp.ClientSession() as client:
        with pytest.raises(InvalidArgumentError, match=r"trace_configs=.*`client_session`"):
            TaskSession("tlk", client_session=client, trace_configs=[Trace()])


class Raising(Trace):
    """Raises an error instead of the first few notes."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def _begin(
        self, _: aiohttp.ClientSession, __: SimpleNamespace, params: aiohttp.TraceRequestStartParams
    ) -> None:
        self.times -= 1
        if self.times >= 0:
            raise RuntimeError("the hook has a bug")


async def test_a_creation_is_retried_after_a_hook_that_raised_before_anything_was_sent(
    platform: FakePlatform,
) -> None:
    async def create(trace: Raising) -> None:
        async with TaskSession(
            platform.api_key,
            base_url=platform.base_url,
            trace_configs=[trace],
            retry=RetryPolicy(attempts=2, wait_initial=0, wait_jitter=0),
        ) as session:
            await session.create(index_id="1", video_url="https://videos.example/harbour.mp4")

    def methods() -> list[str]:
        return [request.method for request in platform.requests]

    await create(Raising(times=1))
    assert methods() == ["POST"]
    with pytest.raises(TransportError, match="the hook has a bug") as caught:
        await create(Raising(times=2))
    assert not caught.value.reached
    assert not caught.value.task_may_exist
    assert methods() == ["POST"]


@pytest.mark.parametrize("given", [Trace, [Trace], "trace", 1, [None]])
def test_nothing_else_is_taken(given: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="trace_configs="):
        TaskSession("tlk", trace_configs=given)
