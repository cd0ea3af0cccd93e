"""What has to be true of rows beyond the types of their fields, checked a page at a time.

A function that is called for each value would take longer than msgspec takes to read the page. So
the values of a page are checked together. What is refused here is not wrong: it becomes models.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

import attrs
import msgspec

_FRACTIONS = ("", *("." + "0" * digits for digits in range(1, 7)))
_IN_UTC = frozenset(f"0000-00-00T00:00:00{fraction}Z".encode() for fraction in _FRACTIONS)
_WITH_OFFSET = frozenset(
    f"0000-00-00T00:00:00{fraction}{sign}00:00".encode() for fraction in _FRACTIONS for sign in "+-"
)
"""RFC 3339 date-times, every digit as 0, with at most the six fraction digits that Arrow reads."""

_USUAL = b"0000-00-00T00:00:00.000Z\n"

_HOLDERS = frozenset((dict, list))
_WRITTEN_ALIKE = frozenset((str, types.NoneType, msgspec.UnsetType))

_DIGITS = bytes.maketrans(b"123456789", b"000000000")


@attrs.define(eq=False, kw_only=True)
class RowChecks:
    """The checks of the rows of one model. Each raises ValueError if rows are to become models."""

    any_data: Callable[[Any, Any], Any] | None
    """Raises ValueError for what is nested too deeply. None for rows that are written out again:
    only text among what may be any JSON value is then as it was sent, and few decimal numbers."""
    times: list[str] = attrs.field(factory=list)
    """The fields that are times."""
    data: list[str] = attrs.field(factory=list)
    """The fields that may be any JSON value."""
    numbers: list[str] = attrs.field(factory=list)
    """The fields that are decimal numbers."""
    inner: list[tuple[str, Callable[[list[Any]], None]]] = attrs.field(factory=list)
    """The fields that are rows themselves, or lists of rows, and what checks those."""

    def add(self, field: str, checks: RowChecks, *, is_list: bool) -> None:
        """Check the rows that a field holds, or holds lists of, as well."""
        if checks:
            self.inner.append((field, checks.check_lists if is_list else checks.check))

    def __bool__(self) -> bool:
        numbers = self.numbers if self.any_data is None else ()
        return bool(self.times or self.data or numbers or self.inner)

    def check(self, rows: Sequence[Any]) -> None:
        """Check rows."""
        texts: list[str] = []
        for name in self.times:
            texts += [text for text in map(attrgetter(name), rows) if type(text) is str]
        if texts:
            read_times(texts)
        for name in self.data:
            self._check_data(list(map(attrgetter(name), rows)))
        for name in self.numbers if self.any_data is None else ():
            # Beyond these, Python and msgspec write exponents in different ways.
            numbers = list(filter(None, map(attrgetter(name), rows)))
            if numbers and not (min(numbers) >= 1e-4 and max(numbers) < 1e16):
                raise ValueError("a number may be written in another way")
        for name, check in self.inner:
            if held := list(filter(None, map(attrgetter(name), rows))):
                check(held)

    def _check_data(self, values: list[Any]) -> None:
        kinds = set(map(type, values))
        if self.any_data is None:
            if not kinds <= _WRITTEN_ALIKE:
                raise ValueError("a value may be written in another way")
        elif not kinds.isdisjoint(_HOLDERS):
            for value in values:
                self.any_data(value, None)

    def check_lists(self, lists: list[list[Any]]) -> None:
        """Check the rows in lists."""
        self.check([row for rows in lists for row in rows])

    def checked(self, rows: list[Any]) -> tuple[Any, ...]:
        """Return rows that have been checked."""
        self.check(rows)
        return tuple(rows)


def read_times(texts: list[str]) -> list[datetime]:
    """Read RFC 3339 date-times, each of which Python, Arrow and the models read alike.

    That is one with ``T``, at most six fraction digits, and ``Z`` or an offset; no leap second.
    """
    written = "\n".join(texts).encode()
    # Those of the usual form first, together: to split them takes as long as all else.
    odd = set((written + b"\n").translate(_DIGITS).replace(_USUAL, b"").split(b"\n")[:-1]) - _IN_UTC
    # The first and the last year may be another in UTC. Python takes the hour 24.
    may_have_no_year = odd and (b"0001-" in written or b"9999-" in written)
    if odd - _WITH_OFFSET or may_have_no_year or b"T24" in written:
        raise ValueError("a time is not of the usual form")
    return list(map(datetime.fromisoformat, texts))
