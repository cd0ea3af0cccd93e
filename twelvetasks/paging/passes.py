"""Passes over a listing whose keys change: how often its head is read again, and how far. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from twelvetasks.paging.links import Link

__all__ = ["Pass"]


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
    is_resumed: bool = False
    first_key: datetime | None = None
    """The sort key of the first item of all."""
    last: Link[Any] | None = None
    """The read that was taken last."""
    taken: int = 0
    head: list[tuple[str, datetime]] = attrs.field(factory=list)
    """The first page: each item's id with its sort key."""
    head_is_the_same: bool = False
    """Whether the pass before began with the very same page, so that nothing has moved there."""

    @property
    def is_atomic(self) -> bool:
        """Whether the pass is of one instant."""
        return self.taken == 1 and not self.is_resumed

    def take(self, link: Link[Any]) -> None:
        """Go on by one read."""
        if not self.taken:
            page = link.content
            head = list(zip(page.ids, page.keys, strict=True))
            self.head_is_the_same = self.number > 0 and head == self.head
            self.head = head
            if self.first_key is None and page.keys:
                self.first_key = page.keys[0]
        self.taken += 1
        self.last = link

    def next(self) -> Pass:
        """Give the pass to follow."""
        return Pass(number=self.number + 1, floor=self.first_key, head=self.head)
