"""What has been emitted: each item at most once, and never one whose place has been passed.

Sorted by a key that never changes, the last key and the ids that share it are all the memory this
takes. Sorted by a key that changes, an item may come again under a new key, so every id is kept,
in at most 32 bytes each if it is of the platform's usual form (see `compact_ids`). Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from twelvetasks.paging.compact_ids import CompactIds
from twelvetasks.values.query import ListQuery

REMEMBERED = 4
"""Pages whose ids are kept to distinguish, for the report, an emitted item from a late one."""

Place = tuple[datetime | None, frozenset[str]]
"""The sort key of the last item, None before the first, and the items up to it that share it."""


class Emitted:
    """Decides which of the items that have come are to be emitted."""

    def __init__(self, query: ListQuery[Any]) -> None:
        self.count: int = 0
        """Items emitted."""
        self.duplicates: int = 0
        """Items received again after they had been emitted."""
        self.late: int = 0
        """Items received when their place in the order had been passed."""
        self._precedes = query.precedes
        self._last: datetime | None = None
        self._shared: set[str] = set()
        self._ids: Sequence[str] = ()
        self._keys: Sequence[datetime] = ()
        self._all = CompactIds() if query.sort_key.changes else None
        self._recent: deque[set[str]] = deque(maxlen=REMEMBERED)

    def go_on_from(self, key: datetime | None, ids: frozenset[str]) -> None:
        """Begin again after a place: what comes is to be judged by it alone, or by its id."""
        self._last, self._shared = key, set(ids)
        self._ids, self._keys = (), ()
        self._recent.append(set(ids))
        if self._all is not None:
            for id in ids:  # noqa: A001
                self._all.add(id)

    def last(self, unread: int) -> frozenset[str]:
        """Return the ids of the last `unread` items of those emitted last."""
        return frozenset(self._ids[len(self._ids) - unread :])

    def ordered(self, keys: list[datetime], *, resumed: bool) -> list[datetime]:
        """Return each key, or that of the item before if it comes later: so nothing is left out."""
        last = None if resumed else self.place()[0]
        ordered = []
        for key in keys:
            last = key if last is None or not self._precedes(key, last) else last
            ordered.append(last)
        return ordered

    def place(self, unread: int = 0) -> Place:
        """Return the place after all items but the last `unread`, of those emitted last."""
        last, shared, continues = self._end(len(self._ids) - unread)
        return last, frozenset(self._shared.union(shared) if continues else shared)

    def _end(self, read: int) -> tuple[datetime | None, Sequence[str], bool]:
        """Return the last key of the first `read` items, and which of them share it.

        And whether items emitted before them share it, too.
        """
        if not read:
            return self._last, (), True
        last = self._keys[read - 1]
        first = read - 1
        while first and self._keys[first - 1] == last:
            first -= 1
        return last, self._ids[first:read], last == self._last

    def new(
        self, ids: list[str], keys: list[datetime], *, most: int | None = None
    ) -> Sequence[int]:
        """Return the places, among these items, of those to emit now: at most `most`."""
        last, shared, continues = self._end(len(self._ids))
        # Extended, not made again: all items of a listing may share one key.
        self._shared = self._shared if continues else set()
        self._shared.update(shared)
        self._last = last
        kept: Sequence[int] = range(len(ids))
        if self._all is not None or not keys or (last and not self._precedes(last, keys[0])):
            kept = self._sifted(ids, keys, last)
        if self._all is None and len(set(ids)) < len(ids):
            kept = self._once(ids, kept)
        kept = kept[:most]
        if len(kept) < len(ids):
            ids, keys = [ids[at] for at in kept], [keys[at] for at in kept]
        self._ids, self._keys = ids, keys
        self.count += len(ids)
        if ids and self._all is None:
            self._recent.append(set(ids))
        return kept

    def _sifted(self, ids: list[str], keys: list[datetime], last: datetime | None) -> Sequence[int]:
        doubtful = len(keys)
        if self._all is None and last is not None:
            # Where keys never change, all that comes strictly after the last is new.
            after = (at for at, key in enumerate(keys) if self._precedes(last, key))
            doubtful = next(after, doubtful)
        kept: list[int] = []
        for at in range(doubtful):
            id, key = ids[at], keys[at]  # noqa: A001
            in_order = last is None or key == last or self._precedes(last, key)
            if id in self._shared or self._is_known(id, is_given=in_order):
                self.duplicates += 1
            elif in_order:
                kept.append(at)
            else:
                # Before the first of this run, it is of the run before.
                self.late += self.count > 0
        return [*kept, *range(doubtful, len(ids))]

    def _once(self, ids: list[str], kept: Sequence[int]) -> Sequence[int]:
        """Keep the first of the items that a page holds twice."""
        first = {ids[at]: at for at in reversed(kept)}
        self.duplicates += len(kept) - len(first)
        return sorted(first.values())

    def _is_known(self, id: str, *, is_given: bool) -> bool:  # noqa: A002
        """Whether an item was emitted before. If it is given now, it is remembered."""
        if self._all is not None:
            return not self._all.add(id) if is_given else id in self._all
        return any(id in ids for ids in self._recent)
