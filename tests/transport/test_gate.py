"""`Gate`: waiting, giving up and sharing, in real event loops and before real sessions."""

from __future__ import annotations

import asyncio
import math
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import pytest
import stamina

from tests.test_session import within
from tests.transport.raw import until
from twelvetasks import (
    Gate,
    Gatekeeper,
    GatePolicy,
    InvalidArgumentError,
    RateLimitedError,
    SessionClosedError,
    TaskSession,
    TwelveTasksError,
)
from twelvetasks.testing import FakePlatform, RateLimit
from twelvetasks.transport.gate import Passage
from twelvetasks.transport.ratelimits import RateReport


@pytest.fixture(autouse=True)
def waits_are_on(retries_do_not_sleep: None) -> None:
    stamina.set_testing(False)


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Visitors:
    """Requests that pass a gate and stay there until they are let out."""

    def __init__(self, gate: Gatekeeper) -> None:
        self.gate = gate
        self.inside: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._leave: dict[str, asyncio.Future[RateReport]] = {}

    async def come(self, name: str, *, priority: float = 0, patience: float = math.inf) -> None:
        """Come to the gate, and go in if it is open."""
        self.tasks[name] = asyncio.create_task(self._visit(name, priority, patience))
        await self.settle()

    async def go(self, name: str, status: int = 200, **report: Any) -> None:
        """Let one out with a report."""
        self._leave[name].set_result(RateReport(status=status, **report))
        await self.settle()
        assert self.tasks[name].done()

    async def cancel(self, name: str) -> None:
        self.tasks[name].cancel()
        await self.settle()
        assert self.tasks[name].cancelled()

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def _visit(self, name: str, priority: float, patience: float) -> None:
        async with self.gate.passage(priority=priority, patience=patience) as passage:
            self.inside.append(name)
            self._leave[name] = asyncio.get_running_loop().create_future()
            try:
                passage.report(await self._leave[name])
            finally:
                self.inside.remove(name)


class TestPlaces:
    async def test_only_so_many_are_inside_and_each_that_leaves_lets_one_in(self) -> None:
        visitors = Visitors(gate := Gate(2))
        for name in "abc":
            await visitors.come(name)
        assert (visitors.inside, gate.under_way, gate.waiting) == (["a", "b"], 2, 1)
        await visitors.go("a")
        assert visitors.inside == ["b", "c"]
        for name in "bc":
            await visitors.go(name)
        assert (gate.under_way, gate.waiting) == (0, 0)

    async def test_those_nearest_the_reader_go_first(self) -> None:
        visitors = Visitors(Gate(1))
        await visitors.come("first")
        for name, priority in (("far", 9), ("near", 1), ("near too", 1), ("nearest", 0)):
            await visitors.come(name, priority=priority)
        for name in ("first", "nearest", "near", "near too", "far"):
            assert visitors.inside == [name]
            await visitors.go(name)

    async def test_an_exception_inside_gives_the_place_back(self) -> None:
        gate = Gate(1)
        with pytest.raises(ZeroDivisionError):
            async with gate.passage():
                _ = 1 / 0
        assert gate.under_way == 0


class TestCancelling:
    async def test_one_that_waits_leaves_the_line(self) -> None:
        visitors = Visitors(gate := Gate(1))
        for name in "abc":
            await visitors.come(name)
        await visitors.cancel("b")
        assert gate.waiting == 1
        await visitors.go("a")
        assert visitors.inside == ["c"]
        await visitors.go("c")

    async def test_one_that_is_inside_gives_its_place_to_the_next(self) -> None:
        visitors = Visitors(Gate(1))
        for name in "ab":
            await visitors.come(name)
        await visitors.cancel("a")
        assert visitors.inside == ["b"]
        await visitors.go("b")

    async def test_one_that_has_just_been_let_in_gives_its_place_to_the_next(self) -> None:
        visitors = Visitors(gate := Gate(1))
        for name in "abc":
            await visitors.come(name)
        visitors._leave["a"].set_result(RateReport(status=200))
        await asyncio.sleep(0)
        # Its place has been given to it, and it has not run since.
        assert (gate.waiting, visitors.inside) == (1, [])
        await visitors.cancel("b")
        assert visitors.inside == ["c"]
        await visitors.go("c")
        assert gate.under_way == 0

    async def test_one_that_is_cancelled_while_another_leaves_is_passed_over(self) -> None:
        visitors = Visitors(gate := Gate(1))
        for name in "abc":
            await visitors.come(name)
        visitors.tasks["b"].cancel()
        await visitors.go("a")
        assert visitors.inside == ["c"]
        await visitors.go("c")
        assert (gate.under_way, gate.waiting) == (0, 0)

    async def test_the_last_that_gives_up_during_a_pause_leaves_no_timer(self) -> None:
        visitors = Visitors(gate := Gate(1))
        gate.pause(100.0)
        await visitors.come("a")
        assert gate._timer is not None
        await visitors.cancel("a")
        assert gate._timer is None


