"""Where a bar is shown, and where not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.running import KEY, Terminal, at, run_in, spawn
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.fixtures import FakePlatformFactory


class TestProgress:
    def test_a_long_listing_shows_a_bar_and_takes_it_away(
        self, terminal: Terminal, long_account: FakePlatform
    ) -> None:
        assert run_in(terminal, "list", *at(long_account)) == 0
        shown = terminal.close()
        assert "Listing" in shown
        assert "/300" in shown
        assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l")  # The cursor is back.
        assert shown.rfind("\x1b[2K") > shown.rfind("Listing")  # The line of the bar is empty.
        for task in long_account.tasks():
            assert shown.count(task["_id"]) == 1

    def test_a_short_listing_shows_none(self, terminal: Terminal, account: FakePlatform) -> None:
        assert run_in(terminal, "list", *at(account)) == 0
        assert "Listing" not in terminal.close()

    def test_a_listing_cut_short_shows_none(
        self, terminal: Terminal, long_account: FakePlatform
    ) -> None:
        assert run_in(terminal, "list", "--max-items", "150", *at(long_account)) == 0
        assert "Listing" not in terminal.close()

    def test_it_is_on_stderr_while_stdout_goes_to_a_file(
        self, terminal: Terminal, long_account: FakePlatform, tmp_path: Path
    ) -> None:
        with (tmp_path / "tasks.jsonl").open("w") as file:
            assert run_in(terminal, "list", *at(long_account), stdout=file) == 0
        assert "/300" in terminal.close()
        lines = (tmp_path / "tasks.jsonl").read_text().splitlines()
        assert [json.loads(line) for line in lines] == long_account.tasks()

    def test_it_keeps_out_of_a_terminal_that_the_reader_of_the_pipe_may_use(
        self, terminal: Terminal, long_account: FakePlatform
    ) -> None:
        with spawn(["list", *at(long_account)], stderr=terminal.stream) as process:
            process.communicate()
        assert process.returncode == 0
        assert terminal.close() == ""

    def test_it_tells_the_rate_and_the_time_left(
        self, terminal: Terminal, fake_platform_factory: FakePlatformFactory, tmp_path: Path
    ) -> None:
        platform = fake_platform_factory(300, api_key=KEY, latency=0.05)
        arguments = ("list", "--page-limit", "10", "--output", str(tmp_path / "t.jsonl"))
        assert run_in(terminal, *arguments, *at(platform)) == 0
        shown = terminal.close()
        assert re.search(r"\d tasks/s", shown)
        assert "0:00:0" in shown

    def test_it_can_be_asked_for_and_turned_off(
        self, account: FakePlatform, long_account: FakePlatform, tmp_path: Path
    ) -> None:
        for platform, flag in ((account, "--progress"), (long_account, "--no-progress")):
            terminal = Terminal()
            assert run_in(terminal, "list", flag, *at(platform)) == 0
            assert ("Listing" in terminal.close()) == (flag == "--progress")

    def test_stderr_that_goes_elsewhere_leaves_the_terminal_without_one(
        self, terminal: Terminal, long_account: FakePlatform, tmp_path: Path
    ) -> None:
        with (tmp_path / "log").open("w") as log:
            arguments = ["list", *at(long_account)]
            with spawn(arguments, stdout=terminal.stream, stderr=log) as process:
                process.wait()
        assert process.returncode == 0
        assert "Listing" not in terminal.close()
        assert (tmp_path / "log").read_text() == ""

    def test_a_dumb_terminal_is_spared(
        self, terminal: Terminal, long_account: FakePlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TERM", "dumb")
        assert run_in(terminal, "list", *at(long_account)) == 0
        shown = terminal.close()
        assert "\x1b" not in shown
        _, *rows, note = shown.splitlines()
        assert [row.split()[0] for row in rows] == [task["_id"] for task in long_account.tasks()]
        assert note == "twelvetasks: no room for UPDATED (UTC): --wide shows all columns"
