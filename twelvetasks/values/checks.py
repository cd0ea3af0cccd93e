"""The checks that refuse a bad argument before a request is sent."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, NoReturn, TypeGuard, TypeVar

import attrs

from twelvetasks.values.checkpoint import Checkpoint, Identified
from twelvetasks.values.errors import InvalidArgumentError

E = TypeVar("E", bound=StrEnum)


def refuse(parameter: str, value: object, demand: str) -> NoReturn:
    """Raise the InvalidArgumentError that names the parameter, its value and what it must be."""
    raise InvalidArgumentError(parameter, value, demand)


def as_checkpoint(resume: object) -> Checkpoint | None:
    """Return the checkpoint that the parameter `resume` holds, also if it is its string."""
    if resume is None or isinstance(resume, Checkpoint):
        return resume
    if not isinstance(resume, str):
        refuse("resume", resume, "must be a Checkpoint, its string, or None")
    try:
        return Checkpoint.parse(resume)
    except ValueError as error:
        raise InvalidArgumentError("resume", resume, str(error)) from None


def check_resume(resume: Checkpoint | None, query: Identified) -> None:
    """Refuse the parameter `resume` if its checkpoint belongs to another query."""
    if resume is None:
        return
    try:
        resume.check(query)
    except ValueError as error:
        advice = "Resume with the same filters and the same order"
        raise InvalidArgumentError("resume", str(resume), str(error), advice=advice) from None


def content(text: str) -> str:
    """Return a string of any subclass as a plain one.

    ``str()`` of a member of ``class Index(str, Enum)`` is its name, not its content.
    """
    return str.__str__(text)


def whole_number(parameter: str, value: object, *, least: int, most: int | None = None) -> int:
    """Return `value` if it is an int within the bounds, else raise InvalidArgumentError."""
    bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
    number = value if isinstance(value, int) and not isinstance(value, bool) else None
    if number is None or number < least or (most is not None and number > most):
        refuse(parameter, value, f"must be a whole number {bounds}")
    return number


def whole(*, least: int, most: int | None = None) -> Callable[[Any, Any, Any], None]:
    """Make the validator of an attrs field that holds an int within the bounds."""

    def check(_: object, field: attrs.Attribute[Any], value: object) -> None:
        whole_number(field.name, value, least=least, most=most)

    return check


def is_finite(number: float) -> bool:
    """Whether a float can hold a number: not infinite, not NaN, and no larger integer."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def check_seconds(parameter: str, value: object, *, positive: bool = False) -> None:
    """Refuse anything but a finite number of seconds, at least 0, or above 0 if `positive`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        refuse(parameter, value, "must be a number of seconds")
    if positive and not (is_finite(value) and value > 0):
        refuse(parameter, value, "must be a positive, finite number of seconds")
    if not is_finite(value) or value < 0:
        refuse(parameter, value, "must be a finite number of seconds that is not negative")


def any_seconds(_: object, field: attrs.Attribute[Any], value: object) -> None:
    """Validate an attrs field that holds a number of seconds, at least 0."""
    check_seconds(field.name, value)


def positive_seconds(_: object, field: attrs.Attribute[Any], value: object) -> None:
    """Validate an attrs field that holds a number of seconds above 0."""
    check_seconds(field.name, value, positive=True)


def check_flag(parameter: str, value: object) -> bool:
    """Return `value` if it is True or False, else raise InvalidArgumentError."""
    if not isinstance(value, bool):
        refuse(parameter, value, "must be True or False")
    return value


def flag(_: object, field: attrs.Attribute[Any], value: object) -> None:
    """Validate an attrs field that holds True or False."""
    check_flag(field.name, value)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most like another, in whatever case."""
    known, word = list(known), word.strip().lower()
    longer = [one for one in known if word.isalpha() and word.startswith(one)]
    shorter = [one for one in known if len(word) > 1 and one.startswith(word)]
    return next(iter([*longer, *shorter, *most_similar(word, known)]), None)


def most_similar(word: str, known: Iterable[str]) -> list[str]:
    """Return the one of the known words that is most similar, if one is."""
    from difflib import get_close_matches  # noqa: PLC0415 - only errors need it

    return get_close_matches(word, list(known), n=1)


def member_of(kind: type[E], parameter: str, value: object) -> E:
    """Return the member of an enum that equals `value`, else raise InvalidArgumentError."""
    members = {member.value: member for member in kind}
    value = content(value) if isinstance(value, str) else value
    if not isinstance(value, str) or value not in members:
        near = nearest(value, members) if isinstance(value, str) else None
        hint = f"; did you mean {near!r}?" if near else ""
        refuse(parameter, value, f"must be one of {', '.join(members)}{hint}")
    return members[value]


def members_of(kind: type[E], parameter: str, value: object) -> tuple[E, ...]:
    """Return the members of an enum that one value, or each of several, equals.

    In the order of the enum, each once. Raises InvalidArgumentError for any other value, and for
    none at all.
    """
    given = [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
    if not given:
        refuse(parameter, value, f"must name at least one, or be None for any {parameter}")
    wanted = {member_of(kind, parameter, one) for one in given}
    return tuple(member for member in kind if member in wanted)


_ID = re.compile(r"[A-Za-z0-9._~-]*[A-Za-z0-9_~-][A-Za-z0-9._~-]*", re.ASCII)
"""An id that needs no escaping in a path and is neither ``.`` nor ``..``."""


def is_identifier(value: object) -> TypeGuard[str]:
    """Whether a value is an id, which needs no escaping in a path."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def is_encodable(text: str) -> bool:
    """Whether UTF-8 can write a text: half a character, a lone surrogate, cannot be sent."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def text(_: object, field: attrs.Attribute[Any], value: object) -> None:
    """Validate an attrs field that holds text which is not empty and can be sent."""
    if not isinstance(value, str) or not value:
        refuse(field.name, value, "must be a string that is not empty")
    if not is_encodable(value):
        refuse(field.name, value, "must be text: it has half a character that UTF-8 cannot write")


_TO_DATETIME: dict[type, str] = {
    timedelta: "; for a time ago try datetime.now(UTC) - value",
    date: "; for its beginning try datetime.combine(value, time(), UTC)",
}


def _is_written_time(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


def aware_moment(_: object, field: attrs.Attribute[Any], value: object) -> None:
    """Validate an attrs field that holds a datetime with a time zone."""
    if not isinstance(value, datetime):
        hint = next((hint for kind, hint in _TO_DATETIME.items() if isinstance(value, kind)), "")
        if _is_written_time(value):
            hint = "; try datetime.fromisoformat(value)"
        refuse(
            field.name,
            value,
            "must be a datetime with a time zone, such as datetime.now(UTC) - timedelta(days=7), "
            f"with `from datetime import UTC, datetime, timedelta`{hint}",
        )
    if value != value:  # pandas.NaT is an instance of datetime, too
        refuse(field.name, value, "must be a moment, not NaT")
    if value.utcoffset() is None:
        refuse(
            field.name,
            value,
            "must have a time zone: a naive datetime does not say which moment it is; "
            "if it is local time, try value.astimezone(); if it is UTC, "
            "value.replace(tzinfo=UTC), with `from datetime import UTC`",
        )
    try:
        value.astimezone(UTC)
    except OverflowError:
        refuse(field.name, value, "must be a time that has a UTC year from 1 to 9999")
