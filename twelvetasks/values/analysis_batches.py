"""The list of analysis batches: many analysis tasks that were created together.

All that depends on ``GET /analyze/batches`` is here. Source: the API reference, "List
batches", and the official SDK 1.3.6. The list takes no sort parameters: newest first.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Literal

import attrs

from twelvetasks.values.analysis_tasks import AnalysisMode, AnalysisModeName, WebhookDelivery
from twelvetasks.values.checks import members_of
from twelvetasks.values.fields import Model, extra_last, sent_as
from twelvetasks.values.query import ListQuery
from twelvetasks.values.resources import CREATED_AT, Resource


class BatchStatus(StrEnum):
    """The states of an analysis batch that the API documents. Each equals its string."""

    PENDING = "pending"
    """Waiting to be processed."""
    PROCESSING = "processing"
    """Its tasks are being processed."""
    CANCELING = "canceling"
    """Being canceled."""
    CANCELED = "canceled"
    """Canceled."""
    COMPLETED = "completed"
    """Every task has ended, which does not say that any of them has succeeded."""
    EXPIRED = "expired"
    """Tasks had not ended after 24 hours, and were canceled."""


BatchStatusName = Literal["pending", "processing", "canceling", "canceled", "completed", "expired"]
"""The strings that equal the members of `BatchStatus`."""

BatchStatusFilter = BatchStatus | BatchStatusName | Iterable[BatchStatus | BatchStatusName]
"""One status or several, as `BatchStatus` or as strings."""

AnalysisModeFilter = AnalysisMode | AnalysisModeName | Iterable[AnalysisMode | AnalysisModeName]
"""One mode or several, as `AnalysisMode` or as strings."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=extra_last)
class AnalysisBatch(Model):
    """A batch of analysis tasks. What the platform left out, or sent as null, is None."""

    id: str = attrs.field(metadata=sent_as("batch_id"))
    """The API's ``batch_id``."""
    analysis_mode: AnalysisMode | str | None = None
    """An `AnalysisMode` if it is one of those documented, else the string as it came."""
    model_name: str | None = None
    """The model that analyzes, such as ``pegasus1.5``."""
    status: BatchStatus | str | None = None
    """A `BatchStatus` if it is one of those documented, else the string as it came."""
    total_items: int | None = None
    """Tasks in all."""
    queued_items: int | None = None
    """Tasks that are waiting."""
    processing_items: int | None = None
    """Tasks that are being processed."""
    ready_items: int | None = None
    """Tasks that have succeeded."""
    failed_items: int | None = None
    """Tasks that have failed."""
    canceled_items: int | None = None
    """Tasks that were canceled."""
    created_at: datetime | None = None
    """Aware. Never changes."""
    expires_at: datetime | None = None
    """When tasks that have not ended are canceled. Aware."""
    completed_at: datetime | None = None
    """When it became completed. Aware."""
    canceled_at: datetime | None = None
    """When it became canceled. Aware."""
    expired_at: datetime | None = None
    """When it became expired. Aware."""
    webhooks: tuple[WebhookDelivery, ...] | None = None
    """How the deliveries of its webhooks went."""


ANALYSIS_BATCHES = Resource(
    path="analyze/batches",
    item=AnalysisBatch,
    noun="analysis batches",
    singular="analysis batch",
    sort_keys=(CREATED_AT,),
    successes=[BatchStatus.COMPLETED],
    failures=[BatchStatus.CANCELED, BatchStatus.EXPIRED],
    under_way={"status": (BatchStatus.PENDING, BatchStatus.PROCESSING, BatchStatus.CANCELING)},
)
"""The analysis batches."""


def _statuses(value: BatchStatusFilter | None) -> tuple[BatchStatus, ...] | None:
    return None if value is None else members_of(BatchStatus, "status", value)


def _modes(value: AnalysisModeFilter | None) -> tuple[AnalysisMode, ...] | None:
    return None if value is None else members_of(AnalysisMode, "analysis_mode", value)


@attrs.frozen(kw_only=True, repr=False)
class AnalysisBatchQuery(ListQuery[AnalysisBatch]):
    """Filters of a listing of analysis batches, checked: ``GET /analyze/batches``.

    Raises InvalidArgumentError, which names the parameter and its value, for a value that the
    endpoint does not accept. None leaves a filter out.

    ::

        query = twelvetasks.AnalysisBatchQuery(status=["pending", "processing"])
        async for batch in session.list(query):
            ...
    """

    resource = ANALYSIS_BATCHES

    status: tuple[BatchStatus, ...] | None = attrs.field(default=None, converter=_statuses)
    """Only batches in one of these states. Takes one or many, as `BatchStatus` or str."""
    analysis_mode: tuple[AnalysisMode, ...] | None = attrs.field(default=None, converter=_modes)
    """Only batches of one of these modes. Takes one or many, as `AnalysisMode` or str."""
