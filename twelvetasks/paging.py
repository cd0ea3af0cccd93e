"""Which page to read next, and what of the pages that came is to be yielded.

Pure: no asyncio, no clock, no network. `TaskStream` asks it for reads, hands it what came back in
whatever order it came, and takes from it pages in the listing's order.
"""

from __future__ import annotations

from collections import deque

import attrs

from twelvetasks.errors import ResponseError
from twelvetasks.models import TaskPage

__all__ = ["Paging", "Read"]


@attrs.frozen
class Read:
    """One page to be asked for."""

    page: int
    """From 1."""
    page_limit: int
    """Tasks on each page."""


class Paging:
    """The progress of one listing through its pages."""

    def __init__(self, page_limit: int, *, max_items: int | None = None) -> None:
        self.total_results: int | None = None
        """How many tasks match, by the newest page received; None before the first."""
        self.total_page: int | None = None
        """How many pages there are, by the newest page received; None before the first."""
        self._page_limit = min(page_limit, max_items or page_limit)
        self._wanted = max_items
        self._next_page = 1
        self._waiting: deque[Read] = deque()
        self._arrived: dict[Read, TaskPage] = {}
        self._yielded: set[str] = set()

    @property
    def head(self) -> Read | None:
        """The read whose answer is needed for anything more to be taken."""
        return self._waiting[0] if self._waiting else None

    @property
    def ahead(self) -> int:
        """How many pages have been asked for and not yet been taken."""
        return len(self._waiting)

    def next_read(self) -> Read | None:
        """Give the next page worth asking for, nearest the reader first; None if there is none."""
        if self._next_page > self._last_page():
            return None
        read = Read(self._next_page, self._page_limit)
        self._next_page += 1
        self._waiting.append(read)
        return read

    def receive(self, read: Read, page: TaskPage) -> None:
        """Take in the answer to a read."""
        info = page.page_info
        if not page.tasks and info.total_results and read.page <= info.total_page:
            raise ResponseError(
                f"the page is empty, though it says that there are {info.total_page} pages",
                advice="The listing would be incomplete; try again",
                page=read.page,
            )
        self.total_results = info.total_results
        self.total_page = info.total_page
        self._arrived[read] = page

    def take(self) -> TaskPage | None:
        """Give the next page in order, without tasks given before; None if it has not arrived."""
        if not self._waiting or (page := self._arrived.pop(self._waiting[0], None)) is None:
            return None
        self._waiting.popleft()
        new = tuple(task for task in page.tasks if task.id not in self._yielded)
        if self._wanted is not None:
            new = new[: self._wanted]
            self._wanted -= len(new)
            if not self._wanted:
                self._waiting.clear()
        self._yielded.update(task.id for task in new)
        return page if len(new) == len(page.tasks) else attrs.evolve(page, data=new)

    def _last_page(self) -> int:
        if self._wanted == 0:
            return 0
        if self.total_page is None:
            return 1
        if self._wanted is None:
            return self.total_page
        taken = self._next_page - 1 - len(self._waiting)
        return min(self.total_page, taken + -(-self._wanted // self._page_limit))
