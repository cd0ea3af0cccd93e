"""The query string of `GET /tasks`, checked as strictly as the platform might.

An error names its parameter. A valid query becomes a hashable `Selection`, by which the account
caches sorted views.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import attrs

from twelvetasks.testing import instants

DateFilter = Literal["since", "day"]
"""What a date filter matches: everything from its time on, or only until the end of its day."""

ErrorCode = Literal[
    "parameter_invalid",
    "parameter_not_provided",
    "parameter_unknown",
    "video_file_broken",
    "video_filesize_too_large",
]

STATUSES = ("ready", "uploading", "validating", "pending", "queued", "indexing", "failed")
MAX_PAGE_LIMIT = 50

_DAY = 86_400_000_000
_WHOLE = re.compile(r"[0-9]{1,18}", re.ASCII)
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", re.ASCII)


@attrs.frozen
class ParameterError(ValueError):
    """A parameter that the platform refuses with status 400."""

    code: ErrorCode
    parameter: str
    message: str

    def __str__(self) -> str:
        return self.message


@attrs.frozen(kw_only=True)
class Between:
    """A stretch of time, in microseconds since 1970."""

    first: int
    """The earliest instant in it."""
    end: int | None
    """The earliest instant after it, None for never."""

    def __contains__(self, instant: int) -> bool:
        return self.first <= instant and (self.end is None or instant < self.end)


@attrs.frozen(kw_only=True)
class Filters:
    """The conditions for a task to match; None matches every task."""

    index_id: str | None = None
    statuses: frozenset[str] | None = None
    filename: str | None = None
    duration: float | None = None
    width: int | None = None
    height: int | None = None
    created: Between | None = None
    updated: Between | None = None

    def match(self, fields: Mapping[str, Any], created: int, updated: int) -> bool:
        """Say whether a task passes, given its JSON fields and its two parsed times."""
        if self.index_id is not None and fields.get("index_id") != self.index_id:
            return False
        if self.statuses is not None and fields.get("status") not in self.statuses:
            return False
        if self.created is not None and created not in self.created:
            return False
        if self.updated is not None and updated not in self.updated:
            return False
        metadata = fields.get("system_metadata") or fields.get("metadata") or {}
        return all(
            wanted is None or metadata.get(name) == wanted
            for name, wanted in (
                ("filename", self.filename),
                ("duration", self.duration),
                ("width", self.width),
                ("height", self.height),
            )
        )


@attrs.frozen(kw_only=True)
class Selection:
    """One list request: which tasks, in which order, which page of them."""

    filters: Filters = Filters()
    sort_by: Literal["created_at", "updated_at"] = "created_at"
    descending: bool = True
    page: int = 1
    page_limit: int = 10


def select(query: Iterable[tuple[str, str]], *, dates: DateFilter = "since") -> Selection:
    """Read the pairs of a query string; raises `ParameterError` for what the platform refuses."""
    given: dict[str, str] = {}
    statuses: list[str] = []
    for name, text in query:
        if name == "status":
            statuses += text.split(",")
        elif name not in _KNOWN:
            raise ParameterError(
                "parameter_unknown", name, f"The {name} parameter is unknown in this request."
            )
        elif name in given:
            raise _invalid(name, "it may be given only once")
        else:
            given[name] = text
    for status in statuses:
        if status not in STATUSES:
            raise _invalid("status", f"the following values are supported: {', '.join(STATUSES)}")
    sort_by = _one_of(given, "sort_by", "created_at", "updated_at")
    return Selection(
        filters=Filters(
            index_id=_text(given, "index_id"),
            statuses=frozenset(statuses) if statuses else None,
            filename=_text(given, "filename"),
            duration=_number(given, "duration"),
            width=_whole(given, "width"),
            height=_whole(given, "height"),
            created=_between(given, "created_at", dates),
            updated=_between(given, "updated_at", dates),
        ),
        sort_by="updated_at" if sort_by == "updated_at" else "created_at",
        descending=_one_of(given, "sort_option", "desc", "asc") == "desc",
        page=_whole(given, "page", least=1) or 1,
        page_limit=_whole(given, "page_limit", least=1, most=MAX_PAGE_LIMIT) or 10,
    )


def pairs(parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Write Python values as the pairs of a query string; None is left out."""
    written: list[tuple[str, str]] = []
    for name, value in parameters.items():
        values = value if isinstance(value, list | tuple | set | frozenset) else (value,)
        for one in values:
            if isinstance(one, datetime):
                written.append((name, f"{one.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"))
            elif one is not None:
                written.append((name, str(one)))
    return written


_KNOWN = frozenset((
    "index_id", "filename", "duration", "width", "height", "created_at", "updated_at",
    "page", "page_limit", "sort_by", "sort_option",
))  # fmt: skip


def _invalid(name: str, reason: str) -> ParameterError:
    return ParameterError("parameter_invalid", name, f"The {name} parameter is invalid: {reason}.")


def _text(given: Mapping[str, str], name: str) -> str | None:
    text = given.get(name)
    if text == "":
        raise _invalid(name, "it must not be empty")
    return text


def _one_of(given: Mapping[str, str], name: str, default: str, *others: str) -> str:
    text = given.get(name, default)
    if text != default and text not in others:
        supported = ", ".join((default, *others))
        raise _invalid(name, f"the following values are supported: {supported}")
    return text


def _whole(
    given: Mapping[str, str], name: str, *, least: int = 0, most: int | None = None
) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not _WHOLE.fullmatch(text):
        raise _invalid(name, "it must be an integer")
    number = int(text)
    if number < least or (most is not None and number > most):
        limits = f"at least {least}" if most is None else f"between {least} and {most}"
        raise _invalid(name, f"it must be {limits}")
    return number


def _number(given: Mapping[str, str], name: str) -> float | None:
    text = given.get(name)
    if text is None:
        return None
    if not _DECIMAL.fullmatch(text) or not math.isfinite(float(text)):
        raise _invalid(name, "it must be a number that is not negative")
    return float(text)


def _between(given: Mapping[str, str], name: str, dates: DateFilter) -> Between | None:
    text = given.get(name)
    if text is None:
        return None
    first = instants.parsed(text) if _UTC_TIME.fullmatch(text) else None
    if first is None:
        raise _invalid(name, "the format is YYYY-MM-DDTHH:mm:ssZ (RFC 3339)")
    return Between(first=first, end=(first // _DAY + 1) * _DAY if dates == "day" else None)
