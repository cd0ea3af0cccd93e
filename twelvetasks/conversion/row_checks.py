"""What has to be true of rows beyond the types of their fields, checked a page at a time.

A function that is called for each value would take longer than msgspec takes to read the page. So
values of one field are checked together. What is refused here is not wrong: it becomes models.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import MAXYEAR, MINYEAR, datetime
from operator import attrgetter
from typing import Any

import msgspec

__all__ = ["Check", "RowChecks", "check_times"]

Check = Callable[[list[Any]], object]
"""Takes the values of one field, without None. Raises ValueError for what does not stay a row."""

LENGTH = len("2022-06-09T04:50:00.879Z")

_TIME = re.compile(
    r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)", re.ASCII
)


class RowChecks:
    """The checks of the rows of one model."""

    def __init__(self) -> None:
        self._checks: list[tuple[attrgetter[Any], Check]] = []

    def add(self, field: str, check: Check) -> None:
        """Check the values of a field, too."""
        self._checks.append((attrgetter(field), check))

    def check(self, rows: Iterable[Any]) -> None:
        """Check rows. Raises ValueError if they are to become models."""
        for read, check in self._checks:
            values = [
                value
                for value in map(read, rows)
                if value is not None and value is not msgspec.UNSET
            ]
            if values:
                check(values)

    def checked(self, rows: list[Any]) -> tuple[Any, ...]:
        """Return rows that have been checked."""
        self.check(rows)
        return tuple(rows)

    def check_lists(self, lists: list[list[Any]]) -> None:
        """Check the rows in lists."""
        self.check([row for rows in lists for row in rows])


def check_times(texts: list[str]) -> None:
    """Check that each is an RFC 3339 date-time that Python and Arrow read alike.

    That is one with ``T``, at most six fraction digits, and ``Z`` or an offset; no leap second.
    """
    moments = list(map(datetime.fromisoformat, texts))
    if _are_usual(texts):
        return
    usual = [text for text in texts if len(text) == LENGTH]
    known = LENGTH if _are_usual(usual) else None
    for text, moment in zip(texts, moments, strict=True):
        if len(text) == known:
            continue
        if not _TIME.fullmatch(text):
            raise ValueError("a time is not of the usual form")
        if moment.year in (MINYEAR, MAXYEAR):
            raise ValueError("a time may not be of the years 1 to 9999 in UTC")


def _are_usual(texts: list[str]) -> bool:
    """Whether all have three fraction digits and ``Z``, if they are what `fromisoformat` takes.

    It takes more than RFC 3339: of this length and with T, dot and Z in their places, week dates,
    which have no hyphen there, and the hour 24.
    """
    written, count = "".join(texts), len(texts)
    return (
        set(map(len, texts)) == {LENGTH}
        and written[7::LENGTH] == "-" * count
        and written[10::LENGTH] == "T" * count
        and written[19::LENGTH] == "." * count
        and written[23::LENGTH] == "Z" * count
        and "T24" not in written
    )
