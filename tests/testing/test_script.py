"""What a test can plan: changes at the instant of a read, failures, holds, answers of its own."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.testing.asking import ask
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.fixtures import FakePlatformFactory


def client(platform: FakePlatform, **options: Any) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        f"{platform.base_url}/", headers={"x-api-key": platform.api_key}, **options
    )


async def listed(session: aiohttp.ClientSession, page: int = 1) -> list[str]:
    async with session.get("tasks", params={"page": page}) as response:
        return [task["_id"] for task in (await response.json())["data"]]


async def test_actions_change_the_account_at_the_instant_of_the_read() -> None:
    async with FakePlatform.demo(30, latency=0.001) as platform, client(platform) as session:
        added: list[str] = []

        def add(platform: FakePlatform, request: web.Request) -> None:
            added.append(platform.add()["_id"])

        async def delete(platform: FakePlatform, request: web.Request) -> None:
            await asyncio.sleep(0)
            platform.delete(platform.tasks()[1]["_id"])

        platform.before_each(add)
        platform.before_each(delete)
        assert (await listed(session))[0] == added[0]
        assert (await listed(session))[0] == added[1]
        assert added[0] not in [task["_id"] for task in platform.tasks()]


async def test_holds_decide_the_order_of_concurrent_reads() -> None:
    async with FakePlatform.demo(30) as platform, client(platform) as session:
        before = [task["_id"] for task in platform.tasks()]
        hold = platform.hold(page=1)
        assert hold.arrived == 0
        first = asyncio.ensure_future(listed(session, 1))
        await hold.until_arrived()
        assert await listed(session, 2) == before[10:20]
        newest = platform.add()["_id"]
        assert not first.done()
        assert platform.in_flight == 1
        hold.release()
        assert await first == [newest, *before[:9]]
        assert hold.arrived == 1
        assert await listed(session, 1) == [newest, *before[:9]]
        assert platform.in_flight == 0
        assert platform.most_in_flight == 2


async def test_a_hold_on_everything_can_be_released_from_another_thread() -> None:
    async with FakePlatform.demo(30) as platform, client(platform) as session:
        hold = platform.hold()
        reads = [asyncio.ensure_future(listed(session, page)) for page in (1, 2, 3)]
        await hold.until_arrived(3)
        await asyncio.to_thread(hold.release)
        assert [len(ids) for ids in await asyncio.gather(*reads)] == [10, 10, 10]


async def test_a_client_that_leaves_a_held_request_is_no_longer_in_flight() -> None:
    async with FakePlatform.demo(30) as platform:
        async with client(platform) as session:
            hold = platform.hold()
            read = asyncio.ensure_future(listed(session))
            await hold.until_arrived()
            read.cancel()
            with pytest.raises(asyncio.CancelledError):
                await read
        while platform.in_flight or platform.open_connections:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        hold.release()
        assert platform.requests[0].status is None
        assert platform.requests[0].ended is not None


def test_the_next_requests_fail_as_planned(fake_platform: FakePlatform) -> None:
    fake_platform.fail(times=2)
    fake_platform.fail(status=429)
    assert [ask(fake_platform).status for _ in range(4)] == [500, 500, 429, 200]


def test_only_the_page_named_fails(fake_platform: FakePlatform) -> None:
    fake_platform.fail(status=503, page=2)
    task_id = fake_platform.tasks()[0]["_id"]
    assert ask(fake_platform).status == 200
    assert ask(fake_platform, f"/tasks/{task_id}").status == 200
    assert ask(fake_platform, page=2).status == 503
    assert ask(fake_platform, page=2).status == 200


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "parameter_invalid"),
        (401, "api_key_invalid"),
        (403, "unauthorized"),
        (404, "resource_not_exists"),
        (409, "task_cannot_be_deleted"),
        (418, "bad_request"),
        (500, "internal_server_error"),
        (502, "internal_server_error"),
    ],
)
def test_a_failure_has_the_body_of_the_platform(
    fake_platform: FakePlatform, status: int, code: str
) -> None:
    fake_platform.fail(status=status)
    answer = ask(fake_platform)
    assert answer.status == status
    assert answer.json["code"] == code
    assert answer.json["message"]


def test_a_429_is_empty_unless_a_body_is_given(fake_platform: FakePlatform) -> None:
    fake_platform.fail(status=429)
    fake_platform.fail(
        status=429, body={"error": {"code": "too_many_requests"}}, headers={"Retry-After": "7"}
    )
    fake_platform.fail(status=200, body=b'{"data": [')
    assert ask(fake_platform).body == b""
    answer = ask(fake_platform)
    assert answer.json == {"error": {"code": "too_many_requests"}}
    assert answer.headers["Retry-After"] == "7"
    assert ask(fake_platform).body == b'{"data": ['


def test_a_failure_must_happen_at_least_once(fake_platform: FakePlatform) -> None:
    with pytest.raises(ValueError, match="times"):
        fake_platform.fail(times=0)


def test_a_failure_can_be_a_lost_connection(fake_platform: FakePlatform) -> None:
    fake_platform.fail(disconnect=True)
    with pytest.raises(ConnectionError):
        ask(fake_platform)
    assert ask(fake_platform).status == 200
    assert [request.status for request in fake_platform.requests] == [None, 200]


async def test_the_first_handler_that_answers_wins() -> None:
    async with FakePlatform.demo(30) as platform, client(platform) as session:

        def passes(request: web.Request) -> None:
            return None

        async def answers(request: web.Request) -> web.StreamResponse | None:
            await asyncio.sleep(0)
            if request.query.get("page") == "2":
                return web.json_response({"data": None}, status=203)
            return None

        def redirects(request: web.Request) -> web.StreamResponse | None:
            if request.query.get("page") == "3":
                raise web.HTTPFound("https://elsewhere.example")
            return None

        platform.respond(passes)
        platform.respond(answers)
        platform.respond(redirects)
        assert len(await listed(session, 1)) == 10
        async with session.get("tasks", params={"page": 2}) as response:
            assert response.status == 203
            assert response.headers["X-Request-Id"]
        async with session.get("tasks?page=3", allow_redirects=False) as response:
            assert response.status == 302
        assert [request.status for request in platform.requests] == [200, 203, 302]


async def test_a_body_can_be_cut_short() -> None:
    async with FakePlatform.demo(30) as platform, client(platform) as session:

        async def cuts(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Length": "1000"})
            await response.prepare(request)
            await response.write(b'{"data":[')
            if request.transport is not None:
                request.transport.close()
            return response

        platform.respond(cuts)
        with pytest.raises(aiohttp.ClientPayloadError):
            await listed(session)


async def test_latency_may_depend_on_the_request_and_change() -> None:
    order: list[str] = []
    async with FakePlatform.demo(30) as platform, client(platform) as session:
        platform.latency = lambda request: 0.05 if request.query["page"] == "1" else 0.0
        platform.before_each(lambda platform, request: order.append(request.query["page"]))
        await asyncio.gather(listed(session, 1), listed(session, 2))
        platform.latency = 0.0
        await listed(session, 3)
    assert order == ["2", "1", "3"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_mistake_in_a_script_is_raised_when_the_platform_stops() -> None:
    def mistaken(platform: FakePlatform, request: web.Request) -> None:
        assert request.path == "/elsewhere"

    platform = FakePlatform()
    platform.before_each(mistaken)
    with pytest.raises(AssertionError, match="elsewhere"), platform.run_in_thread():
        assert ask(platform).status == 500
    with FakePlatform().run_in_thread() as untouched:
        assert ask(untouched).status == 200


def test_requests_are_recorded_in_order_of_arrival(
    fake_platform_factory: FakePlatformFactory,
) -> None:
    platform = fake_platform_factory(30)
    ask(platform, page=2, page_limit=7, status=["ready", "failed"])
    ask(platform, page=0)
    ask(platform, "/tasks/unknown", method="DELETE")
    first, second, third = platform.requests
    assert (first.number, first.method, first.path) == (1, "GET", "/v1.3/tasks")
    assert (first.page, first.page_limit, first.status) == (2, 7, 200)
    assert first.query.getall("status") == ["ready", "failed"]
    assert first.ended is not None
    assert first.started <= first.ended
    assert (second.page, second.page_limit, second.status) == (None, None, 400)
    assert (third.page, third.method, third.status) == (None, "DELETE", 404)
    assert first.headers["X-API-Key"] == "tlk_demo"
    assert "tlk_demo" not in repr(first)

    platform.requests.clear()
    ask(platform)
    (only,) = platform.requests
    assert (only.number, only.page, only.page_limit, only.status) == (4, 1, 10, 200)
