"""Models as Arrow columns: the schema of a model, and record batches of its items.

The schema does not depend on the data: a field that no item has is a column of nulls. It
is made of the types of the model's fields, so any model of a list has one. Items of the usual shape
never become models: the rows that the JSON is read into become columns.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import json
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import Any, get_args, get_origin

import attrs
import msgspec
import pyarrow as pa

from twelvetasks.conversion.model_types import field_types, is_model, status_of, without_none
from twelvetasks.frames.extras import not_a_model
from twelvetasks.values.display import excerpt
from twelvetasks.values.errors import ResponseError
from twelvetasks.values.fields import NO_EXTRA, AnyData, Count
from twelvetasks.values.tasks import Task

_MOMENT = pa.timestamp("us", tz="UTC")
_STATUS = pa.dictionary(pa.int32(), pa.string())

INT64 = range(-(2**63), 2**63)

Values = Sequence[Any]

TUPLES = 100
"""Rows that are tuples at once: more than 700, and Python's garbage collector goes through them."""


@attrs.define(eq=False)
class _TooLargeError(Exception):
    """A whole number does not fit into 64 bits."""

    place: int
    number: int
    names: tuple[str, ...] = ()
    """The fields that lead to it."""


@attrs.frozen
class _Column:
    """How the values of one field become an array."""

    type: pa.DataType
    make: Callable[[Values], pa.Array[Any]]
    """Takes one value, or None, for each item."""


def schema_of(model: type[Any]) -> pa.Schema:
    """Return the columns of a model, such as `IndexedAsset`: its fields, in their order.

    Times are UTC, in microseconds. Statuses are dictionaries of strings. What may be any JSON value
    is JSON in text, as is `extra`: a JSON object, or null if there is nothing in it. What the
    platform left out and what it sent as null are null alike.

    Raises TypeError for a class that is not a model, such as dict. ::

        schema = twelvetasks.frames.schema_of(twelvetasks.IndexedAsset)
    """
    return _layout_of(model).schema


def batch_of(model: type[Any], items: Iterable[Any]) -> pa.RecordBatch:
    """Make a record batch with the columns of `schema_of(model)` out of items, in their order.

    Raises ResponseError if a whole number is beyond 64 bits. ::

        batch = twelvetasks.frames.batch_of(twelvetasks.Task, await session.tasks())
    """
    layout, rows = _layout_of(model), list(items)
    try:
        return pa.record_batch(_arrays(layout.columns, rows), schema=layout.schema)
    except _TooLargeError as error:
        odd = error
    raise ResponseError(
        f"the {'.'.join(odd.names)} of {excerpt(rows[odd.place].id)} is {odd.number:.3g}, "
        "which is beyond 64 bits",
        advice="Iterate over the listing itself, which takes any number",
    )


def record_batch(tasks: Iterable[Task]) -> pa.RecordBatch:
    """Make a record batch with the columns of `SCHEMA` out of tasks, in their order.

    Raises ResponseError if a width or a height is a number beyond 64 bits.
    """
    return batch_of(Task, tasks)


@attrs.frozen
class _Layout:
    """The columns of a model, made once."""

    columns: dict[str, _Column]
    schema: pa.Schema


def _layout_of(model: type[Any]) -> _Layout:
    if model not in _known:
        _known[model] = _made(model)
    return _known[model]


_known: dict[type[Any], _Layout] = {}


def _made(model: type[Any]) -> _Layout:
    if not is_model(model):
        raise not_a_model(model)
    columns = {name: _column(without_none(type_)[0]) for name, type_ in field_types(model).items()}
    columns["extra"] = _Column(pa.string(), lambda extras: _texts([one or None for one in extras]))
    fields = attrs.fields_dict(model)
    schema = pa.schema(
        [
            pa.field(name, column.type, nullable=fields[name].default is not attrs.NOTHING)
            for name, column in columns.items()
        ]
    )
    return _Layout(columns, schema)


def _column(kind: Any) -> _Column:
    """Return the column of a field by its type, without None."""
    if (statuses := status_of(kind)) is not None:
        return _Column(_STATUS, functools.partial(_statuses, statuses))
    if is_model(kind):
        columns = _layout_of(kind).columns
        struct = pa.struct([(name, column.type) for name, column in columns.items()])
        return _Column(struct, functools.partial(_struct, struct, columns))
    if get_origin(kind) is tuple and is_model(item := get_args(kind)[0]):
        inner = _column(item)
        lists = pa.list_(inner.type)
        return _Column(lists, functools.partial(_lists, lists, inner))
    return _OF_TYPE[kind]


def _arrays(columns: Mapping[str, _Column], items: Sequence[Any]) -> list[pa.Array[Any]]:
    """Make an array of each column of items, which are models, rows, or some of both."""
    kinds = set(map(type, items))
    values: Iterable[Values]
    if len(kinds) == 1 and issubclass(kinds.pop(), msgspec.Struct):
        values = _values_of(items, len(columns) - 1)
    else:
        values = (list(map(attrgetter(name), items)) for name in columns)
    return [_named(*column, one) for column, one in zip(columns.items(), values, strict=True)]