class TestAPause:
    async def test_a_refusal_of_one_stops_all_until_it_is_over(self) -> None:
        visitors = Visitors(gate := Gate(4))
        for name in "ab":
            await visitors.come(name)
        await visitors.go("a", status=429, retry_after=0.05)
        for name in "cde":
            await visitors.come(name)
        assert visitors.inside == ["b"]
        assert 0 < gate.pause_left() <= 0.05
        await until(lambda: "c" in visitors.inside)
        assert (visitors.inside, gate.waiting) == (["b", "c"], 2)
        await visitors.go("c")
        assert (visitors.inside, gate.limit) == (["b", "d"], 2)
        for name in "bd":
            await visitors.go(name)
        assert gate.limit == 3
        await visitors.go("e")

    async def test_it_can_be_asked_for_from_elsewhere(self) -> None:
        visitors = Visitors(gate := Gate(4, clock=(clock := Clock())))
        gate.pause(30.0)
        await visitors.come("a")
        assert (gate.pause_left(), visitors.inside) == (30.0, [])
        clock.now += 30.0
        await visitors.come("b")
        assert (gate.pause_left(), visitors.inside) == (0.0, ["a"])
        await visitors.go("a")
        await visitors.go("b")

    @pytest.mark.parametrize("seconds", [0, -1, math.inf, math.nan, True, "5", None])
    def test_one_that_makes_no_sense_is_refused(self, seconds: Any) -> None:
        with pytest.raises(InvalidArgumentError, match="seconds="):
            Gate().pause(seconds)

    async def test_another_thread_may_ask_for_it(self) -> None:
        # In debug mode asyncio refuses calls that are not thread-safe, and else it does not wake.
        asyncio.get_running_loop().set_debug(True)
        gate = Gate()
        gate.pause(30.0)
        visitors = Visitors(gate)
        await visitors.come("impatient", patience=100.0)
        await asyncio.to_thread(gate.pause, 300.0)
        with pytest.raises(RateLimitedError):
            await within(visitors.tasks["impatient"])
        assert gate.waiting == 0

    def test_it_can_be_asked_for_once_the_loop_of_the_gate_is_closed(self) -> None:
        gate = Gate()

        async def use() -> None:
            async with gate.passage():
                pass

        asyncio.run(use())
        gate.pause(30.0)
        assert gate.pause_left() > 0

    async def test_one_that_is_too_long_is_an_error_at_once(self) -> None:
        gate = Gate(clock=Clock())
        gate.pause(60.5)
        with pytest.raises(RateLimitedError, match="asks to wait 60 seconds, until ") as caught:
            await gate.enter(0, 60.0)
        assert caught.value.retry_after == 60.5
        assert (gate.waiting, gate._timer) == (0, None)

    async def test_one_that_was_guessed_does_not_claim_that_the_platform_named_it(self) -> None:
        visitors = Visitors(gate := Gate(clock=(clock := Clock())))
        while (left := gate.pause_left()) <= 60.0:
            clock.now += left
            await visitors.come("a")
            await visitors.go("a", status=429)
        with pytest.raises(RateLimitedError, match="does not say for how long") as caught:
            await gate.enter(0, 60.0)
        assert "asks to wait" not in str(caught.value)
        assert caught.value.retry_after is None

    async def test_one_that_grows_too_long_is_an_error_for_those_that_wait_by_then(self) -> None:
        visitors = Visitors(gate := Gate(clock=(clock := Clock())))
        gate.pause(30.0)
        await visitors.come("a", patience=60.0)
        await visitors.come("b", patience=600.0)
        gate.pause(300.0)
        with pytest.raises(RateLimitedError):
            await visitors.tasks["a"]
        clock.now += 300.0
        gate.pause(1e-9)
        clock.now += 1.0
        await visitors.come("c")
        assert visitors.inside == ["b"]
        await visitors.go("b")
        await visitors.go("c")

    async def test_one_that_is_refused_and_cancelled_at_once_is_cancelled(self) -> None:
        visitors = Visitors(gate := Gate(clock=Clock()))
        gate.pause(30.0)
        await visitors.come("a", patience=60.0)
        gate.pause(300.0)
        await visitors.cancel("a")
        assert gate.under_way == 0

    async def test_under_staminas_switch_for_tests_it_is_skipped(self) -> None:
        stamina.set_testing(True)
        visitors = Visitors(gate := Gate())
        gate.pause(30.0)
        await visitors.come("a")
        assert visitors.inside == ["a"]
        await visitors.go("a", status=429, retry_after=3000.0)
        with pytest.raises(RateLimitedError):
            await gate.enter(0, 60.0)

    async def test_under_that_switch_no_guess_is_too_long(self) -> None:
        stamina.set_testing(True)
        visitors = Visitors(gate := Gate(clock=Clock()))
        for _ in range(20):
            await visitors.come("a", patience=60.0)
            assert visitors.inside == ["a"]
            await visitors.go("a", status=429)
        assert gate.pause_left() > 60.0


