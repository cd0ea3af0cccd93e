"""What a listing is to give, and how surely."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from twelvetasks.paging.progress import Paging
from twelvetasks.values.checkpoint import Checkpoint
from twelvetasks.values.query import TaskQuery

if TYPE_CHECKING:
    pass


@attrs.frozen(kw_only=True)
class Plan:
    """What a listing is to yield, and how surely."""

    query: TaskQuery
    max_items: int | None = None
    exact: bool = False
    resume: Checkpoint | None = None

    def __str__(self) -> str:
        words = [str(self.query)]
        words += [f"max_items={self.max_items}"] * (self.max_items is not None)
        words += ["exact"] * self.exact + ["resumed"] * (self.resume is not None)
        return ", ".join(words)

    def paging(self) -> Paging:
        """Begin the listing anew."""
        return Paging(self.query, max_items=self.max_items, exact=self.exact, resume=self.resume)
