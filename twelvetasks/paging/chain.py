"""The chain of reads: what touches, what is quiet, and where a bridge is needed.

A read is atomic: it holds every task between its first and its last at one instant. Two reads
*touch* if the right one begins at or before the place where the left one ends; then no task that
was there all the time can lie between them. Pages side by side do not touch: a *seam* lies between
them. A seam is *quiet* if nothing changed between its two reads; any other is *loud*, and is
bridged by a read that straddles it. Only what is joined to all before it leaves the chain, so that
nothing is ever passed over. Pure.
"""

from __future__ import annotations

from typing import Protocol

from twelvetasks.paging.links import Edge, Link, Order

__all__ = ["Chain"]


class Evidence(Protocol):
    """What is known of changes between two reads that do not touch."""

    def is_quiet(self, left: Edge, right: Link) -> bool:
        """Whether nothing has come between an edge and the read on its right."""
        ...

    def note_overlap(self, left: Edge, right: Link) -> None:
        """Learn that a read touches the edge on its left."""
        ...


class Chain:
    """Reads in the listing's order, behind the edge of all that has been taken from it."""

    def __init__(self, precedes: Order, evidence: Evidence, *, keys_change: bool = False) -> None:
        self.edge: Edge | None = None
        """Where all that was taken ends; None at the very beginning."""
        self.links: list[Link] = []
        self._precedes = precedes
        self._evidence = evidence
        self._keys_change = keys_change

    def take(self) -> Link | None:
        """Take the first read away if it is joined to all that was taken before."""
        if not self.links or not self.links[0].joined:
            return None
        taken = self.links.pop(0)
        self.edge = taken.edge
        return taken

    def settle(self, total: int) -> None:
        """Join what touches or is quiet, drop what adds nothing, and bridge what is loud.

        `total` is how many tasks there are now.
        """
        left, left_has_arrived, place = self.edge, True, 0
        while place < len(self.links):
            right = self.links[place]
            if right.failed:
                break
            if left is not None and left.at_end and left.answer is not None and place:
                del self.links[place:]
                break
            if right.page is not None and left_has_arrived and not right.joined:
                if self._is_of_no_use(left, right):
                    del self.links[place]
                    continue
                right.joined = self._is_joined(left, right)
                if left is not None and not right.joined:
                    if right.seeks is left and not right.is_noted:
                        left.begun_beyond(right.read.start)
                    right.is_noted = True
                    self.links.insert(place, Link(left.bridge(total), seeks=left))
                    place += 1
            left, left_has_arrived = right.edge, right.page is not None and right.edge is not None
            place += 1

    def _is_of_no_use(self, left: Edge | None, right: Link) -> bool:
        """Whether a read lies behind the end of everything, or wholly before the edge."""
        if right.read.page == 1 and right.edge is None:
            return False
        if right.edge is None:
            return True
        if left is None or not self._touches(left, right) or right.edge.at_end:
            return False
        last = right.edge
        if self._precedes(left.key, last.key) or (
            left.key == last.key and not last.ids <= left.ids
        ):
            return False
        if not right.is_noted and (right.seeks is None or right.seeks is left):
            left.ended_before(right.read.end)
        return True

    def _is_joined(self, left: Edge | None, right: Link) -> bool:
        if left is None:
            return True
        if self._touches(left, right):
            self._evidence.note_overlap(left, right)
            return True
        return self._evidence.is_quiet(left, right)

    def _touches(self, left: Edge, right: Link) -> bool:
        """Whether a read begins at the edge or before it.

        Tasks that share a sort key keep their order, so one that both reads hold is enough. But if
        keys change, a task may have come among those that share one: then the read has to begin
        before all of them, unless they are more than one read can straddle.
        """
        if right.read.page == 1 or self._precedes(right.keys[0], left.key):
            return True
        may_share = not self._keys_change or left.is_wide or right.holds_one_key_only
        return right.keys[0] == left.key and may_share and right.begins_with(left.ids)
