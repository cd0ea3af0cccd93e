"""Task states that webhooks have announced and no poll has shown yet, and when to poll for them.

Pure. A webhook makes the watch poll sooner; the watch delivers what the platform shows. So a
webhook that is lost, late, duplicated or out of order does not change what is delivered. If the
listing lags behind the webhook, the watch polls again at growing intervals, until it is back at its
usual interval. A task that `MISSES` polls did not show as announced is to be fetched individually.
"""

from __future__ import annotations

from collections.abc import Callable

from twelvetasks.values.tasks import TaskStatus

APART = 1.0
"""Least seconds between two polls caused by webhooks, however many arrive."""

GROWTH = 2.0
"""Factor by which the time to the next poll for the same state grows."""

MOST = 10_000
"""Most tasks that are polled for at once."""

MISSES = 2
"""Polls that do not show an announced state, before the task is fetched individually."""


class Announced:
    """The announced task states that no poll has shown yet."""

    def __init__(self) -> None:
        self._fresh: dict[str, TaskStatus] = {}
        """Announced since the last poll began; that poll may be too old to show it."""
        self._sought: dict[str, tuple[TaskStatus, int]] = {}
        """The others, and how many polls have not shown each."""
        self.unseen: dict[str, None] = {}
        """The ids of tasks to be fetched individually."""
        self._next = APART

    def __len__(self) -> int:
        return len(self._fresh) + len(self._sought)

    def add(self, id: str, status: TaskStatus) -> None:  # noqa: A002
        """Expect this state of this task."""
        self._next = APART
        self._sought.pop(id, None)
        self._fresh.pop(id, None)
        self._fresh[id] = status
        if len(self) > MOST:
            older = self._sought or self._fresh
            del older[next(iter(older))]

    def begin_poll(self) -> None:
        """Note that a poll begins: it may show everything announced until now."""
        self._sought |= {id: (status, 0) for id, status in self._fresh.items()}  # noqa: A001
        self._fresh.clear()

    def end_poll(self, status_of: Callable[[str], str | None]) -> None:
        """Stop expecting what was seen; `status_of` returns the last status seen of a task."""
        for id, (status, misses) in list(self._sought.items()):  # noqa: A001
            if status_of(id) == status:
                del self._sought[id]
                continue
            self._sought[id] = (status, misses + 1)
            if misses + 1 == MISSES:
                self.unseen[id] = None

    def soonest(self, wait: float) -> float:
        """Return the seconds that an announcement may shorten `wait` to."""
        return min(APART, wait)

    def sooner(self, wait: float) -> float:
        """Return the seconds to wait, instead of `wait`, given what has been announced."""
        if not len(self):
            return wait
        if self._fresh:
            return self.soonest(wait)
        if self._next >= wait:
            once = [id for id, (_, misses) in self._sought.items() if misses < MISSES]  # noqa: A001
            self.unseen |= dict.fromkeys(once)
            self._sought.clear()
            return wait
        soon, self._next = self._next, self._next * GROWTH
        return soon
