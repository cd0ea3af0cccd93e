"""What an answer says of the account's limits."""

from __future__ import annotations

import math
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from twelvetasks.transport.ratelimits import Allowance, RateReport, read_report

NOW = 1_700_000_000.0


def report(status: int, wall: float = NOW, /, **headers: str) -> RateReport:
    """Read headers whose names are written with underscores."""
    sent = CIMultiDict((name.replace("_", "-"), value) for name, value in headers.items())
    return read_report(status, sent, wall=wall)


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
