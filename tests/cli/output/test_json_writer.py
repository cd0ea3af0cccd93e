"""What a pipe gets."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout

import pytest

from tests.cli.running import KEY, Command, Outcome, Terminal, at, run_in
from twelvetasks.cli.program import run
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.fixtures import FakePlatformFactory


class TestJsonLines:
    def test_every_task_is_a_line_as_the_api_sent_it(
        self, command: Command, account: FakePlatform
    ) -> None:
        listed = command("list", platform=account)
        assert listed.tasks == account.tasks()
        assert (listed.code, listed.err) == (0, "")

    def test_no_match_is_no_line(self, command: Command, account: FakePlatform) -> None:
        assert command("list", "--filename", "no such", platform=account) == Outcome(0, "", "")

    def test_max_items_of_zero_asks_for_nothing(
        self, command: Command, account: FakePlatform
    ) -> None:
        assert command("list", "--max-items", "0", platform=account) == Outcome(0, "", "")
        assert account.requests == []

    def test_they_are_utf_8_whatever_the_locale_says(
        self, fake_platform_factory: FakePlatformFactory
    ) -> None:
        platform = fake_platform_factory(
            [{"_id": "a", "system_metadata": {"filename": "キーノート.mp4"}}], api_key=KEY
        )
        written = io.BytesIO()
        with io.TextIOWrapper(written, encoding="ascii") as stdout, redirect_stdout(stdout):
            assert run(["list", *at(platform)]) == 0
            assert "キーノート.mp4".encode() in written.getvalue()

    def test_a_program_may_catch_them_in_a_stream_of_its_own(
        self, terminal: Terminal, account: FakePlatform
    ) -> None:
        caught = io.StringIO()
        assert run_in(terminal, "list", *at(account), stdout=caught) == 0
        assert Outcome(0, caught.getvalue(), "").tasks == account.tasks()

    def test_a_pipe_gets_them_even_where_colour_is_forced(
        self, command: Command, account: FakePlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        assert command("list", platform=account).tasks == account.tasks()

    def test_a_terminal_gets_them_on_request_with_nothing_it_would_obey(
        self, terminal: Terminal, fake_platform_factory: FakePlatformFactory
    ) -> None:
        filename = "\x1b[2Jclear\x9b2J\x7f.mp4"
        platform = fake_platform_factory(
            [{"_id": "a", "system_metadata": {"filename": filename}}], api_key=KEY
        )
        assert run_in(terminal, "list", "--format", "jsonl", *at(platform)) == 0
        shown = terminal.close()
        assert not {"\x1b", "\x9b", "\x7f"} & set(shown)
        assert json.loads(shown)["system_metadata"]["filename"] == filename
