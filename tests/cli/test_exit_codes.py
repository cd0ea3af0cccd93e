"""What is said when a command ends early, and its exit code."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from aiohttp import web

from tests.cli.running import (
    AS_MODULE,
    KEY,
    LONGEST_WAIT,
    Command,
    Outcome,
    Terminal,
    at,
    exit_code_of,
    run_in,
    spawn,
)
from twelvetasks.__main__ import main
from twelvetasks.cli.exit_codes import NOTHING_WRITTEN, ExitCode
from twelvetasks.testing import FakePlatform


class TestMisuse:
    """Exit code 2, one line, and no request."""

    @pytest.mark.parametrize(
        ("flags", "named"),
        [
            (["--bogus"], "--bogus"),
            (["--statu", "ready"], "Did you mean"),
            (["--status", "redy"], "'redy' is not one of 'ready'"),
            (["--status", "redy"], "Did you mean ready?"),
            (["--limit", "3"], "Did you mean --max-items?"),
            (["--json"], "Did you mean --format json?"),
            (["--csv"], "Did you mean --format csv?"),
            (["--limt", "3"], "Did you mean --max-items?"),
            (["-f", "csv"], "Did you mean --format?"),
            (["--tokn", "x"], "No such option '--tokn'. See"),
            (["--columns", "id,filenam"], "Did you mean system_metadata.filename?"),
            (["--created-at", "yesterday"], "'yesterday' is not an RFC 3339 date-time"),
            (["--updated-at", "2025-06-01T00:00:00"], "--updated-at"),
            (["--created-at", "2025-02-30T00:00:00Z"], "--created-at"),
            (["--width", "wide"], "--width"),
            (["--sort-by", "name"], "--sort-by"),
            (["--page-limit", "51"], "--page-limit"),
            (["--max-items", "-1"], "--max-items"),
            (["--concurrency", "0"], "--concurrency"),
            (["--format", "xml"], "--format"),
            (["--demo-size", "many"], "--demo"),
            (["--filename"], "--filename"),
            (["surplus"], "surplus"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_a_wrong_flag_is_named_with_where_to_read_on(
        self, command: Command, account: FakePlatform, flags: list[str], named: str
    ) -> None:
        refused = command("list", *at(account), *flags)
        assert refused.code == 2
        assert named in refused.complaint
        assert refused.out == ""
        assert account.requests == []

    @pytest.mark.parametrize(
        ("typed", "suggested"),
        [
            ("wait --json x", "Did you mean --format jsonl?"),
            ("count --json", "No such option '--json'. See"),
            ("get --limit 3 x", "No such option '--limit'. See"),
            ("stats --output x.html", "Did you mean --html?"),
            ("stats -o x.html", "Did you mean --html?"),
            ("stats --limit 3", "Did you mean --top?"),
            ("watch --since 2d", "Did you mean --updated-since?"),
            ("list --before 2d", "Did you mean --until?"),
            ("delete --force x", "Did you mean --yes?"),
            ("--demo list", "It goes after a command: twelvetasks list --demo"),
            ("ls", "Did you mean list?"),
            ("upload", "Did you mean create?"),
            ("help", "Did you mean -h?"),
            ("list --failed", "Did you mean --status failed?"),
            ("watch --indexing", "Did you mean --status indexing?"),
            ("get --failed x", "No such option '--failed'. See"),
            ("list --sort asc", "Did you mean --sort-by or --sort-option?"),
            ("list --oldest-first", "Did you mean --sort-option asc?"),
            ("list --sort-by created", "'updated_at'. Did you mean created_at? See"),
            ("list --format cvs", "Did you mean csv? See"),
            ("list --format xyz", "'ids'. See"),
            ("cuont", "Did you mean 'count'?"),
        ],
    )
    def test_a_suggestion_is_one_that_the_command_takes(
        self, command: Command, typed: str, suggested: str
    ) -> None:
        refused = command(*typed.split())
        assert refused.code == 2
        assert suggested in refused.complaint

    def test_the_complaint_says_where_to_read_on(self, command: Command) -> None:
        assert command("list", "--bogus").complaint.endswith(" See twelvetasks list -h")

    @pytest.mark.parametrize(
        "flag",
        [
            "--index-id=",
            "--filename=",
            "--duration=nan",
            "--duration=-1",
            "--width=-1",
            "--height=-1",
            "--timeout=0",
            "--base-url=http://example.com",
        ],
    )
    def test_a_value_that_the_library_refuses_is_named_by_its_flag(
        self, command: Command, account: FakePlatform, flag: str
    ) -> None:
        refused = command("list", *at(account), flag)
        assert refused.code == 2
        named = refused.complaint.removeprefix("Invalid value for '")
        assert named.startswith(flag.partition("=")[0])
        assert account.requests == []

    def test_no_key_names_the_variable(
        self, command: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("TWELVE_LABS_API_KEY")
        refused = command("list")
        assert refused.code == 2
        assert "TWELVE_LABS_API_KEY" in refused.complaint

    def test_a_key_that_can_be_none_is_not_shown(
        self, command: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TWELVE_LABS_API_KEY", f"{KEY}\n")
        refused = command("list")
        assert refused.code == 2
        assert "a character that no key has" in refused.complaint

    def test_an_unknown_command_is_refused(self, command: Command) -> None:
        refused = command("lst")
        assert refused.code == 2
        assert "lst" in refused.complaint

    def test_no_command_at_all_shows_the_help(self, command: Command) -> None:
        shown = command()
        assert (shown.code, shown.out) == (2, "")
        assert shown.err.startswith("Usage: twelvetasks")


class TestFailure:
    """Exit code 1, one line."""

    @pytest.mark.parametrize(
        ("status", "advice"),
        [
            (400, "Correct the request"),
            (401, "Check the API key"),
            (404, "Check the id"),
            (429, "lower --concurrency"),
            (500, "Try again later"),
        ],
    )
    def test_a_refusal_of_the_platform_says_what_to_do(
        self, command: Command, account: FakePlatform, status: int, advice: str
    ) -> None:
        account.fail(status=status, times=50)
        failed = command("list", platform=account)
        assert failed.code == 1
        assert failed.out == ""
        assert f"page 1: {status}" in failed.complaint
        assert advice in failed.complaint

    def test_a_wrong_key_is_refused_and_not_shown(
        self, command: Command, fake_platform: FakePlatform
    ) -> None:
        failed = command("list", platform=fake_platform)
        assert failed.code == 1
        assert "401" in failed.complaint

    def test_a_platform_that_repeats_the_key_gives_nothing_away(
        self, command: Command, account: FakePlatform
    ) -> None:
        account.fail(status=400, body={"code": "parameter_invalid", "message": f"Bad key {KEY}."})
        assert "Bad key ***" in command("list", platform=account).complaint

    def test_a_refusal_stays_on_one_line_and_cannot_control_the_terminal(
        self, command: Command, account: FakePlatform
    ) -> None:
        account.fail(status=400, body={"code": "x", "message": "one\ntwo\x1b[2J"})
        assert "one two\N{REPLACEMENT CHARACTER}[2J" in command("list", platform=account).complaint

    def test_an_unreachable_address_is_named(self, command: Command) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        failed = command("list", "--base-url", f"http://127.0.0.1:{port}/v1.3")
        assert failed.code == 1
        *retries, complaint = failed.err.splitlines(keepends=True)
        for number, retry in enumerate(retries, start=2):
            assert f"twelvetasks: connection failed, retrying ({number}/6) in " in retry
            assert f"127.0.0.1:{port}" in retry
        assert len(retries) == 5
        failed = Outcome(failed.code, failed.out, complaint)
        assert f"127.0.0.1:{port}" in failed.complaint
        assert "--base-url" in failed.complaint

    def test_an_answer_that_is_no_page_is_not_taken_for_one(
        self, command: Command, account: FakePlatform
    ) -> None:
        account.respond(lambda _: web.Response(body=b"<html>"))
        failed = command("list", platform=account)
        assert failed.code == 1
        assert "the body is not JSON" in failed.complaint

    @pytest.mark.parametrize("layout", ["jsonl", "table"])
    def test_what_came_before_the_failure_has_been_printed(
        self, command: Command, long_account: FakePlatform, layout: str
    ) -> None:
        long_account.fail(status=500, page=3, times=50)
        failed = command("list", "--format", layout, platform=long_account)
        assert failed.code == 1
        assert "page 3" in failed.complaint
        for place, task in enumerate(long_account.tasks()):
            assert (task["_id"] in failed.out) == (place < 100)

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is full")
    @pytest.mark.parametrize("arguments", [["list", "--demo-size", "5"], ["-h"]], ids=" ".join)
    def test_a_full_disk_is_an_error_like_any_other(self, arguments: list[str]) -> None:
        with Path("/dev/full").open("w") as full, spawn(arguments, stdout=full) as process:
            _, err = process.communicate()
        assert process.returncode == 1
        assert Outcome(1, "", err.decode()).complaint == "No space left on device"

    def test_no_standard_output_is_an_error_like_any_other(
        self, command: Command, account: FakePlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "stdout", None)
        failed = command("list", platform=account)
        assert failed.code == 1
        assert failed.complaint == "There is no standard output to write to"
        assert account.requests == []


class TestClosedPipe:
    @pytest.mark.parametrize("layout", ["jsonl", "table"])
    def test_a_closed_pipe_ends_quietly(self, layout: str) -> None:
        with spawn(["list", "--demo-size", "3000", "--format", layout]) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == 141

    @pytest.mark.parametrize(
        "arguments",
        [
            ["list", "--demo-size", "1"],
            ["list", "--demo-size", "1", "--format", "table"],
            ["list", "-h"],
        ],
        ids=" ".join,
    )
    def test_a_pipe_closed_from_the_start_ends_as_quietly(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        arguments: list[str],
    ) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        monkeypatch.setattr(sys, "argv", ["twelvetasks", *arguments])
        with os.fdopen(writing, "w") as pipe:
            monkeypatch.setattr(sys, "stdout", pipe)
            assert exit_code_of(main) == 141
        assert capsys.readouterr().err == ""

    def test_where_no_error_can_be_shown_the_code_still_says_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        monkeypatch.setattr(sys, "argv", ["twelvetasks", "list", "--bogus"])
        with os.fdopen(writing, "w") as pipe:
            monkeypatch.setattr(sys, "stderr", pipe)
            assert exit_code_of(main) == 2


class TestInterrupt:
    def test_ctrl_c_ends_quietly_after_what_was_read(self, long_account: FakePlatform) -> None:
        long_account.hold(page=2)
        with spawn(["list", *at(long_account)]) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(50)]
            os.kill(process.pid, signal.SIGINT)
            out, err = process.communicate()
        assert (process.returncode, out, err) == (130, b"", b"")
        assert [json.loads(line) for line in lines] == long_account.tasks()[:50]

    def test_ctrl_c_before_the_first_answer_ends_as_quietly(self, account: FakePlatform) -> None:
        asked = threading.Event()

        def noticed(_: web.Request) -> float:
            asked.set()
            return 0.0

        account.latency = noticed
        account.hold()
        with spawn(["list", *at(account)]) as process:
            assert asked.wait(LONGEST_WAIT)
            os.kill(process.pid, signal.SIGINT)
            out, err = process.communicate()
        assert (process.returncode, out, err) == (130, b"", b"")

    def test_ctrl_c_in_a_terminal_takes_the_bar_away(self, long_account: FakePlatform) -> None:
        terminal = Terminal(columns=100)
        long_account.hold(page=3)
        arguments = ["list", *at(long_account)]
        with spawn(arguments, stdout=terminal.stream, stderr=terminal.stream) as process:
            terminal.wait_for("100/300")
            os.kill(process.pid, signal.SIGINT)
        assert process.returncode == 130
        shown = terminal.close()
        assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l")
        assert shown.endswith("\x1b[2K\n")

    def test_nothing_is_left_behind_in_this_process(
        self, terminal: Terminal, long_account: FakePlatform
    ) -> None:
        main_thread = threading.main_thread().ident
        assert main_thread is not None

        def interrupt(_: FakePlatform, request: web.Request) -> None:
            if request.query["page"] == "2":
                signal.pthread_kill(main_thread, signal.SIGINT)

        before = set(threading.enumerate())
        long_account.before_each(interrupt)
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            assert run_in(terminal, "list", *at(long_account)) == 130
        finally:
            signal.signal(signal.SIGINT, handler)
        for thread in set(threading.enumerate()) - before:
            thread.join(LONGEST_WAIT)
            assert not thread.is_alive()
        assert terminal.close().endswith("\n")


TERMINATED_BY_AN_IMPORT = """
import os, signal, sys

