"""Links and edges: the reads of a chain, and where what has been taken from it ends."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, TypeVar

import attrs

from twelvetasks.paging.page_checks import KeyedPage
from twelvetasks.paging.reads import Read

ItemT = TypeVar("ItemT")

NEAR = 24
"""Ranks so close together that one read that begins before the first reaches beyond the last."""


@attrs.define(eq=False, kw_only=True)
class Edge:
    """Where a read ends, and how the search for what follows it goes."""

    key: datetime
    """The sort key of the last item."""
    ids: frozenset[str]
    """The items of the read that have this key."""
    rank: int
    """The rank after the last item, at the instant of the read."""
    total: int
    """How many items matched by that answer: a hint, for it may have been counted earlier."""
    asked: int = 0
    """The moment at which it was asked for; moments are counted."""
    answer: int | None
    """The moment of the answer; None for an edge that a checkpoint remembers."""
    arrival: int = 0
    """Which answer it was, counted from 1."""
    at_end: bool = False
    """Whether the read was short, so that nothing followed it at that instant."""
    target: int | None = None
    """The rank at which to look for the edge next; None before the first miss."""
    sought_with: int = attrs.field(default=0, init=False)
    """The total by which it was looked for last."""
    before: int | None = attrs.field(default=None, init=False)
    """A rank at or before the edge: a read that sought it ended there."""
    _beyond: int | None = attrs.field(default=None, init=False)
    """A rank beyond the edge: a read that sought it began there."""
    _step: int = attrs.field(default=16, init=False)
    is_lost: bool = attrs.field(default=False, init=False)
    """Whether a read that was to follow it does not: it is no longer at its rank."""
    is_amid: bool = attrs.field(default=False, init=False)
    """Whether so many items share its key that reads both begin and end among them."""
    _tied_before: bool = attrs.field(default=False, init=False)
    _tied_beyond: bool = attrs.field(default=False, init=False)
    _before_tied: int = attrs.field(default=0, init=False)
    """How many items of its key end the read that ended at `before`."""

    @classmethod
    def remembered(cls, key: datetime, ids: frozenset[str], rank: int) -> Edge:
        """Make the edge that a checkpoint remembers: it has to be sought."""
        return cls(key=key, ids=ids, rank=rank, total=rank + 1, answer=None, target=rank - 1)

    def may_be_at(self, rank: int, total: int) -> bool:
        """Whether the edge may be at a rank that follows from a total not known before."""
        if self.answer is None or abs(total - self.sought_with) <= NEAR:
            return False
        after = self.before is None or self.before < rank
        return after and (self._beyond is None or rank < self._beyond)

    def begun_beyond(self, rank: int, *, tied: bool) -> bool:
        """Note that a read which began at `rank` does not reach back to the edge: look before it.

        `tied`: it began with an item of the edge's own key. False if by that it is known now that
        no read straddles all items of this key, so that what the read proves is to be judged again.
        """
        self._tied_beyond |= tied
        if self._is_amid_now():
            return False
        self.is_lost = True
        self._beyond = rank
        if self.before is not None and self.before <= rank:
            self._look_between(self.before, rank)
        else:
            self.before = None
            self.target = rank - self._next_step()
        return True

    def ended_before(self, rank: int, *, tied: int) -> None:
        """Note that a read which ended at `rank` does not reach as far as the edge: look after it.

        `tied`: how many items of the edge's own key it ended with.
        """
        self._tied_before |= tied > 0
        self._is_amid_now()
        self.is_lost = True
        self.before, self._before_tied = rank, tied
        if self._beyond is not None and rank <= self._beyond:
            self._look_between(rank, self._beyond)
        else:
            self._beyond = None
            self.target = rank - 1 - self._to_cross + self._next_step() - 16

    @property
    def _to_cross(self) -> int:
        """How many items before the edge a read has to begin."""
        return 0 if self.is_amid else len(self.ids)

    def _is_amid_now(self) -> bool:
        """Whether it has just been found that the edge is amid items of one key."""
        if self.is_amid or not (self._tied_before and self._tied_beyond):
            return False
        self.is_amid = True
        # To begin among them was not enough, and is from here on.
        self.before = self._beyond = None
        return True

    def _next_step(self) -> int:
        step, self._step = self._step, self._step * 2
        return step

    def _look_between(self, before: int, beyond: int) -> None:
        self._step = 16
        middle = (before + beyond) // 2
        if beyond - before > NEAR:
            self.target = middle
        else:
            self.target = before - 1 - (0 if self.is_amid else self._before_tied)


@attrs.define(eq=False)
class Link(Generic[ItemT]):
    """One read of the chain and, once it has arrived, what it holds."""

    read: Read
    seeks: Edge | None = None
    """The edge that it is to straddle; None if it is to lie beside what is before it."""
    asked: int | None = None
    """The moment at which it was asked for; None before."""
    waits_for: Link[ItemT] | None = None
    """The read beside it, further on, that has to be answered before this one is asked for."""
    is_closing: bool = False
    """Whether it is one of the last reads, which overlap so that no stamp has to follow them."""
    failed: bool = False
    joined: bool = False
    """Whether it is known that nothing is missing between it and what is before it."""
    waits_beside: Edge | None = None
    """The edge before it when it was found to wait for a seal; None before."""
    waits_since: int | None = None
    """The number of stamps received by then; as long as both are the same, it still waits."""
    is_noted: bool = False
    """Whether the edge before it has learned from it that it begins too late: once, when new."""
    page: KeyedPage[ItemT] | None = None
    answered: int = 0
    """The moment of the answer, once it has arrived."""
    arrival: int = 0
    """Which answer it was, counted from 1."""
    edge: Edge | None = None
    """Where it ends; None until it has arrived, and if it holds no item."""

    def arrive(self, page: KeyedPage[ItemT], answer: int, arrival: int = 0) -> None:
        """Take in what the read holds."""
        self.page, self.answered, self.arrival = page, answer, arrival
        if keys := page.keys:
            last, first = keys[-1], len(keys) - 1
            while first and keys[first - 1] == last:
                first -= 1
            self.edge = Edge(
                key=last,
                ids=frozenset(page.ids[first:]),
                rank=self.read.start + len(keys),
                total=page.total,
                asked=self.asked or 0,
                answer=answer,
                arrival=arrival,
                at_end=len(keys) < self.read.page_limit and not self.is_contradicted,
            )
            # Where there should be more than there was, ranks further on are not known.
            self.edge.is_lost = self.is_contradicted

    @property
    def may_be_asked(self) -> bool:
        """Whether it need not wait for another to be answered."""
        other = self.waits_for
        return other is None or other.page is not None or other.failed

    @property
    def content(self) -> KeyedPage[ItemT]:
        """What a read that has arrived holds."""
        if self.page is None:
            raise AssertionError("the read has not arrived")
        return self.page

    @property
    def is_contradicted(self) -> bool:
        """Whether the answer's own total says that there is more than the read holds."""
        page = self.content
        held = len(page.ids)
        return held < self.read.page_limit and self.read.start + held < page.total

    @property
    def shows_nothing_at_all(self) -> bool:
        """Whether it has arrived, and there was no item."""
        return (
            self.page is not None
            and self.read.page == 1
            and not self.page.ids
            and not self.is_contradicted
        )

    @property
    def is_page(self) -> bool:
        """Whether it is a page, or the one read of a run of pages that stands for all of them."""
        return self.seeks is None and self.waits_for is None

    @property
    def is_bridge(self) -> bool:
        """Whether it was planned to straddle an edge."""
        return self.seeks is not None

    def repeats(self, edge: Edge) -> bool:
        """Whether it begins with an item that ended another read, so that ranks have grown."""
        return self.content.keys[0] == edge.key and self.begins_with(edge.ids)

    def shows_in_place(self, edge: Edge) -> bool:
        """Whether the key that ended another read has the rank that it had there."""
        place, keys = edge.rank - 1 - self.read.start, self.content.keys
        return not 0 <= place < len(keys) or keys[place] == edge.key

    def begins_with(self, ids: frozenset[str]) -> bool:
        """Whether one of the items that share its first sort key is among these."""
        page = self.content
        first = page.keys[0]
        return any(
            id in ids and key == first
            for id, key in zip(page.ids, page.keys, strict=True)  # noqa: A001
        )


class Widths:
    """How many items share the last key of a read, as learnt from the reads so far."""

    def __init__(self) -> None:
        self._reads = self._items = 0

    @property
    def usual(self) -> int:
        """How many items to expect at the end of a read that has not arrived."""
        return max(round(self._items / max(self._reads, 1)), 1)

    def note(self, items: int) -> None:
        """Learn from a read at whose end so many items share a key."""
        if items <= NEAR:  # no overlap is wide enough for more
            self._reads += 1
            self._items += items
