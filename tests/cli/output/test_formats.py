"""`--format`, `--columns` and `--output`: what is written where, whole or not at all."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import stat
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.cli.running import KEY, Command, Terminal, at, run_in, spawn
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.fixtures import FakePlatformFactory
from twelvetasks.values.timestamps import parse_timestamp, uniform_timestamp

FLAT = (
    "id,index_id,video_id,status,created_at,updated_at,estimated_time,system_metadata.filename,"
    "system_metadata.duration,system_metadata.width,system_metadata.height,error_reason"
)


@pytest.fixture
def odd(fake_platform_factory: FakePlatformFactory) -> FakePlatform:
    """A task whose name takes quoting, and one that leaves out what it may."""
    name = 'a "b", c\nd;\u00fc\x9b2J.mp4'
    told = {"filename": name, "duration": 12.5, "width": 640, "height": 360}
    return fake_platform_factory(
        [
            {"_id": "a", "created_at": "2025-06-02T00:00:00.10Z", "system_metadata": told},
            {"_id": "b", "created_at": "2025-06-01T00:00:00Z", "status": "new"},
        ],
        api_key=KEY,
    )


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


class TestSpreadsheet:
    def test_ids_are_text_and_formulas_are_not_computed(
        self, command: Command, fake_platform_factory: FakePlatformFactory
    ) -> None:
        platform = fake_platform_factory(
            [{"_id": "62e109", "index_id": "64ab", "system_metadata": {"filename": "=1+1.mp4"}}],
            api_key=KEY,
        )
        arguments = ("--spreadsheet", "--columns", "id,index_id,system_metadata.filename")
        listed = command("list", "--format", "csv", *arguments, platform=platform)
        assert listed.out.splitlines() == [
            "\ufeffid,index_id,system_metadata.filename",
            "'62e109,64ab,'=1+1.mp4",
        ]

    def test_it_is_for_csv_and_cannot_be_resumed(
        self, command: Command, account: FakePlatform, tmp_path: Path
    ) -> None:
        refused = command("list", "--spreadsheet", "--format", "json", platform=account)
        assert (refused.code, account.requests) == (2, [])
        assert "--spreadsheet is for --format csv" in refused.complaint
        output = ("--output", str(tmp_path / "out.csv"))
        refused = command("list", "--spreadsheet", *output, "--resume", platform=account)
        assert (refused.code, account.requests) == (2, [])
        assert "--spreadsheet cannot be resumed" in refused.complaint


class TestCsv:
    def test_it_has_a_heading_and_a_row_for_every_task(
        self, command: Command, account: FakePlatform
    ) -> None:
        listed = command("list", "--format", "csv", platform=account)
        assert listed.out.splitlines()[0] == FLAT
        assert [(row["id"], row["created_at"]) for row in rows(listed.out)] == [
            (task["_id"], uniform_timestamp(parse_timestamp(task["created_at"])))
            for task in account.tasks()
        ]

    def test_whatever_a_name_holds_comes_back(self, command: Command, odd: FakePlatform) -> None:
        first, second = rows(command("list", "--format", "csv", platform=odd).out)
        assert first["system_metadata.filename"] == 'a "b", c\nd;\u00fc\x9b2J.mp4'
        assert (first["system_metadata.duration"], first["system_metadata.width"]) == (
            "12.5",
            "640",
        )
        assert first["created_at"] == "2025-06-02T00:00:00.100Z"
        assert (second["status"], second["system_metadata.filename"]) == ("new", "")

    def test_no_match_is_a_heading(self, command: Command, account: FakePlatform) -> None:
        arguments = ("list", "--format", "csv", "--filename", "no such")
        assert command(*arguments, platform=account).out == f"{FLAT}\n"

    def test_a_terminal_gets_nothing_that_it_would_obey(
        self, terminal: Terminal, odd: FakePlatform
    ) -> None:
        arguments = ("list", "--format", "csv", "--columns", "system_metadata.filename")
        assert run_in(terminal, *arguments, *at(odd)) == 0
        assert "\x9b" not in terminal.close()


class TestJson:
    def test_it_is_one_array(self, command: Command, account: FakePlatform) -> None:
        listed = command("list", "--format", "json", platform=account)
        assert json.loads(listed.out) == account.tasks()

    def test_no_match_is_an_empty_array(self, command: Command, account: FakePlatform) -> None:
        arguments = ("list", "--format", "json", "--filename", "no such")
        assert json.loads(command(*arguments, platform=account).out) == []

    def test_a_part_of_a_listing_is_no_json(
        self, command: Command, long_account: FakePlatform
    ) -> None:
        long_account.fail(status=500, page=3, times=5)
        failed = command("list", "--format", "json", platform=long_account)
        assert failed.code == 1
        with pytest.raises(ValueError, match="Expecting"):
            json.loads(failed.out)


class TestParquet:
    def test_every_column_has_its_type(
        self, command: Command, account: FakePlatform, tmp_path: Path
    ) -> None:
        output = tmp_path / "tasks.parquet"
        assert command("list", "--output", str(output), platform=account).code == 0
        table = pq.read_table(output)
        types = {field.name: str(field.type) for field in table.schema}
        assert types["created_at"] == "timestamp[us, tz=UTC]"
        assert types["status"].startswith("dictionary<values=string")
        assert types["system_metadata"].startswith("struct<filename: string, duration: double")
        first: Any = table.to_pylist()[0]
        assert first["created_at"] == datetime.fromisoformat(account.tasks()[0]["created_at"])
        assert table.column("id").to_pylist() == [task["_id"] for task in account.tasks()]

    def test_a_pipe_gets_it_in_row_groups(self) -> None:
        with spawn(["list", "--demo-size", "10050", "--format", "parquet"]) as process:
            out, err = process.communicate()
        assert (process.returncode, err) == (0, b"")
        file = pq.ParquetFile(io.BytesIO(out))
        groups = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
        assert groups == [10_000, 50]

    def test_columns_are_chosen_by_name(
        self, command: Command, account: FakePlatform, tmp_path: Path
    ) -> None:
        output = tmp_path / "tasks.parquet"
        columns = "status,system_metadata.duration,created_at"
        arguments = ("list", "--columns", columns, "--output", str(output))
        assert command(*arguments, platform=account).code == 0
        schema = pq.read_schema(output)
        assert schema.names == columns.split(",")
        assert str(schema.field("system_metadata.duration").type) == "double"

    def test_a_failed_listing_leaves_no_index_that_would_make_it_look_whole(
        self, long_account: FakePlatform
    ) -> None:
        long_account.fail(status=401, page=3)
        with spawn(["list", "--format", "parquet", *at(long_account)]) as process:
            out, _ = process.communicate()
        assert process.returncode == 1
        assert out == b"PAR1"

    def test_a_terminal_is_spared(self, terminal: Terminal, account: FakePlatform) -> None:
        assert run_in(terminal, "list", "--format", "parquet", *at(account)) == 2
        assert "Parquet is not for a terminal: give --output" in terminal.close()
        assert account.requests == []

    def test_a_stream_without_bytes_is_refused(
        self, terminal: Terminal, account: FakePlatform
    ) -> None:
        caught = io.StringIO()
        assert run_in(terminal, "list", "--format", "parquet", *at(account), stdout=caught) == 2
        assert "takes no bytes" in terminal.close()

    def test_without_its_extra_it_names_the_extra(
        self,
        command: Command,
        account: FakePlatform,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
        output = tmp_path / "tasks.parquet"
        refused = command("list", "--output", str(output), platform=account)
        assert refused.code == 1
        assert "pip install 'twelvetasks[arrow]'" in refused.complaint
        assert (list(tmp_path.iterdir()), account.requests) == ([], [])


class TestColumns:
    def test_json_has_these_fields_where_the_api_has_them(
        self, command: Command, odd: FakePlatform
    ) -> None:
        columns = "system_metadata.width,id,status,system_metadata.height"
        listed = command("list", "--columns", columns, platform=odd)
        assert listed.tasks == [
            {"_id": "a", "status": "ready", "system_metadata": {"width": 640, "height": 360}},
            {"_id": "b", "status": "new", "system_metadata": {"width": None, "height": None}},
        ]

    def test_a_row_has_them_in_their_order(self, command: Command, odd: FakePlatform) -> None:
        arguments = ("list", "--format", "csv", "--columns", "created_at, _id")
        assert command(*arguments, platform=odd).out == (
            "created_at,id\n2025-06-02T00:00:00.100Z,a\n2025-06-01T00:00:00.000Z,b\n"
        )

    def test_a_table_has_a_heading_for_each(self, command: Command, odd: FakePlatform) -> None:
        columns = "system_metadata.filename,system_metadata.width,id"
        arguments = ("list", "--format", "table", "--columns")
        heading, first, _ = command(*arguments, columns, platform=odd).out.splitlines()
        assert heading.split() == ["FILE", "WIDTH", "ID"]
        assert first.index("640") == heading.index("WIDTH") + 2
        heading, first, _ = command(*arguments, "id,system_metadata", platform=odd).out.splitlines()
        assert heading.split() == ["ID", "SYSTEM", "METADATA"]
        assert '"duration":12.5' in first

    @pytest.mark.parametrize(
        ("columns", "named"),
        [
            ("id,stat", "'stat' is not a column. Did you mean status? There are id, index_id,"),
            ("", "'' is not a column"),
            ("id,_id", "id is there twice"),
            ("system_metadata,system_metadata.width", "take it or them"),
        ],
    )
    def test_what_is_no_choice_is_refused(
        self, command: Command, account: FakePlatform, columns: str, named: str
    ) -> None:
        refused = command("list", "--columns", columns, platform=account)
        assert refused.code == 2
        assert named in refused.complaint
        assert account.requests == []

    def test_repeated_columns_add_up(self, command: Command, account: FakePlatform) -> None:
        arguments = ("list", "--columns", "id,status", "--columns", "index_id", "--format", "csv")
        assert command(*arguments, platform=account).out.startswith("id,status,index_id\n")


class TestIds:
    def test_it_is_one_id_a_line(self, command: Command, account: FakePlatform) -> None:
        listed = command("list", "--format", "ids", platform=account)
        assert listed.out.splitlines() == [task["_id"] for task in account.tasks()]


class TestCsvCells:
    @pytest.mark.parametrize(
        "filename", ["a\rb.mp4", "\r", "a\r\nb", "x" * 200_000, "a\u2028b", "\x85"]
    )
    def test_any_file_name_stays_one_cell(
        self, command: Command, fake_platform_factory: FakePlatformFactory, filename: str
    ) -> None:
        task = {"_id": "a", "system_metadata": {"filename": filename}}
        platform = fake_platform_factory([task], api_key=KEY)
        columns = ("--columns", "id,system_metadata.filename")
        written = command("list", "--format", "csv", *columns, platform=platform).out
        limit = csv.field_size_limit(len(written))
        try:
            _, *rows = csv.reader(io.StringIO(written, newline=""))
        finally:
            csv.field_size_limit(limit)
        assert rows == [["a", filename]]
        # What other readers do with a bare carriage return differs, so there is none.
        assert "\r" not in written or f'"{filename}"' in written


class TestFile:
    @pytest.mark.parametrize(
        ("name", "start"),
        [
            ("t.jsonl", '{"_id":'),
            ("t.ndjson", '{"_id":'),
            ("t", '{"_id":'),
            ("t.json", "[\n{"),
            ("t.CSV", "id,index_id"),
            ("t.txt", "ID   "),
            ("t.parquet", "PAR1"),
            ("t.ids", "6862"),
            ("t.jsonl.gz", "\x1f"),
            ("t.csv.gz", "\x1f"),
        ],
    )
    def test_its_name_tells_the_format(
        self, command: Command, account: FakePlatform, tmp_path: Path, name: str, start: str
    ) -> None:
        listed = command("list", "--output", str(tmp_path / name), platform=account)
        assert (listed.code, listed.out, listed.err) == (0, "", "")
        assert (tmp_path / name).read_bytes().startswith(start.encode())
        assert [path.name for path in tmp_path.iterdir()] == [name]

    @pytest.mark.parametrize("name", ["t.xlsx", "t.jsn", "t.csv.zip", "t.xls.gz"])
    def test_an_ending_that_stands_for_no_format_is_refused(
        self, command: Command, account: FakePlatform, tmp_path: Path, name: str
    ) -> None:
        refused = command("list", "--output", str(tmp_path / name), platform=account)
        assert refused.code == 2
        assert repr(name) in refused.complaint
        assert ".jsonl" in refused.complaint
        assert (list(tmp_path.iterdir()), account.requests) == ([], [])

    @pytest.mark.parametrize("layout", ["jsonl", "json", "csv", "table", "ids", "parquet"])
    def test_gz_compresses_what_the_format_writes(
        self, command: Command, account: FakePlatform, tmp_path: Path, layout: str
    ) -> None:
        plain, compressed = tmp_path / "t", tmp_path / "t.gz"
        for path in (plain, compressed):
            arguments = ("list", "--format", layout, "-o", str(path))
            assert command(*arguments, platform=account).code == 0
        assert gzip.decompress(compressed.read_bytes()) == plain.read_bytes()
        assert compressed.stat().st_size < plain.stat().st_size

    def test_gz_cannot_be_resumed(
        self, command: Command, account: FakePlatform, tmp_path: Path
    ) -> None:
        arguments = ("list", "-o", str(tmp_path / "t.jsonl.gz"), "--resume")
        refused = command(*arguments, platform=account)
        assert refused.code == 2
        assert ".gz file cannot be resumed" in refused.complaint

    def test_a_dash_is_standard_output(
        self,
        command: Command,
        account: FakePlatform,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert command("list", "-o", "-", platform=account).tasks == account.tasks()
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("kind", ["link", "dangling link", "pipe"])
    def test_nothing_is_written_through_what_stands_in_place_of_the_part(
        self, command: Command, account: FakePlatform, tmp_path: Path, kind: str
    ) -> None:
        other, part = tmp_path / "other", tmp_path / "t.jsonl.part"
        if kind == "pipe":
            os.mkfifo(part)
        else:
            part.symlink_to(other)
        if kind == "link":
            other.write_text("mine")
        refused = command("list", "-o", str(tmp_path / "t.jsonl"), platform=account)
        assert refused.code == 1
        assert f"{part} is a link, a pipe or a file of another user" in refused.complaint
        assert other.exists() == (kind == "link")
        assert kind != "link" or other.read_text() == "mine"
        assert account.requests == []

    def test_a_checkpoint_is_not_written_through_a_link_with_a_name_to_guess(
        self, command: Command, long_account: FakePlatform, tmp_path: Path
    ) -> None:
        other = tmp_path / "other"
        other.write_text("mine")
        (tmp_path / "t.jsonl.part.checkpoint.new").symlink_to(other)
        long_account.fail(status=401, page=2)
        assert command("list", "-o", str(tmp_path / "t.jsonl"), platform=long_account).code == 1
        assert (tmp_path / "t.jsonl.part.checkpoint").exists()
        assert other.read_text() == "mine"

    @pytest.mark.parametrize("layout", ["jsonl", "csv", "json", "table", "parquet"])
    def test_an_error_before_the_first_page_leaves_nothing_and_clobbers_nothing(
        self, command: Command, account: FakePlatform, tmp_path: Path, layout: str
    ) -> None:
        output = tmp_path / "tasks"
        output.write_text("kept")
        account.fail(status=401)
        failed = command("list", "--format", layout, "--output", str(output), platform=account)
        assert failed.code == 1
        assert "401" in failed.complaint
        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("tasks", "kept")]

    @pytest.mark.parametrize("layout", ["json", "table", "parquet"])
    def test_a_part_that_cannot_be_added_to_is_removed(
        self, command: Command, long_account: FakePlatform, tmp_path: Path, layout: str
    ) -> None:
        long_account.fail(status=401, page=3)
        output = tmp_path / "tasks"
        failed = command("list", "--format", layout, "--output", str(output), platform=long_account)
        assert failed.code == 1
        assert "page 3" in failed.complaint
        assert list(tmp_path.iterdir()) == []

    def test_it_keeps_its_mode_and_a_link_stays_one(
        self, command: Command, account: FakePlatform, tmp_path: Path
    ) -> None:
        output, link = tmp_path / "tasks.jsonl", tmp_path / "link.jsonl"
        output.touch(0o640)
        link.symlink_to(output)
        assert command("list", "--output", str(link), platform=account).code == 0
        assert link.is_symlink()
        assert stat.S_IMODE(output.stat().st_mode) == 0o640
        assert len(output.read_text().splitlines()) == 100

    @pytest.mark.parametrize("place", ["/dev/null", "."])
    def test_what_is_no_file_is_not_replaced(
        self, command: Command, account: FakePlatform, place: str
    ) -> None:
        refused = command("list", "--output", place, platform=account)
        assert refused.code == 2
        assert "--output" in refused.complaint
        assert account.requests == []

    def test_a_directory_that_is_not_there_is_named(
        self, command: Command, account: FakePlatform, tmp_path: Path
    ) -> None:
        failed = command("list", "--output", str(tmp_path / "no" / "t.csv"), platform=account)
        assert failed.code == 1
        assert str(tmp_path / "no" / "t.csv") in failed.complaint

    def test_forced_colours_stay_out_of_it(
        self,
        command: Command,
        account: FakePlatform,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        assert command("list", "--output", str(tmp_path / "t.txt"), platform=account).code == 0
        assert "\x1b" not in (tmp_path / "t.txt").read_text()

    def test_the_bar_shows_how_far_it_is(
        self, terminal: Terminal, long_account: FakePlatform, tmp_path: Path
    ) -> None:
        arguments = ("list", "--output", str(tmp_path / "t.csv"), *at(long_account))
        assert run_in(terminal, *arguments) == 0
        assert "/300" in terminal.close()
