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

Only what is joined to all before it leaves the chain, so that nothing is ever passed over. The
proof assumes that a sort key never goes back, and that items with equal keys keep their order. If
keys change, ties are not relied on: a read has to begin before all items of one key to touch. Pure.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from twelvetasks.paging.evidence import Totals
from twelvetasks.paging.links import Edge, Link
from twelvetasks.paging.reads import Read, are_too_many_to_straddle, last_of, straddling
from twelvetasks.values.query import ListQuery

__all__ = ["Chain"]

ItemT = TypeVar("ItemT")


class Chain(Generic[ItemT]):
    """Reads in the listing's order, after the edge of all that has been taken from it."""

    def __init__(self, query: ListQuery[ItemT], evidence: Totals) -> None:
        self.edge: Edge | None = None
        """Where all that was taken ends; None at the very beginning."""
        self.links: list[Link[ItemT]] = []
        self._precedes = query.precedes
        self._keys_change = query.sort_key.changes
        self._most = query.resource.max_page_limit
        self._evidence = evidence

    def take(self) -> Link[ItemT] | None:
        """Take the first read away if it is joined to all that was taken before."""
        if not self.links or not self.links[0].joined:
            return None
        taken = self.links.pop(0)
        self.edge = taken.edge
        return taken

    def settle(self, total: int) -> None:
        """Join what touches or is quiet, drop what adds nothing, and bridge what is loud.

        `total` is how many items there are now.
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
                    self.links.insert(place, Link(self.bridge(left, total), seeks=left))
                    place += 1
            left, left_has_arrived = right.edge, right.page is not None and right.edge is not None
            place += 1

    def bridge(self, edge: Edge, total: int) -> Read:
        """Give the read that most probably straddles the edge, among `total` items now."""
        before = edge.rank - 1 - len(edge.ids)
        target = before - abs(total - edge.total) if edge.target is None else edge.target
        if edge.at_end and edge.target is None:
            tail = last_of(total, most=self._most)
            if tail.start <= before:
                return tail
        beyond = edge.rank if edge.target is None and edge.rank < total else None
        return straddling(max(min(target, total - 1), 0), most=self._most, beyond=beyond)

    def overlapping(self, end: int, shared: int) -> Read:
        """Give the read that begins at least `shared` items before the rank `end`, to overlap."""
        return straddling(max(end - shared, 0), most=self._most, beyond=end)

    def is_wide(self, edge: Edge) -> bool:
        """Whether more items share the edge's key than one read can be sure to straddle."""
        return edge.turned or are_too_many_to_straddle(len(edge.ids), most=self._most)

    def _is_of_no_use(self, left: Edge | None, right: Link[Any]) -> bool:
        """Whether a read lies after the end of everything, or wholly before the edge."""
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

    def _is_joined(self, left: Edge | None, right: Link[Any]) -> bool:
        if left is None:
            return True
        if self._touches(left, right):
            self._evidence.note_overlap(left, right)
            return True
        return self._evidence.is_quiet(left, right)

    def _touches(self, left: Edge, right: Link[Any]) -> bool:
        """Whether a read begins at the edge or before it.

        Items that share a sort key keep their order, so one that both reads hold is enough. But if
        keys change, an item may have come among those that share one: then the read has to begin
        before all of them, unless they are more than one read can straddle.
        """
        keys = right.content.keys
        if right.read.page == 1 or self._precedes(keys[0], left.key):
            return True
        may_share = not self._keys_change or self.is_wide(left) or self._holds_one_key_only(keys)
        return keys[0] == left.key and may_share and right.begins_with(left.ids)

    def _holds_one_key_only(self, keys: list[Any]) -> bool:
        """Whether so many items share one sort key that hardly a read holds them all."""
        return keys[0] == keys[-1] and are_too_many_to_straddle(len(keys), most=self._most)
