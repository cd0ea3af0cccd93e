"""Which read follows another: side by side, overlapping, or across an edge that has moved. Pure."""

from __future__ import annotations

from itertools import pairwise
from typing import Generic, TypeVar

from twelvetasks.paging.chain import Chain
from twelvetasks.paging.links import NEAR, Edge, Link
from twelvetasks.paging.reads import Read
from twelvetasks.paging.sealing import Sealing
from twelvetasks.paging.totals import Totals
from twelvetasks.values.query import ListQuery

ItemT = TypeVar("ItemT")

RUN = 7
"""The most pages of a run: pages side by side, each asked for once the one after it has arrived."""

SHORT = 20
"""Full pages up to which a listing goes without stamps: they would cost as much as overlaps."""


class Planner(Generic[ItemT]):
    """Plans the reads of one listing."""

    def __init__(
        self,
        query: ListQuery[ItemT],
        page_limit: int,
        chain: Chain[ItemT],
        totals: Totals,
        sealing: Sealing,
    ) -> None:
        self._page_limit = page_limit
        self._most = query.resource.max_page_limit
        self._chain = chain
        self._totals = totals
        self._sealing = sealing
        self._runs = 0

    def is_long(self, wanted: int | None) -> bool:
        """Whether so much is still to be read that stamps cost less than overlaps."""
        edge = self._chain.edge
        left = (self._totals.latest or 0) - (0 if edge is None else edge.rank)
        return (left if wanted is None else min(left, wanted)) > SHORT * self._most

    def head(self, *, again: bool) -> Link[ItemT]:
        """Plan the first read of a pass; `again`: one that is to span all it can."""
        return Link(Read(1, self._most if again else self._page_limit))

    def after(self, edge: Edge, wanted: int | None) -> list[Link[ItemT]]:
        """Plan what follows an edge, or straddles it if its place is no longer known."""
        total = edge.total if self._totals.latest is None else self._totals.latest
        has_moved = edge.is_lost or abs(total - edge.total) > NEAR
        if edge.target is not None or edge.rank >= total or has_moved:
            return [Link(self._chain.bridge(edge, total), seeks=edge)]
        shared = 1 if self._chain.is_amid(edge) else len(edge.ids)
        return self.beside(edge.rank, edge.asked, wanted, shared=shared)

    def beside(
        self, end: int, asked: int, wanted: int | None, *, shared: int = 0
    ) -> list[Link[ItemT]]:
        """Plan what follows the rank `end`: side by side, or overlapping if it has to be.

        `asked` is the moment at which the read before it was asked for, `wanted` how many items
        the caller still wants, and `shared` how many of the last items before it have the same
        key; 0 if that is not known yet. Empty if no more is wanted.
        """
        begun = self._chain.edge.rank if self._chain.edge is not None else 0
        total = self._totals.latest or 0
        last = total if wanted is None else min(total, begun + wanted)
        are_quiet, length = self._totals.are_quiet, 1
        side_by_side = are_quiet or self._sealing.may_seal(asked)
        is_closing = side_by_side and not are_quiet and self._closes(last - end)
        if is_closing:
            side_by_side = False
            # A full page does not show that it is the last.
            last += wanted is None
        if end >= last:
            return []
        if self._chain.grows_at_its_end and not are_quiet:
            # One who has read little may want little.
            length = min(1 + self._runs, RUN)
            self._runs += 1
        if side_by_side:
            if end % self._page_limit:
                end = max(end - 2, 0)
            first = end // self._page_limit + 1
            reads = [Read(page, self._page_limit) for page in range(first, first + length)]
        else:
            shared = (shared or self._sealing.widths.usual) + 1
            reads = self._chain.overlapping(end, shared, length)
        run = [
            Link[ItemT](read, is_closing=is_closing)
            for read in reads
            if read is reads[0] or read.start < last
        ]
        for link, following in pairwise(run):
            link.waits_for = following
        return run

    def _closes(self, left: int) -> bool:
        """Whether to read all that is left now, overlapping, while a stamp seals what precedes."""
        links = self._chain.links
        return bool(links and links[-1].is_closing) or self._sealing.ends_now(left)
