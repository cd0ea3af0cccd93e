"""The models as someone would write them who takes the answers for granted.

With `cattrs.preconf.orjson` as it comes, and with a constructor written by hand, they show what the
library's own models and its care cost.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs


@attrs.frozen
class PlainMetadata:
    filename: str | None = None
    duration: float | None = None
    width: int | None = None
    height: int | None = None


@attrs.frozen
class PlainTask:
    _id: str
    created_at: datetime | None = None
    updated_at: datetime | None = None
    estimated_time: datetime | None = None
    status: str | None = None
    index_id: str | None = None
    video_id: str | None = None
    system_metadata: PlainMetadata | None = None

    @classmethod
    def of(cls, fields: dict[str, Any]) -> PlainTask:
        """Make one by the plain constructor."""
        metadata = fields.get("system_metadata")
        return cls(
            fields["_id"],
            _moment(fields.get("created_at")),
            _moment(fields.get("updated_at")),
            _moment(fields.get("estimated_time")),
            fields.get("status"),
            fields.get("index_id"),
            fields.get("video_id"),
            metadata and PlainMetadata(**metadata),
        )

    @property
    def id(self) -> str:
        return self._id


@attrs.frozen
class PlainPageInfo:
    page: int
    limit_per_page: int
    total_page: int
    total_results: int


@attrs.frozen
class PlainPage:
    data: list[PlainTask]
    page_info: PlainPageInfo


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