def _values_of(rows: Sequence[Any], fields: int) -> list[Values]:
    """Return the values of rows, column by column: of each field of the model, and their `extra`.

    After its fields a row has those that make its `extra`.
    """
    values: list[Any] = [[] for _ in type(rows[0]).__struct_fields__]
    for start in range(0, len(rows), TUPLES):
        some = map(msgspec.structs.astuple, rows[start : start + TUPLES])
        for column, part in zip(values, zip(*some, strict=True), strict=True):
            column.extend(part)
    extras: list[Any] = [None] * len(rows)
    for beside in values[fields:]:
        for place, value in enumerate(beside):
            if value is not msgspec.UNSET:
                extras[place] = rows[place].extra
    return [*values[:fields], extras]


def _named(name: str, column: _Column, values: Values) -> pa.Array[Any]:
    """Make an array; the error for a number that is too large names the field."""
    try:
        return column.make(values)
    except _TooLargeError as error:
        error.names = (name, *error.names)
        raise


def _statuses(known: type[StrEnum], values: Values) -> pa.Array[Any]:
    """Return the statuses as codes: first those documented, then others as they are met."""
    codes: dict[Any, int] = {status.value: code for code, status in enumerate(known)}
    for status in dict.fromkeys(values):
        if status is not None and status not in codes:
            codes[status] = len(codes)
    indices = list(map(codes.get, values))
    return pa.DictionaryArray.from_arrays(
        pa.array(indices, pa.int32()), pa.array(list(codes), pa.string())
    )


def _struct(kind: pa.StructType, columns: Mapping[str, _Column], values: Values) -> pa.Array[Any]:
    absent = [value is None for value in values]
    if all(absent):
        return pa.nulls(len(values), kind)
    mask = None
    if any(absent):
        some = next(value for value in values if value is not None)
        kind_of_some: Any = type(some)
        blank = _blank_like(kind_of_some, tuple(columns))
        values, mask = [blank if value is None else value for value in values], pa.array(absent)
    return pa.StructArray.from_arrays(_arrays(columns, values), fields=list(kind), mask=mask)


@functools.cache
def _blank_like(kind: Any, names: tuple[str, ...]) -> Any:
    """Make an item without any value, a row if the others are rows."""
    fields = dict.fromkeys(name for name in names if name != "extra")
    is_row = issubclass(kind, msgspec.Struct)
    return kind(**fields) if is_row else types.SimpleNamespace(**fields, extra=NO_EXTRA)


def _lists(kind: pa.ListType[Any], inner: _Column, values: Values) -> pa.Array[Any]:
    ends = list(itertools.accumulate((len(value or ()) for value in values), initial=0))
    begins = [None if value is None else begin for value, begin in zip(values, ends, strict=False)]
    try:
        items = inner.make([item for value in values for item in value or ()])
    except _TooLargeError as error:
        error.place = bisect.bisect_right(ends, error.place) - 1
        raise
    offsets = pa.array([*begins, ends[-1]], pa.int32())
    return pa.ListArray.from_arrays(offsets, items, type=kind)


def _moments(values: Values) -> pa.Array[Any]:
    """Read the times of rows, which are text that has been checked, and of models."""
    try:
        texts = pa.array(values, pa.string())
    except pa.ArrowTypeError:
        moments = [datetime.fromisoformat(one) if type(one) is str else one for one in values]
        return pa.array(moments, _MOMENT)
    return texts.cast(_MOMENT)


def _numbers(values: Values) -> pa.Array[Any]:
    try:
        return pa.array(values, pa.float64())
    except pa.ArrowInvalid:  # a whole number that a float rounds
        floats = [None if value is None else float(value) for value in values]
    return pa.array(floats, pa.float64())


def _whole_numbers(values: Values) -> pa.Array[Any]:
    try:
        return pa.array(values, pa.int64())
    except (OverflowError, pa.ArrowInvalid):
        place = next(at for at, one in enumerate(values) if one is not None and one not in INT64)
    raise _TooLargeError(place, values[place])


def _texts(values: Values) -> pa.Array[Any]:
    return pa.array([None if one is None else _json_text(one) for one in values], pa.string())


_json_text = json.JSONEncoder(
    default=dict, ensure_ascii=False, allow_nan=False, separators=(",", ":")
).encode


def _plain(type_: pa.DataType) -> _Column:
    return _Column(type_, lambda values: pa.array(values, type_))


_OF_TYPE: dict[Any, _Column] = {
    int: _Column(pa.int64(), _whole_numbers),
    Count: _Column(pa.int64(), _whole_numbers),
    float: _Column(pa.float64(), _numbers),
    datetime: _Column(_MOMENT, _moments),
    AnyData: _Column(pa.string(), _texts),
    str: _plain(pa.string()),
    bool: _plain(pa.bool_()),
    tuple[str, ...]: _plain(pa.list_(pa.string())),
}

SCHEMA: pa.Schema = schema_of(Task)
"""The columns of every record batch of tasks: the fields of `Task`, as `schema_of` gives them."""
