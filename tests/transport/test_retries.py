"""Retries as data: which failures are retried, and after how long."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twelvetasks import (
    InvalidArgumentError,
    RetryPolicy,
    TaskSession,
)
from twelvetasks.transport.ratelimits import LARGEST_SKEW
from twelvetasks.transport.retries import Budget, Failure, wait_before_retry

KEY = "tlk_0SECRET1"


LOST = Failure(method="GET", status=None, lost=True)


def failure(status: int, method: str = "GET", **known: Any) -> Failure:
    return Failure(method=method, status=status, lost=False, **known)


def wait(failed: Failure, policy: RetryPolicy | None = None, number: int = 1) -> float | None:
    return wait_before_retry(policy or RetryPolicy(), failed, number=number, chance=0.0)


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
        policy = RetryPolicy(attempts=20_000, wait_initial=1.0, wait_max=10.0)
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
