"""The plain walk: page after page until an empty one, for answers that prove nothing.

The official SDK reads a listing like this, whatever `page_info` says. A listing without `exact`
changes over to it at the first page that cannot be joined to the one before by proof: one without a
total, or out of order. The platform's counts only decide how far ahead it reads. Pure.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from twelvetasks.paging.page_checks import KeyedPage
from twelvetasks.paging.reads import Read
from twelvetasks.values.errors import ResponseError

ItemT = TypeVar("ItemT")


class Walk(Generic[ItemT]):
    """The pages from one on, in order."""

    def __init__(self, page: int, page_limit: int) -> None:
        self.over: bool = False
        """Whether the empty page has been taken."""
        self._page_limit = page_limit
        self._number = self._next = page
        self._last_known = 0
        self._ahead = 1
        self._reads: dict[int, Read] = {}
        self._pages: dict[int, KeyedPage[ItemT]] = {}
        self._failed = False

    @property
    def head(self) -> Read | None:
        """The read whose answer is needed for anything more to be taken."""
        return self._reads.get(self._number)

    @property
    def taken(self) -> int:
        """The number of the page taken last."""
        return self._number - 1

    @property
    def rank(self) -> int:
        """The rank after the last item of that page, if it is full."""
        return self.taken * self._page_limit

    def next_read(self, window: int) -> Read | None:
        """Return the next read: ahead of the caller only as far as there are said to be pages."""
        if self.over or self._failed or self._next - self._number >= min(window, self._ahead):
            return None
        if self._next > max(self._number, self._last_known):
            return None
        read = self._reads[self._next] = Read(self._next, self._page_limit)
        self._next += 1
        return read

    def receive(self, read: Read, page: KeyedPage[ItemT]) -> None:
        """Take in a page, if it is one of the walk."""
        if self._reads.get(read.page) is read:
            self._pages[read.page] = page
            self._last_known = max(self._last_known, page.page_info.total_page or 0)

    def begin_with(self, page: KeyedPage[ItemT]) -> None:
        """Take in the first page, which has been read already."""
        self._reads[self._number] = read = Read(self._number, self._page_limit)
        self._next = self._number + 1
        self.receive(read, page)

    def is_beyond_the_end(self, read: Read) -> bool:
        """Whether a page that was refused may lie past the end."""
        return read.page > max(self._last_known, 1)

    def fail(self, read: Read) -> None:
        """Take in that a read has no answer: if it is of the walk, nothing beyond is asked for."""
        self._failed |= self._reads.get(read.page) is read

    def take(self) -> KeyedPage[ItemT] | None:
        """Return the next page if it has arrived; the empty one, which is the end, is the last."""
        page = self._pages.pop(self._number, None)
        if page is not None:
            del self._reads[self._number]
            self._number += 1
            self._ahead *= 2
            self.over = not page.ids
        return page

    def repeats_itself(self, pages: int) -> ResponseError:
        """Make the error of so many pages in a row that brought nothing new."""
        return ResponseError(
            f"{pages} pages in a row hold nothing that the pages before did not hold",
            advice="The platform repeats itself; try again later",
            page=self.taken,
        )
