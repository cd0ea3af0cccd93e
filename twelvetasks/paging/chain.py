"""The chain of reads: what touches, what is quiet, and where a bridge is needed.

Words, and the proof. The *rank* of an item is its place in the listing, counted from 0. A read is
atomic: it holds every item between its first and its last at one instant. Two reads *touch* if the
right one holds an item of the left one, or begins at or before the place where the left one ends.
Take an item that was there from the first read to the last. Its place in the order does not change
(or only grows, and then the listing meets it again further on: see `progress`). If it comes at or
before the end of the left read, the left read holds it, or a read before that. If it comes after
the end of the left read and at or before the end of the right one, the right read holds it, because
that begins no later than the left one ends. So in a chain of reads in which each touches the next,
no item that was there throughout is missing.

Pages side by side, such as ranks 0 to 49 and 50 to 99, do not touch: a *seam* lies between them.
An item that left rank 0 between the two reads moved all others up by one, and the one at the seam
is in neither. A seam is *quiet* if nothing changed between its two reads (see `evidence`); any
other is *loud*, and is bridged by a read that straddles it: one that begins before the end of the
left read and reaches beyond. If that begins too late, the next one begins further back.

Oldest first, whatever enters or moves comes last, so that the ranks of all others only become less.
There a seam needs no proof if its right read was answered before its left one was asked for: by
then the items of the right read can have moved only towards the left one, or into it. What enters
late may stand up to `LATENESS` before the newest key that was read, so the right read has to span
more than that. This assumes that no answer is older than one already received.

Only what is joined to all before it leaves the chain, so that nothing is ever passed over. The
proof assumes that a sort key never goes back, and that items with equal keys keep their order. If
keys change, ties are not relied on: a read has to begin before all items of one key to touch. Pure.
"""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile
from typing import Any, Generic, TypeVar

from twelvetasks.paging.links import NEAR, Edge, Link
from twelvetasks.paging.reads import Read, last_of, run_of, straddling
from twelvetasks.paging.recut import in_whole_pages
from twelvetasks.paging.stamps import Stamps
from twelvetasks.paging.totals import Totals
from twelvetasks.values.query import ListQuery

ItemT = TypeVar("ItemT")


