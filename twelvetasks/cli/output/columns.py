"""The fields of an item by name, dotted where they lie deeper: what `--columns` chooses from.

Pure. A column's value is what JSON would hold: times are spelled as the platform spelled them. As
text, in tables and CSV, times are in UTC and in one spelling.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from operator import attrgetter
from typing import Any

import attrs
import click
import msgspec
from msgspec import UNSET

from twelvetasks.cli.kinds import model_of
from twelvetasks.conversion.as_sent import present
from twelvetasks.conversion.convert import to_dict
from twelvetasks.conversion.model_types import field_types, is_model, status_of, without_none
from twelvetasks.values.fields import NO_EXTRA, json_names
from twelvetasks.values.tasks import Task
from twelvetasks.values.timestamps import format_timestamp, parse_timestamp, uniform_timestamp

PARTED = ("system_metadata", "video_source", "error")
"""The fields whose parts are columns of their own."""

UNIFORM = frozenset((0, len("2022-06-09T04:50:00.879Z")))
"""Lengths of a time in a row that is written as it is. Rows have no other times of this length."""

VALUES = (str, bool, int, float, datetime)


@attrs.frozen
class Columns:
    """The columns of a kind of item."""

    flat: tuple[str, ...]
    """Those that hold one value each: the default of a file of rows."""
    names: tuple[str, ...]
    """All columns."""

    @property
    def short(self) -> dict[str, str]:
        """Other names for them, such as `filename`."""
        return {"_id": "id"} | {
            name.rpartition(".")[2]: name
            for name in self.flat
            if name.rpartition(".")[2] not in self.names
        }


@functools.cache
def columns_of(model: Any) -> Columns:
    """Return the columns of a model: those of one value, and the parts of what it is made of."""
    plain, parts, others = [], [], []
    for name, type_ in field_types(model).items():
        kind, _ = without_none(type_)
        if kind in VALUES or status_of(kind) is not None:
            plain.append(name)
        elif name in PARTED:
            others.append(name)
            inner = field_types(kind)
            parts += [f"{name}.{one}" for one in inner if without_none(inner[one])[0] in VALUES]
        elif model is not Task:
            others.append(name)
    own = ["error_reason"] if hasattr(model, "error_reason") else []
    return Columns((*plain, *parts, *own), (*plain, *others, *parts, *own))


def value_of(model: Any, item: Any, name: str) -> Any:
    """Return the value of a column; None if the platform did not send one."""
    made_of_others = getattr(model, name, None)
    if isinstance(made_of_others, property) and made_of_others.fget is not None:
        value = made_of_others.fget(item)
    else:
        value = item
        for part in name.split("."):
            value = getattr(value, part, None)
        value = present(value)
    if isinstance(value, datetime):
        return format_timestamp(value)
    if isinstance(value, (tuple, list)):
        return [_as_json(one) for one in value]
    return _as_json(value)


def _as_json(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value)
    return to_dict(value) if is_model(type(value)) else value


def text_of(item: Any, name: str) -> str:
    """Return the value of a column of a model as text, times in one spelling; empty without one."""
    return str(texts_of(type(item), [item], name)[0])


def texts_of(model: Any, items: Sequence[Any], name: str) -> list[Any]:
    """Return the values of a column as text, times in one spelling, or as what becomes that text.

    Items that stay as they were sent have the text of what the model of them would have.
    """
    kind = type_of(model, name)
    if kind is None:
        is_in_extra = name in columns_of(model).flat
        return [
            "" if is_in_extra and item.extra is NO_EXTRA else _text(value_of(model, item, name))
            for item in items
        ]
    outer, _, inner = name.partition(".")
    values = list(map(attrgetter(outer), items))
    if inner:
        read = attrgetter(inner)
        values = [None if one is None or one is UNSET else read(one) for one in values]
    texts = ["" if value is None or value is UNSET else value for value in values]
    if kind is datetime:
        return [
            one if type(one) is str and len(one) in UNIFORM else _time_text(one) for one in texts
        ]
    return texts


@functools.cache
def type_of(model: Any, name: str) -> Any:
    """Return the type of a column of one value; None for any other."""
    if name not in columns_of(model).flat:
        return None
    for part in name.split("."):
        if part not in (types := field_types(model)):
            return None
        model, _ = without_none(types[part])
    return model


def _time_text(value: datetime | str) -> str:
    return uniform_timestamp(parse_timestamp(value) if isinstance(value, str) else value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (Mapping, list)):
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return str(value)


def subset(model: Any, item: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """Return these fields at their places in the API's JSON, so that readers of items accept it."""
    in_json = json_names(model)
    chosen: dict[str, Any] = {}
    for name in names:
        outer, _, inner = name.partition(".")
        if inner:
            chosen.setdefault(outer, {})[inner] = value_of(model, item, name)
        else:
            chosen[in_json.get(name, name)] = value_of(model, item, name)
    return chosen


def as_columns(
    context: click.Context, __: click.Parameter, texts: tuple[str, ...]
) -> tuple[str, ...] | None:
    """Read the names, which commas separate. Raises click.BadParameter for an unknown one."""
    if not texts:
        return None
    columns = columns_of(model_of(context))
    short = columns.short
    names = [name.strip() for text in texts for name in text.split(",")]
    names = [short.get(name, name) for name in names]
    for name in names:
        if name not in columns.names:
            close = get_close_matches(name, [*columns.names, *short], n=1)
            hint = f"Did you mean {short.get(close[0], close[0])}? " if close else ""
            raise click.BadParameter(
                f"{name!r} is not a column. {hint}There are {', '.join(columns.names)}"
            )
        if names.count(name) > 1:
            raise click.BadParameter(f"{name} is there twice")
    for outer in PARTED:
        if outer in names and any(name.startswith(f"{outer}.") for name in names):
            raise click.BadParameter(f"{outer} holds its parts: take it or them")
    return tuple(names)


def complete_columns(context: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Complete the last of the names, and leave out those that are there."""
    given, comma, begun = incomplete.rpartition(",")
    taken = set(given.split(","))
    names = columns_of(model_of(context)).names
    return [
        f"{given}{comma}{name}" for name in names if name.startswith(begun) and name not in taken
    ]
