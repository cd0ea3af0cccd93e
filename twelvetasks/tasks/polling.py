"""When to poll again: the `Polling` policy, and the schedule of one wait.

Pure: the clock and the random numbers are passed in, and it never sleeps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from twelvetasks.values.checks import positive_seconds, refuse

MOST_STEPS = 100
"""Most steps of growth, which keep the power below within a float."""


def _between(least: float, most: float) -> Callable[[object, attrs.Attribute[Any], object], None]:
    def check(_: object, field: attrs.Attribute[Any], value: object) -> None:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not least <= value <= most:  # type: ignore[operator]
            refuse(field.name, value, f"must be a number from {least:g} to {most:g}")

    return check


@attrs.frozen(kw_only=True)
class Polling:
    """How often a wait polls.

    The pauses grow, because a task that has taken long will probably take longer, and vary at
    random, so that programs started together do not poll in step.

    Raises InvalidArgumentError for a value out of range.
    """

    first: float = attrs.field(default=2.0, validator=positive_seconds)
    """Seconds between the first poll and the second."""
    growth: float = attrs.field(default=1.5, validator=_between(1, 10))
    """Factor by which each pause is longer than the one before, from 1 to 10."""
    longest: float = attrs.field(default=30.0, validator=positive_seconds)
    """Seconds of the longest pause, before jitter."""
    jitter: float = attrs.field(default=0.2, validator=_between(0, 1))
    """The share of a pause, from 0 to 1, by which it is lengthened or shortened at random."""

    def pause(self, polls: int, chance: float) -> float:
        """Return the seconds to wait after so many polls; `chance` is random, from 0 to 1."""
        grown = self.first * self.growth ** min(max(polls - 1, 0), MOST_STEPS)
        return min(grown, self.longest) * (1 + self.jitter * (2 * chance - 1))


class Schedule:
    """The polls of one wait: when the next one is due, and when the timeout is over."""

    def __init__(
        self,
        polling: Polling,
        *,
        timeout: float,
        clock: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self._polling = polling
        self._clock = clock
        self._chance = chance
        self._due = clock()
        self._deadline = self._due + timeout
        self._polls = 0

    def polled(self) -> None:
        """Note that a poll begins now."""
        self._polls += 1
        self._due = self._clock() + self._polling.pause(self._polls, self._chance())

    @property
    def left(self) -> float:
        """Seconds until the timeout is over."""
        return max(self._deadline - self._clock(), 0.0)

    def left_with(self, grace: float) -> float:
        """Return the seconds until some more are over after the timeout."""
        return max(self._deadline + grace - self._clock(), 0.0)

    @property
    def pause(self) -> float:
        """Seconds until the next poll is due, or until the timeout is over."""
        return min(max(self._due - self._clock(), 0.0), self.left)