class Finder:
    def find_spec(self, name, *_):
        if name == "cloup":
            os.kill(os.getpid(), signal.SIGTERM)

sys.meta_path.insert(0, Finder())
from twelvetasks.__main__ import main
main()
"""


class TestTermination:
    def test_sigterm_ends_a_listing_as_ctrl_c_does_with_its_own_code(
        self, long_account: FakePlatform, tmp_path: Path
    ) -> None:
        asked = threading.Event()

        def noticed(request: web.Request) -> float:
            if request.query["page"] == "2":
                asked.set()
            return 0.0

        long_account.latency = noticed
        long_account.hold(page=2)
        with spawn(["list", "-o", str(tmp_path / "t.jsonl"), *at(long_account)]) as process:
            assert asked.wait(LONGEST_WAIT)
            os.kill(process.pid, signal.SIGTERM)
            out, err = process.communicate()
        assert (process.returncode, out) == (143, b"")
        assert b"with --resume continues from there" in err

    def test_before_the_first_answer_a_listing_says_how_to_go_on(
        self, account: FakePlatform, tmp_path: Path
    ) -> None:
        asked = threading.Event()

        def noticed(_: web.Request) -> float:
            asked.set()
            return 0.0

        account.latency = noticed
        account.hold()
        with spawn(["list", "-o", str(tmp_path / "t.jsonl"), *at(account)]) as process:
            assert asked.wait(LONGEST_WAIT)
            os.kill(process.pid, signal.SIGTERM)
            _, err = process.communicate()
        assert process.returncode == 143
        assert err.decode() == f"twelvetasks: {NOTHING_WRITTEN}\n"
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (["list", "-o", "t.jsonl"], f"twelvetasks: {NOTHING_WRITTEN}\n"),
            (["list", "--output=t.jsonl"], f"twelvetasks: {NOTHING_WRITTEN}\n"),
            (["list"], ""),
            (["watch"], ""),
        ],
    )
    def test_so_it_does_while_the_command_is_still_being_imported(
        self, arguments: list[str], told: str
    ) -> None:
        with spawn(arguments, program=[sys.executable, "-c", TERMINATED_BY_AN_IMPORT]) as process:
            out, err = process.communicate()
        assert (process.returncode, out, err.decode()) == (143, b"", told)

    @pytest.mark.skipif(shutil.which("unshare") is None, reason="needs PID namespaces")
    @pytest.mark.parametrize("arguments", [["watch"], ["wait", "62a17bf847f5678267ec10cc"]])
    def test_the_first_process_of_a_container_heeds_it(
        self, account: FakePlatform, arguments: list[str]
    ) -> None:
        asked = threading.Event()

        def noticed(_: web.Request) -> float:
            asked.set()
            return 0.0

        account.latency = noticed
        account.add(_id="62a17bf847f5678267ec10cc", status="indexing")
        inside = ["unshare", "--pid", "--fork", "--kill-child", *AS_MODULE]
        if subprocess.run([*inside[:4], "true"], check=False, capture_output=True).returncode:
            pytest.skip("may not make PID namespaces")
        with spawn([*arguments, *at(account)], program=inside) as process:
            assert asked.wait(LONGEST_WAIT)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
            os.kill(int(children.split()[0]), signal.SIGTERM)
            process.communicate()
        assert process.returncode == 143


def test_the_guide_and_the_help_have_the_same_table() -> None:
    guide = Path(__file__).parents[2] / "examples" / "guides" / "command.md"
    rows = [f"| {code.value} | {code.meaning} |" for code in ExitCode]
    assert "\n".join(rows) in guide.read_text("utf-8")
