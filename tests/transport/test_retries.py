"""Retries: what the platform asks for, what follows from it, and what of it is seen and logged."""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import aiohttp
import pytest
import stamina
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from stamina.instrumentation import RetryDetails, set_on_retry_hooks
from yarl import URL

from tests.transport.test_transport import answer, raw, saying, silent_after, until, within
from twelvetasks import (
    Gate,
    GatePolicy,
    InvalidArgumentError,
    RateLimitedError,
    RetryPolicy,
    ServerError,
    TaskSession,
    TransportError,
    TwelveTasksError,
)
from twelvetasks.testing import FakePlatform
from twelvetasks.transport.client import Client
from twelvetasks.transport.messages import Answer, Request
from twelvetasks.transport.ratelimits import LARGEST_SKEW, Allowance, RateReport, read_report
from twelvetasks.transport.retries import Budget, Failure, wait_before_retry
from twelvetasks.transport.transport import Transport
from twelvetasks.values.secret import ApiKey

NOW = 1_700_000_000.0
KEY = "tlk_0SECRET1"
LOST = Failure(method="GET", status=None, lost=True)


def report(status: int, wall: float = NOW, /, **headers: str) -> RateReport:
    """Read headers whose names are written with underscores."""
    sent = CIMultiDict((name.replace("_", "-"), value) for name, value in headers.items())
    return read_report(status, sent, wall=wall)


def failure(status: int, method: str = "GET", **known: Any) -> Failure:
    return Failure(method=method, status=status, lost=False, **known)


def wait(failed: Failure, policy: RetryPolicy | None = None, number: int = 1) -> float | None:
    return wait_before_retry(policy or RetryPolicy(), failed, number=number, chance=0.0)


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("sent", "seconds"),
        [
            ("120", 120.0),
            ("1.5", 1.5),
            ("0", 0.0),
            (formatdate(NOW + 90, usegmt=True), 90.0),
            ("Tuesday, 14-Nov-23 22:14:50 GMT", 90.0),
            ("Tue Nov 14 22:14:50 2023", 90.0),
            (formatdate(NOW, usegmt=True), None),
            (formatdate(NOW - 90, usegmt=True), None),
            ("Tue, 14 Nov 2023 22:14:50", None),
            ("Tue, 14 Nov 99999 22:14:50 GMT", None),
            ("Tue, 99 Nov 2023 22:14:50 GMT", None),
            ("-5", None),
            ("1e3", None),
            ("٣", None),
            ("soon", None),
            ("", None),
            ("9" * 400, math.inf),
        ],
    )
    def test_it_is_read_as_seconds_and_as_a_date(self, sent: str, seconds: float | None) -> None:
        assert report(503, Retry_After=sent).retry_after == seconds

    def test_a_date_is_compared_with_the_platforms_clock_where_ours_is_off(self) -> None:
        sent = {
            "Date": formatdate(NOW, usegmt=True),
            "Retry_After": formatdate(NOW + 90, usegmt=True),
        }
        for skew in (-3600.0, 3600.0):
            assert report(429, NOW + skew, **sent).retry_after == 90.0
        assert report(429, NOW + 1.25, **sent).retry_after == 88.75

    def test_it_wins_over_the_limits_that_come_with_it(self) -> None:
        limits = {"X_Ratelimit_Remaining": "0", "X_Ratelimit_Reset": f"{NOW + 40:.0f}"}
        assert report(429, **limits).retry_after == 40.0
        assert report(429, Retry_After="7", **limits).retry_after == 7.0


