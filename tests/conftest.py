"""What every test shares: nothing may be left running when a test ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator

import pytest
import stamina
from coverage import Coverage
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import WorkStealingScheduling

from tests.loops import LOOPS, Loops
from tests.secrecy import Plugin
from twelvetasks import TaskSession
from twelvetasks.testing import FakePlatform


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--histories",
        type=int,
        default=1000,
        help="how many random histories each property is tried on (20,000 in the nightly session)",
    )
    parser.addoption(
        "--schedules",
        type=int,
        default=300,
        help="through how many random bad networks 5,000 tasks are listed",
    )
    parser.addoption(
        "--cancellations",
        type=int,
        default=2000,
        help="at how many points something is cancelled (20,000 in the nightly session)",
    )
    parser.addoption(
        "--loop",
        choices=list(LOOPS),
        default="plain",
        help="the event loop that asynchronous tests run in",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Let Hypothesis try as many examples, too, when more histories than usual are asked for.

    It times no example: a busy machine must fail no test.
    """
    # Two measurements run in a worker of xdist by now: that of any subprocess, and one that
    # pytest-cov takes for a controller's. They would measure what is marked `no_cover`, since each
    # goes on when the one above it, which begins at the session's start, is paused.
    while hasattr(config, "workerinput") and (measurement := Coverage.current()) is not None:
        measurement.stop()
    config.pluginmanager.register(Plugin())
    if (loop := str(config.getoption("loop"))) != "plain":
        config.pluginmanager.register(Loops(loop))
    settings.register_profile("untimed", deadline=None)
    settings.load_profile("untimed")
    if (number := _histories(config)) > 1000:
        settings.register_profile("nightly", max_examples=number)
        settings.load_profile("nightly")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return what `-n auto` means: one worker more than cores, since many tests wait."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> WorkStealingScheduling:
    """Let idle workers take tests from busy ones, since some tests take a hundred times as long."""
    return WorkStealingScheduling(config, log)


@pytest.fixture
def histories(pytestconfig: pytest.Config) -> int:
    """How many random histories to play."""
    return _histories(pytestconfig)


@pytest.fixture
def schedules(pytestconfig: pytest.Config) -> int:
    """Through how many bad networks to list."""
    number = pytestconfig.getoption("schedules")
    assert isinstance(number, int)
    return number


@pytest.fixture
def cancellations(pytestconfig: pytest.Config) -> int:
    """How many times to cancel something that has not ended."""
    number = pytestconfig.getoption("cancellations")
    assert isinstance(number, int)
    return number


def _histories(config: pytest.Config) -> int:
    number = config.getoption("histories")
    assert isinstance(number, int)
    return number


@pytest.fixture(autouse=True)
async def nothing_is_left_running() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    for _ in range(10):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() - before - {asyncio.current_task()} == set()


@pytest.fixture(autouse=True)
def retries_do_not_sleep(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stamina's own switch for tests: as many attempts, without the waits between them."""
    for name in (
        *("TWELVE_LABS_API_KEY", "TWELVELABS_BASE_URL", "TWELVETASKS_BASE_URL"),
        "TWELVETASKS_LOG",
    ):
        monkeypatch.delenv(name, raising=False)
    stamina.set_testing(True, attempts=5)
    yield
    stamina.set_testing(False)


@pytest.fixture
async def platform() -> AsyncIterator[FakePlatform]:
    """A platform with 230 tasks: five pages of 50, the last with 30."""
    async with FakePlatform.demo(230) as started:
        yield started
        await until_no_connection(started)


@pytest.fixture
async def session(platform: FakePlatform) -> AsyncIterator[TaskSession]:
    async with TaskSession(platform.api_key, base_url=platform.base_url) as opened:
        yield opened


async def until_no_connection(platform: FakePlatform) -> None:
    """Give the sockets of this loop a moment to be seen as closed, then insist that they are."""
    for _ in range(200):
        if not platform.open_connections:
            break
        await asyncio.sleep(0.005)
    assert platform.open_connections == 0
