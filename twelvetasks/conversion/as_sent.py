"""Items that are only written out again: read, checked, and otherwise left as they were sent.

A query made by `as_sent` lists the very same items as the one that it is made of, in the same order
and with the same errors. Those of a usual page stay rows (see `fast_hooks`), and those of another
become models.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from twelvetasks.conversion.convert import to_json
from twelvetasks.conversion.fast_hooks import AsSent
from twelvetasks.conversion.row_queries import query_of_rows
from twelvetasks.values.query import ListQuery
from twelvetasks.values.resources import SortKey

ItemT = TypeVar("ItemT")

_encode_lines = msgspec.json.Encoder().encode_lines


def as_sent(query: ListQuery[ItemT]) -> ListQuery[ItemT]:
    """Return the same query, of items that stay as they were sent where they can."""
    return query_of_rows(query, AsSent, _reader_of)


def _reader_of(key: SortKey[Any]) -> Callable[[Any], Any]:
    @functools.wraps(key.read)
    def read(item: Any) -> Any:
        return present(key.read(item))

    return read


def present(value: Any) -> Any:
    """Return the value of an item's field; None for what was not sent."""
    return None if value is msgspec.UNSET else value


def json_lines(items: Iterable[Any]) -> str:
    """Write each item, a model or a row, on a line of its own as `to_json` writes the model."""
    written = [
        item if isinstance(item, msgspec.Struct) else msgspec.Raw(to_json(item).encode())
        for item in items
    ]
    return _encode_lines(written).decode()