class TestLimitHeaders:
    def test_none_say_nothing(self) -> None:
        assert report(200) == RateReport(status=200)
        assert report(429) == RateReport(status=429)
        assert report(429).throttled
        assert not report(503).throttled

    @pytest.mark.parametrize(
        ("family", "name"), [("X-Ratelimit", ""), ("x-ratelimit-request", "Request")]
    )
    def test_both_families_are_read(self, family: str, name: str) -> None:
        sent = {
            f"{family}-Limit": "600",
            f"{family}-Remaining": "599",
            f"{family}-Reset": f"{NOW + 30:.0f}",
            f"{family}-Used": "1",
        }
        assert report(200, **sent).allowances == (
            Allowance(name=name, remaining=599, limit=600, reset_after=30.0),
        )

    @pytest.mark.parametrize(
        ("remaining", "reset"),
        [
            ("5", None),
            (None, "1700000030"),
            ("-1", "1700000030"),
            ("many", "1700000030"),
            ("5", "soon"),
            ("5", "-1700000030"),
            ("5", "1700000000"),
            ("5", "30"),
            ("9" * 16, "1700000030"),
        ],
    )
    def test_what_makes_no_sense_counts_as_not_sent(
        self, remaining: str | None, reset: str | None
    ) -> None:
        sent = {"X-Ratelimit-Remaining": remaining, "X-Ratelimit-Reset": reset}
        headers = {name: value for name, value in sent.items() if value is not None}
        assert report(429, **headers) == RateReport(status=429)

    def test_a_limit_that_makes_no_sense_leaves_the_rest(self) -> None:
        sent = {"X_Ratelimit_Remaining": "5", "X_Ratelimit_Reset": f"{NOW + 30:.0f}"}
        assert report(200, X_Ratelimit_Limit="lots", **sent).allowances == (
            Allowance(name="", remaining=5, reset_after=30.0),
        )

    def test_a_reset_is_compared_with_the_platforms_clock_where_ours_is_off(self) -> None:
        sent = {"X_Ratelimit_Remaining": "5", "X_Ratelimit_Reset": f"{NOW + 30:.0f}"}
        off = report(200, NOW + 7200, Date=formatdate(NOW, usegmt=True), **sent)
        assert off.allowances[0].reset_after == 30.0

    def test_a_refusal_waits_for_the_dimension_that_is_used_up(self) -> None:
        sent = {
            "X-RateLimit-Dimensions": "Duration, Request",
            "X-RateLimit-Request-Remaining": "30",
            "X-RateLimit-Request-Reset": f"{NOW + 20:.0f}",
            "X-RateLimit-Duration-Remaining": "0",
            "X-RateLimit-Duration-Reset": f"{NOW + 50:.0f}",
        }
        assert report(429, **sent).retry_after == 50.0
        assert report(429, **sent | {"X-RateLimit-Dimensions": "Request"}).retry_after == 20.0

    def test_a_dimension_that_counts_no_requests_holds_none_back(self) -> None:
        sent = {
            "X-RateLimit-Dimensions": "Duration,Request",
            "X-RateLimit-Duration-Remaining": "0",
            "X-RateLimit-Duration-Reset": f"{NOW + 50:.0f}",
        }
        assert report(200, **sent).allowances == ()

    def test_a_refusal_by_one_of_two_counts_waits_for_that_one(self) -> None:
        sent = {
            "X-Ratelimit-Remaining": "0",
            "X-Ratelimit-Reset": f"{NOW + 40:.0f}",
            "X-Ratelimit-Request-Remaining": "900",
            "X-Ratelimit-Request-Reset": f"{NOW + 9000:.0f}",
        }
        assert report(429, **sent).retry_after == 40.0

    @given(
        st.integers(100, 999),
        st.dictionaries(
            st.sampled_from(
                [
                    "Retry-After",
                    "Date",
                    "X-Ratelimit-Remaining",
                    "X-Ratelimit-Reset",
                    "X-Ratelimit-Limit",
                    "X-Ratelimit-Dimensions",
                    "X-Ratelimit-a-Reset",
                ]
            ),
            st.one_of(
                st.text(max_size=40),
                st.integers().map(str),
                st.floats(0, 4e9).map(formatdate),
                st.just("a,b,Request,,a" * 9),
            ),
        ),
    )
    def test_whatever_is_sent_is_read_or_left_alone(
        self, status: int, headers: dict[str, str]
    ) -> None:
        read = read_report(status, CIMultiDict(headers), wall=NOW)
        assert read.retry_after is None or read.retry_after >= 0
        assert all(count.reset_after > 0 and count.remaining >= 0 for count in read.allowances)


