"""Queries whose items stay rows where they can, instead of becoming models (see `fast_hooks`)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar

import attrs

from twelvetasks.conversion.fast_hooks import AsRow
from twelvetasks.values.models import Page
from twelvetasks.values.query import ListQuery
from twelvetasks.values.resources import SortKey

ItemT = TypeVar("ItemT")

ReaderOf = Callable[[SortKey[Any]], Callable[[Any], Any]]


def as_rows(query: ListQuery[ItemT]) -> ListQuery[ItemT]:
    """Return the same query, of items that stay rows where they can, to become columns.

    Ids and sort keys that are not simply attributes may need an item that is whole.
    """
    reads = (query.resource.id_of, *(key.read for key in query.resource.sort_keys))
    if any(type(read) is not attrgetter for read in reads):
        return query
    return query_of_rows(query, AsRow)


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
