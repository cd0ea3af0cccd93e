"""Times that stay text in rows: Python, Arrow and the models read them alike."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twelvetasks.conversion.row_checks import read_times
from twelvetasks.values.timestamps import parse_timestamp

USUAL = ["2022-06-09T04:50:00.879Z", "2025-12-31T23:59:59.999Z"]
OF_THE_FIRST_YEAR = "0001-01-01T00:00:00.000Z"
SHORTER_OR_LONGER = [
    "2022-06-09T04:50:00.87Z",
    "2022-06-09T04:50:00Z",
    "2022-06-09T04:50:00.879123Z",
    "2022-06-09T04:50:00.879123+00:00",
    "2022-06-09T23:50:00-05:30",
]
ODD = [
    "2022-06-09T24:00:00.000Z",
    "2022-06-09T04:50:60.000Z",
    "2022-06-09 04:50:00.879Z",
    "2022-06-09t04:50:00.879z",
    "2022-06-09T04:50:00.879123456Z",
    "2022-W23-4T04:50:00.879Z",
    "20220609T045000.87900000Z",
    "2022-06-09T04:50:00,879Z",
    "2022-06-09T04:50:00.879",
    "2022-06-09T04:50:00+0000",
    "2022-06-09T04:50:00.000+00:00:30",
    "2022-02-30T04:50:00.879Z",
    "0000-06-09T04:50:00.879Z",
    "9999-12-31T23:59:59-01:00",
    "0001-01-01T00:00:00+01:00",
    "2022-06-09T04:50:00.Z",
    "2022-06-09",
    "soon",
    "",
]


def accepted(texts: list[str]) -> bool:
    try:
        read_times(texts)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("text", [*USUAL, *SHORTER_OR_LONGER])
def test_times_of_the_platforms_forms_stay_text(text: str) -> None:
    assert accepted([text])
    assert accepted([*USUAL, text])


def test_a_time_of_the_first_year_does_unless_another_may_be_of_the_year_before() -> None:
    assert accepted([*USUAL, OF_THE_FIRST_YEAR])
    assert not accepted([OF_THE_FIRST_YEAR, "0001-01-01T00:00:00+01:00"])


@pytest.mark.parametrize("text", ODD)
def test_others_do_not_wherever_they_stand(text: str) -> None:
    for texts in ([text], [*USUAL, text], [text, *SHORTER_OR_LONGER], [*USUAL, text, *USUAL]):
        assert not accepted(texts)


@given(
    st.lists(
        st.sampled_from([*USUAL, OF_THE_FIRST_YEAR, *SHORTER_OR_LONGER, *ODD])
        | st.from_regex(r"\A[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\Z").map(
            "{}.250Z".format
        )
        | st.datetimes(timezones=st.just(UTC)).map(
            lambda one: one.isoformat().replace("+00:00", "Z")
        ),
        min_size=1,
        max_size=4,
    )
)
def test_what_stays_text_is_one_and_the_same_time_to_all_who_read_it(texts: list[str]) -> None:
    if accepted(texts):
        moments = [parse_timestamp(text) for text in texts]
        assert list(map(datetime.fromisoformat, texts)) == moments
        column = pa.array(texts, pa.string()).cast(pa.timestamp("us", tz="UTC"))
        assert column.to_pylist() == moments
    else:
        years = {text[:4] for text in texts}
        assert not all(map(accepted, ([text] for text in texts))) or years & {"0001", "9999"}
