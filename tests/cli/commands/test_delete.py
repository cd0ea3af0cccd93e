"""`delete`: what it asks, and what it deletes."""

from __future__ import annotations

import io
import sys

import pytest

from tests.cli.running import Command, Outcome, Terminal, at, run_in
from twelvetasks.testing import FakePlatform


class TestDelete:
    @pytest.fixture
    def chosen(self, account: FakePlatform) -> list[str]:
        """Two tasks that can be deleted."""
        return [task["_id"] for task in account.tasks(status="ready")[:2]]

    @pytest.fixture
    def keyboard(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:
        """The terminal, with its keyboard for standard input."""
        monkeypatch.setattr(sys, "stdin", terminal.keyboard)
        return terminal

    def test_yes_deletes_without_asking_and_prints_what_is_gone(
        self, command: Command, account: FakePlatform, chosen: list[str]
    ) -> None:
        deleted = command("delete", *chosen, chosen[0], "--yes", platform=account)
        assert deleted == Outcome(0, "".join(f"{task_id}\n" for task_id in chosen), "")
        assert not {task["_id"] for task in account.tasks()} & set(chosen)

    def test_it_asks_at_a_terminal_and_keeps_the_question_out_of_the_output(
        self, keyboard: Terminal, account: FakePlatform, chosen: list[str]
    ) -> None:
        keyboard.type("y\n")
        names = {task_id: task_filename(account, task_id) for task_id in chosen}
        caught = io.StringIO()
        assert run_in(keyboard, "delete", *chosen, *at(account), stdout=caught) == 0
        shown = keyboard.close()
        assert "Delete these 2 tasks permanently? [y/N]: " in shown
        for task_id in chosen:
            filename = names[task_id]
            assert shown.index(task_id) < shown.index(filename) < shown.index("Delete these")
        assert caught.getvalue().splitlines() == chosen

    @pytest.mark.parametrize(("typed", "code"), [("\n", 1), ("n\n", 1), ("\x04", 130)])
    def test_anything_but_yes_deletes_nothing(
        self, keyboard: Terminal, account: FakePlatform, chosen: list[str], typed: str, code: int
    ) -> None:
        keyboard.type(typed)
        assert run_in(keyboard, "delete", chosen[0], *at(account)) == code
        shown = keyboard.close()
        assert "Delete this task permanently" in shown
        assert ("twelvetasks: Nothing was deleted\n" in shown) == (code == 1)
        assert [request.method for request in account.requests] == ["GET"]
        assert chosen[0] in {task["_id"] for task in account.tasks()}

    def test_without_a_terminal_it_takes_a_yes_on_the_command_line(
        self, command: Command, account: FakePlatform, chosen: list[str]
    ) -> None:
        refused = command("delete", *chosen, platform=account)
        assert (refused.code, refused.out) == (2, "")
        assert "--yes" in refused.complaint
        assert account.requests == []

    @pytest.mark.parametrize("variable", ["TWELVETASKS_DELETE_YES", "TWELVETASKS_YES"])
    def test_a_variable_does_not_confirm(
        self,
        command: Command,
        account: FakePlatform,
        chosen: list[str],
        monkeypatch: pytest.MonkeyPatch,
        variable: str,
    ) -> None:
        monkeypatch.setenv(variable, "1")
        assert command("delete", *chosen, platform=account).code == 2
        assert account.requests == []

    def test_what_cannot_be_deleted_is_named_and_ends_it(
        self, command: Command, account: FakePlatform, chosen: list[str]
    ) -> None:
        busy = account.add(status="indexing")["_id"]
        refused = command("delete", chosen[0], busy, chosen[1], "--yes", platform=account)
        assert refused.code == 1
        assert refused.out == f"{chosen[0]}\n"
        assert refused.complaint.startswith(f"{busy} is not deleted: ")
        assert refused.complaint.endswith("see twelvetasks wait -h")
        assert chosen[1] in {task["_id"] for task in account.tasks()}


def task_filename(platform: FakePlatform, task_id: str) -> str:
    """The file name that the platform shows for a task alone."""
    [task] = [task for task in platform.tasks() if task["_id"] == task_id]
    return str(task.get("system_metadata", {}).get("filename") or "no file name")
