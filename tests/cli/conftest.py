"""What the tests of the command share: a plain environment, accounts behind a key, a terminal."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.cli.running import KEY, Command, Outcome, Terminal, without_key
from twelvetasks.cli.program import run
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.fixtures import FakePlatformFactory


@pytest.fixture(autouse=True)
def ordinary_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (
        "LINES",
        "NO_COLOR",
        "FORCE_COLOR",
        "TTY_COMPATIBLE",
        "TTY_INTERACTIVE",
        "COLORTERM",
    ):
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


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    opened = Terminal()
    yield opened
    opened.close()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C interrupts this process, even in a test run that was started in the background."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)
