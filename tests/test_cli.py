"""The command, as its user meets it.

Most tests call `run` in this process. Those that are about a process (its pipe, its signals, its
terminal, its start) have one; every wait for it is bounded.
"""

from __future__ import annotations

import inspect
import io
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import sysconfig
import termios
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import IO, Any, Protocol

import attrs
import pytest
import stamina.instrumentation
from aiohttp import web

from twelvetasks import TaskQuery
from twelvetasks.__main__ import main
from twelvetasks.cli import cli, run
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.pytest_plugin import FakePlatformFactory

KEY = "tlk_PLANTED0KEY0THAT0MUST0NEVER0SHOW"
LONGEST_WAIT = 20.0
"""Seconds after which whatever a test waits for is a failure."""

AS_MODULE = (sys.executable, "-m", "twelvetasks")
AS_SCRIPT = (str(Path(sysconfig.get_path("scripts")) / "twelvetasks"),)


def without_key(text: str) -> str:
    """Give back what the command has shown, which must never hold the key."""
    assert KEY.casefold() not in text.casefold()
    return text


@attrs.frozen
class Outcome:
    """What a run of the command came to."""

    code: int
    out: str
    err: str

    @property
    def tasks(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def complaint(self) -> str:
        """The error, which is one line and all that was said about it."""
        assert self.err.startswith("twelvetasks: ")
        assert self.err.endswith("\n")
        assert self.err.count("\n") == 1
        return self.err.removeprefix("twelvetasks: ").rstrip("\n")


class Command(Protocol):
    def __call__(self, *arguments: str, platform: FakePlatform | None = None) -> Outcome:
        """Run the command in this process, against the platform if there is one."""
        ...


@pytest.fixture(autouse=True)
def ordinary_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TWELVE_LABS_API_KEY", KEY)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    def run_it(*arguments: str, platform: FakePlatform | None = None) -> Outcome:
        where = () if platform is None else ("--base-url", str(platform.base_url))
        code = run([*arguments, *where])
        out, err = capsys.readouterr()
        return Outcome(code, without_key(out), without_key(err))

    return run_it


@pytest.fixture
def account(fake_platform_factory: FakePlatformFactory) -> FakePlatform:
    """A hundred tasks behind the planted key: two pages."""
    return fake_platform_factory(100, api_key=KEY)


@pytest.fixture
def long_account(fake_platform_factory: FakePlatformFactory) -> FakePlatform:
    """Tasks enough for a progress bar: six pages."""
    return fake_platform_factory(300, api_key=KEY)


class Terminal:
    """A pseudo-terminal that remembers what was written to it."""

    def __init__(self, columns: int = 120) -> None:
        self._master, slave = os.openpty()
        termios.tcsetwinsize(slave, (40, columns))
        self.keyboard = os.fdopen(os.dup(slave), encoding="utf-8")
        self.stream = os.fdopen(slave, "w", encoding="utf-8")
        self._written = b""
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, text: str) -> None:
        """Return once `text` has been shown."""
        with self._news:
            assert self._news.wait_for(lambda: text.encode() in self._written, LONGEST_WAIT)

    def type(self, text: str) -> None:
        """Press keys, for whoever reads from `keyboard` next."""
        os.write(self._master, text.encode())

    def close(self) -> str:
        """Hang up, and give everything that was shown."""
        self.stream.close()
        self.keyboard.close()
        self._reader.join(LONGEST_WAIT)
        assert not self._reader.is_alive()
        return without_key(self._written.decode().replace("\r\n", "\n"))

    def _read(self) -> None:
        try:
            while chunk := os.read(self._master, 65536):
                with self._news:
                    self._written += chunk
                    self._news.notify_all()
        except OSError:
            pass  # How Linux says that the other side has been closed.
        finally:
            os.close(self._master)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    opened = Terminal()
    yield opened
    opened.close()


def run_in(terminal: Terminal, *arguments: str, stdout: IO[str] | None = None) -> int:
    """Run the command in this process, with the terminal for stdout, if no other, and stderr."""
    with redirect_stdout(stdout or terminal.stream), redirect_stderr(terminal.stream):
        return run([*arguments])