class TestEventLoops:
    def test_one_gate_may_serve_one_loop_after_the_other(self) -> None:
        gate = Gate(1)

        async def pass_through() -> None:
            async with gate.passage():
                assert gate.under_way == 1

        for _ in range(2):
            asyncio.run(pass_through())

    def test_in_use_it_refuses_another_loop(self) -> None:
        gate = Gate(1)
        with asyncio.Runner() as one, asyncio.Runner() as other:
            place = one.run(gate.enter(0, 1.0))
            with pytest.raises(SessionClosedError, match="in each event loop"):
                other.run(gate.enter(0, 1.0))
            gate.leave(place, None)
            gate.leave(other.run(gate.enter(0, 1.0)), None)

    def test_what_was_left_behind_in_a_loop_that_is_no_more_holds_no_place(self) -> None:
        gate = Gate(1)
        asyncio.run(gate.enter(0, 1.0))
        asyncio.run(gate.enter(0, 1.0))
        assert gate.under_way == 1


class TestArguments:
    @pytest.mark.parametrize("concurrency", [0, -1, 1.5, True, "8", None])
    def test_a_concurrency_that_is_no_positive_whole_number_is_refused(
        self, concurrency: Any
    ) -> None:
        with pytest.raises(InvalidArgumentError, match="concurrency="):
            Gate(concurrency)

    @pytest.mark.parametrize(
        ("parameter", "value"),
        [("rate", 0), ("rate", 1.5), ("rate", True), ("per", 0), ("per", math.inf), ("per", "60")],
    )
    def test_a_rate_that_makes_no_sense_is_refused(self, parameter: str, value: Any) -> None:
        with pytest.raises(InvalidArgumentError, match=f"{parameter}="):
            Gate(**{"rate": 60, parameter: value})

    def test_a_policy_that_is_none_is_refused(self) -> None:
        with pytest.raises(InvalidArgumentError, match="policy="):
            Gate(policy=5)  # type: ignore[arg-type]

    @pytest.mark.parametrize("gate", [5, "gate", Gate, GatePolicy(), asyncio.Semaphore])
    def test_a_session_refuses_what_is_no_gate(self, gate: Any) -> None:
        with pytest.raises(InvalidArgumentError, match="gate="):
            TaskSession("tlk_1", gate=gate)

    def test_a_session_shows_its_own(self) -> None:
        gate = Gate(3)
        assert TaskSession("tlk_1", gate=gate).gate is gate
        own = TaskSession("tlk_1", concurrency=5).gate
        assert isinstance(own, Gate)
        assert repr(own) == "<Gate concurrency=5, limit=5>"
        assert own.policy == GatePolicy()


