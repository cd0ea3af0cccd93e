"""The values of options and arguments: how they are written, and what they mean.

Durations are seconds or `1h30m`; times are RFC 3339, a date, or a time ago such as `36h`.
"""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import click

from twelvetasks.cli.kinds import model_of
from twelvetasks.conversion.model_types import field_types, status_of
from twelvetasks.tasks.requests import checked_id
from twelvetasks.values.errors import InvalidArgumentError
from twelvetasks.values.timestamps import parse_timestamp

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1, "ms": 0.001}

_HUMAN = re.compile(
    r"\s*".join(rf"(?:(?P<{unit}>\d+(?:\.\d+)?)\s*{unit}(?![a-z]))?" for unit in _UNITS),
    re.ASCII | re.IGNORECASE,
)


def _human_seconds(text: str) -> float | None:
    """Read `1h30m`, units from weeks to milliseconds in falling order; None for anything else."""
    match = _HUMAN.fullmatch(text.strip())
    if match is None or not match.lastgroup:
        return None
    return math.fsum(float(match[unit] or 0) * seconds for unit, seconds in _UNITS.items())


def as_seconds(text: str) -> float:
    """Read a number of seconds, or a duration such as `90s`, `10m` or `1h30m`."""
    try:
        return float(text)
    except ValueError:
        seconds = _human_seconds(text)
    if seconds is None:
        raise click.BadParameter(
            f"{text!r} is not a duration such as 90 (seconds), 90s, 10m or 1h30m"
        )
    return seconds


def as_positive_seconds(text: str) -> float:
    """Read a positive, finite duration."""
    seconds = as_seconds(text)
    if not math.isfinite(seconds) or seconds <= 0:
        raise click.BadParameter(f"{text!r} is not a positive number of seconds")
    return seconds


@attrs.frozen
class Moment:
    """A time as the user wrote it, and its value now: `36h` has another value each time."""

    text: str
    at: datetime
    ago: timedelta | None = None
    """How long ago it is, if it was written so."""

    def as_of(self, now: datetime) -> Moment:
        """Return the time, counted back from `now` if it was written as a time ago."""
        return self if self.ago is None else Moment(self.text, now - self.ago, self.ago)


def as_moment(text: str) -> Moment:
    """Read an RFC 3339 date-time, a date (its beginning in UTC), or a time ago such as `36h`."""
    ago = _human_seconds(text)
    try:
        if ago is not None:
            so_long = timedelta(seconds=ago)
            return Moment(text, datetime.now(UTC).replace(microsecond=0) - so_long, so_long)
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            return Moment(text, datetime.fromisoformat(text).replace(tzinfo=UTC))
        return Moment(text, parse_timestamp(text))
    except OverflowError:
        raise click.BadParameter(f"{text!r} ago is before all dates") from None
    except ValueError as error:
        raise click.BadParameter(
            f"{error}, nor a date such as 2022-06-09, nor a time ago such as 90m, 36h or 2d"
        ) from None


def as_task_id(text: str) -> str:
    """Read the id of a task."""
    try:
        return checked_id(text)
    except InvalidArgumentError:
        raise click.BadParameter(f"{text!r} is not the id of a task") from None


def as_statuses(
    context: click.Context, _: click.Parameter, texts: tuple[str, ...]
) -> tuple[str, ...] | None:
    """Read the statuses, which commas separate."""
    statuses = [status.strip().lower() for text in texts for status in text.split(",")]
    known = _statuses(context)
    for status in statuses:
        if status not in known:
            listed = ", ".join(map(repr, known))
            raise click.BadParameter(f"{status!r} is not one of {listed}.")
    return tuple(dict.fromkeys(statuses)) or None


def complete_statuses(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Complete the last status."""
    given, comma, begun = incomplete.rpartition(",")
    return [
        f"{given}{comma}{status}"
        for status in _statuses(context)
        if status.startswith(begun.lower()) and status not in given.split(",")
    ]


def _statuses(context: click.Context) -> list[str]:
    """Return the statuses that are documented for the items of a command."""
    return [status.value for status in status_of(field_types(model_of(context))["status"]) or ()]


def as_metadata(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> dict[str, Any]:
    """Merge JSON objects and KEY=VALUE pairs into one dictionary."""
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
