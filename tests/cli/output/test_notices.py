"""The notices that break a silence, in a real pseudo-terminal."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.cli.running import Command, Terminal, at, spawn
from twelvetasks.testing import FakePlatform


@pytest.fixture
def unreachable() -> Iterator[str]:
    """An address that accepts no connection and refuses none: its queue is full."""
    with ExitStack() as opened:
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1.3"


def until_said(terminal: Terminal, notice: str, *arguments: str) -> str:
    """Run the command in a terminal until it says this, and end it by Ctrl-C."""
    with spawn(arguments, stdout=terminal.stream, stderr=terminal.stream) as process:
        terminal.wait_for(notice)
        os.kill(process.pid, signal.SIGINT)
    assert process.returncode == 130
    return terminal.close()


@pytest.mark.parametrize("command", [["list"], ["count"], ["stats"], ["get", "x"], ["wait", "x"]])
def test_a_request_without_an_answer_is_told(
    terminal: Terminal, account: FakePlatform, command: list[str]
) -> None:
    account.hold()
    until_said(terminal, "twelvetasks: waiting for an answer of 127.0.0.1", *command, *at(account))


def test_a_connection_that_is_not_accepted_is_told(terminal: Terminal, unreachable: str) -> None:
    until_said(terminal, "twelvetasks: connecting to 127.0.0.1", "list", "--base-url", unreachable)


def test_a_connection_that_fails_is_told_at_once(terminal: Terminal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    address = f"http://127.0.0.1:{port}/v1.3"
    shown = until_said(terminal, "retrying (3/6)", "count", "--base-url", address)
    told = re.findall(r"twelvetasks: connection failed, retrying \((\d)/6\) in \d s: .*", shown)
    assert told == ["2", "3"]


def test_many_requests_that_fail_together_are_told_once(
    terminal: Terminal, long_account: FakePlatform
) -> None:
    for page in range(2, 7):
        long_account.fail(disconnect=True, page=page)
    with spawn(
        ["list", "--format", "csv", *at(long_account)],
        stdout=terminal.stream,
        stderr=terminal.stream,
    ) as process:
        pass
    assert process.returncode == 0
    shown = terminal.close()
    assert 1 <= shown.count("connection failed, retrying (2/6)") <= 2


def test_a_host_that_looks_like_another_is_told_in_its_ascii_form(
    terminal: Terminal, unreachable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", unreachable.removesuffix("/v1.3"))
    url = "https://\u0435x\u0430mple.invalid/v1.3"  # two of its letters are Cyrillic
    until_said(terminal, "connecting to xn--xmple-4ve7a.invalid\r\n", "list", "--base-url", url)


def test_a_retry_is_told_with_its_number_and_its_reason(
    terminal: Terminal, account: FakePlatform
) -> None:
    account.fail(status=503, times=20)
    shown = until_said(terminal, "retrying (4/6)", "count", *at(account))
    assert re.search(r"twelvetasks: retrying \(4/6\) in \d s: .*503", shown)


def test_the_end_of_a_rate_limit_is_told(terminal: Terminal, account: FakePlatform) -> None:
    account.fail(status=429, times=1, headers={"Retry-After": "30"})
    shown = until_said(terminal, "waiting for the rate limit", "list", *at(account))
    assert re.search(r"waiting for the rate limit until \d\d:\d\d:\d\d\n", shown)


def test_the_seconds_of_a_pause_are_counted_in_a_line_that_is_erased(
    terminal: Terminal, account: FakePlatform
) -> None:
    account.fail(status=429, times=1, headers={"Retry-After": "5"})
    with spawn(["count", *at(account)], stdout=terminal.stream, stderr=terminal.stream) as process:
        terminal.wait_for("\x1b[2K  4s")
    assert process.returncode == 0
    shown = terminal.close()
    assert len(re.findall("waiting for the rate limit", shown)) == 1
    assert shown.endswith("\r\x1b[2K100\n")


def test_where_no_line_can_be_erased_none_is_counted(
    terminal: Terminal, account: FakePlatform
) -> None:
    account.fail(status=429, times=1, headers={"Retry-After": "4"})
    with spawn(
        ["count", *at(account)],
        stdout=terminal.stream,
        stderr=terminal.stream,
        environment={"TERM": "dumb"},
    ) as process:
        pass
    assert process.returncode == 0
    assert re.fullmatch(r"twelvetasks: waiting for [^\n]*\n100\n", terminal.close())


def test_a_log_file_is_told_the_end_of_a_long_pause_once(account: FakePlatform) -> None:
    account.fail(status=429, times=1, headers={"Retry-After": "30"})
    with spawn(["count", *at(account)]) as process:
        assert process.stderr is not None
        told = process.stderr.readline()
        os.kill(process.pid, signal.SIGINT)
        _, rest = process.communicate()
    assert re.fullmatch(
        r"twelvetasks: waiting for the rate limit until \d\d:\d\d:\d\d\n", told.decode()
    )
    assert rest == b""


def test_a_large_demo_is_made_under_a_line_that_counts(terminal: Terminal) -> None:
    arguments = ["count", "--demo-size", "60000"]
    with spawn(arguments, stdout=terminal.stream, stderr=terminal.stream) as process:
        terminal.wait_for("making the demo account")
    assert process.returncode == 0
    shown = terminal.close()
    assert "making a demo account of 60,000 tasks\n" in shown
    assert re.search(r"making the demo account .*0:00:0\d", shown)


def test_a_bar_stays_below_the_notice(terminal: Terminal, long_account: FakePlatform) -> None:
    held = long_account.hold(page=4)
    arguments = ["list", "--format", "csv", "--progress", "--concurrency", "1", *at(long_account)]
    with spawn(arguments, stdout=terminal.stream, stderr=terminal.stream) as process:
        terminal.wait_for("waiting for an answer")
        held.release()
    assert process.returncode == 0
    assert "twelvetasks: waiting for an answer of 127.0.0.1\n" in terminal.close()


def test_a_log_file_is_spared(command: Command, account: FakePlatform) -> None:
    account.fail(status=503, times=2)
    counted = command("count", platform=account)
    assert (counted.code, counted.err) == (0, "")


def test_a_lost_connection_is_told_once_an_attempt(terminal: Terminal) -> None:
    shown = until_said(terminal, "retrying (4/6)", "count", "--base-url", "http://127.0.0.1:9/v1.3")
    told = re.findall(r"retrying \((\d)/6\)", shown)
    assert told == sorted(set(told))
