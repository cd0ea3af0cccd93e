"""Waves of requests: each begins with the first answer to a request of the wave before. Pure."""

from __future__ import annotations


class Waves:
    """How much of a wave is under way: where all requests take as long, so do all waves."""

    def __init__(self) -> None:
        self._began = self._asked = 0

    def ask(self) -> None:
        """Note that something is asked for."""
        self._asked += 1

    def answer(self, asked: int, moment: int) -> None:
        """Note an answer, by the moments at which it was asked for and at which it arrived."""
        if asked >= self._began:
            self._began, self._asked = moment, 0

    def left(self, window: int) -> int:
        """Return how many requests the wave has room for, if so many may be under way at once."""
        return window - self._asked
