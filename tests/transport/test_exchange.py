"""One request and its retries, over real sockets: what is retried, and what is seen of it."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
import stamina
from aiohttp import web
from stamina.instrumentation import RetryDetails, set_on_retry_hooks
from yarl import URL

from tests.transport.raw import KEY, answer, failure_in, raw, saying, silent_after, until, within
from twelvetasks import (
    Gate,
    GatePolicy,
    RateLimitedError,
    RetryPolicy,
    ServerError,
    TaskSession,
    TransportError,
    TwelveTasksError,
)
from twelvetasks.testing import FakePlatform
from twelvetasks.transport.api_key import KeySource
from twelvetasks.transport.client import Client
from twelvetasks.transport.connections import Connections
from twelvetasks.transport.exchange import Transport
from twelvetasks.transport.messages import Answer, Request
from twelvetasks.transport.options import Options
from twelvetasks.values.secret import ApiKey


class TestRetries:
    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
    async def test_what_may_pass_is_tried_again(
        self, platform: FakePlatform, session: TaskSession, status: int
    ) -> None:
        platform.fail(status=status, times=4)
        assert await session.tasks().count() == 230
        assert [request.status for request in platform.requests] == [status] * 4 + [200]

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 413, 422, 301, 204])
    async def test_what_cannot_pass_is_asked_exactly_once(
        self, platform: FakePlatform, session: TaskSession, status: int
    ) -> None:
        platform.fail(status=status, body=b"")
        error = await failure_in(session)
        assert error.status == status
        assert len(platform.requests) == 1

    async def test_a_lost_connection_is_tried_again(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        platform.fail(disconnect=True, times=4)
        assert await session.tasks().count() == 230

    async def test_after_the_last_attempt_its_own_error_is_raised(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        platform.fail(status=500, times=4)
        platform.fail(status=503, body={"code": "overloaded", "message": "Later."})
        error = await failure_in(session)
        assert type(error) is ServerError
        assert (error.status, error.code) == (503, "overloaded")
        assert [request.status for request in platform.requests] == [500] * 4 + [503]

    async def test_each_page_has_attempts_of_its_own(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        for page in range(1, 6):
            platform.fail(status=502, page=page, times=4)
        assert len(await session.tasks()) == 230
        assert len(platform.requests) == 25

    async def test_a_retry_after_up_to_a_minute_is_waited_for(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        platform.fail(status=429, headers={"Retry-After": "60"})
        assert await session.tasks().count() == 230
        assert [request.status for request in platform.requests] == [429, 200]

    async def test_a_longer_retry_after_is_not_waited_for(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        platform.fail(status=429, headers={"Retry-After": "91"})
        error = await failure_in(session)
        assert isinstance(error, RateLimitedError)
        assert error.retry_after == 91
        assert len(platform.requests) == 1

    @pytest.mark.parametrize("sent", ["0", "", "soon", "-5", "\xff", "Wed, 21 Oct 2026 07:28:00"])
    async def test_a_retry_after_that_names_no_seconds_does_not_stop_the_retry(
        self, platform: FakePlatform, session: TaskSession, sent: str
    ) -> None:
        platform.fail(status=429, headers={"Retry-After": sent})
        assert await session.tasks().count() == 230

    async def test_the_wait_is_as_long_as_the_platform_asks(
        self, platform: FakePlatform, session: TaskSession, retries: list[RetryDetails]
    ) -> None:
        stamina.set_testing(False)
        platform.fail(status=429, headers={"Retry-After": "45"})
        reader = asyncio.create_task(session.tasks().count())
        await until(lambda: retries)
        assert retries[0].wait_for == 45.0
        await session.aclose()
        assert reader.done()

    async def test_a_request_that_waits_for_its_retry_leaves_its_place_to_others(
        self, platform: FakePlatform, retries: list[RetryDetails]
    ) -> None:
        stamina.set_testing(False)
        platform.fail(status=503, headers={"Retry-After": "45"})
        async with TaskSession(
            platform.api_key, base_url=platform.base_url, concurrency=1
        ) as session:
            reader = asyncio.create_task(session.tasks().count())
            await until(lambda: retries)
            assert await within(session.tasks().count()) == 230
        with pytest.raises(TwelveTasksError):
            await reader


@pytest.fixture
def waits_are_on() -> None:
    stamina.set_testing(False)


async def count_fails(session: TaskSession) -> TwelveTasksError:
    with pytest.raises(TwelveTasksError) as caught:
        await within(session.tasks().count())
    return caught.value


def patient(platform: FakePlatform, **policy: Any) -> TaskSession:
    policy = {"wait_initial": 0.0, "wait_jitter": 0.0} | policy
    return TaskSession(
        platform.api_key, base_url=platform.base_url, retry=RetryPolicy(**policy), concurrency=4
    )


@pytest.mark.usefixtures("waits_are_on")
class TestInASession:
    async def test_the_attempts_are_the_policys(self, platform: FakePlatform) -> None:
        platform.fail(status=503, times=9)
        async with patient(platform, attempts=3) as session:
            error = await count_fails(session)
        assert type(error) is ServerError
        assert len(platform.requests) == 3

    async def test_a_single_attempt_is_no_retry(self, platform: FakePlatform) -> None:
        platform.fail(status=503)
        async with patient(platform, attempts=1) as session:
            await count_fails(session)
        assert len(platform.requests) == 1

    @pytest.mark.parametrize(
        "headers",
        [
            {"Retry-After": "3600"},
            {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"},
            {"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "99999999999"},
            {"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "1700000000000"},
            {"X-RateLimit-Request-Remaining": "0", "X-RateLimit-Request-Reset": "99999999999"},
        ],
        ids=["seconds", "date", "reset", "reset in milliseconds", "second family"],
    )
    async def test_an_absurd_wait_is_an_error_at_once_for_all(
        self, platform: FakePlatform, headers: dict[str, str]
    ) -> None:
        platform.fail(status=429, headers=headers)
        async with patient(platform) as session:
            for _ in range(3):
                error = await count_fails(session)
                assert isinstance(error, RateLimitedError)
                assert error.retry_after is not None
                assert error.retry_after > 3500
                assert error.page == 1
        assert len(platform.requests) == 1

    async def test_nothing_left_until_an_absurd_time_is_an_error_at_once(
        self, platform: FakePlatform
    ) -> None:
        def last_one(_: web.Request) -> web.Response:
            headers = {"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "99999999999"}
            return web.Response(status=404, headers=headers)

        platform.respond(last_one)
        async with patient(platform) as session:
            await count_fails(session)
            error = await count_fails(session)
        assert isinstance(error, RateLimitedError)
        assert error.retry_after is not None
        assert "asks to wait" in str(error)
        assert len(platform.requests) == 1

    async def test_a_reset_that_is_past_hangs_nothing(self, platform: FakePlatform) -> None:
        headers = {"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "1"}
        platform.respond(lambda _: web.Response(status=404, headers=headers))
        async with patient(platform) as session:
            for _ in range(3):
                await count_fails(session)
        assert len(platform.requests) == 3

    async def test_a_listing_that_has_used_up_its_budget_is_tried_no_more(
        self, platform: FakePlatform
    ) -> None:
        platform.fail(status=503, page=3, headers={"Retry-After": "20"}, times=9)
        async with patient(platform, budget=10.0) as session:
            with pytest.raises(ServerError):
                await within(collect(session))
        assert [request.page for request in platform.requests].count(3) == 1

    async def test_each_listing_has_a_budget_of_its_own(self, platform: FakePlatform) -> None:
        stamina.set_testing(True, attempts=5)
        async with patient(platform, budget=10.0) as session:
            listing = session.tasks()
            for _ in range(3):
                platform.fail(status=503, page=2, headers={"Retry-After": "8"})
                assert len(await within(listing)) == 230
                platform.fail(status=503, page=1, headers={"Retry-After": "8"})
                assert await within(listing.count()) == 230

    async def test_all_pages_of_a_listing_share_its_budget(self, platform: FakePlatform) -> None:
        platform.fail(status=503, page=1)
        platform.fail(status=503, page=2)
        async with patient(platform, wait_initial=0.2, budget=0.39) as session:
            with pytest.raises(ServerError):
                await within(session.tasks())

    async def test_a_limit_that_tells_nothing_is_outwaited(self, platform: FakePlatform) -> None:
        served: list[float] = []

        def three_in_a_moment(_: web.Request) -> web.Response | None:
            now = time.monotonic()
            if len(served) >= 3 and now - served[-3] < 0.1:
                return web.Response(status=429)
            served.append(now)
            return None

        platform.respond(three_in_a_moment)
        gate = Gate(8, policy=GatePolicy(pause=0.02))
        async with TaskSession(platform.api_key, base_url=platform.base_url, gate=gate) as session:
            assert len(await within(session.tasks(page_limit=10))) == 230


async def collect(session: TaskSession) -> list[str]:
    return [task.id async for task in session.tasks()]


class TestWhatIsSeenOfRetries:
    @pytest.fixture
    def seen(self) -> Iterator[list[RetryDetails]]:
        retries: list[RetryDetails] = []

        def note(details: RetryDetails) -> None:
            retries.append(details)

        set_on_retry_hooks([note])
        yield retries
        set_on_retry_hooks(None)

    async def test_each_is_logged_once_with_reason_and_delay(
        self,
        platform: FakePlatform,
        session: TaskSession,
        caplog: pytest.LogCaptureFixture,
        seen: list[RetryDetails],
    ) -> None:
        caplog.set_level(logging.DEBUG)
        platform.fail(status=429, headers={"Retry-After": "7"})
        platform.fail(status=503, body={"code": "busy", "message": "Later."})
        assert await session.tasks(filename="private.mp4").count() == 0
        records = [record for record in caplog.records if record.name == "twelvetasks"]
        assert [record.levelno for record in records] == (
            [logging.DEBUG, logging.INFO] * 2 + [logging.DEBUG]
        )
        first, second = (record.getMessage() for record in records[1::2])
        assert first == "retry 1 of GET /v1.3/tasks, page 1, in 7.00 s: 429 Too Many Requests"
        assert second.startswith("retry 2 of GET /v1.3/tasks, page 1, in ")
        assert second.endswith(" s: 503 busy: Later")
        assert not any("private" in record.getMessage() for record in records)
        assert len(caplog.records) == len(records) + sum(
            record.name == "asyncio" for record in caplog.records
        )

    async def test_a_failure_that_is_final_is_no_retry(
        self,
        platform: FakePlatform,
        caplog: pytest.LogCaptureFixture,
        seen: list[RetryDetails],
    ) -> None:
        caplog.set_level(logging.INFO)
        platform.fail(status=503, times=2)
        async with patient(platform, attempts=2) as session:
            await count_fails(session)
            platform.fail(status=404)
            await count_fails(session)
        assert [record.name for record in caplog.records] == ["twelvetasks"]
        assert len(seen) == 1

    async def test_it_is_logged_when_the_wait_begins(
        self, platform: FakePlatform, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "twelvetasks")
        stamina.set_testing(False)
        platform.fail(status=503, headers={"Retry-After": "45"})
        async with patient(platform) as session:
            reader = asyncio.create_task(session.tasks().count())
            await until(lambda: [r for r in caplog.records if r.name == "twelvetasks"])
            assert len(platform.requests) == 1
            assert not reader.done()
        with pytest.raises(TwelveTasksError):
            await reader

    async def test_the_hooks_of_stamina_hear_of_each(
        self, platform: FakePlatform, session: TaskSession, seen: list[RetryDetails]
    ) -> None:
        platform.fail(status=503, times=2)
        await session.tasks().count()
        assert [details.retry_num for details in seen] == [1, 2]
        assert {details.name for details in seen} == {
            "twelvetasks.transport.exchange.Exchange.attempt"
        }
        assert {(details.args, len(details.kwargs)) for details in seen} == {((), 0)}
        assert isinstance(seen[0].caused_by, ServerError)

    async def test_the_key_is_not(
        self, caplog: pytest.LogCaptureFixture, seen: list[RetryDetails]
    ) -> None:
        caplog.set_level(logging.DEBUG)
        echo = answer("503 Busy", body=b'{"code": "%b"}' % KEY.encode())
        async with (
            raw(echo) as server,
            TaskSession(KEY, base_url=server.base_url, retry=RetryPolicy(attempts=5)) as session,
        ):
            await count_fails(session)
        records = [record for record in caplog.records if record.name == "twelvetasks"]
        levels = [record.levelno for record in records]
        assert (levels.count(logging.INFO), levels.count(logging.DEBUG)) == (4, 5)
        assert KEY not in repr([vars(record) for record in caplog.records]) + repr(seen)

    async def test_switched_off_in_stamina_there_are_none(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        stamina.set_active(False)
        try:
            platform.fail(status=503)
            await count_fails(session)
        finally:
            stamina.set_active(True)
        assert len(platform.requests) == 1


def transport(**options: Any) -> Transport:
    sending = Options(concurrency=8, timeout=options.pop("timeout", 20.0), retry=RetryPolicy())
    client = Client(keys=KeySource(ApiKey(KEY)), connections=Connections())
    options.setdefault("gate", Gate())
    return Transport(client, sending, **options)


async def send(request: Request, **options: Any) -> Answer | TwelveTasksError:
    sender = transport(**options)
    try:
        return await within(sender.send(request))
    except TwelveTasksError as error:
        return error
    finally:
        await sender.close()


class TestOtherMethods:
    async def test_a_delete_is_sent_and_its_answer_may_be_empty(self) -> None:
        async with raw(answer("204 No Content")) as server:
            url = server.base_url / "tasks" / "1"
            got = await send(Request(method="DELETE", url=url, accept={200, 204}))
        assert isinstance(got, Answer)
        assert (got.status, got.body) == (204, b"")
        assert server.heard[0].startswith(b"DELETE /v1.3/tasks/1 HTTP/1.1\r\n")

    async def test_a_lost_delete_is_sent_again(self) -> None:
        async with raw(saying(b"")) as server:
            got = await send(Request(method="DELETE", url=server.base_url))
        assert type(got) is TransportError
        assert len(server.heard) == 5

    @pytest.mark.parametrize(
        "said",
        [
            b"",
            b"HTTP/1.1 20",
            answer("500 No"),
            answer("503 No", "Retry-After: 1"),
            answer("408 T"),
            answer("201 Created", length=10),
        ],
        ids=["nothing", "half a line", "500", "503", "408", "half a body"],
    )
    async def test_a_post_is_never_sent_twice(self, said: bytes) -> None:
        async with raw(said) as server:
            request = Request(method="POST", url=server.base_url, accept={200, 201})
            got = await send(request)
        assert isinstance(got, TwelveTasksError)
        assert len(server.heard) == 1

    async def test_not_even_if_the_answer_does_not_come_in_time(self) -> None:
        async with raw(silent_after(b"")) as server:
            got = await send(Request(method="POST", url=server.base_url), timeout=0.05)
        assert isinstance(got, TransportError)
        assert "within 0.05 seconds" in str(got)
        assert len(server.heard) == 1

    async def test_a_post_that_was_refused_by_the_limit_is_sent_again_with_a_fresh_body(
        self, platform: FakePlatform
    ) -> None:
        bodies: list[bytes] = []
        made: list[aiohttp.FormData] = []

        async def take(request: web.Request) -> web.Response:
            bodies.append(await request.read())
            return web.Response(status=429 if len(bodies) < 3 else 201, body=b"{}")

        def form() -> aiohttp.FormData:
            data = aiohttp.FormData({"index_id": "7"}, default_to_multipart=True)
            made.append(data)
            return data

        platform.respond(take)
        url = platform.base_url / "tasks"
        got = await send(Request(method="POST", url=url, body=form, accept={200, 201}))
        assert isinstance(got, Answer)
        assert got.status == 201
        assert len(bodies) == len(made) == 3
        assert all(b'name="index_id"' in body for body in bodies)

    async def test_a_post_that_could_not_connect_is_sent_again(self) -> None:
        with socket.socket() as unheard:
            unheard.bind(("127.0.0.1", 0))
            url = URL(f"http://127.0.0.1:{unheard.getsockname()[1]}")
            bodies: list[bytes] = []

            def body() -> bytes:
                bodies.append(b"{}")
                return bodies[-1]

            got = await send(Request(method="POST", url=url, body=body))
        assert type(got) is TransportError
        assert len(bodies) == 5
