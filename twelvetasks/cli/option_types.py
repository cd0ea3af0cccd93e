"""The values of options and arguments: how they are written, and what they mean.

Durations are seconds or `1h30m`; times are RFC 3339, a date, or a time ago such as `36h`.
"""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Any

import attrs
import click
from click.shell_completion import CompletionItem

from twelvetasks.cli.kinds import kind_of
from twelvetasks.tasks.requests import checked_id
from twelvetasks.values.errors import InvalidArgumentError
from twelvetasks.values.models import TaskStatus
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


class Statuses(click.ParamType[tuple[str, ...]]):
    """One status or several, separated by commas."""

    name = "status"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - click's
        """Show the statuses in the help."""
        return f"[{'|'.join(status.value for status in TaskStatus)}]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Read the statuses, and suggest one for a misspelled one."""
        if isinstance(value, tuple):
            return value
        statuses = [status.strip().lower() for status in value.split(",")]
        known = kind_of(ctx).statuses
        for status in statuses:
            if status not in known:
                close = get_close_matches(status, known, n=1)
                hint = f" Did you mean {close[0]}?" if close else ""
                listed = ", ".join(map(repr, known))
                self.fail(f"{status!r} is not one of {listed}.{hint}", param, ctx)
        return tuple(statuses)

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click's
        incomplete: str,
    ) -> list[CompletionItem]:
        """Complete the last status."""
        given, comma, begun = incomplete.rpartition(",")
        return [
            CompletionItem(f"{given}{comma}{status}")
            for status in kind_of(ctx).statuses
            if status.startswith(begun.lower()) and status not in given.split(",")
        ]


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
