"""The program as a process, its help, and what it needs."""

from __future__ import annotations

import inspect
import runpy
import sys
from collections.abc import Sequence

import pytest

from tests.cli.running import (
    AS_MODULE,
    AS_SCRIPT,
    Command,
    Terminal,
    at,
    exit_code_of,
    in_process_of_its_own,
    spawn,
    without_styles,
)
from twelvetasks.__main__ import main
from twelvetasks.cli.exit_codes import ExitCode
from twelvetasks.testing import FakePlatform


class TestStart:
    @pytest.mark.parametrize("program", [AS_MODULE, AS_SCRIPT], ids=["module", "script"])
    def test_the_module_and_the_script_are_the_same(
        self, account: FakePlatform, program: Sequence[str]
    ) -> None:
        listed = in_process_of_its_own("list", *at(account), program=program)
        assert listed.tasks == account.tasks()
        assert (listed.code, listed.err) == (0, "")

    def test_a_process_fails_as_its_run_does(self) -> None:
        failed = in_process_of_its_own("list", "--status", "redy")
        assert failed.code == 2
        assert "'redy'" in failed.complaint

    def test_a_real_terminal_gets_the_table_and_the_bar(self, long_account: FakePlatform) -> None:
        terminal = Terminal(columns=80)
        with spawn(
            ["list", *at(long_account)],
            stdout=terminal.stream,
            stderr=terminal.stream,
            environment={"COLUMNS": ""},
        ) as process:
            process.wait()
        assert process.returncode == 0
        shown = terminal.close()
        assert without_styles(shown).startswith("ID                        STATUS      CREATED")
        assert "UPDATED" not in shown.partition("twelvetasks: no room for UPDATED")[0]
        assert "Listing" in shown

    def test_it_runs_as_the_main_module(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(sys, "argv", ["ignored", "--version"])
        program = str(inspect.getsourcefile(main))
        assert exit_code_of(lambda: runpy.run_path(program, run_name="__main__")) == 0
        assert capsys.readouterr().out.startswith("twelvetasks, version ")

    @pytest.mark.parametrize("arguments", [["-h"], ["--help"], ["list", "-h"]], ids=" ".join)
    def test_help_is_asked_for_and_so_is_a_result(
        self, command: Command, arguments: list[str]
    ) -> None:
        shown = command(*arguments)
        assert (shown.code, shown.err) == (0, "")
        assert shown.out.startswith("Usage: twelvetasks")

    def test_the_help_tells_the_exit_codes(self, command: Command) -> None:
        told = " ".join(command("-h").out.split())
        assert {code.value for code in ExitCode} == {0, 1, 2, 130, 141, 143}
        for code in ExitCode:
            assert f"{code.value} {code.meaning}" in told

    @pytest.mark.parametrize("missing", ["click", "cloup", "rich.console"])
    def test_without_its_extra_it_names_the_extra(
        self, monkeypatch: pytest.MonkeyPatch, missing: str
    ) -> None:
        forget_the_command(monkeypatch)
        monkeypatch.setitem(sys.modules, missing, None)
        with pytest.raises(SystemExit, match=r"pip install 'twelvetasks\[cli\]'"):
            main()

    def test_another_missing_module_is_no_matter_of_the_extra(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        forget_the_command(monkeypatch)
        monkeypatch.setitem(sys.modules, "stamina", None)
        with pytest.raises(ModuleNotFoundError, match="stamina"):
            main()

    def test_ctrl_c_while_it_is_still_starting_ends_as_quietly(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def interrupted() -> int:
            raise KeyboardInterrupt

        monkeypatch.setattr(sys.modules["twelvetasks.cli.program"], "run", interrupted)
        assert exit_code_of(main) == 130
        assert capsys.readouterr() == ("", "")


def forget_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it be imported anew."""
    for name in [name for name in sys.modules if f"{name}.".startswith("twelvetasks.cli.")]:
        monkeypatch.delitem(sys.modules, name)