@contextmanager
def spawn(
    arguments: Sequence[str],
    *,
    program: Sequence[str] = AS_MODULE,
    stdout: int | IO[str] = subprocess.PIPE,
    stderr: int | IO[str] = subprocess.PIPE,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the command; it is killed, which fails the test, if it takes too long."""
    # A test run in the background ignores SIGINT, and would let its children inherit that.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [*program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env={**os.environ, **(environment or {})},
        )
    finally:
        signal.signal(signal.SIGINT, handler)
    patience = threading.Timer(LONGEST_WAIT, process.kill)
    patience.start()
    try:
        with process:
            yield process
    finally:
        patience.cancel()


def in_process_of_its_own(*arguments: str, program: Sequence[str] = AS_MODULE) -> Outcome:
    with spawn(arguments, program=program) as process:
        out, err = process.communicate()
    return Outcome(process.returncode, without_key(out.decode()), without_key(err.decode()))


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C interrupts this process, even in a test run that was started in the background."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


def press_ctrl_c() -> None:
    """Interrupt this process, from whatever thread."""
    main_thread = threading.main_thread().ident
    assert main_thread is not None
    signal.pthread_kill(main_thread, signal.SIGINT)


def at(platform: FakePlatform) -> tuple[str, str]:
    return ("--base-url", str(platform.base_url))


def without_styles(shown: str) -> str:
    for code in ("\x1b[1m", "\x1b[0m", "\x1b[31m", "\x1b[32m", "\x1b[33m"):
        shown = shown.replace(code, "")
    return shown


class TestFilters:
    @pytest.mark.parametrize(
        ("flags", "sent"),
        [
            (["--index-id", "62a0906d47f5678267ec10a6"], {"index_id": "62a0906d47f5678267ec10a6"}),
            (["--status", "failed"], {"status": "failed"}),
            (["--filename", "keynote & more.mp4"], {"filename": "keynote & more.mp4"}),
            (["--duration", "12.5"], {"duration": "12.5"}),
            (["--width", "1920"], {"width": "1920"}),
            (["--height", "1080"], {"height": "1080"}),
            (["--created-at", "2025-06-01T02:00:00+02:00"], {"created_at": "2025-06-01T00:00:00Z"}),
            (["--updated-at", "2025-06-01T00:00:00Z"], {"updated_at": "2025-06-01T00:00:00Z"}),
            (["--sort-by", "updated_at"], {"sort_by": "updated_at"}),
            (["--sort-option", "asc"], {"sort_option": "asc"}),
            (["--page-limit", "20"], {"page_limit": "20"}),
            (["--max-items", "7"], {"page_limit": "7"}),
        ],
        ids=lambda value: value[0] if isinstance(value, list) else "",
    )
    def test_each_flag_arrives_at_the_platform(
        self, command: Command, account: FakePlatform, flags: list[str], sent: dict[str, str]
    ) -> None:
        assert command("list", *flags, platform=account).code == 0
        usual = {"page": "1", "page_limit": "50", "sort_by": "created_at", "sort_option": "desc"}
        arrived = account.requests[0].query
        assert dict(arrived) == usual | sent
        assert len(arrived) == len(usual | sent)

    def test_several_statuses_arrive_one_by_one(
        self, command: Command, account: FakePlatform
    ) -> None:
        command("list", "--status", "queued", "--status", "failed", platform=account)
        assert set(account.requests[0].query.getall("status")) == {"queued", "failed"}

    def test_flags_combine(self, command: Command, account: FakePlatform) -> None:
        listed = command(
            *("list", "--status", "ready", "--width", "1920", "--sort-by", "updated_at"),
            *("--sort-option", "asc", "--max-items", "5"),
            platform=account,
        )
        matching = account.tasks(
            status="ready", width=1920, sort_by="updated_at", sort_option="asc"
        )
        assert listed.tasks == matching[:5]

    def test_there_is_a_flag_for_everything_that_a_query_holds(self) -> None:
        holds = {field.name for field in attrs.fields(TaskQuery)}
        assert holds <= {parameter.name for parameter in cli.commands["list"].params}


class TestReport:
    def test_it_says_on_stderr_what_the_listing_did(
        self, command: Command, account: FakePlatform
    ) -> None:
        listed = command("list", "--report", platform=account)
        pages = len(account.requests)
        assert listed.tasks == account.tasks()
        assert listed.err == (
            f"twelvetasks: {pages} requests, {pages} pages, 0 bridges, 0 duplicates dropped, "
            "0 late tasks left out; consistency: quiet\n"
        )

    def test_an_exact_listing_is_reported_as_one(
        self, command: Command, account: FakePlatform
    ) -> None:
        listed = command("list", "--exact", "--report", platform=account)
        assert listed.tasks == account.tasks()
        assert listed.err.endswith("consistency: exact\n")

    def test_a_listing_that_fails_is_reported_up_to_there(
        self, command: Command, account: FakePlatform
    ) -> None:
        account.fail(status=401)
        listed = command("list", "--report", platform=account)
        assert listed.code == 1
        assert listed.err.startswith("twelvetasks: 1 request, 0 pages, ")


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


HEADING = "ID                        STATUS      CREATED (UTC)     UPDATED (UTC)      LENGTH  FILE"
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
        heading, row = without_styles(terminal.close()).splitlines()
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
        assert "CREATED" not in shown

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

    def test_a_dumb_terminal_is_spared(
        self, terminal: Terminal, long_account: FakePlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TERM", "dumb")
        assert run_in(terminal, "list", *at(long_account)) == 0
        shown = terminal.close()
        assert "\x1b" not in shown
        assert [line.split()[0] for line in shown.splitlines()[1:]] == [
            task["_id"] for task in long_account.tasks()
        ]


class TestConnection:
    def test_the_key_comes_from_the_environment(
        self, command: Command, account: FakePlatform
    ) -> None:
        command("list", platform=account)
        assert {request.headers["x-api-key"] for request in account.requests} == {KEY}

    def test_concurrency_bounds_the_requests_under_way(
        self, command: Command, fake_platform_factory: FakePlatformFactory
    ) -> None:
        platform = fake_platform_factory(100, api_key=KEY, latency=0.002)
        command("list", "--page-limit", "5", "--concurrency", "2", platform=platform)
        assert len(platform.requests) == 20
        assert platform.most_in_flight == 2

    def test_timeout_bounds_a_request(self, command: Command, account: FakePlatform) -> None:
        account.hold()
        late = command("list", "--timeout", "0.05", platform=account)
        assert late.code == 1
        assert "no answer within 0.05 seconds" in late.complaint
        assert "Raise --timeout" in late.complaint

    @pytest.fixture
    def reports(self) -> Iterator[list[stamina.instrumentation.RetryDetails]]:
        """What stamina reports to the program around the command."""
        reported: list[stamina.instrumentation.RetryDetails] = []

        def report(details: stamina.instrumentation.RetryDetails) -> None:
            reported.append(details)

        stamina.instrumentation.set_on_retry_hooks([report])
        yield reported
        stamina.instrumentation.set_on_retry_hooks(None)

    def test_retries_are_made_and_not_reported(
        self,
        command: Command,
        account: FakePlatform,
        reports: list[stamina.instrumentation.RetryDetails],
    ) -> None:
        reporters = stamina.instrumentation.get_on_retry_hooks()
        account.fail(times=2)
        listed = command("list", platform=account)
        assert (listed.code, listed.tasks, listed.err) == (0, account.tasks(), "")
        assert len(account.requests) == 4
        assert reports == []
        assert stamina.instrumentation.get_on_retry_hooks() == reporters


class TestDemo:
    @pytest.fixture(autouse=True)
    def no_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("TWELVE_LABS_API_KEY")

    def test_it_lists_as_many_made_up_tasks_as_asked(self, command: Command) -> None:
        assert command("list", "--demo", "120").tasks == FakePlatform.demo(120).tasks()

    def test_without_a_number_there_are_a_thousand(self, command: Command) -> None:
        assert len(command("list", "--demo").tasks) == 1000

    def test_a_flag_may_follow_it(self, command: Command) -> None:
        listed = command("list", "--demo", "--status", "failed")
        assert listed.tasks == FakePlatform.demo(1000).tasks(status="failed")

    def test_there_may_be_none(self, command: Command) -> None:
        assert command("list", "--demo", "0") == Outcome(0, "", "")

    def test_it_cannot_be_had_at_another_address(self, command: Command) -> None:
        refused = command("list", "--demo", "--base-url", "https://example.com")
        assert refused.code == 2
        assert "--base-url" in refused.complaint


class TestMisuse:
    """Exit code 2, one line, and no request."""

    @pytest.mark.parametrize(
        ("flags", "named"),
        [
            (["--bogus"], "--bogus"),
            (["--statu", "ready"], "Did you mean"),
            (["--status", "redy"], "'redy' is not one of 'ready'"),
            (["--created-at", "yesterday"], "'yesterday' is not an RFC 3339 date-time"),
            (["--updated-at", "2025-06-01T00:00:00"], "--updated-at"),
            (["--created-at", "2025-02-30T00:00:00Z"], "--created-at"),
            (["--width", "wide"], "--width"),
            (["--sort-by", "name"], "--sort-by"),
            (["--page-limit", "51"], "--page-limit"),
            (["--max-items", "-1"], "--max-items"),
            (["--concurrency", "0"], "--concurrency"),
            (["--format", "xml"], "--format"),
            (["--demo", "many"], "--demo"),
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
        assert refused.complaint.startswith(flag.partition("=")[0])
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
    @pytest.mark.parametrize("arguments", [["list", "--demo", "5"], ["-h"]], ids=" ".join)
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


class TestCount:
    def test_it_prints_one_number(self, command: Command, account: FakePlatform) -> None:
        assert command("count", platform=account) == Outcome(0, "100\n", "")

    def test_it_counts_what_the_filters_let_pass_with_one_request(
        self, command: Command, account: FakePlatform
    ) -> None:
        filters = ("--status", "failed", "--status", "ready", "--width", "1920")
        matching = account.tasks(status=["failed", "ready"], width=1920)
        assert command("count", *filters, platform=account).out == f"{len(matching)}\n"
        assert len(account.requests) == 1

    def test_it_counts_a_demo(self, command: Command) -> None:
        assert command("count", "--demo", "7") == Outcome(0, "7\n", "")

    def test_it_has_every_filter_of_a_listing(self) -> None:
        ordering = {"sort_by", "sort_option", "page_limit"}
        filters = {field.name for field in attrs.fields(TaskQuery)} - ordering
        assert filters <= {parameter.name for parameter in cli.commands["count"].params}


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


class TestCreate:
    @pytest.fixture
    def video(self, tmp_path: Path) -> Path:
        """A file of a few pieces."""
        path = tmp_path / "keynote.mp4"
        path.write_bytes(b"frames" * 200_000)
        return path

    @pytest.fixture
    def indexing(self, fake_platform_factory: FakePlatformFactory) -> FakePlatform:
        """A platform where a video is ready at the next look."""
        return fake_platform_factory(api_key=KEY, indexing_time=0.0)

    def test_a_file_is_uploaded_and_the_id_of_its_task_printed(
        self, command: Command, account: FakePlatform, video: Path
    ) -> None:
        created = command("create", "--index-id", "i", "--file", str(video), platform=account)
        [upload] = account.uploads
        assert created == Outcome(0, f"{upload.task_id}\n", "")
        assert upload.file is not None
        assert (upload.file.filename, upload.file.size) == ("keynote.mp4", 1_200_000)
        assert upload.index_id == "i"
        assert upload.enable_video_stream
        assert upload.user_metadata is None

    def test_an_address_is_sent_with_everything_that_was_said_of_the_video(
        self, command: Command, account: FakePlatform
    ) -> None:
        created = command(
            *("create", "--index-id", "i", "--url", "https://example.com/a.mp4", "--no-stream"),
            *("--metadata", "who=me=you", "--metadata", '{"year": 2025}', "--metadata", "none="),
            platform=account,
        )
        [upload] = account.uploads
        assert created == Outcome(0, f"{upload.task_id}\n", "")
        assert upload.video_url == "https://example.com/a.mp4"
        assert not upload.enable_video_stream
        assert upload.user_metadata == {"who": "me=you", "year": 2025, "none": ""}

    def test_a_terminal_sees_how_far_it_has_been_sent(
        self, terminal: Terminal, account: FakePlatform, video: Path
    ) -> None:
        caught = io.StringIO()
        arguments = ("create", "--index-id", "i", "--file", str(video), *at(account))
        assert run_in(terminal, *arguments, stdout=caught) == 0
        shown = terminal.close()
        assert "Uploading" in shown
        assert "1.2/1.2 MB" in shown
        assert shown.rfind("\x1b[2K") > shown.rfind("Uploading")  # The line of the bar is empty.
        assert caught.getvalue() == f"{account.uploads[0].task_id}\n"

    def test_a_dumb_terminal_sees_no_bar(
        self,
        terminal: Terminal,
        account: FakePlatform,
        video: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("TERM", "dumb")
        arguments = ("create", "--index-id", "i", "--file", str(video), *at(account))
        assert run_in(terminal, *arguments) == 0
        assert terminal.close() == f"{account.uploads[0].task_id}\n"

    def test_it_waits_on_request_and_prints_the_task_that_has_ended(
        self, command: Command, indexing: FakePlatform, video: Path
    ) -> None:
        created = command(
            *("create", "--index-id", "i", "--file", str(video), "--wait"), platform=indexing
        )
        task_id = indexing.uploads[0].task_id
        assert created.code == 0
        assert created.complaint == f"created task {task_id}, waiting for its end"
        [task] = created.tasks
        assert (task["_id"], task["status"]) == (task_id, "ready")

    def test_a_task_that_fails_is_printed_and_ends_the_wait_with_code_1(
        self, command: Command, account: FakePlatform, video: Path
    ) -> None:
        def fail_it(platform: FakePlatform, request: web.Request) -> None:
            if request.method == "GET":
                platform.finish(platform.uploads[0].task_id, status="failed")

        account.before_each(fail_it)
        created = command(
            *("create", "--index-id", "i", "--file", str(video), "--wait"), platform=account
        )
        assert created.code == 1
        assert [task["status"] for task in created.tasks] == ["failed"]
        assert f"1 of 1 tasks failed: {account.uploads[0].task_id}. " in created.err

    @pytest.mark.parametrize(
        ("flags", "named"),
        [
            ([], "either --url or --file"),
            (["--url", "https://example.com/a.mp4", "--file", "a.mp4"], "either --url or --file"),
            (["--url", "example.com"], "--url='example.com'"),
            (["--file", "no/such.mp4"], "--file='no/such.mp4'"),
            (["--url", "https://a.b/c", "--metadata", "year"], "neither KEY=VALUE nor"),
            (["--url", "https://a.b/c", "--metadata", '{"year"'], "is not a JSON object"),
            (["--url", "https://a.b/c", "--metadata", '{"year": NaN}'], "--metadata="),
            (["--url", "https://a.b/c", "--index-id", ""], "--index-id="),
        ],
    )
    def test_what_makes_no_upload_is_named_by_its_flag(
        self, command: Command, account: FakePlatform, flags: list[str], named: str
    ) -> None:
        refused = command("create", "--index-id", "i", *flags, platform=account)
        assert (refused.code, refused.out) == (2, "")
        assert named in refused.complaint
        assert account.requests == []

    def test_a_refusal_of_the_platform_is_one_line(
        self, command: Command, fake_platform_factory: FakePlatformFactory
    ) -> None:
        platform = fake_platform_factory(api_key=KEY, index_ids=["mine"])
        refused = command(
            *("create", "--index-id", "other", "--url", "https://example.com/a.mp4"),
            platform=platform,
        )
        assert (refused.code, refused.out) == (1, "")
        assert refused.complaint

    @pytest.mark.usefixtures("interruptible")
    def test_ctrl_c_ends_an_upload_and_takes_the_bar_away(
        self, terminal: Terminal, account: FakePlatform, video: Path
    ) -> None:
        def interrupted(_: web.Request) -> float:
            press_ctrl_c()
            return 0.0

        account.latency = interrupted
        account.hold()
        arguments = ("create", "--index-id", "i", "--file", str(video), *at(account))
        assert run_in(terminal, *arguments) == 130
        assert account.uploads == []
        assert terminal.close().endswith("\n")


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
        caught = io.StringIO()
        assert run_in(keyboard, "delete", *chosen, *at(account), stdout=caught) == 0
        assert "Delete these 2 tasks for good? [y/N]: " in keyboard.close()
        assert caught.getvalue().splitlines() == chosen

    @pytest.mark.parametrize(("typed", "code"), [("\n", 1), ("n\n", 1), ("\x04", 130)])
    def test_anything_but_yes_deletes_nothing(
        self, keyboard: Terminal, account: FakePlatform, chosen: list[str], typed: str, code: int
    ) -> None:
        keyboard.type(typed)
        assert run_in(keyboard, "delete", chosen[0], *at(account)) == code
        shown = keyboard.close()
        assert "Delete this task for good" in shown
        assert ("twelvetasks: Nothing was deleted\n" in shown) == (code == 1)
        assert account.requests == []

    def test_without_a_terminal_it_takes_a_yes_on_the_command_line(
        self, command: Command, account: FakePlatform, chosen: list[str]
    ) -> None:
        refused = command("delete", *chosen, platform=account)
        assert (refused.code, refused.out) == (2, "")
        assert "--yes" in refused.complaint
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


class TestWait:
    @pytest.fixture
    def four(self, fake_platform_factory: FakePlatformFactory) -> FakePlatform:
        """A task of each kind."""
        states = {"r": "ready", "s": "ready", "f": "failed", "q": "queued"}
        tasks = [{"_id": task_id, "status": status} for task_id, status in states.items()]
        return fake_platform_factory(tasks, api_key=KEY)

    def test_every_task_is_printed_once_it_has_ended(
        self, command: Command, four: FakePlatform
    ) -> None:
        waited = command("wait", "r", "s", platform=four)
        assert (waited.code, waited.err) == (0, "")
        assert {task["_id"] for task in waited.tasks} == {"r", "s"}

    def test_a_table_has_one_heading(self, command: Command, four: FakePlatform) -> None:
        waited = command("wait", "r", "s", "--format", "table", platform=four)
        heading, *rows = waited.out.splitlines()
        assert heading == HEADING
        assert {row.split()[0] for row in rows} == {"r", "s"}

    def test_one_that_failed_makes_it_code_1_after_all_are_printed(
        self, command: Command, four: FakePlatform
    ) -> None:
        waited = command("wait", "f", "r", platform=four)
        assert waited.code == 1
        assert {task["_id"] for task in waited.tasks} == {"f", "r"}
        assert waited.complaint.startswith("1 of 2 tasks failed: f. ")

    def test_one_that_is_not_there_is_named_after_all_others(
        self, command: Command, four: FakePlatform
    ) -> None:
        waited = command("wait", "gone", "r", platform=four)
        assert waited.code == 1
        assert [task["_id"] for task in waited.tasks] == ["r"]
        assert "gone" in waited.complaint

    def test_one_that_does_not_end_in_time_is_named_with_the_flag_to_raise(
        self, command: Command, four: FakePlatform
    ) -> None:
        waited = command("wait", "q", "r", "--timeout", "1", platform=four)
        assert waited.code == 1
        assert [task["_id"] for task in waited.tasks] == ["r"]
        assert "not ended within 1 seconds: q (queued)" in waited.complaint
        assert "twelvetasks wait --timeout" in waited.complaint

    @pytest.mark.parametrize("flag", ["--timeout", "--request-timeout"])
    @pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon"])
    def test_what_is_no_time_is_refused(
        self, command: Command, four: FakePlatform, flag: str, value: str
    ) -> None:
        refused = command("wait", "r", flag, value, platform=four)
        assert refused.code == 2
        assert flag in refused.complaint
        assert four.requests == []


def script(platform: FakePlatform, *actions: Callable[[], object]) -> None:
    """Do one thing at every tenth request; after the last, press Ctrl-C in this process."""
    due = iter([*actions, press_ctrl_c])

    def act(_: FakePlatform, __: web.Request) -> None:
        if len(platform.requests) % 10 == 0 and (action := next(due, None)) is not None:
            action()

    platform.before_each(act)


@pytest.mark.usefixtures("interruptible")
class TestWatch:
    SINCE = ("--since", "2025-06-01T00:00:00Z")
    OFTEN = ("--min-interval", "0.001", "--max-interval", "0.002")

    @pytest.fixture
    def one_task(self, fake_platform_factory: FakePlatformFactory) -> FakePlatform:
        task = {
            "_id": "62a17bf847f5678267ec10cc",
            "status": "queued",
            "created_at": "2025-06-02T02:50:00Z",
            "updated_at": "2025-06-02T03:00:01Z",
            "system_metadata": {"filename": "keynote.mp4"},
        }
        return fake_platform_factory([task], api_key=KEY)

    ID = "62a17bf847f5678267ec10cc"

    def test_every_change_is_a_line_until_ctrl_c(self, one_task: FakePlatform) -> None:
        with spawn(["watch", *self.SINCE, *self.OFTEN, *at(one_task)]) as process:
            assert process.stdout is not None
            first = json.loads(process.stdout.readline())
            one_task.finish(self.ID)
            second = json.loads(process.stdout.readline())
            os.kill(process.pid, signal.SIGINT)
            out, err = process.communicate()
        assert (process.returncode, out, err) == (130, b"", b"")
        assert first["before"] is None
        assert first["after"]["status"] == "queued"
        assert second == {"before": first["after"], "after": one_task.tasks()[0]}

    def test_without_since_it_begins_now(self, command: Command, one_task: FakePlatform) -> None:
        script(one_task, lambda: one_task.finish(self.ID))
        watched = command("watch", *self.OFTEN, platform=one_task)
        assert (watched.code, watched.err) == (130, "")
        [change] = watched.tasks
        assert change["after"] == one_task.tasks()[0]

    def test_the_filters_are_those_of_a_listing(
        self, command: Command, one_task: FakePlatform
    ) -> None:
        script(one_task, lambda: one_task.advance(self.ID), lambda: one_task.finish(self.ID))
        watched = command(
            *("watch", "--status", "ready", "--status", "failed", *self.SINCE, *self.OFTEN),
            platform=one_task,
        )
        [change] = watched.tasks
        assert change["after"]["status"] == "ready"

    def test_deletions_are_printed_on_request(
        self, command: Command, one_task: FakePlatform
    ) -> None:
        script(one_task, lambda: one_task.delete(self.ID))
        watched = command("watch", "--deletions", *self.OFTEN, platform=one_task)
        assert [change["after"] for change in watched.tasks] == [None]
        assert watched.tasks[0]["before"]["_id"] == self.ID

    def test_a_terminal_gets_a_line_to_read(
        self, terminal: Terminal, one_task: FakePlatform
    ) -> None:
        def rename() -> None:
            one_task.update(
                self.ID, updated_at="2025-06-03T00:00:00Z", system_metadata={"filename": "\x1b[2J"}
            )

        script(one_task, rename, lambda: one_task.delete(self.ID))
        assert (
            run_in(terminal, "watch", "--deletions", *self.SINCE, *self.OFTEN, *at(one_task)) == 130
        )
        shown = without_styles(terminal.close())
        name = "\N{REPLACEMENT CHARACTER}[2J"
        assert shown.splitlines()[:3] == [
            f"2025-06-02 03:00:01  {self.ID}             -> queued      keynote.mp4",
            f"2025-06-03 00:00:00  {self.ID}  queued     -> queued      {name}",
            f"2025-06-03 00:00:00  {self.ID}  queued     -> deleted     {name}",
        ]

    def test_it_says_what_it_outlives(self, command: Command, one_task: FakePlatform) -> None:
        script(one_task)
        one_task.fail(status=500, times=5)
        watched = command("watch", *self.OFTEN, platform=one_task)
        assert watched.code == 130
        assert watched.complaint.startswith("the watch goes on in ")

    def test_a_checkpoint_leads_on_behind_the_last_change(
        self, command: Command, one_task: FakePlatform, tmp_path: Path
    ) -> None:
        place = tmp_path / "place"
        arguments = ("watch", *self.SINCE, *self.OFTEN, "--checkpoint", str(place))
        with spawn([*arguments, *at(one_task)]) as process:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["after"]["status"] == "queued"
            os.kill(process.pid, signal.SIGINT)
        one_task.advance(self.ID)
        script(one_task)
        watched = command(*arguments, platform=one_task)
        assert [change["after"]["status"] for change in watched.tasks] == ["indexing"]
        assert [path.name for path in tmp_path.iterdir()] == ["place"]

    def test_a_watch_that_saw_no_change_has_a_place_as_well(
        self, command: Command, one_task: FakePlatform, tmp_path: Path
    ) -> None:
        arguments = ("watch", *self.OFTEN, "--checkpoint", str(tmp_path / "place"))
        script(one_task)
        assert command(*arguments, platform=one_task).out == ""
        one_task.advance(self.ID)
        script(one_task)
        assert len(command(*arguments, platform=one_task).tasks) == 1

    def test_a_change_that_could_not_be_printed_is_printed_next_time(
        self, command: Command, one_task: FakePlatform, tmp_path: Path
    ) -> None:
        arguments = ("watch", *self.SINCE, *self.OFTEN, "--checkpoint", str(tmp_path / "place"))
        reading, writing = os.pipe()
        os.close(reading)
        with suppress(BrokenPipeError), os.fdopen(writing, "w") as pipe, redirect_stdout(pipe):
            assert run([*arguments, *at(one_task)]) == 141
        script(one_task)
        assert len(command(*arguments, platform=one_task).tasks) == 1

    @pytest.mark.parametrize("held", [b"", b"nonsense", b"\xff"])
    def test_a_file_that_holds_no_checkpoint_is_refused_and_kept(
        self, command: Command, one_task: FakePlatform, tmp_path: Path, held: bytes
    ) -> None:
        place = tmp_path / "place"
        place.write_bytes(held)
        refused = command("watch", "--checkpoint", str(place), platform=one_task)
        assert refused.code == 2
        assert "--checkpoint" in refused.complaint
        assert (place.read_bytes(), one_task.requests) == (held, [])

    def test_a_checkpoint_that_cannot_be_kept_is_named_before_any_request(
        self, command: Command, one_task: FakePlatform, tmp_path: Path
    ) -> None:
        place = str(tmp_path / "no" / "place")
        failed = command("watch", "--checkpoint", place, platform=one_task)
        assert failed.code == 1
        assert place in failed.complaint
        assert one_task.requests == []

    def test_a_checkpoint_of_another_watch_is_refused(
        self, command: Command, one_task: FakePlatform, tmp_path: Path
    ) -> None:
        arguments = ("watch", *self.OFTEN, "--checkpoint", str(tmp_path / "place"))
        script(one_task)
        command(*arguments, platform=one_task)
        refused = command(*arguments, "--width", "1920", platform=one_task)
        assert refused.code == 2
        assert "same filters" in refused.complaint

    def test_intervals_that_contradict_each_other_are_named(
        self, command: Command, one_task: FakePlatform
    ) -> None:
        refused = command("watch", "--max-interval", "1", platform=one_task)
        assert refused.code == 2
        assert refused.complaint.startswith("--max-interval=1.0")


class TestClosedPipe:
    @pytest.mark.parametrize("layout", ["jsonl", "table"])
    def test_a_closed_pipe_ends_quietly(self, layout: str) -> None:
        with spawn(["list", "--demo", "3000", "--format", layout]) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == 141

    @pytest.mark.parametrize(
        "arguments",
        [["list", "--demo", "1"], ["list", "--demo", "1", "--format", "table"], ["list", "-h"]],
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
        assert "UPDATED" not in shown
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
        for code in ("0 done", "1 the platform", "2 the command", "130 Ctrl-C", "141 the reader"):
            assert code in told

    @pytest.mark.parametrize("missing", ["click", "rich.console"])
    def test_without_its_extra_it_names_the_extra(
        self, monkeypatch: pytest.MonkeyPatch, missing: str
    ) -> None:
        monkeypatch.delitem(sys.modules, "twelvetasks.cli")
        monkeypatch.setitem(sys.modules, missing, None)
        with pytest.raises(SystemExit, match=r"pip install 'twelvetasks\[cli\]'"):
            main()

    def test_another_missing_module_is_no_matter_of_the_extra(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delitem(sys.modules, "twelvetasks.cli")
        monkeypatch.setitem(sys.modules, "stamina", None)
        with pytest.raises(ModuleNotFoundError, match="stamina"):
            main()

    def test_ctrl_c_while_it_is_still_starting_ends_as_quietly(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def interrupted() -> int:
            raise KeyboardInterrupt

        monkeypatch.setattr("twelvetasks.cli.run", interrupted)
        assert exit_code_of(main) == 130
        assert capsys.readouterr() == ("", "")


def exit_code_of(program: Callable[[], object]) -> object:
    with pytest.raises(SystemExit) as ended:
        program()
    return ended.value.code
