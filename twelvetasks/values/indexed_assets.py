"""The list of the indexed assets of an index: the successor of the list of video indexing tasks.

All that depends on ``GET /indexes/{index_id}/indexed-assets`` is here. Source: the API
reference, "List indexed assets", and the official SDK 1.3.6.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

import attrs

from twelvetasks.values.checks import aware_moment, members_of, refuse, text
from twelvetasks.values.fields import AnyData, Extra, Model, extra_last, sent_as
from twelvetasks.values.models import HlsStream
from twelvetasks.values.query import SortedQuery, filter_field
from twelvetasks.values.ranges import RangeFilter, range_field
from twelvetasks.values.resources import CREATED_AT, UPDATED_AT, Resource


class IndexedAssetStatus(StrEnum):
    """The states of an indexed asset that the API documents. Each equals its string."""

    READY = "ready"
    """Uploaded and indexed."""
    PENDING = "pending"
    """Waiting for a server to become free."""
    QUEUED = "queued"
    """Waiting to be indexed."""
    INDEXING = "indexing"
    """Being indexed."""
    VALIDATING = "validating"
    """Being checked against the requirements for videos."""
    FAILED = "failed"
    """Indexing failed."""


IndexedAssetStatusName = Literal["ready", "pending", "queued", "indexing", "validating", "failed"]
"""The strings that equal the members of `IndexedAssetStatus`."""

IndexedAssetStatusFilter = (
    IndexedAssetStatus
    | IndexedAssetStatusName
    | Iterable[IndexedAssetStatus | IndexedAssetStatusName]
)
"""One status or several, as `IndexedAssetStatus` or as strings."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=extra_last)
class AssetMetadata(Model):
    """What the platform found out about the file of an indexed asset. Any of it may be missing."""

    filename: str | None = None
    """The name that the file was uploaded with."""
    duration: float | None = None
    """Seconds."""
    fps: float | None = None
    """Frames per second."""
    width: int | None = None
    """Pixels."""
    height: int | None = None
    """Pixels."""
    size: float | None = None
    """Bytes."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=extra_last)
class IndexedAsset(Model):
    """An asset in an index. What the platform left out, or sent as null, is None."""

    id: str = attrs.field(metadata=sent_as("_id"))
    """The API's ``_id``."""
    asset_id: str | None = None
    """The asset that is indexed."""
    status: IndexedAssetStatus | str | None = None
    """An `IndexedAssetStatus` if it is one of those documented, else the string as it came."""
    created_at: datetime | None = None
    """Aware. Never changes."""
    updated_at: datetime | None = None
    """Aware. Changes with every change of status."""
    indexed_at: datetime | None = None
    """When indexing was completed. Aware."""
    system_metadata: AssetMetadata | None = None
    """What the platform found out about the file."""
    user_metadata: AnyData = attrs.field(default=None, hash=False)
    """What was kept with the asset; only one that is retrieved alone carries it."""
    hls: HlsStream | None = None
    """The video's stream; only an asset that is retrieved alone carries it."""
    embedding: AnyData = attrs.field(default=None, hash=False)
    """The embeddings, as they came; only an asset that is retrieved alone may carry them."""
    transcription: AnyData = attrs.field(default=None, hash=False)
    """The words that are spoken, as they came; only an asset retrieved alone may carry them."""


_ENDED = (IndexedAssetStatus.READY, IndexedAssetStatus.FAILED)

INDEXED_ASSETS = Resource(
    path="indexes/{index_id}/indexed-assets",
    item=IndexedAsset,
    noun="indexed assets",
    singular="indexed asset",
    sort_keys=(CREATED_AT, UPDATED_AT),
    successes=[IndexedAssetStatus.READY],
    failures=[IndexedAssetStatus.FAILED],
    under_way={"status": tuple(one for one in IndexedAssetStatus if one not in _ENDED)},
)
"""The indexed assets of an index."""


def _statuses(value: IndexedAssetStatusFilter | None) -> tuple[IndexedAssetStatus, ...] | None:
    return None if value is None else members_of(IndexedAssetStatus, "status", value)


def _checked_metadata(_: object, field: attrs.Attribute[Any], value: Any) -> None:
    demand = "must map names to a string, a number or a bool each"
    if not isinstance(value, Mapping) or not value:
        refuse(field.name, value, demand)
    for name, wanted in value.items():
        if not isinstance(name, str) or not name or not isinstance(wanted, (str, int, float)):
            refuse(field.name, value, demand)
        if isinstance(wanted, float) and wanted - wanted != 0:
            refuse(field.name, value, "must have finite numbers")


def _read_only(value: Any) -> Any:
    return Extra(value) if isinstance(value, Mapping) else value


@attrs.frozen(kw_only=True, repr=False)
class IndexedAssetQuery(SortedQuery[IndexedAsset]):
    """Filters and order of a listing of the indexed assets of one index, checked.

    Raises InvalidArgumentError, which names the parameter and its value, for a value that the
    endpoint does not accept. None leaves a filter out. A range is a `Range`, a mapping of ``gte``
    and ``lte``, or one number.

    ::

        query = twelvetasks.IndexedAssetQuery(
            index_id="62a0906d47f5678267ec10a6", duration={"gte": 10}
        )
        async for asset in session.list(query):
            ...
    """

    resource = INDEXED_ASSETS

    index_id: str
    """The index."""
    status: tuple[IndexedAssetStatus, ...] | None = attrs.field(default=None, converter=_statuses)
    """Only assets in one of these states. Takes one or many, as `IndexedAssetStatus` or str."""
    filename: str | None = filter_field(text)
    """Only assets with this file name."""
    duration: RangeFilter | None = range_field("duration")
    """Only assets of these lengths, in seconds."""
    fps: RangeFilter | None = range_field("fps")
    """Only assets of these frames per second."""
    width: RangeFilter | None = range_field("width")
    """Only assets of these widths, in pixels."""
    height: RangeFilter | None = range_field("height")
    """Only assets of these heights, in pixels."""
    size: RangeFilter | None = range_field("size")
    """Only assets of these sizes, in bytes."""
    created_at: datetime | None = filter_field(aware_moment)
    """Created at or after this time. Aware; sent as UTC."""
    updated_at: datetime | None = filter_field(aware_moment)
    """Updated on this date at or after this time. Aware; sent as UTC."""
    user_metadata: Mapping[str, str | float | bool] | None = attrs.field(
        default=None,
        converter=_read_only,
        validator=attrs.validators.optional(_checked_metadata),
        hash=False,
    )
    """Only assets whose own metadata have all these values: strings, numbers or bools."""
