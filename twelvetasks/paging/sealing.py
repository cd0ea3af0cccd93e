"""When to read pages side by side between stamps, and when to ask for a stamp. Pure.

Stamps cost a request each, and what they do not seal is read once more. So the first is for a few
pages; each that holds lets the next be for more; after a sign of change, reads overlap until the
account has been quiet for a while.

A stamp has to be asked for after all that it is to seal has arrived, so after the last page it
would cost the time of one more request. Reads that overlap need none. So once all that is left fits
into the wave of requests that is under way, it is read by overlapping reads, and the last stamp, in
that same wave, seals all before them. This costs the time of no request, and one or two reads.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from twelvetasks.paging.chain import Chain
from twelvetasks.paging.links import Link, Widths
from twelvetasks.paging.page_checks import NO_TIME, KeyedPage
from twelvetasks.paging.reads import Read
from twelvetasks.paging.stamps import Stamps
from twelvetasks.paging.totals import CALM, Totals
from twelvetasks.paging.waves import Waves
from twelvetasks.values.query import ListQuery

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
    """The stamps of one listing, and whether its pages are read side by side between them.

    `until` is the sort key after which no item is wanted; None to read to the end.
    """

    def __init__(
        self,
        query: ListQuery[Any],
        stamps: Stamps,
        chain: Chain[Any],
        totals: Totals,
        until: datetime | None = None,
    ) -> None:
        self.stamps: Stamps = stamps
        self.side_by_side: bool = False
        """Whether pages are read side by side, to be sealed."""
        self.widths: Widths = Widths()
        self.waves: Waves = Waves()
        self._chain = chain
        self._totals = totals
        self._precedes = query.precedes
        self._until = until
        self._is_past_end = False
        """Whether a page has arrived that ends after all that is wanted."""
        self._most = query.resource.max_page_limit
        self._window = 1
        self._at_once = 0
        self._holds = False
        self._wants_stamp = not stamps.is_own_head
        self._is_settled = not (query.sort_key.changes or chain.grows_at_its_end)
        """Whether items keep their places, so that what was read last need not be sealed."""
        self._is_fragile = query.sort_key.changes and not query.ascending
        self._begin_after = CAUTION if query.sort_key.changes else 0
        if totals.calm_before < PATIENCE:
            self._begin_after = PATIENCE

    def most(self, window: int) -> int:
        """Return how many pages, or runs of pages, may be held or under way."""
        if window > self._window:
            self._window = window
            if self.side_by_side and not self._holds:
                self._at_once = self._fewest
        if self._is_past_end:
            return 1
        if self.stamps.under_way is not None and not self.stamps.are_of_use:
            # What is asked for before a stamp has come can be sealed by none.
            return 0 if self._begin_after <= self._totals.calm else window
        if not self.side_by_side or self._chain.grows_at_its_end:
            links = self._chain.links
            # In a quiet account, a bridge is for items of one time: ranks further on are known.
            waits = bool(links) and links[0].is_bridge and not self._totals.changed
            return window * 2 if waits else window
        if self._is_fragile and not self._holds:
            return self._at_once
        # So that none waits for the next stamp, unless an earlier one was in vain.
        windows = 2 if self._holds or not self._totals.changed else 1
        return min(self._at_once + windows * window, HELD * window)

    def is_due(self, *, more: bool, is_long: bool) -> bool:
        """Whether to ask for a stamp now.

        `more`: there is a page to be asked for instead. `is_long`: stamps cost less than overlaps.
        """
        if self.stamps.query is None or self.stamps.under_way is not None:
            return False
        if not self.side_by_side:
            is_calm = self._totals.calm >= self._begin_after
            return self._wants_stamp and more and is_long and is_calm
        links = self._chain.links
        left = (self._totals.latest or 0) - links[-1].read.end if links else 0
        # The last stamp will soon seal what waits.
        is_near_end = left <= self._window * self._most and (more or left <= 0)
        if more and (is_near_end or len(links) < self._at_once):
            return False
        waiting, are_all = self._waiting()
        is_last = waiting > 0 and are_all and not more
        return is_last or (waiting >= self._at_once and not is_near_end)

    def ask(self, moment: int) -> Read:
        """Return the read of a stamp."""
        self.waves.ask()
        return self.stamps.ask(moment)

    def ends_now(self, left: int) -> bool:
        """Whether this wave has room for overlapping reads of the last items, and for a stamp."""
        reads = left * 5 // (self._most * 4) + 1  # each brings four fifths of a page, on average
        return self._is_settled and reads < self.waves.left(self._window)

    def may_seal(self, asked: int) -> bool:
        """Whether a stamp can seal a page beside a read that was asked for at this moment."""
        return self.side_by_side and self.widths.usual == 1 and self.stamps.cover(asked)

    def receive(self, page: KeyedPage[Any], moment: int) -> None:
        """Take in a stamp."""
        self.waves.answer(self.stamps.asked, moment)
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
        self.waves.answer(link.asked or 0, moment)
        if link.edge is not None:
            self.widths.note(len(link.edge.ids))
            key = link.edge.key
            self._is_past_end |= (
                self._until is not None and key != NO_TIME and self._precedes(self._until, key)
            )
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
            self._at_once = self._fewest

    @property
    def _fewest(self) -> int:
        """How many pages the first stamp is to seal."""
        # Where ranks only become less, few reads are in vain if a seal does not hold.
        return self._window * 3 if self._chain.grows_at_its_end else max(self._window * 3 // 2, 2)

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

    def _waiting(self) -> tuple[int, bool]:
        """Count the pages that a stamp can seal now, and tell whether none is still to arrive.

        Pages that overlap what is before them need no stamp; nor do bridges.
        """
        newest, waiting, are_all = self.stamps.newest, self._chain.asleep, True
        settled = self._chain.settled
        edge, has_arrived = self._chain.edge_before(settled), True
        end, answered = (0, 0) if edge is None else (edge.rank, edge.answer or 0)
        for link in self._chain.links[settled:]:
            if link.failed:
                break
            had_arrived, has_arrived = has_arrived, link.page is not None
            before, answered = answered, link.answered
            if not link.is_bridge and link.read.start == end:
                is_later = max(before, answered) > newest
                waiting += has_arrived and not link.joined and is_later
                are_all &= had_arrived and has_arrived
            elif not (link.is_bridge or self._is_settled):
                are_all &= has_arrived
            end = link.read.end
        return waiting, are_all
