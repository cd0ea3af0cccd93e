"""How the tests run the command: in this process, or in one of its own where it is about a process.

Every wait is bounded.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import termios
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import IO, Any, Protocol

import attrs
import pytest

from twelvetasks.cli.program import run
from twelvetasks.testing import FakePlatform

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


def heed_ctrl_c() -> None:
    """Let a new process heed Ctrl-C: it inherits the deafness of a test run in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


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


HEADING = "ID                        STATUS      CREATED (UTC)     UPDATED (UTC)      LENGTH  FILE"


def exit_code_of(program: Callable[[], object]) -> object:
    with pytest.raises(SystemExit) as ended:
        program()
    return ended.value.code
