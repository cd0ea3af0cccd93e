"""What must be true of a page before anything of it is used.

A page is well formed when it gets here; this decides whether it can be an answer to the request.
Pure.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Generic, NoReturn, TypeVar

import attrs

from twelvetasks.paging.reads import Read
from twelvetasks.values.errors import REPORT_IT, ResponseError
from twelvetasks.values.models import Page
from twelvetasks.values.query import ListQuery

__all__ = ["KeyedPage", "check_page", "contradiction"]

ItemT = TypeVar("ItemT")

_NO_TIME = datetime.min.replace(tzinfo=UTC)


@attrs.frozen(eq=False)
class KeyedPage(Generic[ItemT]):
    """A page with all that the engine needs to know of its items: their ids and sort keys.

    The items themselves may be anything: the list's `Resource` reads their ids and keys.
    """

    page: Page[ItemT]
    ids: list[str]
    """The ids of the items, in order."""
    keys: list[datetime]
    """The times that the items are sorted by, in order."""

    @classmethod
    def of(cls, page: Page[ItemT], query: ListQuery[ItemT]) -> KeyedPage[ItemT]:
        """Read the ids and the keys.

        An item without its time counts as if it shared its neighbour's: no field but the id is
        declared as required.
        """
        items = page.items
        given: list[Any] = list(map(query.sort_key.read, items))
        if None in given:
            key = next((key for key in given if key is not None), _NO_TIME)
            given = [key := key if own is None else own for own in given]
        return cls(page, list(map(query.resource.id_of, items)), given)

    @property
    def total(self) -> int:
        """How many items the platform says there are."""
        return self.page.page_info.total_results


def check_page(page: Page[ItemT], query: ListQuery[ItemT], read: Read) -> KeyedPage[ItemT]:
    """Give the page with its keys.

    Raises ResponseError, with `json_path`, for a page that cannot be what was asked for.
    """
    info, noun = page.page_info, query.resource.noun
    if (info.page, info.limit_per_page) != (read.page, read.page_limit):
        fault = f"page {info.page} of {info.limit_per_page} is not what was asked"
        _refuse(read, "$.page_info", fault)
    if info.total_results and info.total_page != -(-info.total_results // read.page_limit):
        fault = f"{info.total_results} {noun} do not make {info.total_page} pages"
        _refuse(read, "$.page_info", fault)
    keyed = KeyedPage.of(page, query)
    ids, keys = keyed.ids, keyed.keys
    if len(ids) > read.page_limit:
        _refuse(read, "$.data", f"{len(ids)} {noun} are more than were asked for")
    if len(set(ids)) != len(ids):
        _refuse(read, "$.data", f"one of the {noun} is there twice")
    if keys != sorted(keys, reverse=not query.ascending):
        order = f"{query.sort_key.name} {'asc' if query.ascending else 'desc'}"
        _refuse(read, "$.data", f"the {noun} are not sorted by {order}")
    return keyed


def _refuse(read: Read, path: str, fault: str) -> NoReturn:
    raise ResponseError(
        f"the answer is not one to the request, at {path}: {fault}",
        advice=REPORT_IT,
        page=read.page,
        json_path=path,
    )


def contradiction(
    page: KeyedPage[ItemT], query: ListQuery[ItemT], read: Read
) -> ResponseError | None:
    """Give the error of a *torn* page: one whose own `page_info` contradicts it; None if it is not.

    The platform may count and find at different instants, so the read is worth repeating.
    """
    items, total = len(page.ids), page.total
    if items == min(max(total - read.start, 0), read.page_limit):
        return None
    return ResponseError(
        f"the page holds {items} {query.resource.noun}, "
        f"which its own total_results of {total} contradicts",
        advice="Nothing of it was used; try again later",
        page=read.page,
    )
