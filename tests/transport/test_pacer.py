"""`Pacer` and `Line`, on a clock that only the tests move: what holds whatever happens."""

from __future__ import annotations

import heapq
import itertools
import math
import random
import statistics
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.transport.simulation import (
    Both,
    FixedWindow,
    Limiter,
    Simulation,
    SlidingWindow,
    TokenBucket,
)
from twelvetasks import GatePolicy, InvalidArgumentError, RetryPolicy
from twelvetasks.testing.limits import RateLimit, RateWindow
from twelvetasks.transport.known_rate import KnownRate
from twelvetasks.transport.pacer import LONGEST_GUESS, Line, Pacer, Place
from twelvetasks.transport.ratelimits import Allowance, RateReport, read_report

SUCCESS = RateReport(status=200)
REFUSAL = RateReport(status=429)
START = 1_700_000_000.25
"""Epoch seconds at which the worlds below begin."""

# Tests that go the same ways more slowly are measured; here it would take three times as long.
unmeasured = pytest.mark.no_cover


def pacer(most: int = 8, **policy: float) -> Pacer:
    return Pacer(most, GatePolicy(**policy))


def refusal(seconds: float) -> RateReport:
    return RateReport(status=429, retry_after=seconds)


def success(remaining: int, reset_after: float, **more: Any) -> RateReport:
    allowance = Allowance(name="", remaining=remaining, reset_after=reset_after, **more)
    return RateReport(status=200, allowances=(allowance,))


def start_all(gate: Pacer, now: float) -> list[Place]:
    """Start as many requests as may start now."""
    started = []
    while gate.ready_at(now) <= now:
        started.append(gate.start(now))
        assert len(started) <= 1000
    return started


class TestConcurrency:
    def test_as_many_may_be_under_way_as_were_asked_for(self) -> None:
        gate = pacer(8)
        assert len(start_all(gate, 0.0)) == 8
        assert gate.ready_at(0.0) == math.inf

    def test_one_that_ends_makes_room_for_one(self) -> None:
        gate = pacer(2)
        places = start_all(gate, 0.0)
        for report in (SUCCESS, RateReport(status=500), RateReport(reached=False), None):
            gate.finish(places.pop(), report, 0.0)
            places += start_all(gate, 0.0)
            assert gate.under_way == len(places) == 2

    def test_one_that_has_ended_cannot_end_again(self) -> None:
        gate = pacer(1)
        place = gate.start(0.0)
        gate.finish(place, None, 0.0)
        gate.finish(place, refusal(9), 0.0)
        assert gate.ready_at(0.0) == 0.0

    def test_one_that_may_not_start_does_not(self) -> None:
        gate = pacer(1)
        gate.start(0.0)
        with pytest.raises(ValueError, match="no request may start now"):
            gate.start(0.0)


