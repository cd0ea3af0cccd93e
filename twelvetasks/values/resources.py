"""Where a list of the platform is, what its items are called, and how they can be sorted.

A `Resource` is all that listings know of a kind of item: a new list of the platform is one new
`Resource`, with a model and a query, and no other change.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from operator import attrgetter
from typing import Generic, TypeVar

import attrs

from twelvetasks.values.models import Page

__all__ = ["Resource", "SortKey"]

ItemT = TypeVar("ItemT")


@attrs.frozen(kw_only=True)
class SortKey(Generic[ItemT]):
    """A time that a list can be sorted by."""

    name: str
    """The API's name for it, such as ``created_at``."""
    read: Callable[[ItemT], datetime | None]
    """Gives an item's time. Items without one count as if they shared their neighbour's."""
    changes: bool = False
    """Whether an item's time can change. It may then only grow."""


@attrs.frozen(kw_only=True)
class Resource(Generic[ItemT]):
    """A list of the platform, as a value.

    Its items may be of any class, also plain dicts: their ids and sort keys are read by functions.

    Example, of a list of dicts::

        from operator import itemgetter

        runs = Resource(
            path="analyze/tasks",
            page=Page[dict],
            noun="analysis tasks",
            id_of=itemgetter("task_id"),
            sort_keys=(SortKey(name="created_at", read=itemgetter("created_at")),),
        )
    """

    path: str
    """Where the list is, below the API's base URL."""
    page: type[Page[ItemT]]
    """What one answer becomes, which says what its items become."""
    sort_keys: tuple[SortKey[ItemT], ...]
    """What the list can be sorted by. A list that takes no sort parameters has one: its order is
    newest first by that."""
    id_of: Callable[[ItemT], str] = attrgetter("id")
    """Gives an item's id, which no other item of the list has."""
    noun: str = "items"
    """What the items are called, in messages."""
    max_page_limit: int = 50
    """The most items that the platform puts on one page."""
