"""What the parameters of a list may say, and which items they match.

An error names its parameter. Everything here is hashable, because a list caches a sorted view for
each set of conditions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, Literal

import attrs

from twelvetasks.testing import instants
from twelvetasks.testing.answers import RefusalError, invalid, unknown

DateFilter = Literal["since", "day"]
"""What a date filter matches: everything from its time on, or only until the end of its day."""

_DAY = 86_400_000_000
_WHOLE = re.compile(r"[0-9]{1,18}", re.ASCII)
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", re.ASCII)


@attrs.frozen(kw_only=True)
class Between:
    """A stretch of numbers, or of instants in microseconds since 1970. By default, all."""

    first: float = -math.inf
    """The smallest value in it."""
    last: float = math.inf
    """The largest value in it."""

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.first <= value <= self.last


@attrs.frozen
class Condition:
    """What a field of an item must be to match."""

    field: tuple[str, ...]
    """The names on the way to the field, such as ``("system_metadata", "width")``."""
    allowed: Container[Any]
    is_time: bool = False

    def match(self, fields: Mapping[str, Any]) -> bool:
        """Return whether an item matches."""
        value: Any = fields
        for name in self.field:
            if not isinstance(value, Mapping):
                return False
            value = value.get(name)
            if name == "system_metadata" and not value:
                value = fields.get("metadata")
        if self.is_time:
            value = instants.parsed(value) or 0 if isinstance(value, str) else 0
        return value in self.allowed


@attrs.frozen
class Text:
    """A text that must be equal."""

    field: tuple[str, ...]

    def condition(self, name: str, key: str | None, text: str) -> Condition:  # noqa: ARG002
        """Read a text that is not empty."""
        if not text:
            raise invalid(name, "it must not be empty")
        return Condition(self.field, frozenset((text,)))


@attrs.frozen
class Choice:
    """One of some texts, or several of them: repeated or separated by commas."""

    field: tuple[str, ...]
    supported: tuple[str, ...]
    many: bool = False

    def condition(self, name: str, key: str | None, text: str) -> Condition:  # noqa: ARG002
        """Read supported texts."""
        chosen = frozenset(text.split(",") if self.many else [text])
        if not chosen.issubset(self.supported):
            raise unsupported(name, self.supported)
        return Condition(self.field, chosen)


@attrs.frozen
class Number:
    """A number that must be equal; `ranged` takes ``name[gte]`` and ``name[lte]`` as well."""

    field: tuple[str, ...]
    whole: bool = False
    ranged: bool = False

    def condition(self, name: str, key: str | None, text: str) -> Condition:
        """Read a number that is not negative."""
        if key is not None and (not self.ranged or key not in {"gte", "lte"}):
            raise unknown(f"{name}[{key}]")
        number = whole(name, text) if self.whole else _decimal(name, text)
        if key is None:
            return Condition(self.field, frozenset((number,)))
        allowed = Between(first=number) if key == "gte" else Between(last=number)
        return Condition(self.field, allowed)


@attrs.frozen
class Time:
    """An instant from which on, or with `until` up to which, an item's time must be."""

    field: tuple[str, ...]
    until: bool = False
    that_day: bool = False
    """Whether the items must be of the same day (UTC)."""

    def condition(self, name: str, key: str | None, text: str) -> Condition:  # noqa: ARG002
        """Read a time in UTC."""
        instant = instants.parsed(text) if _UTC_TIME.fullmatch(text) else None
        if instant is None:
            raise invalid(name, "the format is YYYY-MM-DDTHH:mm:ssZ (RFC 3339)")
        if self.until:
            return Condition(self.field, Between(last=instant), is_time=True)
        last = (instant // _DAY + 1) * _DAY - 1 if self.that_day else math.inf
        return Condition(self.field, Between(first=instant, last=last), is_time=True)


@attrs.frozen
class UserMetadata:
    """Values of a user's own metadata, as ``user_metadata[season]=3``."""

    field: tuple[str, ...] = ("user_metadata",)

    def condition(self, name: str, key: str | None, text: str) -> Condition:
        """Read a text, a number or a boolean."""
        if not key:
            raise invalid(name, "it must name a field, as in user_metadata[season]=3")
        allowed: set[Any] = {text}
        if text in {"true", "false"}:
            allowed = {text == "true"}
        elif _DECIMAL.fullmatch(text.removeprefix("-")):
            allowed = {text, float(text)}
        return Condition((*self.field, key), frozenset(allowed))


Filter = Text | Choice | Number | Time | UserMetadata
"""A parameter that narrows a list."""


def unsupported(name: str, supported: Iterable[str]) -> RefusalError:
    """Refuse a value that is none of those supported."""
    return invalid(name, f"the following values are supported: {', '.join(supported)}")


def once(name: str, texts: Sequence[str]) -> str:
    """Return the only value of a parameter."""
    if len(texts) > 1:
        raise invalid(name, "it may be given only once")
    return texts[0]


def whole(name: str, text: str, *, least: int = 0, most: int | None = None) -> int:
    """Read an integer within limits."""
    if not _WHOLE.fullmatch(text):
        raise invalid(name, "it must be an integer")
    number = int(text)
    if number < least or (most is not None and number > most):
        limits = f"at least {least}" if most is None else f"between {least} and {most}"
        raise invalid(name, f"it must be {limits}")
    return number


def _decimal(name: str, text: str) -> float:
    if not _DECIMAL.fullmatch(text) or not math.isfinite(float(text)):
        raise invalid(name, "it must be a number that is not negative")
    return float(text)
