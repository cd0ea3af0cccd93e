"""What the answers of several lists have in common, as frozen attrs values.

Each class keeps, in `extra`, what the platform sent beyond the fields known here, so nothing is
lost when the platform grows. The items of each list are in a file of their own beside this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar

import attrs

from twelvetasks.values.display import table_html
from twelvetasks.values.fields import (
    Count,
    Model,
    beside_field,
    extra_field,
    extra_last,
    loose_field,
)
from twelvetasks.values.response import Response

ItemT = TypeVar("ItemT")


class SortBy(StrEnum):
    """What a listing is ordered by. Each member equals its string."""

    CREATED_AT = "created_at"
    """When the task was created."""
    UPDATED_AT = "updated_at"
    """When the task last changed."""


class SortOption(StrEnum):
    """The direction of a listing. Each member equals its string."""

    ASC = "asc"
    """Oldest first."""
    DESC = "desc"
    """Newest first."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=extra_last)
class SystemMetadata(Model):
    """What the platform found out about the video file. Any of it may be missing."""

    filename: str | None = None
    """The name that the file was uploaded with."""
    duration: float | None = None
    """Seconds."""
    width: int | None = None
    """Pixels."""
    height: int | None = None
    """Pixels."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=extra_last)
class HlsStream(Model):
    """The video as an HTTP live stream; only a task that is retrieved alone carries it."""

    video_url: str | None = None
    """The address of the stream's playlist."""
    thumbnail_urls: tuple[str, ...] | None = None
    """The addresses of still pictures."""
    status: str | None = None
    """``PROCESSING``, ``COMPLETE``, ``CANCELED`` or ``ERROR``."""
    updated_at: datetime | None = None
    """When the stream last changed. Aware."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=extra_last)
class PageInfo(Model):
    """The position of a page in its listing, as the platform counts it.

    The API's specification requires none of this; what is missing, or no number, is None.
    """

    page: Count | None = loose_field()
    """The page's number, from 1."""
    limit_per_page: Count | None = loose_field()
    """How many tasks a full page has."""
    total_page: Count | None = loose_field()
    """How many pages there were when this one was read. 0 or 1 if there were no tasks."""
    total_results: Count | None = loose_field()
    """How many tasks there were when this page was read."""
    extra: Mapping[str, Any] = extra_field()
    """Fields that this version of twelvetasks does not know, read-only; and what came where a
    number should be."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=extra_last)
class Page(Model, Generic[ItemT]):
    """One answer of a list endpoint."""

    _noun: ClassVar[str] = "items"

    data: tuple[ItemT, ...] | None = None
    """The items, in order. The platform may send null for none: `items` is never None."""
    page_info: PageInfo = loose_field(factory=PageInfo)
    """The position of the page in its listing."""
    response: Response | None = beside_field()
    """Request id, status, headers, remaining rate limit; None for a page that was not fetched."""

    def __repr__(self) -> str:
        info = self.page_info
        return (
            f"<{type(self).__name__} {info.page} of {info.total_page}: "
            f"{len(self.items)} of {info.total_results} {self._noun}>"
        )

    def _repr_html_(self) -> str:
        info = self.page_info
        place = f"page {info.page} of {info.total_page}"
        count = f"{len(self.items)} of {info.total_results} {self._noun}"
        return table_html(self.items, caption=f"{place}, {count}")

    @property
    def has_next(self) -> bool:
        """Whether there was a page after this one when it was read; False if unknown."""
        return (self.page_info.page or 1) < (self.page_info.total_page or 0)

    @property
    def items(self) -> tuple[ItemT, ...]:
        """The items of the page, in order; empty if there are none."""
        return self.data or ()
