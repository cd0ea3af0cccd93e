"""Queries whose items stay rows where they can, instead of becoming models (see `fast_hooks`)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from twelvetasks.values.models import Page
from twelvetasks.values.query import ListQuery
from twelvetasks.values.resources import SortKey

__all__ = ["query_of_rows"]

ItemT = TypeVar("ItemT")

ReaderOf = Callable[[SortKey[Any]], Callable[[Any], Any]]


def query_of_rows(
    query: ListQuery[ItemT], form: Any, reader_of: ReaderOf | None = None
) -> ListQuery[ItemT]:
    """Return the same query, of items in a form: `AsRow` or `AsSent`.

    `reader_of` returns how to read a sort key of such an item, if it differs from a model's.
    """
    given = {field.name: getattr(query, field.name) for field in attrs.fields(type(query))}
    return _class_of_rows(type(query), form, reader_of)(**given)  # type: ignore[arg-type]


@functools.cache
def _class_of_rows(
    query: type[ListQuery[Any]], form: Any, reader_of: ReaderOf | None
) -> type[ListQuery[Any]]:
    resource = attrs.evolve(query.resource, page=Page[form[query.resource.item]])
    if reader_of is not None:
        keys = tuple(attrs.evolve(key, read=reader_of(key)) for key in resource.sort_keys)
        resource = attrs.evolve(resource, sort_keys=keys)
    class_ = type(query.__name__, (query,), {"resource": resource, "__module__": __name__})
    return attrs.frozen(kw_only=True, repr=False)(class_)