class TestAPause:
    def test_a_refusal_of_one_pauses_all(self) -> None:
        gate = pacer()
        place = gate.start(0.0)
        gate.finish(place, refusal(30), 1.0)
        assert gate.ready_at(1.0) == 31.0
        assert gate.ready_at(30.9) == 31.0
        assert gate.pause_left(11.0) == 20.0

    def test_after_it_one_goes_first_and_its_success_lets_the_others_go(self) -> None:
        gate = pacer()
        for place in start_all(gate, 0.0):
            gate.finish(place, refusal(10), 0.0)
        (first,) = start_all(gate, 10.0)
        assert gate.ready_at(500.0) == math.inf
        gate.finish(first, SUCCESS, 11.0)
        assert len(start_all(gate, 11.0)) == gate.limit == 4

    @pytest.mark.parametrize("report", [None, RateReport(), RateReport(reached=False)])
    def test_if_the_first_gets_no_answer_another_one_goes_first(
        self, report: RateReport | None
    ) -> None:
        gate = pacer()
        gate.finish(gate.start(0.0), refusal(10), 0.0)
        gate.finish(gate.start(10.0), report, 11.0)
        assert len(start_all(gate, 11.0)) == 1

    def test_if_the_first_is_withdrawn_another_one_goes_first(self) -> None:
        gate = pacer()
        gate.finish(gate.start(0.0), refusal(10), 0.0)
        gate.withdraw(gate.start(10.0))
        assert len(start_all(gate, 10.0)) == 1

    @pytest.mark.parametrize("status", [200, 404, 500])
    def test_any_answer_but_another_refusal_ends_it(self, status: int) -> None:
        gate = pacer()
        gate.finish(gate.start(0.0), refusal(10), 0.0)
        gate.finish(gate.start(10.0), RateReport(status=status), 11.0)
        assert len(start_all(gate, 11.0)) == gate.limit

    def test_a_longer_one_replaces_a_shorter_and_not_the_other_way(self) -> None:
        gate = pacer()
        places = start_all(gate, 0.0)
        gate.finish(places[0], refusal(10), 0.0)
        gate.finish(places[1], refusal(30), 0.0)
        gate.finish(places[2], refusal(20), 0.0)
        assert gate.ready_at(0.0) == 30.0

    def test_a_refusal_that_comes_late_outdates_the_one_that_went_first(self) -> None:
        gate = pacer()
        places = start_all(gate, 0.0)
        gate.finish(places[0], refusal(10), 0.0)
        gate.finish(places[1], SUCCESS, 1.0)
        for place in places[2:6]:
            gate.finish(place, SUCCESS, 2.0)
        first = gate.start(10.0)
        gate.finish(places[6], refusal(20), 11.0)
        gate.finish(first, SUCCESS, 12.0)
        assert gate.ready_at(12.0) == 31.0
        assert len(start_all(gate, 31.0)) == 1

    def test_without_a_time_it_doubles_with_each_first_that_is_refused(self) -> None:
        gate = pacer(pause=5.0)
        gate.finish(gate.start(0.0), REFUSAL, 0.0)
        now = 0.0
        pauses = []
        for _ in range(6):
            pauses.append(gate.ready_at(now) - now)
            now = gate.ready_at(now)
            gate.finish(gate.start(now), REFUSAL, now)
        assert pauses == [5.0, 10.0, 20.0, 40.0, LONGEST_GUESS, LONGEST_GUESS]
        now = gate.ready_at(now)
        gate.finish(gate.start(now), SUCCESS, now)
        gate.finish(gate.start(now), REFUSAL, now)
        assert gate.ready_at(now) == now + 5.0

    def test_a_time_of_zero_lets_one_request_probe_at_once(self) -> None:
        gate = pacer(pause=5.0)
        gate.finish(gate.start(0.0), refusal(0.0), 0.0)
        # 0 is a time that is named, so it is obeyed; only the probe goes before an answer.
        assert gate.ready_at(0.0) == 0.0
        assert len(start_all(gate, 0.0)) == 1

    def test_a_time_of_zero_that_was_not_enough_is_followed_by_a_pause(self) -> None:
        gate = pacer(pause=5.0)
        for _ in range(2):
            gate.finish(gate.start(0.0), refusal(0.0), 0.0)
        assert gate.ready_at(0.0) == 10.0

    def test_further_refusals_of_a_burst_that_name_no_time_do_not_prolong_it(self) -> None:
        gate = pacer(pause=5.0)
        for number, place in enumerate(start_all(gate, 0.0)):
            gate.finish(place, REFUSAL, number / 10)
        assert gate.ready_at(1.0) == 5.0

    def test_a_guess_is_told_in_full_and_kept_for_no_more_than_a_minute(self) -> None:
        gate = pacer(pause=5.0)
        now = told = kept = 0.0
        for _ in range(6):
            gate.finish(gate.start(now), REFUSAL, now)
            told, kept = gate.pause_left(now), gate.ready_at(now) - now
            now = gate.ready_at(now)
        assert (told, kept) == (160.0, LONGEST_GUESS)

    @pytest.mark.parametrize("asked", [3600.1, 1e9, math.inf])
    def test_an_absurd_one_is_told_but_kept_no_longer_than_the_policy_says(
        self, asked: float
    ) -> None:
        gate = pacer(longest_pause=3600.0)
        gate.finish(gate.start(0.0), refusal(asked), 0.0)
        assert gate.pause_left(100.0) == asked - 100.0
        assert gate.ready_at(100.0) == 3600.0
        gate.finish(gate.start(3600.0), refusal(7.0), 3600.0)
        assert gate.pause_left(3600.0) == 7.0
        assert gate.ready_at(3600.0) == 3607.0

    def test_when_it_is_over_nothing_is_left_of_it(self) -> None:
        gate = pacer()
        assert gate.pause_left(0.0) == 0.0
        gate.pause(5.0, 0.0)
        assert gate.pause_left(4.0) == 1.0
        assert gate.pause_left(5.0) == 0.0

    def test_it_can_be_skipped(self) -> None:
        gate = pacer()
        gate.finish(gate.start(0.0), success(0, 1e9), 0.0)
        gate.skip_pause(1.0)
        assert (gate.ready_at(1.0), gate.pause_left(1.0)) == (1.0, 0.0)

    def test_what_is_abandoned_no_longer_holds_places(self) -> None:
        gate = pacer(3)
        start_all(gate, 0.0)
        gate.abandon()
        assert len(start_all(gate, 0.0)) == 3


