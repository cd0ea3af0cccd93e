"""What other software makes of tasks as Parquet: rows of the guide that may change."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from twelvetasks import TaskSession
from twelvetasks.testing import FakePlatform

TIMES = ("2025-06-30T16:47:51Z", "0001-01-02T00:00:00Z", "9999-12-31T23:59:59.5Z")
"""One that is usual, and the first and the last that fit."""


@pytest.fixture
def platform() -> FakePlatform:
    """An account with all of them, and tasks without metadata."""
    platform = FakePlatform.demo(20)
    for task, text in zip(platform.tasks(), TIMES, strict=False):
        platform.update(task["_id"], created_at=text, system_metadata=None)
    return platform


@pytest.fixture
async def parquet(platform: FakePlatform, tmp_path: Path) -> Path:
    """The account as `to_arrow` and pyarrow write it."""
    async with platform, TaskSession(platform.api_key, base_url=platform.base_url) as session:
        pq.write_table(await session.tasks().to_arrow(), tmp_path / "tasks.parquet")
    return tmp_path / "tasks.parquet"


class TestParquet:
    async def test_pandas_keeps_whole_numbers_with_the_types_of_arrow(self, parquet: Path) -> None:
        told = pd.read_parquet(parquet, dtype_backend="pyarrow")["system_metadata"]
        assert str(told.struct.field("width").dtype) == "int64[pyarrow]"

    async def test_pandas_reads_its_own_file_only_with_the_types_of_arrow(
        self, platform: FakePlatform, tmp_path: Path
    ) -> None:
        file = tmp_path / "frame.parquet"
        async with platform, TaskSession(platform.api_key, base_url=platform.base_url) as session:
            (await session.tasks().to_pandas()).to_parquet(file)
        with pytest.raises(TypeError, match="not understood"):
            pd.read_parquet(file)
        assert len(pd.read_parquet(file, dtype_backend="pyarrow")) == 20

    async def test_pandas_converts_no_time_that_has_no_year_there(self, parquet: Path) -> None:
        created = pd.read_parquet(parquet)["created_at"]
        with pytest.raises(OverflowError):
            _ = created.dt.tz_convert("Europe/Berlin").dt.year
        early = created.where(created < "9999-12-31")
        assert early.dt.tz_convert("Europe/Berlin").dt.year.max() == 2025

    async def test_polars_unnests_under_the_names_of_the_command(self, parquet: Path) -> None:
        frame = pl.read_parquet(parquet)
        with pytest.raises(pl.exceptions.DuplicateError):
            frame.unnest("system_metadata")
        flat = frame.unnest("system_metadata", "hls", separator=".")
        assert {"system_metadata.width", "hls.status", "hls.extra"} <= set(flat.columns)
        assert flat.schema["system_metadata.width"] == pl.Int64

    async def test_duckdb_tells_a_missing_struct_from_one_of_nulls(self, parquet: Path) -> None:
        found = duckdb.read_parquet(str(parquet)).filter("system_metadata is null")
        assert len(found.fetchall()) == len(TIMES)
