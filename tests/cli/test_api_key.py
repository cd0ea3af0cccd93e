"""The API key: from the environment or from a hidden prompt, and never from an argument."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from tests.cli.running import AS_MODULE, KEY, LONGEST_WAIT, Command, at
from twelvetasks.testing import FakePlatform


@pytest.mark.parametrize(
    "arguments",
    [
        ["--api-key", KEY, "list"],
        [f"--api-key={KEY}", "list"],
        ["list", "--api-key", KEY],
        ["count", f"--key={KEY}"],
        ["delete", "a", "--token", KEY],
        ["wait", "a", "--api-key"],
    ],
    ids=lambda arguments: " ".join(arguments).replace(KEY, "KEY"),
)
def test_an_argument_is_refused_with_advice_and_not_shown(
    command: Command, arguments: list[str]
) -> None:
    refused = command(*arguments)
    assert refused.code == 2
    assert "never an argument" in refused.complaint
    assert "TWELVE_LABS_API_KEY" in refused.complaint


def test_the_help_does_not_offer_one(command: Command) -> None:
    assert "--api-key" not in command("list", "-h").out


def prompted(platform: FakePlatform, typed: str) -> tuple[int, str, str]:
    """Run `count` at a terminal of its own, type at its prompt; give code, output and screen."""
    master, slave = os.openpty()
    environment = {name: held for name, held in os.environ.items() if name != "TWELVE_LABS_API_KEY"}
    take_terminal = (
        "import os, signal, sys; os.setsid(); os.close(os.open(os.ttyname(0), os.O_RDWR)); "
        # A test run in the background ignores SIGINT, and would let its children inherit that.
        "signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", take_terminal, *AS_MODULE, "count", *at(platform)],
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=slave,
        env=environment,
    ) as process:
        os.close(slave)
        patience = threading.Timer(LONGEST_WAIT, process.kill)
        patience.start()
        shown = b""
        while b"API key: " not in shown and (news := read(master)):
            shown += news
        os.write(master, typed.encode())
        while news := read(master):
            shown += news
        assert process.stdout is not None
        out = process.stdout.read().decode()
        patience.cancel()
    os.close(master)
    return process.returncode, out, shown.decode()


def read(master: int) -> bytes:
    try:
        return os.read(master, 65536)
    except OSError:
        return b""  # How Linux says that the other side has been closed.


def test_a_terminal_is_asked_and_does_not_show_what_is_typed(account: FakePlatform) -> None:
    code, out, shown = prompted(account, f"{KEY}\n")
    assert (code, out) == (0, "100\n")
    assert shown.split() == ["TwelveLabs", "API", "key:"]
    assert {request.headers["x-api-key"] for request in account.requests} == {KEY}


def test_ctrl_c_at_the_prompt_ends_it(account: FakePlatform) -> None:
    code, out, shown = prompted(account, "\x03")
    assert (code, out) == (130, "")
    assert "Traceback" not in shown
    assert account.requests == []