class TestHalvingAndGrowth:
    def test_a_burst_of_refusals_halves_once(self) -> None:
        gate = pacer(8)
        for place in start_all(gate, 0.0):
            gate.finish(place, refusal(10), 0.0)
        assert gate.limit == 4

    def test_a_refused_first_belongs_to_the_burst_before(self) -> None:
        gate = pacer(8)
        gate.finish(gate.start(0.0), refusal(10), 0.0)
        gate.finish(gate.start(10.0), refusal(10), 10.0)
        assert gate.limit == 4

    def test_the_next_burst_halves_again_and_never_below_one(self) -> None:
        gate = pacer(8)
        now = 0.0
        limits = []
        for _ in range(5):
            # After the first refusal requests are paced.
            now = gate.ready_at(now)
            for place in start_all(gate, now):
                gate.finish(place, refusal(10), now)
            now += 10
            gate.finish(gate.start(now), RateReport(status=500), now)
            limits.append(gate.limit)
        assert limits == [4, 2, 1, 1, 1]

    def test_each_round_of_successes_adds_one_up_to_the_most(self) -> None:
        gate = pacer(4)
        for place in start_all(gate, 0.0):
            gate.finish(place, refusal(10), 0.0)
        limits = []
        for _ in range(9):
            gate.finish(gate.start(10.0), SUCCESS, 10.0)
            limits.append(gate.limit)
        assert limits == [2, 3, 3, 3, 4, 4, 4, 4, 4]

    def test_answers_to_what_was_sent_before_the_burst_add_nothing(self) -> None:
        gate = pacer(8)
        first, *others = start_all(gate, 0.0)
        gate.finish(first, refusal(10), 0.0)
        for place in others:
            gate.finish(place, SUCCESS, 1.0)
        assert gate.limit == 4

    def test_failures_of_the_platform_add_nothing(self) -> None:
        gate = pacer(2)
        gate.finish(gate.start(0.0), refusal(10), 0.0)
        for report in (RateReport(status=503), None) * 9:
            gate.finish(gate.start(10.0), report, 10.0)
        assert gate.limit == 1


class TestTheLimitAhead:
    def test_nothing_left_stops_before_the_refusal(self) -> None:
        gate = pacer()
        gate.finish(gate.start(0.0), success(0, 30.0), 0.0)
        assert gate.ready_at(0.0) == 30.0
        assert len(start_all(gate, 30.0)) == 1
        assert gate.limit == 8

    def test_little_left_bounds_what_is_under_way(self) -> None:
        gate = pacer(8)
        gate.finish(gate.start(0.0), success(3, 30.0), 0.0)
        assert len(start_all(gate, 0.0)) == 3
        assert gate.ready_at(0.0) == 30.0

    def test_answers_that_overtake_each_other_give_nothing_back(self) -> None:
        gate = pacer(3)
        places = start_all(gate, 0.0)
        for place, remaining in zip(places, (1, 3, 2), strict=True):
            gate.finish(place, success(remaining, 30.0), 0.0)
        assert len(start_all(gate, 0.0)) == 1

    def test_a_request_that_was_lost_may_have_been_counted(self) -> None:
        gate = pacer(3)
        places = start_all(gate, 0.0)
        gate.finish(places[0], success(3, 30.0), 0.0)
        gate.finish(places[1], None, 0.0)
        assert start_all(gate, 0.0) != []
        assert gate.under_way == 2

    def test_until_a_later_answer_shows_whether_it_was(self) -> None:
        gate = pacer(3)
        places = start_all(gate, 0.0)
        gate.finish(places[0], success(5, 30.0), 0.0)
        gate.finish(places[1], None, 0.0)
        gate.finish(places[2], None, 0.0)
        gate.finish(gate.start(0.0), success(4, 30.0), 0.0)
        assert len(start_all(gate, 0.0)) == 3

    def test_one_that_never_left_was_not_counted(self) -> None:
        gate = pacer(2)
        places = start_all(gate, 0.0)
        gate.finish(places[0], success(3, 30.0), 0.0)
        gate.finish(places[1], RateReport(reached=False), 0.0)
        assert len(start_all(gate, 0.0)) == 2

    def test_however_many_were_lost_one_may_go_to_see_what_is_left(self) -> None:
        gate = pacer(4)
        gate.finish(gate.start(0.0), success(2, 30.0), 0.0)
        for _ in range(5):
            gate.finish(gate.start(0.0), None, 0.0)
        assert len(start_all(gate, 0.0)) == 1

    def test_after_the_reset_as_many_may_go_as_there_are_in_all(self) -> None:
        gate = pacer(8)
        gate.finish(gate.start(0.0), success(2, 30.0, limit=3), 0.0)
        assert len(start_all(gate, 30.0)) == 3
        assert gate.ready_at(30.0) == math.inf

    def test_what_is_announced_no_more_is_forgotten_at_its_reset(self) -> None:
        gate = pacer(8)
        gate.finish(gate.start(0.0), success(2, 30.0, limit=1), 0.0)
        gate.finish(gate.start(30.0), SUCCESS, 30.0)
        assert len(start_all(gate, 30.0)) == 8

    def test_an_answer_of_an_earlier_count_changes_nothing(self) -> None:
        gate = pacer(3)
        early, late, _ = start_all(gate, 0.0)
        gate.finish(late, success(100, 60.0), 0.0)
        gate.finish(early, success(0, 1.0), 0.0)
        assert gate.ready_at(0.0) == 0.0

    def test_a_reset_further_on_begins_a_new_count(self) -> None:
        gate = pacer(3)
        for remaining, reset_after in ((1, 30.0), (100, 60.0)):
            gate.finish(gate.start(0.0), success(remaining, reset_after), 0.0)
        assert len(start_all(gate, 0.0)) == 3

    def test_each_count_bounds_for_itself(self) -> None:
        gate = pacer(8)
        counts = (
            Allowance(name="", remaining=500, reset_after=30.0),
            Allowance(name="Request", remaining=2, reset_after=4000.0),
        )
        gate.finish(gate.start(0.0), RateReport(status=200, allowances=counts), 0.0)
        assert len(start_all(gate, 0.0)) == 2

    def test_a_reset_absurdly_far_away_is_told_and_not_kept_for_good(self) -> None:
        gate = pacer(longest_pause=60.0)
        gate.finish(gate.start(0.0), success(0, 1e12), 0.0)
        assert gate.pause_left(0.0) == 1e12
        assert gate.ready_at(0.0) == 60.0
        assert start_all(gate, 60.0) != []


