"""What the listing endpoint is called and what it accepts: validated filters and order.

A `TaskQuery` that exists is one the platform can be asked: everything that can be refused is
refused while it is made. It knows nothing of sessions; `url` renders one page of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, TypeVar

import attrs
from yarl import URL

from twelvetasks.values.checks import any_seconds, refuse, whole_number
from twelvetasks.values.display import brief_repr
from twelvetasks.values.models import SortBy, SortOption, TaskStatus
from twelvetasks.values.timestamps import utc_timestamp

__all__ = ["MAX_PAGE_LIMIT", "StatusFilter", "TaskQuery"]

MAX_PAGE_LIMIT = 50
"""The most tasks the platform puts on one page."""

ENDPOINT = "tasks"

StatusFilter = TaskStatus | str | Iterable[TaskStatus | str]
"""One status or several, as `TaskStatus` or as strings."""

E = TypeVar("E", bound=StrEnum)


def _member(kind: type[E], parameter: str, value: object) -> E:
    members = {member.value: member for member in kind}
    if not isinstance(value, str) or value not in members:
        close = get_close_matches(value, members, n=1) if isinstance(value, str) else ()
        hint = f"; did you mean {close[0]!r}?" if close else ""
        refuse(parameter, value, f"must be one of {', '.join(members)}{hint}")
    return members[value]


def _sort_by(value: SortBy | str) -> SortBy:
    return _member(SortBy, "sort_by", value)


def _sort_option(value: SortOption | str) -> SortOption:
    return _member(SortOption, "sort_option", value)


def _statuses(value: StatusFilter | None) -> tuple[TaskStatus, ...] | None:
    if value is None:
        return None
    given = [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
    if not given:
        refuse("status", value, "must name at least one status, or be None for any status")
    wanted = {_member(TaskStatus, "status", status) for status in given}
    return tuple(status for status in TaskStatus if status in wanted)


def _words(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not value:
        refuse(field.name, value, "must be a string that is not empty")
    try:
        value.encode()
    except UnicodeEncodeError:
        refuse(field.name, value, "must be text: it has half a character that UTF-8 cannot write")


def _pixels(_: object, field: attrs.Attribute[Any], value: object) -> None:
    whole_number(field.name, value, least=0)


def _moment(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, datetime):
        refuse(field.name, value, "must be a datetime with a time zone")
    if value.utcoffset() is None:
        refuse(
            field.name,
            value,
            "must have a time zone: a naive datetime does not say which moment it is; "
            "try value.astimezone() or value.replace(tzinfo=datetime.UTC)",
        )
    try:
        value.astimezone(UTC)
    except OverflowError:
        refuse(field.name, value, "must be a time that has a UTC year from 1 to 9999")


def _page_limit(_: object, field: attrs.Attribute[Any], value: object) -> None:
    whole_number(field.name, value, least=1, most=MAX_PAGE_LIMIT)


def _filter(validator: Any) -> Any:
    return attrs.field(default=None, validator=attrs.validators.optional(validator))


@attrs.frozen(kw_only=True)
class TaskQuery:
    """Filters and order of a listing, checked: ``GET /tasks`` without its page number.

    Raises InvalidArgumentError, which names parameter and value, for whatever the endpoint could
    not take. None leaves a filter out. Source: the API reference, "List video indexing tasks".
    """

    index_id: str | None = _filter(_words)
    """Only the tasks of this index."""
    status: tuple[TaskStatus, ...] | None = attrs.field(default=None, converter=_statuses)
    """Only tasks in one of these states. Takes one or many, as `TaskStatus` or str."""
    filename: str | None = _filter(_words)
    """Only tasks of videos with this file name."""
    duration: float | None = _filter(any_seconds)
    """Only tasks of videos of this length, in seconds."""
    width: int | None = _filter(_pixels)
    """Only tasks of videos of this width, in pixels."""
    height: int | None = _filter(_pixels)
    """Only tasks of videos of this height, in pixels."""
    created_at: datetime | None = _filter(_moment)
    """Created on this date at or after this time. Aware; sent as UTC."""
    updated_at: datetime | None = _filter(_moment)
    """Updated on this date at or after this time. Aware; sent as UTC."""
    sort_by: SortBy = attrs.field(default=SortBy.CREATED_AT, converter=_sort_by)
    """What the tasks are ordered by. Takes a `SortBy` or its string."""
    sort_option: SortOption = attrs.field(default=SortOption.DESC, converter=_sort_option)
    """The direction of the order. Takes a `SortOption` or its string."""
    page_limit: int = attrs.field(default=MAX_PAGE_LIMIT, validator=_page_limit)
    """Tasks on each page, 1 to 50. The most, 50, makes the fewest requests."""

    def __repr__(self) -> str:
        return brief_repr(self)

    def params(self, *, page: int = 1, page_limit: int | None = None) -> list[tuple[str, str]]:
        """Give the query parameters for one page."""
        paging = [("page", str(page)), ("page_limit", str(page_limit or self.page_limit))]
        return [*paging, *self.order, *self.filters]

    @property
    def order(self) -> list[tuple[str, str]]:
        """The query parameters that sort."""
        return [("sort_by", self.sort_by.value), ("sort_option", self.sort_option.value)]

    @property
    def filters(self) -> list[tuple[str, str]]:
        """The query parameters that filter: `status` repeated, times in UTC."""
        params = [("status", status.value) for status in self.status or ()]
        names = ("index_id", "filename", "duration", "width", "height", "created_at", "updated_at")
        params += [
            (name, _written(value)) for name in names if (value := getattr(self, name)) is not None
        ]
        return params

    @property
    def identity(self) -> str:
        """What decides which tasks are listed, and in which order: all but the paging."""
        return "&".join(f"{name}={value}" for name, value in [*self.order, *self.filters])

    def url(self, base_url: URL, *, page: int = 1, page_limit: int | None = None) -> URL:
        """Render one page of the query below the API's base URL."""
        return (base_url / ENDPOINT).with_query(self.params(page=page, page_limit=page_limit))


def _written(value: str | float | datetime) -> str:
    if isinstance(value, str):
        return value
    return utc_timestamp(value) if isinstance(value, datetime) else _plain_number(value)


def _plain_number(value: float) -> str:
    """Write a number without exponent and without a fraction of zero."""
    written = format(Decimal(repr(value)), "f")
    return written.rstrip("0").rstrip(".") if "." in written else written
