"""Links and edges: the reads of a chain, and where what has been taken from it ends."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, TypeVar

import attrs

from twelvetasks.paging.page_checks import KeyedPage
from twelvetasks.paging.reads import Read

__all__ = ["Edge", "Link"]

ItemT = TypeVar("ItemT")


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
    """How many items matched at that instant."""
    answer: int | None
    """Which answer it was, counted from 1; None for an edge that a checkpoint remembers."""
    target: int | None = None
    """The rank at which to look for the edge next; None before the first miss."""
    turned: bool = attrs.field(default=False, init=False)
    """Whether reads that sought it began beyond it and ended before it, both."""
    _step: int = attrs.field(default=2, init=False)
    _missed: int = attrs.field(default=0, init=False)

    @property
    def at_end(self) -> bool:
        """Whether nothing followed it."""
        return self.rank >= self.total

    def begun_beyond(self, rank: int) -> None:
        """Note that a read which began at `rank` does not reach back to the edge: step back."""
        self.turned |= self._missed < 0
        self._widen(again=self._missed > 0)
        self._missed = 1
        self.target = rank - self._step

    def ended_before(self, rank: int) -> None:
        """Note that a read which ended at `rank` does not reach as far as the edge: step on."""
        again = self._missed < 0
        self.turned |= self._missed > 0
        self._widen(again=again)
        self._missed = -1
        self.target = rank - 1 + (self._step if again else 0)

    def _widen(self, *, again: bool) -> None:
        self._step = self._step * 2 if again else max(self._step // 2, 2)


@attrs.define(eq=False)
class Link(Generic[ItemT]):
    """One read of the chain and, once it has arrived, what it holds."""

    read: Read
    seeks: Edge | None = None
    """The edge that it is to straddle; None if it is to lie beside what is before it."""
    asked: bool = False
    attempts: int = 0
    failed: bool = False
    joined: bool = False
    """Whether it is known that nothing is missing between it and what is before it."""
    is_noted: bool = False
    """Whether the edge before it has learned from it that it begins too late: once, when new."""
    page: KeyedPage[ItemT] | None = None
    edge: Edge | None = None
    """Where it ends; None until it has arrived, and if it holds no item."""

    def arrive(self, page: KeyedPage[ItemT], answer: int) -> None:
        """Take in what the read holds."""
        self.page = page
        if keys := page.keys:
            last, first = keys[-1], len(keys) - 1
            while first and keys[first - 1] == last:
                first -= 1
            self.edge = Edge(
                key=last,
                ids=frozenset(page.ids[first:]),
                rank=self.read.start + len(keys),
                total=page.total,
                answer=answer,
            )

    @property
    def content(self) -> KeyedPage[ItemT]:
        """What a read that has arrived holds."""
        if self.page is None:
            raise AssertionError("the read has not arrived")
        return self.page

    @property
    def is_bridge(self) -> bool:
        """Whether it was planned to straddle an edge."""
        return self.seeks is not None

    def begins_with(self, ids: frozenset[str]) -> bool:
        """Whether one of the items that share its first sort key is among these."""
        page = self.content
        first = page.keys[0]
        return any(
            id in ids and key == first
            for id, key in zip(page.ids, page.keys, strict=True)  # noqa: A001
        )
