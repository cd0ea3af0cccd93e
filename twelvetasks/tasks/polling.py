"""How to wait and when to poll again: the `WaitPlan`, its `Polling`, and the schedule of one wait.

Pure: the clock and the random numbers are passed in, and it never sleeps.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import attrs

from twelvetasks.values.checks import positive_seconds, refuse
from twelvetasks.values.query import ListQuery
from twelvetasks.values.tasks import Task

ItemT = TypeVar("ItemT")

OnItemChange = Callable[[ItemT], Awaitable[None] | None]
"""Called, or awaited, with each item when it is first seen and whenever its status changes.

What is awaited runs as a task: it continues when an `anext` is cancelled, and closing the wait
cancels it.
"""

OnChange = OnItemChange[Task]
"""The same for tasks."""

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


def _checked_callback(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if not callable(value):
        refuse(field.name, value, "must be a function that takes an item")


def _default_policy(polling: Polling | None) -> Polling:
    return Polling() if polling is None else polling


def _checked_policy(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, Polling):
        refuse(field.name, value, "must be a Polling")


def _has_ends(_: object, field: attrs.Attribute[Any], query: ListQuery[Any]) -> None:
    if not query.resource.ended:
        refuse(field.name, query, "its resource names no final status, so a wait would not end")


@attrs.frozen(kw_only=True)
class WaitPlan(Generic[ItemT]):
    """How to wait. Raises InvalidArgumentError for a value out of range."""

    timeout: float = attrs.field(validator=positive_seconds)
    """Seconds, from the first poll."""
    polling: Polling = attrs.field(
        default=None, converter=_default_policy, validator=_checked_policy
    )
    on_change: OnItemChange[ItemT] | None = attrs.field(
        default=None, validator=attrs.validators.optional(_checked_callback)
    )
    query: ListQuery[ItemT] = attrs.field(validator=_has_ends)
    """The list of what is waited for, with any filters."""


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
