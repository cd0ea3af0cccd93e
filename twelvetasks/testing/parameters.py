"""The query string of a list, checked as strictly as the platform might.

A valid query becomes a hashable `Selection`, by which the list caches sorted views.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import attrs
from multidict import MultiDict, MultiMapping

from twelvetasks.testing import filters
from twelvetasks.testing.answers import unknown
from twelvetasks.testing.filters import Condition, DateFilter, once
from twelvetasks.testing.kinds import Kind

MAX_PAGE_LIMIT = 50

SortKey = Literal["created_at", "updated_at"]


@attrs.frozen(kw_only=True)
class Selection:
    """One list request: which items, in which order, which page of them."""

    scope: str | None = None
    conditions: tuple[Condition, ...] = ()
    sort_by: SortKey = "created_at"
    descending: bool = True
    page: int = 1
    page_limit: int = 10


def select(
    kind: Kind, query: MultiMapping[str], *, scope: str | None = None, dates: DateFilter = "since"
) -> Selection:
    """Read a query string; raises `RefusalError` for what the platform refuses."""
    given = {name: query.getall(name) for name in query}
    page, page_limit = paged(given)
    sort_by, descending = _order(kind, given)
    conditions = []
    for shown, texts in given.items():
        name, bracket, rest = shown.partition("[")
        key = rest.removesuffix("]") if bracket and rest.endswith("]") else None
        one = kind.filters.get(shown if key is None else name)
        if one is None or (key is not None and name not in kind.bracketed):
            raise unknown(shown)
        if isinstance(one, filters.Time) and dates == "day":
            one = attrs.evolve(one, that_day=True)
        many = isinstance(one, filters.Choice) and one.many
        text = ",".join(texts) if many else once(shown, texts)
        conditions.append(one.condition(name, key, text))
    return Selection(
        scope=scope,
        conditions=tuple(conditions),
        sort_by=sort_by,
        descending=descending,
        page=page,
        page_limit=page_limit,
    )


def paged(given: dict[str, list[str]]) -> tuple[int, int]:
    """Take the page and the page limit out of the parameters."""
    page = once("page", given.pop("page", ["1"]))
    limit = once("page_limit", given.pop("page_limit", ["10"]))
    return (
        filters.whole("page", page, least=1),
        filters.whole("page_limit", limit, least=1, most=MAX_PAGE_LIMIT),
    )


def query_of(parameters: Mapping[str, Any]) -> MultiDict[str]:
    """Write Python values as a query string; None is left out."""
    query: MultiDict[str] = MultiDict()
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            query.extend(query_of({f"{name}[{key}]": one for key, one in value.items()}))
            continue
        values = value if isinstance(value, list | tuple | set | frozenset) else (value,)
        for one in values:
            if isinstance(one, datetime):
                query.add(name, f"{one.astimezone(UTC).replace(tzinfo=None).isoformat()}Z")
            elif isinstance(one, bool):
                query.add(name, "true" if one else "false")
            elif one is not None:
                query.add(name, str(one))
    return query


def _order(kind: Kind, given: dict[str, list[str]]) -> tuple[SortKey, bool]:
    if not kind.sorts:
        return "created_at", True
    sort_by = _one_of(given, "sort_by", *kind.sorts)
    descending = _one_of(given, "sort_option", "desc", "asc") == "desc"
    return ("updated_at" if sort_by == "updated_at" else "created_at"), descending


def _one_of(given: dict[str, list[str]], name: str, *supported: str) -> str:
    text = once(name, given.pop(name, [supported[0]]))
    if text not in supported:
        raise filters.unsupported(name, supported)
    return text
