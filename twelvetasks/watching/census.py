"""A census: list every task once, to find which were deleted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twelvetasks.paging.options import ListingOptions
from twelvetasks.paging.page_checks import KeyedPage
from twelvetasks.paging.progress import ListingProgress
from twelvetasks.paging.reads import Read
from twelvetasks.values.models import Page
from twelvetasks.values.query import ListQuery


class Census:
    """One exact listing of every task, to find which of the known ones were deleted."""

    def __init__(self, query: ListQuery[Any], known: Iterable[str]) -> None:
        self.missing: dict[str, None] = dict.fromkeys(known)
        """The known ids that have not been listed yet; at the end, the deleted ones."""
        self.reads: int = 0
        self._query = query
        self._progress = ListingProgress(ListingOptions(query=query, exact=True))
        self.read: Read = self._next_read()

    @property
    def is_over(self) -> bool:
        """Whether every task has been listed."""
        return self._progress.finished

    def receive(self, page: Page[Any]) -> list[Any]:
        """Add a page and return the tasks that it completes."""
        self.reads += 1
        self._progress.receive(self.read, KeyedPage.of(page, self._query))
        return self._listed()

    def receive_nothing(self) -> list[Any] | None:
        """Handle a refused read; return None if the page cannot lie past the end."""
        self.reads += 1
        return self._listed() if self._progress.receive_nothing(self.read) else None

    def _listed(self) -> list[Any]:
        items: list[Any] = []
        while (page := self._progress.take()) is not None:
            items += page.items
        for item in items:
            self.missing.pop(self._query.resource.id_of(item), None)
        if self._progress.stuck is not None:
            raise self._progress.stuck
        if not self._progress.finished:
            self.read = self._next_read()
        return items

    def _next_read(self) -> Read:
        read = self._progress.next_read(1)
        if read is None:
            raise AssertionError("a listing that is not finished asks for something")
        return read
