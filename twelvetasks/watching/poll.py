"""One poll: read the latest updates, back to some time before the newest one delivered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from twelvetasks.paging.chain import Chain
from twelvetasks.paging.links import Link
from twelvetasks.paging.page_checks import KeyedPage
from twelvetasks.paging.patience import PATIENCE, given_up
from twelvetasks.paging.reads import Read
from twelvetasks.values.query import ListQuery

BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


def earlier(key: datetime, seconds: float) -> datetime:
    """Return the time that is some seconds before another."""
    try:
        return key - timedelta(seconds=seconds)
    except OverflowError:
        return BEFORE_ALL


class Poll:
    """One pass over the latest updates: overlapping reads from the head down past a sort key."""

    def __init__(
        self, query: ListQuery[Any], page_limit: int, floor: datetime | None, lateness: float
    ) -> None:
        self.is_over: bool = False
        self.newest: datetime | None = None
        """The sort key of the first task of the first read; None if there is none."""
        self.tasks: list[tuple[datetime, Any]] = []
        """Every task read, with its sort key: newest first, some of them twice."""
        self.total: int = 0
        """How many tasks matched at the first read."""
        self.reads: int = 0
        self._query = query
        self._floor = floor
        self._lateness = lateness
        self._chain = Chain(query)
        self._chain.links.append(Link(Read(1, page_limit)))
        self._fruitless = 0
        self._seen: set[tuple[datetime, str]] = set()
        """The states read, to tell whether a page brings a new one."""

    @property
    def read(self) -> Read:
        """The read whose answer is needed."""
        return self._awaited.read

    @property
    def _awaited(self) -> Link[Any]:
        return next(link for link in self._chain.links if link.page is None)

    def receive(self, page: KeyedPage[Any]) -> None:
        """Add the page that answers the read."""
        total = page.total
        link = self._awaited
        link.arrive(page, self.reads)
        self.reads += 1
        if link.edge is not None:
            # Whatever the total says: it may lag behind.
            link.edge.at_end = len(page.ids) < link.read.page_limit
            link.edge.is_lost = False
        self._chain.settle(total)
        self._fruitless += 1
        while (taken := self._chain.take()) is not None and taken.page is not None:
            self._collect(taken.page)
        if self._fruitless >= PATIENCE and not self.is_over:
            advice = "What was delivered is complete: continue with resume=error.checkpoint"
            raise given_up(self._query, self._chain.edge, advice)
        if not self.is_over and not self._chain.links:
            self._chain.links.append(self._next_link(total))

    def _collect(self, page: KeyedPage[Any]) -> None:
        keys = page.keys
        if not self.tasks:
            self.newest = keys[0] if keys else None
            if self._floor is None and self.newest is not None:
                self._floor = earlier(self.newest, self._lateness)
            self.total = page.total
        self.tasks += zip(keys, page.whole().items, strict=True)
        known = len(self._seen)
        self._seen.update(zip(keys, page.ids, strict=True))
        if len(self._seen) > known:
            self._fruitless = 0
        edge = self._chain.edge
        if edge is None or edge.at_end or (self._floor is not None and edge.key < self._floor):
            self.is_over = True

    def _next_link(self, total: int) -> Link[Any]:
        edge = self._chain.edge
        if edge is None:
            raise AssertionError("a poll without an edge is over")
        if edge.target is not None or edge.rank >= total:
            return Link(self._chain.bridge(edge, total), seeks=edge)
        overlapping = self._chain.overlapping(edge.rank, len(edge.ids) + 1)[0]
        return Link(overlapping, seeks=edge)
