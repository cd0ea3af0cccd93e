"""Hostile names in every output: read back by what people read files with, and in a terminal."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cli.running import Terminal, at, run_in
from twelvetasks import SystemMetadata, Task
from twelvetasks.cli.output.formats import task_writer
from twelvetasks.cli.output.output_file import OutputFile
from twelvetasks.testing import FakePlatform

HOSTILE = [
    "\r",
    "\n",
    "\r\n",
    '"',
    ",",
    "\u2028",
    "\u0085",
    "\x1b[2J",
    "\u202e",
    "=1+1",
    "'",
    "\ufeff",
]
names = st.lists(
    st.sampled_from(HOSTILE)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4),
    min_size=1,
    max_size=5,
).map("".join)


def written(layout: str, files: list[str], place: Path, **options: Any) -> Path:
    tasks = tuple(
        Task(id=f"t{n}", status="ready", system_metadata=SystemMetadata(filename=name))
        for n, name in enumerate(files)
    )
    path = place / f"out.{layout}"
    with OutputFile(path, None) as target:
        writer = task_writer(layout, target, columns=("id", "system_metadata.filename"), **options)
        writer.write(tasks)
        writer.finish()
    return path


fuzzed = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@fuzzed
@given(files=st.lists(names, min_size=1, max_size=5))
def test_csv_comes_back_from_every_reader(files: list[str], tmp_path: Path) -> None:
    path = written("csv", files, tmp_path)
    ids = [f"t{n}" for n in range(len(files))]
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ids
    assert [row["system_metadata.filename"] for row in rows] == files
    assert list(pd.read_csv(path, dtype=str, keep_default_na=False)["id"]) == ids
    assert pl.read_csv(path, infer_schema=False)["id"].to_list() == ids
    read = duckdb.execute(
        f"select id from read_csv('{path}', header=true, all_varchar=true, quote='\"', "
        "escape='\"', delim=',', max_line_size=1000000, parallel=false, new_line='\\n')"
    ).fetchall()
    assert [row[0] for row in read] == ids


@fuzzed
@given(files=st.lists(names, min_size=1, max_size=5))
def test_json_lines_come_back_from_every_reader(files: list[str], tmp_path: Path) -> None:
    path = written("jsonl", files, tmp_path)
    text = path.read_bytes().decode()
    tasks = [json.loads(line) for line in text.split("\n")[:-1]]
    assert [task["system_metadata"]["filename"] for task in tasks] == files
    ids = [f"t{n}" for n in range(len(files))]
    assert list(pd.read_json(io.StringIO(text), lines=True)["_id"]) == ids
    assert pl.read_ndjson(path)["_id"].to_list() == ids
    read = duckdb.execute(f"select _id from read_json('{path}', format='newline_delimited')")
    assert [row[0] for row in read.fetchall()] == ids


@fuzzed
@given(files=st.lists(names, min_size=1, max_size=5))
def test_a_spreadsheet_meets_no_formula(files: list[str], tmp_path: Path) -> None:
    path = written("csv", files, tmp_path, spreadsheet=True)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    cells = [row["system_metadata.filename"] for row in rows]
    assert [cell.removeprefix("'") for cell in cells] == [name.removeprefix("'") for name in files]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)


@pytest.mark.parametrize(
    "arguments",
    [["list", "--format", "jsonl"], ["list", "--format", "json"], ["get", "a"]],
    ids=" ".join,
)
def test_a_terminal_gets_no_character_that_it_would_obey(
    terminal: Terminal, account: FakePlatform, arguments: list[str]
) -> None:
    name = "\x1b[2J\x9b2J\u202egpj.exe\u200b\u2066\u2028\ufeff"
    account.add(_id="a", status="ready", system_metadata={"filename": name})
    assert run_in(terminal, *arguments, *at(account)) == 0
    shown = terminal.close().replace("\n", "")
    assert not [c for c in shown if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"}]
    assert "\\u202e" in shown
