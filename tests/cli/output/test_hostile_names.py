"""Hostile names in every output: read back by what people read files with, and in a terminal."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.cli.running import Command, Terminal, at, run_in
from twelvetasks import SystemMetadata, Task
from twelvetasks.cli.commands.list_resume import ids_in
from twelvetasks.cli.output.formats import item_writer
from twelvetasks.cli.output.output_file import OutputFile, Target
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
    "\0",
    "\ufe0f",
    ";",
    "\t",
    "#",
    "\\",
]
UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""The categories of characters that a terminal obeys, reorders by or hides."""

names = st.lists(
    st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
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
        writer = item_writer(layout, target, columns=("id", "system_metadata.filename"), **options)
        writer.write(tasks)
        writer.finish()
    return path


fuzzed = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@fuzzed
@given(files=st.lists(names, min_size=1, max_size=5))
@example(files=["'", "'"])
def test_csv_comes_back_from_every_reader(files: list[str], tmp_path: Path) -> None:
    path = written("csv", files, tmp_path)
    ids = [f"t{n}" for n in range(len(files))]
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ids
    assert [row["system_metadata.filename"] for row in rows] == files
    assert list(pd.read_csv(path, dtype=str, keep_default_na=False)["id"]) == ids
    assert pl.read_csv(path, infer_schema=False)["id"].to_list() == ids
    assert list(pd.read_csv(path, engine="python")["id"]) == ids
    assert list(pd.read_csv(path, engine="pyarrow")["id"]) == ids
    for options in (
        "",  # It guesses the dialect.
        ", header=true, all_varchar=true, quote='\"', escape='\"', delim=',', new_line='\\n'",
    ):
        read = duckdb.execute(f"select id from read_csv('{path}'{options})").fetchall()
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


@fuzzed
@given(files=st.lists(names, min_size=1, max_size=5))
@pytest.mark.parametrize("layout", ["csv", "jsonl"])
def test_a_part_tells_all_its_tasks(files: list[str], layout: str, tmp_path: Path) -> None:
    path = written(layout, files, tmp_path)
    assert ids_in(path.read_bytes(), layout) == [f"t{n}" for n in range(len(files))]


@fuzzed
@given(files=st.lists(names, min_size=1, max_size=5))
def test_parquet_comes_back(files: list[str], tmp_path: Path) -> None:
    path = written("parquet", files, tmp_path)
    assert pl.read_parquet(path)["system_metadata.filename"].to_list() == files
    read = duckdb.execute(f"select id from '{path}'").fetchall()
    assert [row[0] for row in read] == [f"t{n}" for n in range(len(files))]


@settings(fuzzed, max_examples=20)
@given(name=names)
@pytest.mark.parametrize("layout", ["table", "csv", "ids", "jsonl", "json"])
def test_a_terminal_gets_a_row_for_each_task_and_no_control_character(
    name: str, layout: str
) -> None:
    terminal = Terminal()
    hostile = Task(
        id=name,
        status=name,
        index_id=name,
        extra={"error_reason": name},
        system_metadata=SystemMetadata(filename=name),
    )
    with redirect_stdout(terminal.stream):
        writer = item_writer(layout, Target(), wide=True)
        writer.write((hostile, Task(id="other")))
        writer.finish()
    # A terminal's own line ends, and rich's colours.
    shown = re.sub("\x1b\\[[0-9;]*m", "", terminal.close())
    rows = len(shown.split("\n")) - 1
    assert rows == {"table": 3, "csv": 3, "ids": 2, "jsonl": 2, "json": 4}[layout]
    assert not [c for c in shown if c != "\n" and unicodedata.category(c) in UNSEEN]


@pytest.mark.parametrize(
    "id_", ["a\nb", "a b", "a\tb", "--yes", "-n", "'a", 'a"', "a\\b", "a\x85b", ""]
)
def test_a_line_of_ids_holds_one_that_xargs_passes_on(
    command: Command, account: FakePlatform, id_: str
) -> None:
    account.add(_id=id_, created_at="2100-01-01T00:00:00Z")
    refused = command("list", "--format", "ids", platform=account)
    assert (refused.code, refused.out) == (1, "")
    assert "cannot stand on a line of ids" in refused.complaint


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
    assert not [c for c in shown if unicodedata.category(c) in UNSEEN]
    assert "\\u202e" in shown
