"""The one event loop that the connections, events and tasks of a session or a gate belong to.

asyncio itself notices a use from another loop late, or hangs; so every entry checks here first.
"""

from __future__ import annotations

import asyncio

from twelvetasks.values.errors import SessionClosedError


class HomeLoop:
    """The event loop in which a session or gate, of the class named, was first used."""

    def __init__(self, noun: str, owner: str) -> None:
        self._noun = noun
        self._owner = owner
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def is_over(self) -> bool:
        """Whether the loop is closed, so that nothing of its owner can run any more."""
        return self._loop is not None and self._loop.is_closed()

    def enter(self, *, page: int | None = None) -> None:
        """Check that the caller runs in this loop; the first caller's loop becomes it.

        Raises SessionClosedError in another loop, and where no asyncio loop is running.
        """
        if self._loop is not None and running_loop() is self._loop:
            return
        loop = needed_loop(page=page)
        if self._loop is None:
            self._loop = loop
        else:
            raise SessionClosedError(
                f"the {self._noun} was opened in another event loop",
                advice=f"Make a {self._owner} in each event loop, such as in each asyncio.run(); "
                "to use this one, call asyncio.run_coroutine_threadsafe with its loop",
                page=page,
            )

    def enter_to_close(self) -> None:
        """Check like `enter`, but allow that it was never used, or that the loop is closed."""
        if self._loop is not None and not self.is_over:
            self.enter()


def needed_loop(*, page: int | None = None) -> asyncio.AbstractEventLoop:
    """Return the running asyncio loop; raise SessionClosedError if there is none."""
    loop = running_loop()
    if loop is None:
        raise SessionClosedError(
            "no asyncio event loop is running here",
            advice="twelvetasks needs asyncio: use asyncio.run(), or anyio.run() with the "
            "backend asyncio; it does not run under trio",
            page=page,
        )
    return loop


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the running asyncio loop, or None."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
