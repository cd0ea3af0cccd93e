"""Where a list of the platform is, what its items are called, and how it can be sorted.

A `Resource` is all that listings know of a kind of item: a new list of the platform is one new
`Resource`, with a model and a query. A method in `lists.py` and a `--kind` in `cli/kinds.py` are
for callers' ease; `session.list` needs neither.
"""

from __future__ import annotations

import functools
import string
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, Generic, TypeVar

import attrs

from twelvetasks.values.models import Page

ItemT = TypeVar("ItemT")


@attrs.frozen(kw_only=True)
class SortKey(Generic[ItemT]):
    """A time that a list can be sorted by."""

    name: str
    """The API's name for it, such as ``created_at``."""
    read: Callable[[ItemT], datetime | None]
    """Returns an item's time. An item without one takes its neighbour's."""
    changes: bool = False
    """Whether an item's time can change. It may then only grow."""


CREATED_AT: SortKey[Any] = SortKey(name="created_at", read=attrgetter("created_at"))
UPDATED_AT: SortKey[Any] = SortKey(name="updated_at", read=attrgetter("updated_at"), changes=True)


def status_in(item: Any) -> str | None:
    """Return what an item, or a dict, has as its status."""
    is_mapping = isinstance(item, Mapping)
    status: str | None = item.get("status") if is_mapping else getattr(item, "status", None)
    return status


def reason_in(item: Any) -> str | None:
    """Return the reason for which an item has failed."""
    reason: str | None = getattr(item, "error_reason", None)
    return reason or getattr(getattr(item, "error", None), "message", None)


def _frozen(statuses: Iterable[str]) -> frozenset[str]:
    return frozenset(statuses)


def _page_of(resource: Resource[Any]) -> Any:
    return Page[resource.item]  # type: ignore[name-defined]


@attrs.frozen(kw_only=True)
class Resource(Generic[ItemT]):
    """A list of the platform, as a value.

    Items may be of any class, plain dicts included: functions read their ids and sort keys.

    Example, of a list of dicts::

        from operator import itemgetter

        runs = Resource(
            path="analyze/tasks",
            item=dict,
            noun="analysis tasks",
            id_of=itemgetter("task_id"),
            sort_keys=(SortKey(name="created_at", read=itemgetter("created_at")),),
        )
    """

    path: str
    """Where the list is, below the API's base URL. A name in braces is a field of the query, an id
    such as that of an index: ``indexes/{index_id}/indexed-assets``."""
    item: type[ItemT]
    """What an item becomes: an attrs class with `extra_field` and `spelling_field`, or dict."""
    sort_keys: tuple[SortKey[ItemT], ...]
    """What the list can be sorted by. A list that takes no sort parameters has one: its order is
    newest first by that."""
    id_of: Callable[[ItemT], str] = attrgetter("id")
    """Returns an item's id, which no other item of the list has."""
    status_of: Callable[[ItemT], str | None] = attrs.field(default=status_in, repr=False)
    """Returns an item's status; None if it has none. By default what is in its `status`."""
    successes: frozenset[str] = attrs.field(default=frozenset(), converter=_frozen)
    """The final statuses of items that have succeeded."""
    failures: frozenset[str] = attrs.field(default=frozenset(), converter=_frozen)
    """The final statuses of items that have not succeeded."""
    reason_of: Callable[[ItemT], str | None] = reason_in
    """Returns the reason why an item has failed; None if it names none. By default what is in its
    `error_reason`, or in the `message` of its `error`."""
    under_way: Mapping[str, Any] = attrs.field(factory=dict, hash=False)
    """Filters, as fields of the query, that exclude most items that have ended."""
    list_is_whole: bool = False
    """Whether the list shows ended items in full. If so, a wait for many items takes them from
    pages; if not, it retrieves each."""
    page: type[Page[ItemT]] = attrs.field(default=attrs.Factory(_page_of, takes_self=True))
    """What one answer becomes."""
    lasting_filters: frozenset[str] = frozenset()
    """Filters whose result for an item never changes."""
    noun: str = "items"
    """What the items are called, in messages."""
    singular: str = "item"
    """What one of them is called."""
    successor: str = ""
    """What to use once the platform has removed the list; empty if no removal is announced."""
    max_page_limit: int = 50
    """The most items that the platform puts on one page."""

    @property
    def ended(self) -> frozenset[str]:
        """The final statuses: those in which an item stays. Empty if items never end."""
        return self.successes | self.failures

    @property
    def can_be_watched(self) -> bool:
        """Whether the list can be sorted by ``updated_at``, so that changes come first."""
        return any(key.name == "updated_at" and key.changes for key in self.sort_keys)

    @property
    def scope(self) -> tuple[str, ...]:
        """The fields of the query that stand in the path."""
        return _names_in(self.path)


@functools.lru_cache(maxsize=256)
def _names_in(path: str) -> tuple[str, ...]:
    return tuple(name for _, name, _, _ in string.Formatter().parse(path) if name)