class TestWhatIsTriedAgain:
    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
    def test_passing_statuses_of_what_can_be_repeated(self, method: str, status: int) -> None:
        assert wait(failure(status, method)) == 0.5

    @pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
    @pytest.mark.parametrize("status", [204, 301, 400, 401, 403, 404, 409, 422])
    def test_no_other_status(self, method: str, status: int) -> None:
        assert wait(failure(status, method)) is None

    @pytest.mark.parametrize("reached", [True, False])
    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    def test_a_lost_request_that_can_be_repeated(self, method: str, reached: bool) -> None:
        assert wait(Failure(method=method, status=None, lost=True, reached=reached)) == 0.5

    def test_a_post_only_if_it_never_left_or_was_refused_for_coming_too_soon(self) -> None:
        assert wait(Failure(method="POST", status=None, lost=True, reached=False)) == 0.5
        assert wait(failure(429, "POST")) == 0.5
        assert wait(Failure(method="POST", status=None, lost=True)) is None
        assert wait(Failure(method="POST", status=200, lost=True)) is None
        assert wait(Failure(method="POST", status=429, lost=True)) is None
        for status in (408, 500, 502, 503, 504):
            assert wait(failure(status, "POST")) is None

    def test_the_statuses_are_the_policys(self) -> None:
        policy = RetryPolicy(statuses=frozenset({404}))
        assert wait(failure(404), policy) == 0.5
        for status in (429, 503):
            assert wait(failure(status), policy) is None
        assert wait(failure(429, "POST"), policy) is None
        assert wait(LOST, policy) == 0.5


class TestHowLong:
    def test_waits_double_up_to_the_longest(self) -> None:
        policy = RetryPolicy(wait_initial=1.0, wait_max=10.0)
        waits = [wait(LOST, policy, number) for number in (1, 2, 3, 4, 5, 10_000)]
        assert waits == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]

    def test_chance_adds_up_to_the_jitter(self) -> None:
        policy = RetryPolicy(wait_initial=1.0, wait_jitter=0.5)
        waits = [
            wait_before_retry(policy, LOST, number=1, chance=chance) for chance in (0.0, 0.5, 1.0)
        ]
        assert waits == [1.0, 1.25, 1.5]

    @pytest.mark.parametrize("status", [408, 429, 503])
    def test_what_the_platform_asks_for_is_waited_exactly(self, status: int) -> None:
        assert wait(failure(status, retry_after=45.0), number=5) == 45.0

    @pytest.mark.parametrize("status", [408, 429, 503])
    def test_more_than_the_longest_wait_is_not_waited_for(self, status: int) -> None:
        policy = RetryPolicy(longest_wait=10.0)
        assert wait(failure(status, retry_after=10.0), policy) == 10.0
        for asked in (10.1, 1e12, math.inf):
            assert wait(failure(status, retry_after=asked), policy) is None

    def test_a_refused_request_comes_back_no_sooner_than_the_gate_opens(self) -> None:
        assert wait(failure(429, pause=5.0)) == 5.0
        assert wait(failure(429, pause=5.0, retry_after=9.0)) == 9.0
        assert wait(failure(503, pause=5.0)) == 0.5
        assert wait(failure(429, pause=91.0)) is None

    def test_by_default_a_limit_per_minute_is_waited_for_and_one_per_day_is_not(self) -> None:
        rounded_up, other_clock = 1.0, LARGEST_SKEW
        asked = 60.0 + rounded_up + other_clock
        assert wait(failure(429, retry_after=asked)) == asked
        assert wait(failure(429, retry_after=300.0)) is None

    def test_to_come_back_at_once_is_no_time(self) -> None:
        assert wait(failure(503, retry_after=0.0)) == 0.5

    @given(
        st.builds(
            RetryPolicy,
            wait_initial=st.floats(0, 1e6),
            wait_max=st.floats(0, 1e6),
            wait_jitter=st.floats(0, 1e6),
            longest_wait=st.floats(0, 1e6),
        ),
        st.builds(
            Failure,
            method=st.sampled_from(["GET", "DELETE", "POST"]),
            status=st.one_of(st.none(), st.integers(100, 999)),
            lost=st.booleans(),
            reached=st.booleans(),
            retry_after=st.one_of(st.none(), st.floats(0, math.inf)),
            pause=st.floats(0, math.inf),
        ),
        st.integers(1, 10**6),
        st.floats(0, 1),
    )
    def test_no_wait_is_longer_than_the_policy_allows(
        self, policy: RetryPolicy, failed: Failure, number: int, chance: float
    ) -> None:
        seconds = wait_before_retry(policy, failed, number=number, chance=chance)
        assert seconds is None or 0 <= seconds <= max(policy.wait_max, policy.longest_wait)


