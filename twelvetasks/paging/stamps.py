"""Stamps: proof that a listing did not change while pages were read side by side.

A *stamp* is the head of the listing by a key that every change updates: its first page, newest
first. Pages read between two equal stamps are *sealed*: they are all of one list.

The proof. Whatever entered or moved between the stamps, and is still there, has a key of at least
the newest one less `LATENESS`. A stamp that spans more than that, or holds everything, would hold
it, with that key; then the earlier stamp, being equal, held it, too, with the key that it was to
get only later. So nothing entered or moved. What left would have lowered the total, and nothing
came to raise it again. It assumes that no answer is older than one already received, and that a
change commits within `LATENESS` of the time it is stamped with. Pure.
"""

from __future__ import annotations

from typing import Any

import attrs

from twelvetasks.paging.links import Edge, Link
from twelvetasks.paging.page_checks import KeyedPage
from twelvetasks.paging.reads import Read
from twelvetasks.values.query import ListQuery


@attrs.frozen(eq=False)
class _Stamp:
    asked: int
    arrived: int
    head: tuple[tuple[str, Any], ...]
    total: int

    def shows(self, other: _Stamp) -> bool:
        return (self.head, self.total) == (other.head, other.total)


class Stamps:
    """The stamps of one listing, and which seams they seal.

    Moments are counted: each request and each answer is one.
    """

    def __init__(self, query: ListQuery[Any]) -> None:
        self.query = query.stamp
        """The query of a stamp; None if the list has no such key."""
        self.is_own_head: bool = self.query is not None and self.query.identity == query.identity
        """Whether the listing's own first page is a stamp."""
        self.under_way: Read | None = None
        """The stamp that has been asked for and not been answered."""
        self.received: int = 0
        """How many have been received, or given up."""
        self.asked: int = 0
        """The moment at which the newest was asked for, answered or not."""
        self._stamps: list[_Stamp] = []

    @property
    def are_of_use(self) -> bool:
        """Whether a stamp has been received that later ones can be compared with."""
        return bool(self._stamps)

    @property
    def hold(self) -> bool:
        """Whether the newest stamp shows what the one before showed."""
        return len(self._stamps) < 2 or self._stamps[-1].shows(self._stamps[-2])

    @property
    def newest(self) -> int:
        """The moment at which the newest stamp was asked for."""
        return self._stamps[-1].asked if self._stamps else -1

    def ask(self, moment: int) -> Read:
        """Return the read of a stamp."""
        if self.query is None:
            raise AssertionError("the list has no stamps")
        self.asked = moment
        self.under_way = Read(1, self.query.resource.max_page_limit, stamp=True)
        return self.under_way

    def receive(self, page: KeyedPage[Any], moment: int, *, asked: int | None = None) -> None:
        """Take in a stamp; one that spans too little proves nothing."""
        self.under_way = None
        self.received += 1
        if self.query is None:
            return
        keys = page.keys
        is_all = len(keys) < self.query.resource.max_page_limit
        if is_all or page.is_wide:
            head = tuple(zip(page.ids, keys, strict=True))
            asked = self.asked if asked is None else asked
            self._stamps.append(_Stamp(asked, moment, head, page.total))
            del self._stamps[:-MOST]
        else:
            self.fail()

    def forget(self) -> None:
        """Let none of those received count any longer."""
        self._stamps.clear()

    def fail(self) -> None:
        """Do without stamps from here on."""
        self.under_way = None
        self.received += 1
        self.forget()
        self.query = None

    def cover(self, moment: int) -> bool:
        """Whether a stamp had been received by then, so that a later one may seal what follows."""
        return any(one.arrived <= moment for one in self._stamps)

    def seal(self, left: Edge, right: Link[Any]) -> bool:
        """Whether nothing changed from the earlier of two reads to the later."""
        return self._agree(left, right, awaited=False)

    def may_seal(self, left: Edge, right: Link[Any]) -> bool:
        """Whether the stamp to come after two reads may show that nothing changed between them."""
        return self._agree(left, right, awaited=True)

    def unchanged(self, since: int, until: int) -> bool:
        """Whether a stamp received by one moment equals one asked for at another, or later."""
        before, after = self._around(since, until)
        return before is not None and after is not None and before.shows(after)

    def _agree(self, left: Edge, right: Link[Any], *, awaited: bool) -> bool:
        if right.edge is None or left.answer is None or right.edge.answer is None:
            return False
        last = max(left.answer, right.edge.answer)
        if awaited != (self.newest < last) or left.total != right.edge.total:
            return False
        before, after = self._around(min(left.asked, right.edge.asked), last)
        if before is None or before.total != left.total:
            return False
        return after is None or before.shows(after)

    def _around(self, first: int, last: int) -> tuple[_Stamp | None, _Stamp | None]:
        before = next((one for one in reversed(self._stamps) if one.arrived <= first), None)
        return before, next((one for one in self._stamps if one.asked >= last), None)


MOST = 64
"""Stamps that are remembered: reads that wait for their seal are younger than these."""
