"""What may be written after a flag or as an argument, and what it means."""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import Any

import click

from twelvetasks.errors import InvalidArgumentError
from twelvetasks.single import checked_id
from twelvetasks.timestamps import parse_timestamp


def as_timestamp(text: str) -> datetime:
    """Read an RFC 3339 date-time."""
    try:
        return parse_timestamp(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def as_seconds(text: str) -> float:
    """Read a positive number of seconds."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds) or seconds <= 0:
        raise click.BadParameter(f"{text!r} is not a positive number of seconds")
    return seconds


def as_task_id(text: str) -> str:
    """Read the id of a task."""
    try:
        return checked_id(text)
    except InvalidArgumentError:
        raise click.BadParameter(f"{text!r} is not the id of a task") from None


def as_metadata(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> dict[str, Any]:
    """Merge what is given as a JSON object with what is given as KEY=VALUE."""
    metadata: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if text.lstrip().startswith("{"):
            try:
                metadata |= json.loads(text)
            except (ValueError, RecursionError):
                raise click.BadParameter(f"{text!r} is not a JSON object") from None
        elif name and equals:
            metadata[name] = value
        else:
            raise click.BadParameter(f"{text!r} is neither KEY=VALUE nor a JSON object")
    return metadata
