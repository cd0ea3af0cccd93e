"""When to read pages side by side between stamps, and when to ask for a stamp. Pure.

Stamps cost a request each, and what they do not seal is read once more. So the first is for a few
pages; each that holds lets the next be for more; after a sign of change, reads overlap until the
account has been quiet for a while.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twelvetasks.paging.chain import Chain
from twelvetasks.paging.links import Link, Widths
from twelvetasks.paging.page_checks import KeyedPage
from twelvetasks.paging.reads import Read
from twelvetasks.paging.stamps import Stamps
from twelvetasks.paging.totals import CALM, Totals
from twelvetasks.values.query import ListQuery

__all__ = ["Sealing"]

HELD = 7
"""How many times as many pages as are fetched at once may be held until their seams are sealed."""

GROWTH = 4
"""By how much each seal that holds lets the next be for more pages."""

PATIENCE = CALM * 8
"""Answers without a sign of change after which stamps are tried again after one."""

CAUTION = 6
"""Answers without a sign of change before stamps are tried where keys change: what a broken seal
costs is more than overlaps cost until then."""


class Sealing:
    """The stamps of one listing, and whether its pages are read side by side between them."""

    def __init__(
        self, query: ListQuery[Any], stamps: Stamps, chain: Chain[Any], totals: Totals
    ) -> None:
        self.stamps: Stamps = stamps
        self.side_by_side: bool = False
        """Whether pages are read side by side, to be sealed."""
        self.widths: Widths = Widths()
        self._chain = chain
        self._totals = totals
        self._most = query.resource.max_page_limit
        self._window = 1
        self._at_once = 0
        self._holds = False
        self._wants_stamp = not stamps.is_own_head
        self._is_fragile = query.sort_key.changes and not query.ascending
        self._begin_after = CAUTION if query.sort_key.changes else 0

    def most(self, window: int) -> int:
        """Return how many pages, or runs of pages, may be held or under way."""
        self._window = max(window, self._window)
        if self.stamps.under_way is not None and not self.stamps.are_of_use:
            # What is asked for before a stamp has come can be sealed by none.
            return 0 if self._begin_after <= self._totals.calm else window
        if not self.side_by_side or self._chain.grows_at_its_end:
            return window
        if self._holds:  # so that none waits for the next stamp
            return min(self._at_once + 2 * window, HELD * window)
        return self._at_once + (0 if self._is_fragile else window)

    def is_due(self, *, more: bool, is_long: bool, under_way: bool) -> bool:
        """Whether to ask for a stamp now.

        `more`: there is a page to be asked for instead. `is_long`: stamps cost less than overlaps.
        `under_way`: pages are still to arrive; not counting bridges, which no stamp seals.
        """
        if self.stamps.query is None or self.stamps.under_way is not None:
            return False
        if not self.side_by_side:
            is_calm = self._totals.calm >= self._begin_after
            return self._wants_stamp and more and is_long and is_calm
        is_last = not more and not under_way
        if len(self._chain.links) < self._at_once and not is_last:
            return False
        waiting = self._waiting(self._chain.links)
        return waiting >= self._at_once or (waiting > 0 and is_last)

    def may_seal(self, asked: int) -> bool:
        """Whether a stamp can seal a page beside a read that was asked for at this moment."""
        return self.side_by_side and self.widths.usual == 1 and self.stamps.cover(asked)

    def receive(self, page: KeyedPage[Any], moment: int) -> None:
        """Take in a stamp."""
        self.stamps.receive(page, moment)
        self._totals.note(page.total, moment, self.stamps.asked)
        self._wants_stamp = self._totals.calm < self._begin_after
        if self.side_by_side:
            self._holds = True
            self._at_once = min(self._at_once * GROWTH, self._window * (HELD - 1))
        if not self.stamps.hold:
            self._totals.note_sign()
        self.settle(self._totals.latest or 0)
        self._begin_if_calm()

    def note(self, link: Link[Any], moment: int, *, is_long: bool) -> None:
        """Take in a page: the listing's own head may be a stamp, too."""
        if link.edge is not None:
            self.widths.note(len(link.edge.ids))
        if self.stamps.is_own_head and (link.read.page, link.read.page_limit) == (1, self._most):
            self.stamps.receive(link.content, moment, asked=link.asked)
            if link.edge is not None:
                # It is of the very instant of the stamp.
                link.edge.asked = moment
        if is_long:
            self._begin_if_calm()

    def _begin_if_calm(self) -> None:
        """Read side by side from here on, if there is a stamp, and no sign of change since."""
        if self.side_by_side or self._wants_stamp or not self.stamps.are_of_use:
            return
        if self._totals.calm >= self._begin_after:
            self.side_by_side = self._chain.awaits_seals = True
            # Where ranks only become less, few reads are in vain if a seal does not hold.
            halves = 6 if self._chain.grows_at_its_end else 3 if self._is_fragile else 1
            self._at_once = max(self._window * halves // 2, 2)

    def fail(self, read: Read, total: int) -> bool:
        """Do without stamps, if the read that failed was one; False if it was a page."""
        if read.stamp:
            self.stamps.fail()
            self.side_by_side = self._chain.awaits_seals = False
            self.settle(total)
        return read.stamp

    def settle(self, total: int) -> None:
        """Join what can be joined; at a sign of change, let reads overlap from here on."""
        self._chain.settle(total)
        if self._chain.is_loud:
            self._chain.is_loud = False
            self._totals.note_sign()
        if self._totals.calm:
            return
        self._wants_stamp, self._holds = True, False
        self._begin_after = max(self._begin_after, PATIENCE)
        if self.side_by_side:
            self._begin_after *= 2
            self.side_by_side = self._chain.awaits_seals = False
            self._chain.settle(total)
        self.stamps.forget()

    def _waiting(self, links: Iterable[Link[Any]]) -> int:
        """Count the pages that have arrived, and that the newest stamp cannot seal."""
        newest = self.stamps.newest
        return sum(
            not link.joined and link.page is not None and link.answered > newest for link in links
        )
