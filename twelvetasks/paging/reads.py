"""Reads: which stretch of a listing a page number and a page limit ask for.

A *rank* is a task's place in the listing, counted from 0, at the instant of a read. The platform
takes any page limit from 1 to 50, so for any rank there is a read that begins at it or shortly
before and reaches many ranks beyond.
"""

from __future__ import annotations

import attrs

from twelvetasks.values.query import MAX_PAGE_LIMIT

__all__ = ["Read", "are_too_many_to_straddle", "last_of", "straddling"]


@attrs.frozen(eq=False)
class Read:
    """One request for a page. Two reads of the same page are two reads: each has its own answer."""

    page: int
    """From 1."""
    page_limit: int
    """Tasks on each page."""

    @property
    def start(self) -> int:
        """The rank of the first task it asks for."""
        return (self.page - 1) * self.page_limit

    @property
    def end(self) -> int:
        """The rank after the last task it asks for."""
        return self.page * self.page_limit


def straddling(rank: int, *, beyond: int | None = None) -> Read:
    """Give the read that begins at `rank` or before and reaches furthest beyond it.

    It reaches beyond the rank `beyond`, too; where no read spans both, `rank` gives way to that.
    """
    page_limit = max(range(1, MAX_PAGE_LIMIT + 1), key=lambda limit: limit - rank % limit)
    read = Read(rank // page_limit + 1, page_limit)
    if beyond is not None and read.end <= beyond and rank < beyond - 1:
        return straddling(beyond - 1)
    return read


def last_of(total: int) -> Read:
    """Give the read that holds the last of `total` tasks and begins furthest before it."""
    rank = max(total - 1, 0)
    page_limit = max(range(1, MAX_PAGE_LIMIT + 1), key=lambda limit: rank % limit)
    return Read(rank // page_limit + 1, page_limit)


def are_too_many_to_straddle(tasks: int) -> bool:
    """Whether there may be no read that begins before so many tasks and ends behind them."""
    return 2 * tasks >= MAX_PAGE_LIMIT
