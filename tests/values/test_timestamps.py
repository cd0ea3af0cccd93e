from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twelvetasks.values.timestamps import format_timestamp, parse_timestamp, utc_timestamp

offsets = st.one_of(
    st.sampled_from(["Z", "z", "+00:00", "-00:00"]),
    st.builds(
        "{}{:02}:{:02}".format, st.sampled_from("+-"), st.integers(0, 23), st.integers(0, 59)
    ),
)


@st.composite
def rfc_3339(draw: st.DrawFn) -> str:
    moment = draw(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29)))  # noqa: DTZ001
    fraction = draw(st.one_of(st.just(""), st.from_regex(r"\.[0-9]{1,12}", fullmatch=True)))
    separator = draw(st.sampled_from("Tt "))
    return f"{moment:%H:%M:%S}".join(
        [f"{moment.year:04}-{moment:%m-%d}{separator}", f"{fraction}{draw(offsets)}"]
    )


@given(rfc_3339())
def test_any_fraction_and_offset_gives_an_aware_datetime_and_its_own_text_back(text: str) -> None:
    moment = parse_timestamp(text)
    assert moment.utcoffset() is not None
    assert format_timestamp(moment) == text
    for twin in (pickle.loads(pickle.dumps(moment)), copy.deepcopy(moment)):
        assert (twin, format_timestamp(twin)) == (moment, text)


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_datetime_of_ones_own_survives_being_written_and_read(moment: datetime) -> None:
    assert parse_timestamp(format_timestamp(moment)) == moment


def test_the_usual_spelling_costs_no_more_than_a_plain_datetime() -> None:
    assert type(parse_timestamp("2022-06-09T04:50:00.879Z")) is datetime


def test_a_calculation_with_an_unusual_spelling_is_spelled_as_usual() -> None:
    moment = parse_timestamp("2022-06-09T04:50:00.25z")
    later = moment + timedelta(seconds=1)
    assert format_timestamp(later) == "2022-06-09T04:50:01.250Z"
    assert format_timestamp(pickle.loads(pickle.dumps(later))) == "2022-06-09T04:50:01.250Z"
    assert (
        repr(moment)
        == "datetime.datetime(2022, 6, 9, 4, 50, 0, 250000, tzinfo=datetime.timezone.utc)"
    )


def test_a_leap_second_is_the_last_microsecond_before_the_next_day() -> None:
    moment = parse_timestamp("2016-12-31T23:59:60Z")
    assert moment == datetime(2016, 12, 31, 23, 59, 59, 999999, UTC)
    assert format_timestamp(moment) == "2016-12-31T23:59:60Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2022-06-09",
        "2022-06-09T04:50:00",
        "2022-06-09T04:50Z",
        "2022-06-09T24:00:00.000Z",
        "2022-13-09T04:50:00Z",
        "2022-W23-4T04:50:00.879Z",
        "2022-06-09T04:50:00.Z",
        "2022-06-09T04:50:00,879Z",
        "٢022-06-09T04:50:00.879Z",
        "2022-06-09T04:50:00.879Z ",
    ],
)
def test_anything_else_than_rfc_3339_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an RFC 3339|must be in|out of range"):
        parse_timestamp(text)


@pytest.mark.parametrize(
    ("moment", "sent"),
    [
        (datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC), "2024-01-02T03:04:05Z"),
        (datetime(2024, 1, 2, 3, 4, 5, 120000, UTC), "2024-01-02T03:04:05.12Z"),
        (datetime(2024, 1, 2, 1, tzinfo=timezone(timedelta(hours=2))), "2024-01-01T23:00:00Z"),
    ],
)
def test_filters_are_sent_in_utc_with_a_fraction_only_if_there_is_one(
    moment: datetime, sent: str
) -> None:
    assert utc_timestamp(moment) == sent
