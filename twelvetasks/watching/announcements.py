"""What webhooks have told a watch and its polls have not shown yet: when to look for it.

Pure. A webhook only makes the watch look sooner; what is delivered is what a poll shows. So it
cannot matter to what is delivered whether a webhook is lost, late, doubled or out of order, and if
the listing lags behind it, the watch looks again, less and less often, until it looks no sooner
than it would by itself.
"""

from __future__ import annotations

from collections.abc import Callable

from twelvetasks.values.models import Task, TaskStatus

__all__ = ["APART", "Announced"]

APART = 1.0
"""Seconds between two polls that webhooks ask for: a flood of them costs no more requests."""

GROWTH = 2.0
"""By how much the time to the next look for the same thing grows."""

MOST = 10_000
"""Tasks that are looked for at once."""


class Announced:
    """The states of tasks that were announced and are looked for."""

    def __init__(self) -> None:
        self._fresh: dict[str, TaskStatus] = {}
        """Announced since the last poll began, which therefore may be too old to show it."""
        self._sought: dict[str, TaskStatus] = {}
        self._next = APART

    def __len__(self) -> int:
        return len(self._fresh) + len(self._sought)

    def add(self, id: str, status: TaskStatus) -> None:  # noqa: A002
        """Look for this state of this task."""
        self._next = APART
        self._sought.pop(id, None)
        self._fresh.pop(id, None)
        self._fresh[id] = status
        if len(self) > MOST:
            older = self._sought or self._fresh
            del older[next(iter(older))]

    def begin_poll(self) -> None:
        """Note that a poll begins: it is asked for all that has been announced until now."""
        self._sought |= self._fresh
        self._fresh.clear()

    def end_poll(self, known: Callable[[str], Task | None]) -> None:
        """Stop looking for what is known now; `known` gives a task as it was seen last."""
        for id, status in list(self._sought.items()):  # noqa: A001
            task = known(id)
            if task is not None and task.status == status:
                del self._sought[id]

    def soonest(self, wait: float) -> float:
        """Give the seconds that an announcement may shorten `wait` to."""
        return min(APART, wait)

    def sooner(self, wait: float) -> float:
        """Give the seconds to wait, instead of `wait`, for what has been announced by now."""
        if not len(self):
            return wait
        if self._fresh:
            return self.soonest(wait)
        if self._next >= wait:
            self._sought.clear()
            return wait
        soon, self._next = self._next, self._next * GROWTH
        return soon
