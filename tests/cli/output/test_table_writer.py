"""What a terminal gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web

from tests.cli.running import HEADING, KEY, Command, Terminal, at, run_in, without_styles
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.fixtures import FakePlatformFactory

ROW = (
    "62a17bf847f5678267ec10cc  failed      2022-06-09 17:50  2022-06-09 18:55  1:02:05  keynote.mp4"
)


class TestTable:
    TASK: Mapping[str, Any] = {
        "_id": "62a17bf847f5678267ec10cc",
        "status": "failed",
        "created_at": "2022-06-10T02:50:00.879000+09:00",
        "updated_at": "2022-06-09T18:55:57.256Z",
        "system_metadata": {"filename": "keynote.mp4", "duration": 3725.4},
    }

    @pytest.fixture
    def one_task(self, fake_platform_factory: FakePlatformFactory) -> FakePlatform:
        return fake_platform_factory([self.TASK], api_key=KEY)

    def test_a_row_shows_a_task_with_its_times_in_utc(
        self, command: Command, one_task: FakePlatform
    ) -> None:
        heading, row = command("list", "--format", "table", platform=one_task).out.splitlines()
        assert heading == HEADING
        assert row == ROW

    def test_it_has_one_heading_and_a_row_for_every_task(
        self, command: Command, account: FakePlatform
    ) -> None:
        heading, *rows = command("list", "--format", "table", platform=account).out.splitlines()
        assert heading.startswith("ID ")
        assert [row.split()[0] for row in rows] == [task["_id"] for task in account.tasks()]

    @pytest.mark.parametrize("nothing", [("--filename", "no such"), ("--max-items", "0")])
    def test_without_tasks_it_is_a_heading(
        self, command: Command, account: FakePlatform, nothing: tuple[str, str]
    ) -> None:
        empty = command("list", "--format", "table", *nothing, platform=account)
        assert empty.out == f"{HEADING}\n"

    def test_a_task_of_which_little_is_known_has_blanks(
        self, command: Command, fake_platform_factory: FakePlatformFactory
    ) -> None:
        platform = fake_platform_factory(api_key=KEY)
        info = {"limit_per_page": 50, "page": 1, "total_page": 1, "total_results": 1}
        page = {"data": [{"_id": "a"}], "page_info": info}
        platform.respond(lambda _: web.json_response(page))
        assert command("list", "--format", "table", platform=platform).out.splitlines()[1] == "a"

    def test_a_length_below_an_hour_is_minutes_and_seconds(
        self, command: Command, fake_platform_factory: FakePlatformFactory
    ) -> None:
        platform = fake_platform_factory(
            [{"_id": "a", "system_metadata": {"duration": 59.6}}], api_key=KEY
        )
        assert command("list", "--format", "table", platform=platform).out.endswith("1:00\n")

    def test_a_piped_table_is_never_cut(
        self, command: Command, fake_platform_factory: FakePlatformFactory
    ) -> None:
        task = {"_id": "f" * 40, "system_metadata": {"filename": "long" * 100}}
        platform = fake_platform_factory([task], api_key=KEY)
        row = command("list", "--format", "table", platform=platform).out.splitlines()[1]
        assert row.startswith("f" * 40 + "  ready")
        assert row.endswith("long" * 100)

    def test_a_terminal_gets_it_without_asking_in_colour(
        self, terminal: Terminal, one_task: FakePlatform
    ) -> None:
        assert run_in(terminal, "list", *at(one_task)) == 0
        shown = terminal.close()
        assert "\x1b[31mfailed" in shown
        assert without_styles(shown).endswith("  1:02:05  keynote.mp4\n")

    def test_no_color_is_respected(
        self, terminal: Terminal, one_task: FakePlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        assert run_in(terminal, "list", *at(one_task)) == 0
        shown = terminal.close()
        assert "\x1b[3" not in shown
        assert "failed" in shown

    def test_a_pipe_gets_colours_only_where_they_are_forced(
        self, command: Command, one_task: FakePlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        arguments = ("list", "--format", "table")
        assert "\x1b" not in command(*arguments, platform=one_task).out
        monkeypatch.setenv("FORCE_COLOR", "1")
        assert "\x1b[31mfailed" in command(*arguments, platform=one_task).out

    @pytest.mark.parametrize(
        ("columns", "shown"),
        [
            (95, "ID STATUS CREATED (UTC) UPDATED (UTC) LENGTH FILE"),
            (94, "ID STATUS CREATED (UTC) LENGTH FILE"),
            (76, "ID STATUS CREATED (UTC) FILE"),
            (67, "ID STATUS FILE"),
            (49, "ID STATUS"),
            (35, "ID"),
        ],
    )
    def test_a_narrow_terminal_gets_fewer_columns_but_whole_ids(
        self,
        terminal: Terminal,
        one_task: FakePlatform,
        monkeypatch: pytest.MonkeyPatch,
        columns: int,
        shown: str,
    ) -> None:
        monkeypatch.setenv("COLUMNS", str(columns))
        assert run_in(terminal, "list", *at(one_task)) == 0
        heading, row, *note = without_styles(terminal.close()).splitlines()
        everything = "ID STATUS CREATED (UTC) UPDATED (UTC) LENGTH FILE"
        assert bool(note) == (shown != everything)
        assert heading.split() == shown.split()
        assert row.startswith(self.TASK["_id"])
        assert max(len(heading), len(row)) <= columns

    def test_a_narrow_terminal_keeps_the_time_of_the_order(
        self, terminal: Terminal, one_task: FakePlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "80")
        assert run_in(terminal, "list", "--sort-by", "updated_at", *at(one_task)) == 0
        shown = terminal.close()
        assert "UPDATED" in shown
        table, note = shown.split("twelvetasks: ")
        assert "CREATED" not in table
        assert note == "no room for CREATED (UTC): --wide shows all columns\n"

    @pytest.mark.parametrize(
        ("chosen", "shown", "left_out"),
        [
            ("id,status,filename", "ID STATUS FILE", ""),
            ("id,index_id,status,filename", "ID INDEX", "STATUS, FILE"),
            ("index_id,id,video_id", "INDEX ID", "VIDEO"),
        ],
    )
    def test_of_chosen_columns_those_without_room_are_said(
        self,
        terminal: Terminal,
        one_task: FakePlatform,
        monkeypatch: pytest.MonkeyPatch,
        chosen: str,
        shown: str,
        left_out: str,
    ) -> None:
        monkeypatch.setenv("COLUMNS", "60")
        assert run_in(terminal, "list", "--columns", chosen, *at(one_task)) == 0
        table, _, note = terminal.close().partition("twelvetasks: ")
        assert without_styles(table).splitlines()[0].split() == shown.split()
        said = f"no room for {left_out}: --wide shows all columns\n" if left_out else ""
        assert note == said

    def test_wide_leaves_no_column_out(
        self, terminal: Terminal, one_task: FakePlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "40")
        assert run_in(terminal, "list", "--wide", *at(one_task)) == 0
        heading, row = without_styles(terminal.close()).splitlines()
        assert heading == HEADING
        assert row.endswith("  1:02:05  keynote.mp4")

    def test_a_long_file_name_ends_in_an_ellipsis(
        self, terminal: Terminal, fake_platform_factory: FakePlatformFactory
    ) -> None:
        task = {"_id": "a", "system_metadata": {"filename": "長い" * 100}}
        assert run_in(terminal, "list", *at(fake_platform_factory([task], api_key=KEY))) == 0
        assert terminal.close().endswith("長い…\n")

    def test_a_name_cannot_control_the_terminal(
        self, terminal: Terminal, fake_platform_factory: FakePlatformFactory
    ) -> None:
        task = {"_id": "a", "system_metadata": {"filename": "\x1b[2Ja\nb\N{NO-BREAK SPACE}c"}}
        assert run_in(terminal, "list", *at(fake_platform_factory([task], api_key=KEY))) == 0
        shown = terminal.close()
        assert "\x1b[2J" not in shown
        assert shown.endswith("\N{REPLACEMENT CHARACTER}[2Ja b c\n")

    def test_what_the_terminal_has_no_letters_for_becomes_a_question_mark(
        self, terminal: Terminal, fake_platform_factory: FakePlatformFactory
    ) -> None:
        terminal.stream.reconfigure(encoding="ascii")
        task = {"_id": "a", "system_metadata": {"filename": "キーノート.mp4"}}
        assert run_in(terminal, "list", *at(fake_platform_factory([task], api_key=KEY))) == 0
        assert terminal.close().endswith("?????.mp4\n")
