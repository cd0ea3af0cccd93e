"""The checks of `list --resume`: the options have to be those of the interrupted listing.

Pure. A time such as `36h` keeps the value it had when the listing began.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from twelvetasks.cli.option_types import Moment
from twelvetasks.cli.output.output_file import Part, part_of
from twelvetasks.values.timestamps import parse_timestamp, utc_timestamp


def as_json(choices: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as JSON values."""
    return {name: _value(chosen) for name, chosen in choices.items()}


def _value(chosen: Any) -> Any:
    if isinstance(chosen, Moment):
        return {"text": chosen.text, "at": utc_timestamp(chosen.at)}
    return list(chosen) if isinstance(chosen, tuple) else chosen


def with_times_of(choices: Mapping[str, Any], part: Part) -> dict[str, Any]:
    """Replace a time that is written as before, such as `36h`, by its earlier value."""
    resolved = dict(choices)
    for name, chosen in choices.items():
        match part.listing.get(name):
            case {"text": text, "at": str(at)} if (
                isinstance(chosen, Moment) and chosen.text == text
            ):
                resolved[name] = Moment(chosen.text, parse_timestamp(at))
    return resolved


def check_same(listing: Mapping[str, Any], part: Part, path: Path) -> None:
    """Refuse to continue another listing, and name the flags that differ."""
    flags = [
        f"--{name.replace('_', '-')}"
        for name in sorted({*listing, *part.listing})
        if listing.get(name) != part.listing.get(name)
    ]
    if flags:
        raise click.UsageError(
            f"{part_of(path)} belongs to another listing: {', '.join(flags)} "
            f"{'was' if len(flags) == 1 else 'were'} different. Resume with the same flags, or "
            "start again without --resume"
        )


def ids_in(written: bytes, layout: str) -> list[str]:
    """Read the ids of the tasks that are in a part. Raises ValueError if it is torn."""
    text = written.decode()
    if layout == "csv":
        return _ids_in_csv(text)
    # Only \n ends a line: a file name may hold other characters that str.splitlines splits at.
    return [_id_in(json.loads(line)) for line in text.split("\n") if line]


def _id_in(task: Any) -> str:
    match task:
        case {"_id": str(id_)}:
            return id_
    raise ValueError("it is no task")


def _ids_in_csv(text: str) -> list[str]:
    usual = csv.field_size_limit(max(len(text), 1))  # A cell may be longer than csv's usual limit.
    try:
        heading, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    except csv.Error as error:
        raise ValueError(str(error)) from None
    finally:
        csv.field_size_limit(usual)
    if any(len(row) != len(heading) for row in rows):
        raise ValueError("a row is torn")
    return [row[heading.index("id")] for row in rows]
