"""What has been yielded: each task at most once, and never one whose place has been passed.

Sorted by a key that never changes, the last key and the ids that share it are all the memory this
takes. Sorted by `updated_at`, a task may come again under a new key, so every id is kept. Pure.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime

from twelvetasks.paging.links import Order
from twelvetasks.values.models import Task

__all__ = ["Yielded"]

REMEMBERED = 4
"""Pages whose ids are kept to tell, for the report, a task that was yielded from a late one."""

Place = tuple[datetime | None, frozenset[str]]
"""The sort key of the last task, None before the first, and the tasks up to it that share it."""


class Yielded:
    """A guard at the listing's exit."""

    def __init__(self, precedes: Order, *, keeps_all: bool) -> None:
        self.count: int = 0
        """Tasks yielded."""
        self.duplicates: int = 0
        """Tasks received again after they had been yielded."""
        self.late: int = 0
        """Tasks received when their place in the order had been passed."""
        self._precedes = precedes
        self._before: Place = (None, frozenset())
        self._tasks: tuple[Task, ...] = ()
        self._keys: list[datetime] = []
        self._all: set[str] | None = set() if keeps_all else None
        self._recent: deque[set[str]] = deque(maxlen=REMEMBERED)

    def go_on_from(self, key: datetime | None, ids: frozenset[str]) -> None:
        """Begin anew behind a place: what comes is to be judged by it alone, or by its id."""
        self._before = (key, ids)
        self._tasks, self._keys = (), []
        self._recent.append(set(ids))
        if self._all is not None:
            self._all |= ids

    def place(self, unread: int = 0) -> Place:
        """Give the place behind all tasks but the last `unread`, of those given last."""
        read = len(self._tasks) - unread
        if not read:
            return self._before
        last = self._keys[read - 1]
        first = read - 1
        while first and self._keys[first - 1] == last:
            first -= 1
        shared = frozenset(task.id for task in self._tasks[first:read])
        key, ids = self._before
        return last, ids | shared if key == last else shared

    def new(
        self, tasks: tuple[Task, ...], keys: list[datetime], *, most: int | None = None
    ) -> tuple[Task, ...]:
        """Give those tasks that are to be yielded now, `most` at the most."""
        self._before = last, ids = self.place()
        if self._all is not None or not keys or (last and not self._precedes(last, keys[0])):
            tasks, keys = self._sifted(tasks, keys, last, ids)
        self._tasks, self._keys = tasks[:most], keys[:most]
        self.count += len(self._tasks)
        if self._tasks:
            given = {task.id for task in self._tasks}
            self._recent.append(given)
            if self._all is not None:
                self._all |= given
        return self._tasks

    def _sifted(
        self,
        tasks: tuple[Task, ...],
        keys: list[datetime],
        last: datetime | None,
        ids: frozenset[str],
    ) -> tuple[tuple[Task, ...], list[datetime]]:
        doubtful = len(keys)
        if self._all is None and last is not None:
            # Where keys never change, all that comes strictly behind the last is new.
            behind = (at for at, key in enumerate(keys) if self._precedes(last, key))
            doubtful = next(behind, doubtful)
        kept: list[tuple[Task, datetime]] = []
        for task, key in zip(tasks[:doubtful], keys[:doubtful], strict=True):
            if task.id in ids or self._is_known(task.id):
                self.duplicates += 1
            elif last is None or key == last or self._precedes(last, key):
                kept.append((task, key))
            else:
                self.late += 1
        sifted = tuple(task for task, _ in kept)
        return sifted + tasks[doubtful:], [key for _, key in kept] + keys[doubtful:]

    def _is_known(self, id: str) -> bool:  # noqa: A002
        if self._all is not None:
            return id in self._all
        return any(id in ids for ids in self._recent)
