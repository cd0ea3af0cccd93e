"""Collects the platform's responses to the calls within a block.

A context variable holds the collectors: asyncio passes it to every task that a call starts, so that
concurrent calls in other blocks never mix.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from twelvetasks.values.response import Response

MOST = 1000
"""Answers that a block keeps, the newest: a watch in it may run for weeks."""

_collectors: ContextVar[tuple[deque[Response], ...]] = ContextVar("_collectors", default=())


@contextmanager
def responses() -> Iterator[deque[Response]]:
    """Collect the `Response` of each answer to the calls within a block, the oldest first.

    For request ids, headers and the remaining rate limit, where a call returns something else::

        with twelvetasks.responses() as seen:
            newest = await session.tasks().first()
        print(seen[-1].status, seen[-1].request_id, seen[-1].remaining)

    It includes retries and refusals, and keeps the newest 1,000. Calls in other tasks of the
    program are not included, unless the block started them.
    """
    seen: deque[Response] = deque(maxlen=MOST)
    _collectors.set((*_collectors.get(), seen))
    try:
        yield seen
    finally:
        # Not by a token: a block in an async generator may end in another context.
        _collectors.set(tuple(other for other in _collectors.get() if other is not seen))


def collect(response: Response) -> None:
    """Hand an answer to every block that its request was made in."""
    for seen in _collectors.get():
        seen.append(response)
