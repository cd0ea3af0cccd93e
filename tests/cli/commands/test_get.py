"""`get`: one task or several by their ids."""

from __future__ import annotations

import json

import pytest

from tests.cli.running import KEY, Command, Terminal, at, run_in
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.fixtures import FakePlatformFactory


class TestGet:
    def test_a_pipe_gets_the_task_on_one_line(
        self, command: Command, account: FakePlatform
    ) -> None:
        task_id = account.tasks(status="ready")[0]["_id"]
        got = command("get", task_id, platform=account)
        assert (got.code, got.err) == (0, "")
        [task] = got.tasks
        assert task["_id"] == task_id
        assert task["hls"]

    def test_a_terminal_gets_it_indented_with_nothing_it_would_obey(
        self, terminal: Terminal, fake_platform_factory: FakePlatformFactory
    ) -> None:
        filename = "\x9b2Jclear.mp4"
        platform = fake_platform_factory(
            [{"_id": "a", "system_metadata": {"filename": filename}}], api_key=KEY
        )
        assert run_in(terminal, "get", "a", *at(platform)) == 0
        shown = terminal.close()
        assert shown.startswith('{\n  "_id": "a",\n')
        assert "\x9b" not in shown
        assert json.loads(shown)["system_metadata"]["filename"] == filename

    def test_several_are_printed_in_the_order_given(
        self, command: Command, account: FakePlatform
    ) -> None:
        chosen = [task["_id"] for task in account.tasks()[5:2:-1]]
        got = command("get", *chosen, platform=account)
        assert (got.code, got.err) == (0, "")
        assert [task["_id"] for task in got.tasks] == chosen

    def test_only_these_columns_are_printed(self, command: Command, account: FakePlatform) -> None:
        task = account.tasks()[0]
        got = command("get", task["_id"], "--columns", "id,status", platform=account)
        assert got.tasks == [{"_id": task["_id"], "status": task["status"]}]

    def test_a_task_that_is_not_there_is_one_line(
        self, command: Command, account: FakePlatform
    ) -> None:
        missing = command("get", "62a17bf847f5678267ec10cc", platform=account)
        assert (missing.code, missing.out) == (1, "")
        assert "62a17bf847f5678267ec10cc" in missing.complaint

    @pytest.mark.parametrize("arguments", [["get", "a/b"], ["delete", "--yes", ".."], ["wait", ""]])
    def test_what_is_no_id_is_refused_before_any_request(
        self, command: Command, account: FakePlatform, arguments: list[str]
    ) -> None:
        refused = command(*arguments, platform=account)
        assert refused.code == 2
        assert f"{arguments[-1]!r} is not the id of a task" in refused.complaint
        assert account.requests == []
