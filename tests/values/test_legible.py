"""What is written for a person: lengths of time, minutes, and text with nothing in it to obey."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twelvetasks.values.legible import duration_text, minute_text, printable

SIZES = {"d": 86400, "h": 3600, "m": 60, "s": 1}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.04, "0s"),
        (0.25, "0.2s"),
        (7, "7s"),
        (9.94, "9.9s"),
        (9.96, "10s"),
        (59.4, "59s"),
        (59.6, "1m"),
        (61, "1m 1s"),
        (3599.7, "1h"),
        (3629, "1h"),
        (3630.5, "1h 1m"),
        (86399, "1d"),
        (90000, "1d 1h"),
        (400 * 86400, "400d"),
    ],
)
def test_a_length_of_time_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@given(st.floats(0, 1e10))
def test_no_length_of_time_is_far_from_what_is_written(seconds: float) -> None:
    parts = duration_text(seconds).split()
    read = sum(float(part[:-1]) * SIZES[part[-1]] for part in parts)
    smallest = {"d": 3600, "h": 60, "m": 1, "s": 1}[parts[0][-1]]
    assert abs(read - seconds) <= smallest / 2 + 0.5
    assert len(parts) <= 2


def test_a_minute_is_of_utc() -> None:
    tokyo = datetime(2025, 1, 2, 8, 59, 59, tzinfo=timezone(timedelta(hours=9)))
    assert minute_text(tokyo) == "2025-01-01 23:59"
    assert minute_text(datetime(2025, 1, 2, tzinfo=UTC)) == "2025-01-02 00:00"
    assert minute_text(None) == ""


@given(st.text())
def test_nothing_is_left_that_a_terminal_would_obey(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert all(each.isprintable() for each in shown)
    assert all(
        after == before for before, after in zip(text, shown, strict=True) if before.isprintable()
    )