class TestTheBudget:
    def test_it_is_spent_by_attempts_and_waits(self) -> None:
        budget = Budget(10.0)
        assert budget.allows(0.0, 4.0)
        assert budget.allows(100.0, 106.0)
        assert not budget.allows(200.0, 200.5)

    def test_what_happens_at_the_same_time_is_counted_once(self) -> None:
        budget = Budget(10.0)
        assert all(budget.allows(start / 10, 10.0) for start in range(10))
        assert not budget.allows(5.0, 11.0)

    def test_none_is_no_bound(self) -> None:
        assert Budget(None).allows(0.0, 1e12)


class TestThePolicy:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            *(("attempts", value) for value in (0, -1, 1.5, True, "5", None)),
            *(
                (field, value)
                for field in ("wait_initial", "wait_max", "wait_jitter", "longest_wait", "budget")
                for value in (-1, math.nan, math.inf, True, "5")
            ),
            ("wait_initial", None),
            *(("statuses", value) for value in (None, 503, "503", b"503", [200], [600], ["503"])),
            *(("statuses", value) for value in ([True], [429.0])),
        ],
    )
    def test_one_that_makes_no_sense_is_refused(self, field: str, value: Any) -> None:
        with pytest.raises(InvalidArgumentError, match=f"{field}="):
            RetryPolicy(**{field: value})

    def test_it_is_a_value(self) -> None:
        assert RetryPolicy(statuses=[503, 429]) == RetryPolicy(statuses=frozenset({429, 503}))
        assert hash(RetryPolicy()) == hash(RetryPolicy())

    @pytest.mark.parametrize("value", [5, "twice", RetryPolicy])
    def test_a_session_takes_no_other(self, value: Any) -> None:
        with pytest.raises(InvalidArgumentError, match="retry="):
            TaskSession(KEY, retry=value)

    async def test_a_session_shows_its_own(self) -> None:
        policy = RetryPolicy(attempts=2)
        assert TaskSession(KEY, retry=policy).retry is policy
        assert TaskSession(KEY).retry == RetryPolicy()


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
        assert [record.levelno for record in records] == [logging.INFO] * 2
        first, second = (record.getMessage() for record in records)
        assert first == "retry 1 of GET /v1.3/tasks, page 1, in 7.00 s: 429 Too Many Requests"
        assert second.startswith("retry 2 of GET /v1.3/tasks, page 1, in ")
        assert second.endswith(" s: 503 busy: Later")
        assert "private" not in first + second
        assert len(caplog.records) == len(records) + sum(
            record.name == "asyncio" for record in caplog.records
        )

    async def test_a_failure_that_is_final_is_no_retry(
        self,
        platform: FakePlatform,
        session: TaskSession,
        caplog: pytest.LogCaptureFixture,
        seen: list[RetryDetails],
    ) -> None:
        caplog.set_level(logging.INFO)
        stamina.set_testing(True, attempts=2)
        platform.fail(status=503, times=2)
        await count_fails(session)
        platform.fail(status=404)
        await count_fails(session)
        await asyncio.sleep(0)
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
        async with raw(echo) as server, TaskSession(KEY, base_url=server.base_url) as session:
            await count_fails(session)
        records = [record for record in caplog.records if record.name == "twelvetasks"]
        assert len(records) == 4
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
    client = Client(api_key=ApiKey(KEY), timeout=options.pop("timeout", 20.0), client_session=None)
    given: dict[str, Any] = {"gate": Gate(), "retry": RetryPolicy()}
    return Transport(client, **given | options)


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
        assert len(server.heard) >= 5

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
            got = await send(Request(method="POST", url=server.base_url, timeout=0.05))
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
