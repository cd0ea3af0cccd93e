"""What has been yielded: each task at most once, and never one whose place has been passed.

Sorted by a key that never changes, the last key and the ids that share it are all the memory this
takes. Sorted by `updated_at`, a task may come again under a new key, so every id is kept. Pure.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime

from twelvetasks.chain import Order
from twelvetasks.models import Task

__all__ = ["Yielded"]

REMEMBERED = 4
"""Pages whose ids are kept to tell, for the report, a task that was yielded from a late one."""


class Yielded:
    """A guard at the listing's exit."""

    def __init__(self, precedes: Order, *, keeps_all: bool) -> None:
        self.count = 0
        """Tasks yielded."""
        self.duplicates = 0
        """Tasks received again after they had been yielded."""
        self.late = 0
        """Tasks received when their place in the order had been passed."""
        self._precedes = precedes
        self._key: datetime | None = None
        self._ids: set[str] = set()
        self._all: set[str] | None = set() if keeps_all else None
        self._recent: deque[set[str]] = deque(maxlen=REMEMBERED)

    def remember(self, key: datetime | None, ids: frozenset[str]) -> None:
        """Go on from a place that was reached earlier: the last key, and the ids that share it."""
        self._key, self._ids = key, set(ids)
        self._recent.append(set(ids))
        if self._all is not None:
            self._all |= ids

    def new(
        self, tasks: tuple[Task, ...], keys: list[datetime], *, most: int | None = None
    ) -> tuple[tuple[Task, ...], list[datetime]]:
        """Give those tasks that are to be yielded now, `most` at the most, with their keys."""
        if self._all is not None or not keys or not self._is_behind(keys[0]):
            tasks, keys = self._sifted(tasks, keys)
        tasks, keys = tasks[:most], keys[:most]
        self.count += len(tasks)
        if tasks:
            last = keys[-1]
            shared = {task.id for task, key in zip(tasks, keys, strict=True) if key == last}
            self._ids = self._ids | shared if self._key == last else shared
            self._key = last
            ids = {task.id for task in tasks}
            self._recent.append(ids)
            if self._all is not None:
                self._all |= ids
        return tasks, keys

    def _is_behind(self, key: datetime) -> bool:
        return self._key is None or self._precedes(self._key, key)

    def _sifted(
        self, tasks: tuple[Task, ...], keys: list[datetime]
    ) -> tuple[tuple[Task, ...], list[datetime]]:
        kept: list[tuple[Task, datetime]] = []
        for task, key in zip(tasks, keys, strict=True):
            if self._is_known(task.id):
                self.duplicates += 1
            elif self._is_behind(key) or key == self._key:
                kept.append((task, key))
            else:
                self.late += 1
        return tuple(task for task, _ in kept), [key for _, key in kept]

    def _is_known(self, id: str) -> bool:  # noqa: A002
        if self._all is not None:
            return id in self._all
        return id in self._ids or any(id in ids for ids in self._recent)
