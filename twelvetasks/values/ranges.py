"""Ranges of numbers, as filters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from twelvetasks.values.checks import is_finite, refuse
from twelvetasks.values.display import brief_repr
from twelvetasks.values.errors import InvalidArgumentError


def _bound(_: object, end: attrs.Attribute[Any], value: Any) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not is_finite(value) or value < 0:
        refuse(end.name, value, "must be a finite number that is not negative")


@attrs.frozen(kw_only=True, repr=False)
class Range:
    """A range of numbers that a filter allows, both ends included.

    Where a filter takes a Range it takes a mapping with the same keys, too, and a number, which is
    the range of that number alone::

        listing = session.indexed_assets("62a0906d47f5678267ec10a6", duration=Range(gte=10))
        listing = session.indexed_assets("62a0906d47f5678267ec10a6", duration={"gte": 10})

    Raises InvalidArgumentError unless at least one end is given, both are finite numbers that are
    not negative, and they are in order.
    """

    gte: float | None = attrs.field(default=None, validator=attrs.validators.optional(_bound))
    """The smallest number; None for any."""
    lte: float | None = attrs.field(default=None, validator=attrs.validators.optional(_bound))
    """The largest number; None for any."""

    def __attrs_post_init__(self) -> None:
        if self.gte is None and self.lte is None:
            refuse("gte", None, "a Range has a smallest number, `gte`, a largest, `lte`, or both")
        if self.gte is not None and self.lte is not None and self.gte > self.lte:
            refuse("lte", self.lte, f"must be at least gte, which is {self.gte:g}")

    def __repr__(self) -> str:
        return brief_repr(self)

    @property
    def bounds(self) -> dict[str, float]:
        """The ends that are given, by their names."""
        ends = {"gte": self.gte, "lte": self.lte}
        return {name: bound for name, bound in ends.items() if bound is not None}


RangeFilter = Range | Mapping[str, float] | float
"""A range as `Range`, as a mapping of ``gte`` and ``lte``, or as one number."""


def range_field(parameter: str) -> Any:
    """Make the field of a filter that may be left out, as None, and holds a Range if it is not."""
    return attrs.field(default=None, converter=lambda value: _as_range(parameter, value))


def _as_range(parameter: str, value: Any) -> Range | None:
    if value is None or isinstance(value, Range):
        return value
    if not isinstance(value, Mapping):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            refuse(parameter, value, "must be a Range, a mapping of gte and lte, or a number")
        value = {"gte": value, "lte": value}
    if unknown := [key for key in value if key not in ("gte", "lte")]:
        refuse(parameter, value, f"has gte and lte, not {unknown[0]!r}")
    try:
        return Range(**value)
    except InvalidArgumentError as error:
        fault = f"{error.parameter} {error.demand}"
    raise InvalidArgumentError(parameter, value, fault)
