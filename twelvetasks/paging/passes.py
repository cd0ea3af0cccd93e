"""Passes over a listing whose keys change: how often its head is read again, and how far. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import attrs

from twelvetasks.paging.links import Edge, Link
from twelvetasks.paging.page_checks import LATENESS, NO_TIME
from twelvetasks.values.query import ListQuery


@attrs.define(kw_only=True)
class Pass:
    """One reading of the listing, from its head, or from a checkpoint, as far as is needed.

    Sorted by `updated_at`, newest first, an item that is updated moves to the head, which has been
    read already. Another pass then reads from the head down to where the pass before began, the
    *floor*, until one read alone is a pass: what it holds, it holds at one instant.
    """

    number: int = 0
    floor: datetime | None = None
    """Items older than this need not be read; None for all."""
    margin: timedelta = LATENESS
    """How far below its first key the next pass reads on, for what commits late. It shrinks with
    each pass: if more changes in that time than one read holds, no pass would be the last."""
    is_resumed: bool = False
    next_floor: datetime | None = None
    """How far down a pass after this one has to read: the first key of this pass, less what may
    be committed late; None while nothing was read."""
    seen: frozenset[str] = frozenset()
    """The ids, from that floor on, that the first read held: they need not be emitted again."""
    last: Link[Any] | None = None
    """The read that was taken last."""
    began: int = 0
    """The moment of its first answer."""
    taken: int = 0
    head: list[tuple[str, datetime]] = attrs.field(factory=list)
    """The first page: each item's id with its sort key."""
    is_untimed: bool = False
    """Whether the list begins with items that have no time, so that nothing tells what moved."""
    follows_barren: bool = False
    """Whether the pass before brought nothing new. It may have been of one key: then what has moved
    since then, to another key, stands at the head."""
    newest: datetime | None = None
    """The newest key that the read before held."""
    is_outdated: bool = False
    """Whether this shows an older state than the read before, as a replica that lags behind does:
    its newest key is older, or ranks are higher. If items were deleted, one more read tells."""
    is_again: bool = False
    """Whether this reads items with the same keys again, one read after the other."""
    _begins_before: Link[Any] | None = None
    """The last read that begins before all items whose order counts."""
    head_is_the_same: bool = False
    """Whether the pass before began with the very same page, so that nothing has moved there."""

    @property
    def is_atomic(self) -> bool:
        """Whether the pass is of one instant, and that no older than what was read before."""
        return self.taken == 1 and not self.is_resumed and not self.is_outdated

    def take(
        self, link: Link[Any], crowded_from: datetime | None = None, *, ascending: bool
    ) -> None:
        """Go on by one read. `crowded_from`: as the chain knows it by now."""
        keys = link.content.keys
        if keys and (crowded_from is None or keys[0] < crowded_from):
            self._begins_before = link
        if link.content.keys and (ascending or not self.taken):
            newest = link.content.keys[-1 if ascending else 0]
            self.is_outdated = self.newest is not None and newest < self.newest
            self.is_outdated |= ascending and self._stand_further_back(link)
            self.newest = newest
        if not self.taken:
            self.began = link.answered
            page = link.content
            head = list(zip(page.ids, page.keys, strict=True))
            tells = self.number > 0 and (page.is_wide or self.follows_barren)
            self.head_is_the_same = tells and head == self.head
            self.head = head
            self.is_untimed = bool(page.keys) and page.keys[0] == NO_TIME
            if self.next_floor is None and page.keys and not self.is_untimed:
                # Below the first read nothing is known of what was emitted from there on.
                self.next_floor = max(self._before(page.keys[0]), page.keys[-1])
                self.seen |= {one for one, key in head if key >= self.next_floor}
        self.taken += 1
        self.last = link

    def again_from(self, crowded_from: datetime) -> Edge | None:
        """Begin again, one read after the other, at the place before a key; None for the beginning.

        Oldest first, an item may have entered among those with the newest key when these had been
        read, but what comes before them had not. If no read spans them, only this shows it.
        """
        self.is_again, self.last, self.newest = True, None, None
        link = self._begins_before
        if link is None:
            return None
        ids, keys = link.content.ids, link.content.keys
        first = sum(key < crowded_from for key in keys)
        last = keys[first - 1]
        shared = frozenset(one for one, key in zip(ids[:first], keys, strict=False) if key == last)
        return Edge.remembered(last, shared, link.read.start + first)

    def _stand_further_back(self, link: Link[Any]) -> bool:
        """Return whether items that ended the read before have a higher rank in this one.

        Oldest first, what is updated or enters does so at the end, so ranks never grow.
        """
        before = None if self.last is None else self.last.edge
        return before is not None and any(
            one in before.ids for one in link.content.ids[max(before.rank - link.read.start, 0) :]
        )

    def reaches_its_end(
        self,
        edge: Edge | None,
        query: ListQuery[Any],
        total: int,
        is_newest: Callable[[Link[Any]], bool],
    ) -> bool:
        """Whether all that was taken, up to an edge, reaches the end of what is to be read.

        `total` is the newest. `is_newest` tells whether what moved to the tail is in a read.
        """
        if edge is None:
            return self.last is not None
        below = self.floor is not None and query.precedes(self.floor, edge.key)
        if self.head_is_the_same or below:
            return True
        if not edge.at_end or edge.answer is None:
            return False
        if not query.ascending:
            return True
        if total > edge.total or (self.is_outdated and query.sort_key.changes):
            return False
        # An updated item moves to the tail: unless the tail was read last of all, look once more.
        return not query.sort_key.changes or self.last is None or is_newest(self.last)

    def next(self, *, is_barren: bool) -> Pass:
        """Return the next pass. `is_barren`: whether this one brought nothing new."""
        return Pass(
            number=self.number + 1,
            floor=self.next_floor,
            margin=self.margin / 2,
            seen=self.seen,
            head=self.head,
            newest=self.newest,
            follows_barren=is_barren,
        )

    def _before(self, key: datetime) -> datetime:
        """Return the earliest key of what may be committed after an item with this key."""
        try:
            return key - self.margin
        except OverflowError:
            return key