class Chain(Generic[ItemT]):
    """Reads in the listing's order, after the edge of all that has been taken from it."""

    def __init__(
        self,
        query: ListQuery[ItemT],
        *,
        totals: Totals | None = None,
        stamps: Stamps | None = None,
        exact: bool = False,
    ) -> None:
        self.edge: Edge | None = None
        """Where all that was taken ends; None at the very beginning."""
        self.links: list[Link[ItemT]] = []
        self.relied_on_ties: bool = False
        """Whether more items than a read can straddle shared a key, so that their order counted."""
        self.crowded_from: datetime | None = None
        """The first such key, if items may still enter among those that share it; else None."""
        self._crowded: Any = None
        self._precedes = query.precedes
        self._ascending = query.ascending
        self._page_limit = query.page_limit
        self._most = query.resource.max_page_limit
        self._grows_by_moves = query.ascending and query.sort_key.changes
        self._totals = totals or Totals()
        self._stamps = stamps
        # Replicas may be behind: an exact listing does not rely on the order of answers.
        self.grows_at_its_end: bool = query.grows_at_its_end and not exact
        """Whether what enters or moves comes last, so that all ranks before it only become less."""
        self.awaits_seals: bool = False
        """Whether a stamp is still to come for reads that lie side by side."""
        self.asleep: int = 0
        """How many pages wait for the next stamp: until it comes, nothing about them changes."""
        self.settled: int = 0
        """How many of the first reads are joined or, after those, wait for the next stamp."""
        self.settled_pages: int = 0
        """How many of these are pages, or stand for a run of pages."""
        self._asleep_since = 0
        self.is_loud: bool = False
        """Whether a read overlapped the one before, or a seal was broken, since this was reset."""

    def take(self) -> Link[ItemT] | None:
        """Take the first read away if it is joined to all that was taken before."""
        if not self.links or not self.links[0].joined:
            return None
        if self.links[0].is_closing:
            # What follows a read that failed is not asked for.
            until_failed = takewhile(lambda link: not link.failed, self.links)
            if any(link.page is None for link in until_failed):
                return None
            self.links = in_whole_pages(self.links, self.edge, self._page_limit)
            self._forget_settled()
        taken = self.links.pop(0)
        if self.settled:
            self.settled -= 1
            self.settled_pages -= taken.is_page
        self.edge = taken.edge
        return taken

    def settle(self, total: int) -> None:
        """Join what touches or is quiet, drop what adds nothing, and bridge what is loud.

        `total` is how many items there are now.
        """
        self._drop_what_was_shifted()
        is_open = self.is_open_since(self._totals.jumped, unanswered=True)
        stamps = self._stamps.received if self._stamps is not None and self.awaits_seals else -1
        if stamps != self._asleep_since or self.asleep < self.settled:
            self._forget_settled()
            self._asleep_since = stamps
        place = self.settled
        left, left_has_arrived = self.edge_before(place), True
        while place < len(self.links) and not (right := self.links[place]).failed:
            if left is None and right.page is None:
                # It is under way, as is what comes before it.
                left_has_arrived, place = False, place + 1
                continue
            if not (left_has_arrived and self._sleeps(left, right)):
                if self._ends_at(place, left, left_has_arrived=left_has_arrived):
                    break
                has_arrived = right.page is not None and left_has_arrived
                if has_arrived and not self._may_turn_loud(left, place):
                    judged = self._judge(place, left, total, is_open=is_open)
                    if judged is None:
                        continue
                    place = judged
            if place == self.settled:
                self._note_settled(left, right)
            left, left_has_arrived = right.edge, right.edge is not None
            place += 1

    def _ends_at(self, place: int, left: Edge | None, *, left_has_arrived: bool) -> bool:
        """Whether nothing follows the read before a place, or that at it; drop what comes later."""
        right = self.links[place]
        if left is not None and left.at_end and left.answer is not None and place:
            del self.links[place:]
            return True
        if right.read.page == 1 and right.shows_nothing_at_all:
            # At that instant there was no item: whatever follows has come since.
            right.joined = left_has_arrived
            del self.links[place + 1 :]
            return True
        return False

    def _judge(self, place: int, left: Edge | None, total: int, *, is_open: bool) -> int | None:
        """Join, keep, bridge or drop a read; return its place, or None to judge the place again."""
        right = self.links[place]
        is_seam = left is not None and self._is_seam(left, right)
        if left is not None and is_seam:
            right.joined = right.joined or self._is_quiet(left, right)
        elif self._is_of_no_use(left, right):
            # Even one that was joined: what it was joined to may have been of no use itself.
            del self.links[place]
            return None
        else:
            right.joined = right.joined or self._is_joined(left, right)
        if left is None or right.joined or is_open or self._awaits_seal(left, right, is_seam):
            return place
        if self._is_amid_by(left, right):
            return None
        self.links.insert(place, Link(self.bridge(left, total), seeks=left))
        return place + 1

    def _sleeps(self, left: Edge | None, right: Link[Any]) -> bool:
        """Whether a read waits for a seal beside this one, and no stamp has come since then."""
        return right.waits_beside is left and right.waits_since == self._asleep_since

    def _note_settled(self, left: Edge | None, right: Link[Any]) -> None:
        sleeps = right.is_page and self._sleeps(left, right)
        if sleeps or (right.joined and not self.asleep):
            self.settled += 1
            self.settled_pages += right.is_page
            self.asleep += sleeps

    def edge_before(self, place: int) -> Edge | None:
        """Return where what comes before the read at a place ends, if that has arrived."""
        return self.links[place - 1].edge if place else self.edge

    def clear(self) -> None:
        """Drop all reads."""
        self.links.clear()
        self._forget_settled()

    def _forget_settled(self) -> None:
        self.asleep = self.settled = self.settled_pages = 0

    def gained(self, link: Link[ItemT]) -> bool:
        """Whether a read that has arrived is joined, or a page that may still be joined."""
        return link in self.links and (link.joined or not link.is_bridge)

    def is_open_since(self, moment: int, *, unanswered: bool = False) -> bool:
        """Whether a read that was asked for by then is not joined, or not even answered."""
        return moment > 0 and any(
            not (one.joined or one.failed or (unanswered and one.page is not None))
            and one.asked is not None
            and one.asked <= moment
            for one in self.links
        )

    @property
    def pages(self) -> int:
        """How many pages are held or under way; not counting bridges."""
        return sum(not link.is_bridge for link in self.links)

    @property
    def is_lost(self) -> bool:
        """Whether a read has missed the edge, so that ranks further on are not known either."""
        return self.edge is not None and self.edge.is_lost

    def bridge(self, edge: Edge, total: int) -> Read:
        """Return the read that most probably straddles the edge, among `total` items now."""
        shift = total - edge.total
        if shift > 0 and (self._ascending or shift <= NEAR):
            # What has come lies after the edge, or a read that begins before it reaches beyond.
            shift = 0
        before = edge.rank - 1 - (0 if self.is_amid(edge) else len(edge.ids))
        target = before + shift
        if edge.target is not None and not edge.may_be_at(target, total):
            target = edge.target
        edge.sought_with = total
        if edge.target is None and (edge.at_end or edge.rank == total):
            # With room for one more: a full page would not prove the end.
            tail = last_of(total + 1, most=self._most)
            if tail.start <= before:
                return tail
        # A read that ends where one ended before the edge would be of no use either.
        beyond = edge.before
        if edge.target is None:
            beyond = edge.rank + shift if edge.rank + shift < total else None
        if edge.rank <= edge.total:
            # What was counted too early, below what the read itself held, bounds nothing.
            target = min(target, total - 1)
        return straddling(max(target, 0), most=self._most, beyond=beyond)

    def overlapping(self, end: int, shared: int, length: int = 1) -> list[Read]:
        """Return reads side by side that begin at least `shared` items before the rank `end`."""
        rank = max(end - shared, 0)
        if length > 1:
            return run_of(length, rank, most=self._most)
        return [straddling(rank, most=self._most, beyond=end)]

    def _drop_what_was_shifted(self) -> None:
        """Drop the reads that hold only what comes before the edge: items have moved by more.

        What is beside such a read has to be joined to another one.
        """
        edge, place = self.edge, 0
        # Of those that wait for a seal there may be a hundred: it judges all of them.
        while edge is not None and not self.awaits_seals and place < len(self.links):
            link = self.links[place]
            last = None if link.is_bridge else link.edge
            if last is None or last.at_end or not self._precedes(last.key, edge.key):
                place += 1
                continue
            del self.links[place]
            edge.is_lost = True
            if place < len(self.links):
                self.links[place].joined = False

    def _is_amid_by(self, left: Edge, right: Link[Any]) -> bool:
        """Note that a read begins too late; whether that shows that no read straddles the edge."""
        if right.seeks is left and not right.is_noted:
            tied = right.content.keys[0] == left.key
            if not left.begun_beyond(right.read.start, tied=tied):
                return True
        right.is_noted = True
        return False

    def _is_of_no_use(self, left: Edge | None, right: Link[Any]) -> bool:
        """Whether a read lies after the end of everything, or wholly before the edge."""
        if right.edge is None:
            if left is not None and right.seeks is left:
                left.begun_beyond(right.read.start, tied=False)
            return True
        if left is None or not self._touches(left, right) or right.edge.at_end:
            return False
        last = right.edge
        if self._precedes(left.key, last.key) or (
            left.key == last.key and not last.ids <= left.ids
        ):
            return False
        if right.seeks is left and not right.is_noted:
            left.ended_before(last.rank, tied=len(last.ids) if left.key == last.key else 0)
        left.is_lost = True
        return True

    def _is_joined(self, left: Edge | None, right: Link[Any]) -> bool:
        if left is None:
            return True
        touches, lies_beside = self._touches(left, right), right.read.start == left.rank
        if right.seeks is None and lies_beside and (touches or right.repeats(left)):
            self.is_loud = True
            self._totals.note_overlap(left, right)
            return touches
        if touches or right.seeks is not None or not lies_beside:
            if touches and right.seeks is None and not right.shows_in_place(left):
                self._totals.note_sign()
            return touches
        return self._totals.show_quiet(left, right)

    def _is_seam(self, left: Edge, right: Link[Any]) -> bool:
        """Whether a read begins where the other ended, and no key is on both sides of the seam."""
        return (
            right.seeks is None
            and right.read.start == left.rank
            and right.edge is not None
            and self._precedes(left.key, right.content.keys[0])
        )

    def _is_quiet(self, left: Edge, right: Link[Any]) -> bool:
        """Whether it is known that nothing changed between the reads on both sides of a seam."""
        if self._totals.show_quiet(left, right):
            return True
        if self.grows_at_its_end and right.answered <= left.asked and right.content.is_wide:
            return True
        return self._stamps is not None and self._stamps.seal(left, right)

    def _may_turn_loud(self, left: Edge | None, place: int) -> bool:
        """Whether a seam seems quiet, and one before it may still show that something changed."""
        if not self._totals.trusted or left is None or not place or self.links[place - 1].joined:
            return False
        right = self.links[place]
        lies_beside = right.seeks is None and right.read.start == left.rank
        return lies_beside and self._totals.show_quiet(left, right)

    def _awaits_seal(self, left: Edge, right: Link[Any], is_seam: bool) -> bool:
        """Whether a stamp that is still to come may seal the seam."""
        awaits = is_seam and self.awaits_seals and self._stamps is not None
        if awaits and self._stamps is not None and self._stamps.may_seal(left, right):
            right.waits_beside, right.waits_since = left, self._stamps.received
            return True
        # Items of one time on both sides of a seam need a bridge, and are no sign of change.
        is_tied = right.content.keys[0] == left.key and right.content.total == left.total
        self.is_loud |= self.awaits_seals and not is_tied and right.seeks is None
        return False

    def _touches(self, left: Edge, right: Link[Any]) -> bool:
        """Whether a read begins before all items that share the edge's key.

        To begin with one of them is enough only if they are more than one read can straddle:
        databases order equal keys in any way, differently in each read.
        """
        keys = right.content.keys
        if right.read.page == 1 or self._precedes(keys[0], left.key):
            return True
        if keys[0] != left.key or not right.begins_with(left.ids):
            return False
        if not self.is_amid(left) and not self._fills_a_read(keys):
            return False
        self._crowded = left.key
        self.relied_on_ties = True
        if self._grows_by_moves:
            self.crowded_from = min(self.crowded_from or left.key, left.key)
        return True

    def is_amid(self, edge: Edge) -> bool:
        """Whether so many items share the edge's key that no read straddles them."""
        return edge.is_amid or edge.key == self._crowded

    def _fills_a_read(self, keys: list[Any]) -> bool:
        """Whether items of one key fill a read, so that none begins before and ends after them."""
        return keys[0] == keys[-1] and len(keys) >= self._most - 1