REPORTS = st.one_of(
    st.none(),
    st.builds(
        RateReport,
        status=st.sampled_from([None, 200, 404, 429, 429, 500]),
        reached=st.booleans(),
        retry_after=st.one_of(st.none(), st.floats(0.0, 1e5)),
        allowances=st.lists(
            st.builds(
                Allowance,
                name=st.sampled_from(["", "Request"]),
                remaining=st.integers(0, 5),
                limit=st.one_of(st.none(), st.integers(0, 5)),
                reset_after=st.floats(0.001, 1e5),
            ),
            max_size=2,
        ).map(tuple),
    ),
)
STEPS = st.one_of(
    st.tuples(st.just("start"), st.integers(1, 8)),
    st.tuples(st.just("finish"), st.integers(0, 30), REPORTS),
    st.tuples(st.just("withdraw"), st.integers(0, 30)),
    st.tuples(st.just("wait"), st.floats(0.0, 100.0)),
    st.tuples(st.just("wait until ready")),
    st.tuples(st.just("pause"), st.floats(0.001, 1e5)),
)


@attrs.define
class Judge:
    """Plays a sequence of events on a pacer and holds it to what it promises."""

    gate: Pacer
    most: int
    policy: GatePolicy
    now: float = 0.0
    places: list[Place] = attrs.field(factory=list)
    bursts: int = 0
    paused_until: float = -math.inf
    """By what was asked; the pacer may pause for longer where it has to guess."""
    first: Place | None = None
    trusted: bool = True

    def step(self, name: str, *arguments: Any) -> None:
        getattr(self, name.replace(" ", "_"))(*arguments)
        assert 1 <= self.gate.limit <= self.most
        assert self.gate.under_way == len(self.places) <= self.most

    def start(self, number: int) -> None:
        for _ in range(number):
            if self.gate.ready_at(self.now) > self.now:
                return
            place = self.gate.start(self.now)
            self.places.append(place)
            assert self.now >= self.paused_until
            assert self.gate.under_way <= self.gate.limit
            if not self.trusted:
                assert self.first is None
                self.first = place

    def finish(self, index: int, report: RateReport | None) -> None:
        if not self.places:
            return
        place = self.places.pop(index % len(self.places))
        before = self.gate.limit
        self.gate.finish(place, report, self.now)
        was_first = self.first is place
        if was_first:
            self.first = None
        if report is None or report.status is None:
            assert self.gate.limit == before
        elif report.throttled:
            halves = place.burst == self.bursts and not place.tries
            assert self.gate.limit == (max(before // 2, 1) if halves else before)
            self.bursts += halves
            self.trusted = False
            if report.retry_after:
                self.asked(report.retry_after)
            elif self.gate.ready_at(self.now) > self.now:
                self.first = None
        else:
            self.trusted = self.trusted or was_first
            assert before <= self.gate.limit <= before + 1
            used_up = [count for count in report.allowances if not count.remaining]
            if used_up and self.gate.pause_left(self.now):
                self.trusted = False
                self.first = None

    def withdraw(self, index: int) -> None:
        if self.places:
            place = self.places.pop(index % len(self.places))
            self.gate.withdraw(place)
            if self.first is place:
                self.first = None

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def wait_until_ready(self) -> None:
        if (ready_at := self.gate.ready_at(self.now)) < math.inf:
            assert ready_at <= self.now + self.policy.longest_pause
            self.now = ready_at
            may_start = self.gate.ready_at(self.now) <= self.now
            assert may_start or self.gate.under_way

    def pause(self, seconds: float) -> None:
        self.gate.pause(seconds, self.now)
        self.trusted = False
        self.asked(seconds)

    def asked(self, seconds: float) -> None:
        until = self.now + min(seconds, self.policy.longest_pause)
        if until > self.paused_until:
            self.paused_until = until
            self.first = None

    def drain(self) -> None:
        """After any past, plain answers lead back to the full number under way."""
        while self.places:
            self.finish(0, SUCCESS)
        for _ in range(self.most**2 + 10):
            ready_at = self.gate.ready_at(self.now)
            assert ready_at <= self.now + self.policy.longest_pause
            self.now = ready_at
            self.start(1)
            self.finish(0, SUCCESS)
        # What was announced is forgotten by the first answer after its reset that says nothing.
        self.now += self.policy.longest_pause
        self.start(1)
        self.finish(0, SUCCESS)
        # After a refusal they start at a pace, one after the other, and all of them do.
        for _ in range(self.most):
            assert self.gate.ready_at(self.now) <= self.now + self.policy.longest_pause
            self.step("wait until ready")
            self.step("start", 1)
        assert len(self.places) == self.gate.limit == self.most


@given(st.integers(1, 8), st.lists(STEPS, max_size=60))
@settings(deadline=None)
def test_whatever_happens_pauses_limits_and_progress_are_kept(
    most: int, steps: list[tuple[Any, ...]]
) -> None:
    policy = GatePolicy()
    judge = Judge(Pacer(most, policy), most, policy)
    for step in steps:
        judge.step(*step)
    judge.drain()


@attrs.define
class World:
    """A platform with a limit and a client that always has more to ask, in a time of their own."""

    limit: RateLimit
    most: int
    there: Callable[[int], float]
    """Seconds that a request takes to the platform."""
    back: Callable[[int], float]
    statuses: list[tuple[float, int]] = attrs.field(factory=list)
    """Of each request, when it started and what came of it."""
    first_answer: float = math.inf
    now: float = 0.0

    def run(self, seconds: float) -> None:
        gate = Pacer(self.most, GatePolicy())
        window = RateWindow(self.limit, self.clock)
        events: list[tuple[float, int, Callable[[], None]]] = []
        numbers = iter(range(10**9))

        def later(after: float, action: Callable[[], None]) -> None:
            heapq.heappush(events, (self.now + after, next(numbers), action))

        def send() -> None:
            while (ready_at := gate.ready_at(self.now)) <= self.now:
                place, started = gate.start(self.now), self.now
                number = next(numbers)
                later(self.there(number), lambda p=place, s=started, n=number: arrive(p, s, n))  # type: ignore[misc]
            if ready_at < math.inf:
                later(ready_at - self.now, send)

        def arrive(place: Place, started: float, number: int) -> None:
            verdict = window.take()
            status = 200 if verdict.allowed else 429
            later(self.back(number), lambda: receive(place, started, status, dict(verdict.headers)))

        def receive(place: Place, started: float, status: int, headers: dict[str, str]) -> None:
            self.statuses.append((started, status))
            self.first_answer = min(self.first_answer, self.now)
            gate.finish(place, read_report(status, headers, wall=START + self.now), self.now)
            send()

        send()
        while events and events[0][0] <= seconds:
            self.now, _, action = heapq.heappop(events)
            action()

    def clock(self) -> datetime:
        return datetime.fromtimestamp(START + self.now, tz=UTC)

    @property
    def served(self) -> int:
        return sum(status == 200 for _, status in self.statuses)


class TestAgainstALimit:
    def test_six_hundred_a_minute_are_used_to_more_than_95_percent(self) -> None:
        world = World(RateLimit(600, 60.0), 8, lambda _: 0.025, lambda _: 0.025)
        world.run(20 * 60.0)
        assert world.served >= 0.95 * 600 * 20
        assert world.served == len(world.statuses)

    @pytest.mark.parametrize("retry_after", [True, False])
    def test_so_is_a_limit_of_fewer_requests_than_may_be_under_way(self, retry_after: bool) -> None:
        limit = RateLimit(5, 60.0, retry_after=retry_after)
        world = World(limit, 64, lambda _: 0.025, lambda _: 0.025)
        world.run(20 * 60.0)
        assert world.served >= 0.95 * 5 * 20
        assert all(started == 0.0 for started, status in world.statuses if status == 429)

    def test_without_a_limit_nothing_is_held_back(self) -> None:
        world = World(RateLimit(10**9, 60.0), 8, lambda _: 0.025, lambda _: 0.025)
        world.run(60.0)
        assert world.served == pytest.approx(60.0 / 0.05 * 8, rel=0.01)

    @given(
        st.integers(1, 40),
        st.integers(1, 16),
        st.lists(st.floats(0.0, 3.0), min_size=1, max_size=20),
        st.lists(st.floats(0.0, 3.0), min_size=1, max_size=20),
        st.booleans(),
    )
    @settings(deadline=None)
    def test_after_the_first_burst_there_is_no_refusal(
        self, limit: int, most: int, there: list[float], back: list[float], both: bool
    ) -> None:
        world = World(
            RateLimit(limit, 20.0, request_headers=both),
            most,
            lambda number: there[number % len(there)],
            lambda number: back[number % len(back)],
        )
        world.run(200.0)
        refused = [started for started, status in world.statuses if status == 429]
        assert all(started <= world.first_answer for started in refused)
        assert world.served > 0


LATENCIES = st.lists(st.floats(0.001, 0.05), min_size=1, max_size=20)


def busy(seed: int) -> Callable[[int], float]:
    """Return latencies of a busy machine: mostly some milliseconds, sometimes tens of them."""
    chance = random.Random(seed)
    return lambda _: 0.002 + chance.expovariate(250) + 0.03 * (chance.random() < 0.01)


def latency(choices: list[float]) -> Callable[[int], float]:
    return lambda number: choices[number % len(choices)]


def limiter_of(kind: str, per_minute: int, burst: int, per: float, phase: float) -> Limiter:
    """Return a limiter of so many requests a minute; windows of `per` seconds, if it has any."""
    if kind == "bucket":
        return TokenBucket(per_minute / 60, burst)
    requests = max(round(per_minute * per / 60), 1)
    return FixedWindow(requests, per, phase) if kind == "fixed" else SlidingWindow(requests, per)


class TestTheRate:
    """Behind limiters that say 429 and nothing else."""

    @pytest.mark.parametrize(
        ("retry_after", "slower", "refusals"), [(None, 1.1, 20), (0.0, 1.1, 20), (1.0, 1.2, 12)]
    )
    def test_500_pages_take_little_longer_than_they_must(
        self, retry_after: float | None, slower: float, refusals: int
    ) -> None:
        world = Simulation(TokenBucket(50, 10), retry_after=retry_after)
        (client,) = world.run()
        assert client.finished <= slower * (500 - 11) / 50
        assert world.refused <= refusals

    @pytest.mark.parametrize("retry_after", [None, 0.0])
    @pytest.mark.parametrize("clients", [2, 4])
    @pytest.mark.parametrize("seed", range(10))
    def test_several_gates_share_a_limit_without_knowing_of_each_other(
        self, seed: int, clients: int, retry_after: float | None
    ) -> None:
        world = Simulation(
            TokenBucket(50, 10),
            clients=clients,
            pages=200,
            retry_after=retry_after,
            latency=busy(seed),
        )
        slowest = max(client.finished for client in world.run())
        assert slowest <= 1.4 * (200 * clients - 11) / 50

    @pytest.mark.parametrize("seed", range(10))
    def test_pauses_of_1_second_that_the_limiter_names_stay_rare(self, seed: int) -> None:
        world = Simulation(TokenBucket(50, 10), retry_after=1.0, latency=busy(seed))
        (client,) = world.run()
        assert client.finished <= 1.3 * (500 - 11) / 50
        assert world.refused <= 20

    def test_most_listings_meet_no_more_than_two_of_them(self) -> None:
        # Each of two costs 0.8 s, so the least is 1.16 times the ideal.
        times = []
        for seed in range(20):
            world = Simulation(TokenBucket(50, 10), retry_after=1.0, latency=busy(seed))
            (client,) = world.run()
            times.append(client.finished / ((500 - 11) / 50))
        assert statistics.quantiles(times, n=10)[-1] <= 1.2

    @pytest.mark.parametrize("clients", [2, 4])
    def test_several_gates_share_a_limit_that_names_pauses_of_1_second(self, clients: int) -> None:
        times = []
        for seed in range(10):
            world = Simulation(
                TokenBucket(50, 10), clients=clients, retry_after=1.0, latency=busy(seed)
            )
            slowest = max(client.finished for client in world.run())
            times.append(slowest / ((500 * clients - 11) / 50))
        assert statistics.mean(times) <= 1.3
        assert max(times) <= 1.5

    @pytest.mark.parametrize("factor", [0.5, 2.0])
    @pytest.mark.parametrize("seed", range(20))
    def test_with_named_pauses_a_change_is_followed_within_10_seconds(
        self, seed: int, factor: float
    ) -> None:
        at = 2.0 + 0.9 * seed
        bucket = TokenBucket(50, 10)
        world = Simulation(bucket, pages=10**6, retry_after=1.0, latency=busy(seed))
        world.later(at, lambda: setattr(bucket, "rate", 50 * factor))
        world.run(at + 25)
        start, end = at + 10, at + 20
        moments = [moment for moment, _ in world.log]
        # The limiter asks for these pauses, so their time cannot be used.
        paused = sum(
            max(min(after, end) - max(before, start), 0.0)
            for before, after in itertools.pairwise(moments)
            if after - before >= 1.0
        )
        assert world.passed_between(start, end) >= 0.9 * 50 * factor * (end - start - paused)

    @unmeasured
    @pytest.mark.parametrize("retry_after", [None, 0.0])
    @pytest.mark.parametrize("factor", [0.5, 2.0])
    @given(at=st.floats(2.0, 20.0))
    @settings(deadline=None)
    def test_a_limit_that_changes_is_followed_within_10_seconds(
        self, retry_after: float | None, factor: float, at: float
    ) -> None:
        bucket = TokenBucket(50, 10)
        world = Simulation(bucket, pages=10**6, retry_after=retry_after)
        world.later(at, lambda: setattr(bucket, "rate", 50 * factor))
        world.run(at + 15)
        assert world.passed_between(at + 10, at + 15) >= 0.9 * 50 * factor * 5

    @given(
        per_minute=st.integers(6, 6000),
        kind=st.sampled_from(["bucket", "fixed", "sliding"]),
        burst=st.integers(0, 60),
        per=st.floats(1.0, 80.0),
        phase=st.floats(0.0, 80.0),
        retry_after=st.sampled_from([None, 0.0, 0.3, 1.0, 2.5]),
        latencies=LATENCIES,
    )
    @settings(deadline=None)
    def test_no_listing_fails_under_a_limit_that_gives_room_in_time(
        self,
        *,
        per_minute: int,
        kind: str,
        burst: int,
        per: float,
        phase: float,
        retry_after: float | None,
        latencies: list[float],
    ) -> None:
        limiter = limiter_of(kind, per_minute, burst, per, phase)
        world = Simulation(
            limiter,
            pages=60,
            retry_after=retry_after,
            latency=latency(latencies),
        )
        (client,) = world.run()
        assert client.done == 60
        assert client.longest_pause <= RetryPolicy().longest_wait

    @pytest.mark.parametrize("retry_after", [None, 0.0])
    @pytest.mark.parametrize("seed", range(10))
    def test_without_a_burst_most_of_the_limit_is_used_all_the_same(
        self, seed: int, retry_after: float | None
    ) -> None:
        # Of two requests whose latencies differ the second may come too early, at any pace.
        world = Simulation(TokenBucket(50), retry_after=retry_after, latency=busy(seed))
        (client,) = world.run()
        assert client.finished <= 1.8 * (500 - 1) / 50
        assert world.refused <= 70

    @unmeasured
    @pytest.mark.parametrize("window", [FixedWindow, SlidingWindow])
    @pytest.mark.parametrize("factor", [0.5, 2.0])
    @given(at=st.floats(2.0, 20.0), per=st.sampled_from([0.5, 1.0, 2.0]), latencies=LATENCIES)
    @example(
        at=18.5,
        per=2.0,
        latencies=[
            0.05,
            0.02,
            0.05,
            0.01494052665522955,
            0.0018290313576319152,
            0.025223797254790136,
            0.04296875,
            0.023783673226767114,
            0.043408840304978304,
            0.00390625,
            0.03020762542005876,
            0.05,
        ],
    )
    @settings(deadline=None)
    def test_windows_that_change_are_followed_within_10_seconds(
        self,
        window: type[FixedWindow | SlidingWindow],
        factor: float,
        *,
        at: float,
        per: float,
        latencies: list[float],
    ) -> None:
        limiter = window(round(50 * per), per)
        world = Simulation(limiter, pages=10**6, latency=latency(latencies))
        world.later(at, lambda: setattr(limiter, "requests", round(50 * per * factor)))
        world.run(at + 20)
        assert world.passed_between(at + 10, at + 20) >= 0.6 * 50 * factor * 10

    @given(
        per_minute=st.integers(30, 6000),
        kind=st.sampled_from(["bucket", "fixed", "sliding"]),
        burst=st.integers(0, 60),
        phase=st.floats(0.0, 60.0),
        retry_after=st.sampled_from([None, 0.0, 0.3, 1.0, 5.0]),
        seed=st.integers(0, 1000),
    )
    @settings(deadline=None)
    def test_nor_do_two_that_know_nothing_of_each_other_from_30_a_minute_on(
        self,
        *,
        per_minute: int,
        kind: str,
        burst: int,
        phase: float,
        retry_after: float | None,
        seed: int,
    ) -> None:
        limiter = limiter_of(kind, per_minute, burst, 60.0, phase)
        world = Simulation(
            limiter, clients=2, pages=30, retry_after=retry_after, latency=busy(seed)
        )
        for client in world.run():
            assert client.done == 30
            assert client.longest_pause <= RetryPolicy().longest_wait

    @given(
        per_minute=st.integers(6, 60),
        kind=st.sampled_from(["bucket", "fixed", "sliding"]),
        seed=st.integers(0, 1000),
    )
    @settings(deadline=None)
    def test_below_that_two_are_never_refused_if_each_is_given_its_share(
        self, *, per_minute: int, kind: str, seed: int
    ) -> None:
        share = per_minute // 2
        world = Simulation(
            limiter_of(kind, per_minute, burst=per_minute, per=60.0, phase=0.0),
            clients=2,
            pages=3 * share,
            latency=busy(seed),
            known=lambda: KnownRate(share, 60.0),
        )
        clients = world.run()
        assert world.refused == 0
        # The last of three minutes' shares goes before the third minute is over.
        assert max(client.finished for client in clients) <= 1.2 * 180 + 60 / share

    @given(
        per_minute=st.integers(6, 60),
        kind=st.sampled_from(["bucket", "fixed", "sliding"]),
        burst=st.integers(0, 10),
        seed=st.integers(0, 1000),
    )
    @settings(deadline=None)
    def test_of_two_that_know_nothing_of_each_other_one_always_gets_through(
        self, *, per_minute: int, kind: str, burst: int, seed: int
    ) -> None:
        limiter = limiter_of(kind, per_minute, burst, 60.0, 0.0)
        longest = RetryPolicy().longest_wait
        world = Simulation(limiter, clients=2, pages=20, latency=busy(seed), patience=longest)
        assert 20 in [client.done for client in world.run()]

    def test_a_budget_behind_a_rate_that_has_been_found_ends_the_listing(self) -> None:
        bucket, day = TokenBucket(50, 10), FixedWindow(300, 86_400.0)
        world = Simulation(Both(bucket, day))
        (client,) = world.run(200.0)
        assert client.done == 300
        assert client.longest_pause > RetryPolicy().longest_wait
        assert world.refused <= 8 + 30

    @given(requests=st.integers(1, 50), asked=st.floats(91.0, 86_400.0), latencies=LATENCIES)
    @settings(deadline=None)
    def test_a_budget_that_names_its_reset_is_told_at_once(
        self, requests: int, asked: float, latencies: list[float]
    ) -> None:
        world = Simulation(
            FixedWindow(requests, 86_400.0), retry_after=asked, latency=latency(latencies)
        )
        (client,) = world.run(60.0)
        assert client.done == requests
        assert client.longest_pause >= asked - 0.1
        assert world.refused <= 8

    @given(requests=st.integers(1, 2000), latencies=LATENCIES)
    @settings(deadline=None)
    def test_a_budget_per_day_that_is_used_up_is_told_as_a_long_pause(
        self, requests: int, latencies: list[float]
    ) -> None:
        world = Simulation(
            FixedWindow(requests, 86_400.0), pages=10_000, latency=latency(latencies)
        )
        # A listing ends with the first pause that is told as longer than it may be.
        (client,) = world.run(160.0)
        assert client.done == requests
        assert client.longest_pause > RetryPolicy().longest_wait
        assert world.refused <= 8 + 12

    @given(
        requests=st.integers(1, 200),
        per=st.floats(0.5, 60.0),
        arrivals=st.lists(st.floats(0.0, 1.0), max_size=200),
    )
    @settings(deadline=None)
    def test_a_rate_that_is_known_is_kept_in_any_stretch_of_time(
        self, requests: int, per: float, arrivals: list[float]
    ) -> None:
        gate = Pacer(1000, GatePolicy(), KnownRate(requests, per))
        # Times are floats: one that ends with the window may seem to end just before.
        window, now = SlidingWindow(requests, per * (1 - 1e-9)), 0.0
        for after in arrivals:
            now = gate.ready_at(now + after * per / requests)
            gate.start(now)
            assert window.take(now)


class TestTheLine:
    @given(st.lists(st.tuples(st.integers(0, 5), st.booleans())))
    def test_the_nearest_goes_first_and_among_equals_the_first_that_came(
        self, arrivals: list[tuple[int, bool]]
    ) -> None:
        line: Line[tuple[int, int]] = Line()
        expected = []
        for arrival, (priority, leaves) in enumerate(arrivals):
            number = line.join(priority, (priority, arrival))
            if leaves:
                line.leave(number)
                line.leave(number)
            else:
                expected.append((priority, arrival))
        assert len(line) == len(expected)
        assert [who for _, who in line] == expected
        assert [line.pop() for _ in range(len(line))] == sorted(expected)

    def test_those_that_give_up_behind_one_that_waits_take_no_room(self) -> None:
        line: Line[int] = Line()
        line.join(0, 0)
        for _ in range(10_000):
            line.leave(line.join(1, 1))
        assert len(line._order) < 200
        assert (line.pop(), len(line)) == (0, 0)


@pytest.mark.parametrize("field", ["pause", "longest_pause"])
@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan, True, "5", None])
def test_a_policy_that_makes_no_sense_is_refused(field: str, value: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=f"{field}="):
        GatePolicy(**{field: value})
