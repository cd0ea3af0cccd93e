"""The lists of the platform: where each is, what its items are called, and what it can filter.

Names, fields and parameters are those of the official SDK 1.3.6 and of the official OpenAPI
specification of 2026-07-30.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from twelvetasks.testing.filters import Choice, Filter, Number, Text, Time, UserMetadata

Declared = Mapping[str, Any]
"""The fields that the specification declares; a value is None, or the fields of an object."""

_BY_TIME = ("created_at", "updated_at")
_ANALYSIS_MODES = ("general", "time_based_metadata")


def _fields(*names: str, **objects: Declared) -> Declared:
    return dict.fromkeys(names) | objects


@attrs.frozen(kw_only=True, eq=False)
class Kind:
    """A list of the platform."""

    name: str
    """What messages call the collection."""
    path: str
    """Its path; a part in braces is the scope of the list, such as an index."""
    filters: Mapping[str, Filter]
    declared: Declared
    id_field: str = "_id"
    sorts: tuple[str, ...] = _BY_TIME
    """The values of `sort_by`, the default first; empty for a list that is newest first."""
    steps: tuple[str, ...] = ()
    """The statuses that an item takes one after the other, the last one successful."""
    failed: str | None = "failed"
    """The status of an item that has failed."""
    scope: str | None = None
    """The name of the scope, such as ``index_id``."""
    alone: frozenset[str] = frozenset()
    """Fields that only the retrieval of one item shows."""
    defaults: Mapping[str, Any] = attrs.field(factory=dict)
    """Fields that every item has."""
    bracketed: frozenset[str] = frozenset()
    """Filters that are sent as ``name[key]``."""
    methods: str = "GET"
    """What the list allows."""
    item_methods: str = "GET"
    """What its items allow."""

    @property
    def final(self) -> frozenset[str]:
        """The statuses in which an item stays."""
        return frozenset((*self.steps[-1:], *([self.failed] if self.failed else ()), "canceled"))

    @property
    def timed(self) -> bool:
        """Whether its items have `updated_at`."""
        return "updated_at" in self.declared


_METADATA = ("filename", "duration", "width", "height")
_HLS = _fields("video_url", "thumbnail_urls", "status", "updated_at")

TASKS = Kind(
    name="tasks",
    path="/tasks",
    steps=("uploading", "queued", "indexing", "ready"),
    filters={
        "index_id": Text(("index_id",)),
        "status": Choice(
            ("status",),
            ("ready", "uploading", "validating", "pending", "queued", "indexing", "failed"),
            many=True,
        ),
        "filename": Text(("system_metadata", "filename")),
        "duration": Number(("system_metadata", "duration")),
        "width": Number(("system_metadata", "width"), whole=True),
        "height": Number(("system_metadata", "height"), whole=True),
        "created_at": Time(("created_at",)),
        "updated_at": Time(("updated_at",)),
    },
    declared=_fields(
        *("_id", "video_id", "created_at", "updated_at", "status", "index_id"),
        system_metadata=_fields(*_METADATA),
        hls=_HLS,
    ),
    alone=frozenset(("hls",)),
    methods="GET, POST",
    item_methods="DELETE, GET",
    defaults={"index_id": "62a0906d47f5678267ec10a6"},
)

INDEXED_ASSETS = Kind(
    name="indexed_assets",
    path="/indexes/{index_id}/indexed-assets",
    scope="index_id",
    steps=("pending", "queued", "indexing", "ready"),
    filters={
        "status": Choice(
            ("status",),
            ("ready", "pending", "queued", "indexing", "validating", "failed"),
            many=True,
        ),
        "filename": Text(("system_metadata", "filename")),
        **{
            name: Number(("system_metadata", name), whole=name in {"width", "height"}, ranged=True)
            for name in ("duration", "fps", "width", "height", "size")
        },
        "created_at": Time(("created_at",)),
        "updated_at": Time(("updated_at",)),
        "user_metadata": UserMetadata(),
    },
    bracketed=frozenset(("duration", "fps", "width", "height", "size", "user_metadata")),
    declared=_fields(
        *("_id", "asset_id", "status", "created_at", "updated_at", "indexed_at"),
        *("user_metadata", "embedding", "transcription"),
        system_metadata=_fields(*_METADATA, "fps", "size"),
        hls=_HLS,
    ),
    alone=frozenset(("hls", "user_metadata", "embedding", "transcription")),
    item_methods="DELETE, GET",
)

_EMBEDDING_FILTERS: Mapping[str, Filter] = {
    "started_at": Time(("created_at",)),
    "ended_at": Time(("created_at",), until=True),
    "status": Choice(("status",), ("processing", "ready", "failed")),
}
_EMBEDDING_FIELDS = ("_id", "model_name", "status", "created_at", "updated_at")

EMBEDDING_TASKS = Kind(
    name="embedding_tasks",
    path="/embed-v2/tasks",
    sorts=(),
    steps=("processing", "ready"),
    filters=_EMBEDDING_FILTERS,
    declared=_fields(
        *_EMBEDDING_FIELDS,
        *("video_embedding", "audio_embedding", "image_embedding", "document_embedding"),
        *("data", "usage", "metadata"),
        error=_fields("message"),
    ),
    alone=frozenset(("data", "usage", "metadata")),
    defaults={"model_name": "marengo3.0"},
)

OLDER_EMBEDDING_TASKS = attrs.evolve(
    EMBEDDING_TASKS,
    path="/embed/tasks",
    declared=_fields(*_EMBEDDING_FIELDS, "video_embedding", "audio_embedding"),
    alone=frozenset(),
    defaults={"model_name": "Marengo-retrieval-2.7"},
)

ANALYSIS_TASKS = Kind(
    name="analyze_tasks",
    path="/analyze/tasks",
    id_field="task_id",
    sorts=(),
    steps=("queued", "pending", "processing", "ready"),
    filters={
        "status": Choice(
            ("status",), ("queued", "pending", "processing", "ready", "failed", "canceled")
        ),
        "video_url": Text(("video_source", "url")),
        "asset_id": Text(("video_source", "asset_id")),
        "video_id": Text(("video_source", "video_id")),
        "analysis_mode": Choice(("request_params", "analysis_mode"), _ANALYSIS_MODES),
    },
    declared=_fields(
        *("task_id", "custom_id", "batch_id", "status", "created_at", "completed_at"),
        *("request_params", "result", "webhooks"),
        video_source=_fields(
            *("type", "url", "asset_id", "video_id", "index_id", "system_metadata")
        ),
        error=_fields("code", "message"),
    ),
)

ANALYSIS_ERROR = {"code": "video_file_broken", "message": "The video could not be read."}


def analysis_result(task_id: str) -> dict[str, Any]:
    """Return the result of a ready analysis task."""
    return {
        "generation_id": task_id,
        "data": "A boat leaves the harbour.",
        "finish_reason": "stop",
        "usage": {"output_tokens": 7},
    }


def hls_stream(index_id: str, video_id: str) -> dict[str, Any]:
    """Return the stream of a ready video."""
    place = f"https://stream.example.com/{index_id}/{video_id}"
    return {
        "video_url": f"{place}/stream.m3u8",
        "thumbnail_urls": [f"{place}/thumbnails/1.jpg"],
        "status": "COMPLETE",
    }


_BATCH_COUNTS = ("queued", "processing", "ready", "failed", "canceled")

ANALYSIS_BATCHES = Kind(
    name="analyze_batches",
    path="/analyze/batches",
    id_field="batch_id",
    sorts=(),
    steps=("pending", "processing", "completed"),
    failed="expired",
    filters={
        "status": Choice(
            ("status",),
            ("pending", "processing", "canceling", "canceled", "completed", "expired"),
            many=True,
        ),
        "analysis_mode": Choice(("analysis_mode",), _ANALYSIS_MODES, many=True),
    },
    declared=_fields(
        *("batch_id", "analysis_mode", "model_name", "status", "total_items", "created_at"),
        *("expires_at", "completed_at", "canceled_at", "expired_at", "webhooks"),
        *(f"{name}_items" for name in _BATCH_COUNTS),
    ),
    defaults={
        "analysis_mode": "general",
        "model_name": "pegasus1.5",
        "total_items": 1,
        "expires_at": "2099-01-01T00:00:00.000Z",
        **{f"{name}_items": 0 for name in _BATCH_COUNTS},
    },
)

INDEXES = Kind(
    name="indexes",
    path="/indexes",
    filters={
        "index_name": Text(("index_name",)),
        "created_at": Time(("created_at",)),
        "updated_at": Time(("updated_at",)),
    },
    declared=_fields(
        *("_id", "created_at", "updated_at", "expires_at", "index_name", "total_duration"),
        *("video_count", "addons", "models"),
    ),
    defaults={"video_count": 0, "total_duration": 0},
)

ASSETS = Kind(
    name="assets",
    path="/assets",
    sorts=(),
    steps=("processing", "ready"),
    filters={"asset_ids": Text(("_id",)), "filename": Text(("filename",))},
    declared=_fields(
        *("_id", "method", "status", "filename", "file_type", "created_at", "user_metadata"),
        *("source", "error", "hls", "thumbnail", "technical_metadata"),
    ),
    defaults={"method": "direct", "file_type": "video/mp4"},
)

ENTITIES = Kind(
    name="entities",
    path="/entity-collections/{entity_collection_id}/entities",
    scope="entity_collection_id",
    steps=("processing", "ready"),
    filters={"name": Text(("name",)), "status": Choice(("status",), ("processing", "ready"))},
    declared=_fields(
        *("_id", "entity_collection_id", "name", "description", "metadata", "asset_ids"),
        *("status", "created_at", "updated_at"),
    ),
)
