"""Reads: which stretch of a listing a page number and a page limit ask for.

A *rank* is an item's place in the listing, counted from 0, at the instant of a read. The platform
takes any page limit from 1 to a largest one, so for any rank there is a read that begins at it or
shortly before and reaches many ranks beyond. Pure.
"""

from __future__ import annotations

import attrs


@attrs.frozen(eq=False)
class Read:
    """One request for a page. Two reads of the same page are two reads: each has its own answer."""

    page: int
    """From 1."""
    page_limit: int
    """Items on each page."""
    stamp: bool = False
    """Whether it is no page of the listing, but a stamp (see `stamps`)."""

    @property
    def start(self) -> int:
        """The rank of the first item it asks for."""
        return (self.page - 1) * self.page_limit

    @property
    def end(self) -> int:
        """The rank after the last item it asks for."""
        return self.page * self.page_limit


def run_of(length: int, rank: int, *, most: int) -> list[Read]:
    """Return so many reads side by side, of at most `most` items each.

    The first begins at `rank` or before, and the last ends last.
    """
    page_limit = max(range(1, most + 1), key=lambda limit: length * limit - rank % limit)
    first = rank // page_limit + 1
    return [Read(page, page_limit) for page in range(first, first + length)]


def straddling(rank: int, *, most: int, beyond: int | None = None) -> Read:
    """Return the read of at most `most` items that begins at `rank` or before and ends last.

    It reaches beyond the rank `beyond`, too; if no read spans both, it may begin after `rank`.
    """
    (read,) = run_of(1, rank, most=most)
    if beyond is not None and read.end <= beyond and rank < beyond - 1:
        return straddling(beyond - 1, most=most)
    return read


def last_of(total: int, *, most: int) -> Read:
    """Return the read of at most `most` items that holds the last of `total` and begins first."""
    rank = max(total - 1, 0)
    page_limit = max(range(1, most + 1), key=lambda limit: rank % limit)
    return Read(rank // page_limit + 1, page_limit)