class TestBeforeSessions:
    async def test_sessions_share_the_places_of_one(self, platform: FakePlatform) -> None:
        platform.latency = 0.002
        gate = Gate(3)
        sessions = [
            TaskSession(platform.api_key, base_url=platform.base_url, gate=gate) for _ in range(3)
        ]
        listings = [session.tasks(page_limit=10) for session in sessions]
        for tasks in await within(asyncio.gather(*listings)):
            assert len(tasks) == 230
        assert platform.most_in_flight == 3
        for session in sessions:
            await session.aclose()

    async def test_a_refusal_to_one_session_pauses_the_other(self, platform: FakePlatform) -> None:
        gate = Gate()
        platform.fail(status=429, headers={"Retry-After": "30"})
        async with (
            TaskSession(platform.api_key, base_url=platform.base_url, gate=gate) as one,
            TaskSession(platform.api_key, base_url=platform.base_url, gate=gate) as other,
        ):
            refused = asyncio.create_task(one.tasks().count())
            await until(gate.pause_left)
            waits = asyncio.create_task(other.tasks().count())
            await until(lambda: gate.waiting)
            assert len(platform.requests) == 1
        for reader in (refused, waits):
            with pytest.raises(SessionClosedError):
                await reader
        assert (gate.under_way, gate.waiting) == (0, 0)

    async def test_closing_one_session_leaves_the_gate_to_the_other(
        self, platform: FakePlatform
    ) -> None:
        gate = Gate(1)
        hold = platform.hold()
        one = TaskSession(platform.api_key, base_url=platform.base_url, gate=gate)
        async with TaskSession(platform.api_key, base_url=platform.base_url, gate=gate) as other:
            ended = [asyncio.create_task(one.tasks().count()) for _ in range(3)]
            await within(hold.until_arrived())
            stays = asyncio.create_task(other.tasks().count())
            await until(lambda: gate.waiting == 3)
            await within(one.aclose())
            await within(hold.until_arrived(2))
            hold.release()
            assert await within(stays) == 230
        for reader in ended:
            assert isinstance(reader.exception(), SessionClosedError)

    async def test_through_a_single_place_pages_go_in_the_order_of_the_listing(
        self, platform: FakePlatform
    ) -> None:
        gate = Gate(1)
        async with TaskSession(platform.api_key, base_url=platform.base_url, gate=gate) as session:
            await within(session.tasks(page_limit=10))
        assert [request.page for request in platform.requests] == list(range(1, 24))

    async def test_a_limit_that_is_announced_is_never_run_into(self) -> None:
        async with FakePlatform.demo(120, rate_limit=RateLimit(6, 1.0)) as platform:
            async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
                assert len(await within(session.tasks(page_limit=10))) == 120
            assert {request.status for request in platform.requests} == {200}

    async def test_a_rate_that_is_given_is_never_run_into(self) -> None:
        limit = RateLimit(40, 1.0, retry_after=False)
        async with FakePlatform.demo(60, rate_limit=limit) as platform:
            gate = Gate(rate=40, per=1.0)
            async with TaskSession(
                platform.api_key, base_url=platform.base_url, gate=gate
            ) as session:
                assert len(await within(session.tasks(page_limit=1))) == 60
            starts = [request.started for request in platform.requests]
            assert {request.status for request in platform.requests} == {200}
            assert starts[-1] - starts[0] > 1.0

    async def test_any_gatekeeper_will_do(self, platform: FakePlatform) -> None:
        class Porter:
            """Lets everybody in and writes down what they say on leaving."""

            def __init__(self) -> None:
                self.reports: list[RateReport] = []
                self.priorities: list[float] = []

            def passage(
                self, *, priority: float = 0, patience: float = math.inf
            ) -> AbstractAsyncContextManager[Passage]:
                self.priorities.append(priority)
                return nullcontext(self)

            def report(self, report: RateReport, /) -> None:
                self.reports.append(report)

            def pause_left(self) -> float:
                return 0.0

        porter = Porter()
        platform.fail(status=429, headers={"Retry-After": "0.001"})
        async with TaskSession(
            platform.api_key, base_url=platform.base_url, gate=porter
        ) as session:
            assert len(await within(session.tasks())) == 230
        assert [report.status for report in porter.reports] == [429, *[200] * 5]
        assert sorted(porter.priorities) == [0, 0, 50, 100, 150, 200]

    async def test_what_a_gate_refuses_names_the_page(self, platform: FakePlatform) -> None:
        gate = Gate()
        async with TaskSession(platform.api_key, base_url=platform.base_url, gate=gate) as session:
            stream = aiter(session.tasks(page_limit=10))
            await within(anext(stream))
            gate.pause(3000.0)
            with pytest.raises(TwelveTasksError, match=r"page \d+: the rate limit is used up"):
                await within(drain(stream))


async def drain(stream: Any) -> None:
    async for _ in stream:
        pass
