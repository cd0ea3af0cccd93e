"""The fields of a task by name, dotted where they lie deeper: what `--columns` chooses from.

Pure. A column's value is what JSON would hold: times are spelled as the platform spelled them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from difflib import get_close_matches
from typing import Any

import click

from twelvetasks.conversion.convert import to_dict
from twelvetasks.values.models import SystemMetadata, Task
from twelvetasks.values.timestamps import format_timestamp

__all__ = ["FLAT", "NAMES", "as_columns", "complete_columns", "subset", "text_of", "value_of"]

_METADATA = "system_metadata"

FLAT = (
    "id",
    "index_id",
    "video_id",
    "status",
    "created_at",
    "updated_at",
    "estimated_time",
    "system_metadata.filename",
    "system_metadata.duration",
    "system_metadata.width",
    "system_metadata.height",
    "error_reason",
)
"""The columns that hold one value each, which are what a file of rows has unless it is told."""

NAMES = (*FLAT[:7], _METADATA, *FLAT[7:])
"""All columns."""

_SHORT = {"_id": "id"} | {name.rpartition(".")[2]: name for name in FLAT}
"""Other names for them, such as `filename`."""


def value_of(task: Task, name: str) -> Any:
    """Give the value of a column; None if the platform did not send one."""
    value: Any = task
    for part in name.split("."):
        value = getattr(value, part, None)
    if isinstance(value, datetime):
        return format_timestamp(value)
    return to_dict(value) if isinstance(value, SystemMetadata) else value


def text_of(task: Task, name: str) -> str:
    """Give the value of a column as text; empty if there is none."""
    value = value_of(task, name)
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return str(value)


def subset(task: Task, names: tuple[str, ...]) -> dict[str, Any]:
    """Give these fields at their places in the API's JSON, so that readers of tasks accept it."""
    chosen: dict[str, Any] = {}
    for name in names:
        outer, _, inner = name.partition(".")
        if inner:
            chosen.setdefault(outer, {})[inner] = value_of(task, name)
        else:
            chosen["_id" if name == "id" else name] = value_of(task, name)
    return chosen


def as_columns(
    _: click.Context, __: click.Parameter, texts: tuple[str, ...]
) -> tuple[str, ...] | None:
    """Read the names, which commas separate. Raises click.BadParameter for an unknown one."""
    if not texts:
        return None
    names = [name.strip() for text in texts for name in text.split(",")]
    names = [_SHORT.get(name, name) for name in names]
    for name in names:
        if name not in NAMES:
            close = get_close_matches(name, [*NAMES, *_SHORT], n=1)
            hint = f"Did you mean {_SHORT.get(close[0], close[0])}? " if close else ""
            raise click.BadParameter(
                f"{name!r} is not a column. {hint}There are {', '.join(NAMES)}"
            )
        if names.count(name) > 1:
            raise click.BadParameter(f"{name} is there twice")
    if _METADATA in names and any(name.startswith(f"{_METADATA}.") for name in names):
        raise click.BadParameter(f"{_METADATA} holds its parts: take it or them")
    return tuple(names)


def complete_columns(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Complete the last of the names, and leave out those that are there."""
    given, comma, begun = incomplete.rpartition(",")
    taken = set(given.split(","))
    return [
        f"{given}{comma}{name}" for name in NAMES if name.startswith(begun) and name not in taken
    ]
