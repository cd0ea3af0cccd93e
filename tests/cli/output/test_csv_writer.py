"""CSV is written so that the software that reads it finds the types of its columns."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.running import KEY, Command
from twelvetasks.cli.output.csv_writer import _quoted_lines, _unquoted_lines
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.fixtures import FakePlatformFactory

TIMES = {
    "2025-06-30T16:47:51.801Z": "2025-06-30T16:47:51.801Z",
    "2025-06-30T16:47:51Z": "2025-06-30T16:47:51.000Z",
    "2025-06-30T16:47:51.80112Z": "2025-06-30T16:47:51.801120Z",
    "2025-06-30T16:47:51.801+02:00": "2025-06-30T14:47:51.801Z",
    "2025-06-30t16:47:51.123456789z": "2025-06-30T16:47:51.123456Z",
    "0001-01-02T00:00:00Z": "0001-01-02T00:00:00.000Z",
    "9999-12-31T23:59:59.5Z": "9999-12-31T23:59:59.500Z",
}
"""Spellings of one field, in one account, and what is written for each."""


@pytest.fixture
def written(command: Command, fake_platform_factory: FakePlatformFactory) -> str:
    platform: FakePlatform = fake_platform_factory(
        [{"_id": str(number), "created_at": text} for number, text in enumerate(TIMES)],
        api_key=KEY,
    )
    return command("list", "--format", "csv", "--columns", "id,created_at", platform=platform).out


class TestTimes:
    def test_they_have_one_spelling(self, written: str) -> None:
        _, *lines = written.splitlines()
        assert sorted(line.partition(",")[2] for line in lines) == sorted(TIMES.values())

    def test_pandas_reads_them(self, written: str) -> None:
        frame = pd.read_csv(io.StringIO(written), parse_dates=["created_at"])
        assert str(frame["created_at"].dtype) == "datetime64[us, UTC]"

    def test_polars_reads_them(self, written: str) -> None:
        frame = pl.read_csv(io.StringIO(written), try_parse_dates=True)
        assert frame.schema["created_at"] == pl.Datetime("us", "UTC")

    def test_duckdb_reads_them(self, written: str, tmp_path: Path) -> None:
        (tmp_path / "tasks.csv").write_text(written, "utf-8")
        found = duckdb.read_csv(str(tmp_path / "tasks.csv"))
        assert list(map(str, found.types)) == ["BIGINT", "TIMESTAMP WITH TIME ZONE"]


CELLS = st.text('a,;"\r\n \u2028', max_size=3) | st.integers() | st.floats() | st.booleans()


@given(st.integers(1, 3).flatmap(lambda width: st.lists(st.tuples(*[CELLS] * width), max_size=3)))
def test_rows_that_need_no_quotes_are_written_as_csv_writes_them(rows: list[tuple[Any]]) -> None:
    assert _unquoted_lines(rows) in (None, _quoted_lines(rows))


def test_a_usual_page_needs_none() -> None:
    rows = [("6862c61562d82c07cd0007d0", "2025-06-30T17:15:01.574Z", "", 644.27, 854)] * 2
    assert _unquoted_lines(rows) == _quoted_lines(rows)
