"""The memory that unverified bodies may take.

Anybody can send a body with a signature of the right form, many of them and slowly. A body of the
size of an event is always read. The bytes beyond that share one allowance, so a flood of large
bodies holds no more than the allowance, and never keeps out a real event.
"""

from __future__ import annotations

import threading

ALWAYS = 16 * 1024
"""Bytes of a body that are always read; an event of the platform has about one thousand."""

SHARED = 8 * 1024 * 1024
"""Bytes beyond these that all unverified bodies of one receiver may take together."""


class Allowance:
    """What the unverified bodies of one receiver take; any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = 0

    def take(self, before: int, after: int) -> bool:
        """Return whether a body may grow from `before` to `after` bytes, and note it if so."""
        more = max(after - ALWAYS, 0) - max(before - ALWAYS, 0)
        with self._lock:
            if more and self._taken + more > SHARED:
                return False
            self._taken += more
        return True

    def give_back(self, size: int) -> None:
        """Note that a body of `size` bytes was verified, or dropped."""
        with self._lock:
            self._taken -= max(size - ALWAYS, 0)
