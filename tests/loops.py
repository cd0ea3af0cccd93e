"""The event loops that programs run the library in, by name; `--loop` runs the tests in one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

import pytest
import uvloop

__all__ = ["LOOPS", "Loops"]

NewLoop = Callable[[], asyncio.AbstractEventLoop]


def quiet(loop: asyncio.AbstractEventLoop) -> asyncio.AbstractEventLoop:
    """Let a loop in debug mode not log what a busy machine takes long for."""
    loop.slow_callback_duration = float("inf")
    return loop


def plain() -> asyncio.AbstractEventLoop:
    return quiet(asyncio.new_event_loop())


def of_uvloop() -> asyncio.AbstractEventLoop:
    return quiet(uvloop.new_event_loop())


def debug() -> asyncio.AbstractEventLoop:
    """Make a loop that checks more."""
    loop = plain()
    loop.set_debug(True)
    return loop


LOOPS: dict[str, NewLoop] = {
    "plain": plain,
    "debug": debug,
    "uvloop": of_uvloop,
}

if sys.version_info >= (3, 12):

    def eager() -> asyncio.AbstractEventLoop:
        """Make a loop whose tasks run at once until they first wait."""
        loop = plain()
        loop.set_task_factory(asyncio.eager_task_factory)
        return loop

    LOOPS["eager"] = eager


class Loops:
    """A plugin that runs every asynchronous test in one of the loops."""

    def __init__(self, name: str) -> None:
        self._name = name

    def pytest_asyncio_loop_factories(
        self,
        config: pytest.Config,
        item: pytest.Item,
    ) -> dict[str, NewLoop]:
        """Name the loop, so that each test is run in it alone."""
        return {self._name: LOOPS[self._name]}
