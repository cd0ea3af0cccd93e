"""RFC 3339 text to aware datetimes and back, without losing a character.

A `datetime` holds six fraction digits and no spelling. If a received text is not the one that
`format_timestamp` would write (two digits, none, nine, a lower-case ``z``), the value is a datetime
subclass that remembers its text; every calculation with it gives a plain datetime again.
"""

from __future__ import annotations

import re
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import SupportsIndex

_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ](?:[01]\d|2[0-3]):\d\d:(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


class _SpelledDatetime(datetime):
    """A datetime that was received under another spelling than the usual one."""

    __slots__ = ("text",)
    text: str

    def __repr__(self) -> str:
        return repr(datetime.combine(self.date(), self.timetz()))

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> tuple[object, tuple[object, ...]]:
        if hasattr(self, "text"):
            return parse_timestamp, (self.text,)
        return datetime.combine(self.date(), self.timetz()).__reduce__()  # type: ignore[return-value]


def parse_timestamp(text: str) -> datetime:
    """Read an RFC 3339 date-time with any number of fraction digits and any offset.

    Digits beyond the microsecond and a leap second do not fit a `datetime`: its value is then the
    last microsecond that does, and the text is kept beside it. Raises ValueError for anything else
    than RFC 3339, a missing offset included, and for a time that in UTC has no year from 1 to 9999.
    """
    match = _RFC_3339.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an RFC 3339 date-time such as 2022-06-09T04:50:00.879Z")
    second, fraction, offset = match.groups()
    is_leap = second == "60"
    written = (f"{text[:17]}59.999999{offset}" if is_leap else text).upper()
    if text[10] == "T" and not is_leap and _is_usual(fraction or "", offset):
        value = datetime.fromisoformat(written)
    else:
        value = spelled = _SpelledDatetime.fromisoformat(written)
        spelled.text = text
    if value.year in (MINYEAR, MAXYEAR):
        # Checkpoints and filters have to write it in UTC.
        try:
            value.astimezone(UTC)
        except OverflowError:
            raise ValueError(f"{text!r} is not of the years 1 to 9999 in UTC") from None
    return value


def _is_usual(fraction: str, offset: str) -> bool:
    """Whether `format_timestamp` writes it so."""
    digits = len(fraction)
    return (digits == 3 or (digits == 6 and not fraction.endswith("000"))) and (
        offset == "Z" or offset[1:] not in ("", "00:00")
    )


def format_timestamp(value: datetime) -> str:
    """Write an aware datetime as the platform writes it, or as it came if it came otherwise.

    Three fraction digits, six if the microseconds need them; ``Z`` for UTC, else the offset.
    """
    text = getattr(value, "text", None)
    if isinstance(text, str):
        return text
    written = value.isoformat(
        timespec="microseconds" if value.microsecond % 1000 else "milliseconds"
    )
    return f"{written[:-6]}Z" if written.endswith("+00:00") else written


def uniform_timestamp(value: datetime) -> str:
    """Write an aware datetime in UTC with three fraction digits, six if it needs them.

    Unlike `format_timestamp` it does not keep the spelling that the platform used: pandas reads a
    column of mixed spellings as text.
    """
    plain = datetime.combine(value.date(), value.timetz())
    return format_timestamp(plain.astimezone(UTC))


def utc_timestamp(value: datetime) -> str:
    """Write an aware datetime as the API filters want it: UTC, and a fraction only if needed."""
    # As a plain datetime: subclasses, such as pandas.Timestamp, write themselves in their own way.
    plain = datetime.combine(value.date(), value.timetz())
    moment = plain.astimezone(UTC).replace(tzinfo=None)
    if not moment.microsecond:
        return f"{moment.isoformat(timespec='seconds')}Z"
    return f"{moment.isoformat(timespec='microseconds').rstrip('0')}Z"
