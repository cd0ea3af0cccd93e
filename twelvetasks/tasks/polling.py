"""When to ask again: a policy for the pauses between polls, and the schedule of one wait by it.

Pure: it is told the time and the chance, and never sleeps itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from twelvetasks.values.checks import positive_seconds, refuse

__all__ = ["Polling", "Schedule"]

MOST_STEPS = 100
"""Steps of growth after which `longest` has been reached, or growth is too small to matter."""


def _between(least: float, most: float) -> Callable[[object, attrs.Attribute[Any], object], None]:
    def check(_: object, field: attrs.Attribute[Any], value: object) -> None:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not least <= value <= most:  # type: ignore[operator]
            refuse(field.name, value, f"must be a number from {least:g} to {most:g}")

    return check


@attrs.frozen(kw_only=True)
class Polling:
    """How often to look at tasks that are waited for.

    The pauses grow, because what has taken long mostly goes on to take long, and are spread, so
    that programs started together do not ask together.

    Raises InvalidArgumentError for a value out of range.
    """

    first: float = attrs.field(default=2.0, validator=positive_seconds)
    """Seconds between the first look and the second."""
    growth: float = attrs.field(default=1.5, validator=_between(1, 10))
    """How many times as long as the last each pause is, from 1 to 10."""
    longest: float = attrs.field(default=30.0, validator=positive_seconds)
    """Seconds beyond which the pauses do not grow."""
    jitter: float = attrs.field(default=0.2, validator=_between(0, 1))
    """The share of a pause, from 0 to 1, by which it is lengthened or shortened at random."""

    def pause(self, polls: int, chance: float) -> float:
        """Give the seconds to wait after so many polls; `chance` is from 0 to 1."""
        grown = self.first * self.growth ** min(max(polls - 1, 0), MOST_STEPS)
        return min(grown, self.longest) * (1 + self.jitter * (2 * chance - 1))


class Schedule:
    """The polls of one wait: when the next one is due, and when it is too late for any."""

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
        """Take down that a poll was made now."""
        self._polls += 1
        self._due = self._clock() + self._polling.pause(self._polls, self._chance())

    @property
    def left(self) -> float:
        """Seconds until it is too late."""
        return max(self._deadline - self._clock(), 0.0)

    @property
    def pause(self) -> float:
        """Seconds until the next poll is due, or until it is too late for one."""
        return min(max(self._due - self._clock(), 0.0), self.left)
