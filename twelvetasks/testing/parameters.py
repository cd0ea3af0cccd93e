"""The query string of a list, checked as strictly as the platform might.

A valid query becomes a hashable `Selection`, by which the list caches sorted views.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import attrs

from twelvetasks.testing.filters import Condition, DateFilter, Time, invalid, once, unknown, whole
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
    kind: Kind,
    query: Iterable[tuple[str, str]],
    *,
    scope: str | None = None,
    dates: DateFilter = "since",
) -> Selection:
    """Read the pairs of a query string; raises `ParameterError` for what the platform refuses."""
    given: dict[str, list[str]] = {}
    for name, text in query:
        given.setdefault(name, []).append(text)
    page, page_limit = paged(given)
    sort_by, descending = _order(kind, given)
    conditions = []
    for shown, texts in given.items():
        name, bracket, rest = shown.partition("[")
        key = rest.removesuffix("]") if bracket and rest.endswith("]") else None
        one = kind.filters.get(shown if key is None else name)
        if one is None:
            raise unknown(shown)
        if key is not None and name not in kind.bracketed:
            raise unknown(shown)
        if isinstance(one, Time) and dates == "day":
            one = attrs.evolve(one, that_day=True)
        conditions.append(one.condition(name, key, texts))
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
    page = once("page", None, given.pop("page", ["1"]))
    limit = once("page_limit", None, given.pop("page_limit", ["10"]))
    return (whole("page", page, least=1), whole("page_limit", limit, least=1, most=MAX_PAGE_LIMIT))


def pairs(parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Write Python values as the pairs of a query string; None is left out."""
    written: list[tuple[str, str]] = []
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            written += pairs({f"{name}[{key}]": one for key, one in value.items()})
            continue
        values = value if isinstance(value, list | tuple | set | frozenset) else (value,)
        for one in values:
            if isinstance(one, datetime):
                written.append((name, f"{one.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"))
            elif isinstance(one, bool):
                written.append((name, "true" if one else "false"))
            elif one is not None:
                written.append((name, str(one)))
    return written


def _order(kind: Kind, given: dict[str, list[str]]) -> tuple[SortKey, bool]:
    if not kind.sorts:
        return "created_at", True
    sort_by = _one_of(given, "sort_by", *kind.sorts)
    descending = _one_of(given, "sort_option", "desc", "asc") == "desc"
    return ("updated_at" if sort_by == "updated_at" else "created_at"), descending


def _one_of(given: dict[str, list[str]], name: str, *supported: str) -> str:
    text = once(name, None, given.pop(name, [supported[0]]))
    if text not in supported:
        raise invalid(name, f"the following values are supported: {', '.join(supported)}")
    return text
