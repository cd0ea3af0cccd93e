"""An asyncio-native client for TwelveLabs: every task that matches, once, in order.

::

    async with twelvetasks.TaskSession() as session:  # reads TWELVE_LABS_API_KEY
        async for task in session.tasks(status="failed"):
            print(task.id, task.created_at)

Importing the package alone imports nothing else: pytest does so on every machine that has it. The
modules `fleet`, `frames`, `otel`, `stats`, `testing` and `webhooks` are imported when they are
first used; those that need an extra say so in their error.
"""

import importlib
from typing import TYPE_CHECKING

__all__ = [
    "AnalysisBatch",
    "AnalysisBatchQuery",
    "AnalysisError",
    "AnalysisMode",
    "AnalysisRequest",
    "AnalysisResult",
    "AnalysisStatus",
    "AnalysisTask",
    "AnalysisTaskQuery",
    "AnalysisUsage",
    "ApiError",
    "AssetMetadata",
    "AuthenticationError",
    "BadRequestError",
    "BatchStatus",
    "Checkpoint",
    "CheckpointStore",
    "Consistency",
    "Embedding",
    "EmbeddingError",
    "EmbeddingMetadata",
    "EmbeddingStatus",
    "EmbeddingTask",
    "EmbeddingTaskQuery",
    "EndpointRemovedError",
    "Gate",
    "GatePolicy",
    "Gatekeeper",
    "HlsStream",
    "IndexedAsset",
    "IndexedAssetQuery",
    "IndexedAssetStatus",
    "InvalidArgumentError",
    "ItemChange",
    "ItemStats",
    "ItemStream",
    "ItemWaiting",
    "ItemWatch",
    "ListQuery",
    "Listing",
    "ListingDriftError",
    "ListingReport",
    "NotFoundError",
    "OlderEmbeddingTaskQuery",
    "Page",
    "PageInfo",
    "PageStream",
    "Polling",
    "Range",
    "RateLimitedError",
    "RequestTimeoutError",
    "Resource",
    "Response",
    "ResponseError",
    "RetryPolicy",
    "ServerError",
    "SessionClosedError",
    "SortBy",
    "SortKey",
    "SortOption",
    "SortedQuery",
    "SystemMetadata",
    "Task",
    "TaskChange",
    "TaskFailedError",
    "TaskListing",
    "TaskNotDeletableError",
    "TaskPage",
    "TaskQuery",
    "TaskSession",
    "TaskStats",
    "TaskStatus",
    "TaskStream",
    "TaskWaiting",
    "TaskWatch",
    "TransportError",
    "TwelveTasksError",
    "UploadError",
    "VideoSource",
    "WaitTimeoutError",
    "WebhookDelivery",
    "WebhookError",
    "extra_field",
    "responses",
    "sent_as",
    "spelling_field",
    "to_dict",
    "to_json",
]

_HOMES = {
    "conversion.convert": ("to_dict", "to_json"),
    "listing": ("Listing", "TaskListing"),
    "session": ("TaskSession",),
    "stats.summary": ("ItemStats", "TaskStats"),
    "streams.streams": ("ItemStream", "PageStream", "TaskStream"),
    "tasks.polling": ("Polling",),
    "tasks.waiting": ("ItemWaiting", "TaskWaiting"),
    "transport.gate": ("Gate", "Gatekeeper"),
    "transport.pacer": ("GatePolicy",),
    "transport.responses": ("responses",),
    "transport.retries": ("RetryPolicy",),
    "values.analysis_batches": ("AnalysisBatch", "AnalysisBatchQuery", "BatchStatus"),
    "values.analysis_tasks": (
        "AnalysisError",
        "AnalysisMode",
        "AnalysisRequest",
        "AnalysisResult",
        "AnalysisStatus",
        "AnalysisTask",
        "AnalysisTaskQuery",
        "AnalysisUsage",
        "VideoSource",
        "WebhookDelivery",
    ),
    "values.checkpoint": ("Checkpoint",),
    "values.embedding_tasks": (
        "Embedding",
        "EmbeddingError",
        "EmbeddingMetadata",
        "EmbeddingStatus",
        "EmbeddingTask",
        "EmbeddingTaskQuery",
        "OlderEmbeddingTaskQuery",
    ),
    "values.errors": (
        "ApiError",
        "AuthenticationError",
        "BadRequestError",
        "EndpointRemovedError",
        "InvalidArgumentError",
        "ListingDriftError",
        "NotFoundError",
        "RateLimitedError",
        "RequestTimeoutError",
        "ResponseError",
        "ServerError",
        "SessionClosedError",
        "TaskFailedError",
        "TaskNotDeletableError",
        "TransportError",
        "TwelveTasksError",
        "UploadError",
        "WaitTimeoutError",
        "WebhookError",
    ),
    "values.fields": ("extra_field", "sent_as", "spelling_field"),
    "values.indexed_assets": (
        "AssetMetadata",
        "IndexedAsset",
        "IndexedAssetQuery",
        "IndexedAssetStatus",
    ),
    "values.models": (
        "HlsStream",
        "Page",
        "PageInfo",
        "SortBy",
        "SortOption",
        "SystemMetadata",
        "Task",
        "TaskPage",
        "TaskStatus",
    ),
    "values.query": ("ListQuery", "SortedQuery"),
    "values.ranges": ("Range",),
    "values.report": ("Consistency", "ListingReport"),
    "values.resources": ("Resource", "SortKey"),
    "values.response": ("Response",),
    "values.tasks": ("TaskQuery",),
    "watching.keeping": ("CheckpointStore",),
    "watching.plan": ("ItemChange", "TaskChange"),
    "watching.watch": ("ItemWatch", "TaskWatch"),
}
"""Where each public name is defined; a module is imported when one of its names is first used."""

_ELSEWHERE = {
    "FakePlatform": "testing",
    "Receiver": "webhooks",
    "RedisGate": "fleet",
    "Telemetry": "otel",
}
"""Names of the modules beside this one that are looked for here."""

_MODULES = ("fleet", "frames", "otel", "stats", "testing", "webhooks")

if TYPE_CHECKING:
    from twelvetasks import fleet as fleet
    from twelvetasks import frames as frames
    from twelvetasks import otel as otel
    from twelvetasks import stats as stats
    from twelvetasks import testing as testing
    from twelvetasks import webhooks as webhooks
    from twelvetasks.conversion.convert import to_dict, to_json
    from twelvetasks.listing import Listing, TaskListing
    from twelvetasks.session import TaskSession
    from twelvetasks.stats.summary import ItemStats, TaskStats
    from twelvetasks.streams.streams import ItemStream, PageStream, TaskStream
    from twelvetasks.tasks.polling import Polling
    from twelvetasks.tasks.waiting import ItemWaiting, TaskWaiting
    from twelvetasks.transport.gate import Gate, Gatekeeper
    from twelvetasks.transport.pacer import GatePolicy
    from twelvetasks.transport.responses import responses
    from twelvetasks.transport.retries import RetryPolicy
    from twelvetasks.values.analysis_batches import AnalysisBatch, AnalysisBatchQuery, BatchStatus
    from twelvetasks.values.analysis_tasks import (
        AnalysisError,
        AnalysisMode,
        AnalysisRequest,
        AnalysisResult,
        AnalysisStatus,
        AnalysisTask,
        AnalysisTaskQuery,
        AnalysisUsage,
        VideoSource,
        WebhookDelivery,
    )
    from twelvetasks.values.checkpoint import Checkpoint
    from twelvetasks.values.embedding_tasks import (
        Embedding,
        EmbeddingError,
        EmbeddingMetadata,
        EmbeddingStatus,
        EmbeddingTask,
        EmbeddingTaskQuery,
        OlderEmbeddingTaskQuery,
    )
    from twelvetasks.values.errors import (
        ApiError,
        AuthenticationError,
        BadRequestError,
        EndpointRemovedError,
        InvalidArgumentError,
        ListingDriftError,
        NotFoundError,
        RateLimitedError,
        RequestTimeoutError,
        ResponseError,
        ServerError,
        SessionClosedError,
        TaskFailedError,
        TaskNotDeletableError,
        TransportError,
        TwelveTasksError,
        UploadError,
        WaitTimeoutError,
        WebhookError,
    )
    from twelvetasks.values.fields import extra_field, sent_as, spelling_field
    from twelvetasks.values.indexed_assets import (
        AssetMetadata,
        IndexedAsset,
        IndexedAssetQuery,
        IndexedAssetStatus,
    )
    from twelvetasks.values.models import (
        HlsStream,
        Page,
        PageInfo,
        SortBy,
        SortOption,
        SystemMetadata,
        Task,
        TaskPage,
        TaskStatus,
    )
    from twelvetasks.values.query import ListQuery, SortedQuery
    from twelvetasks.values.ranges import Range
    from twelvetasks.values.report import Consistency, ListingReport
    from twelvetasks.values.resources import Resource, SortKey
    from twelvetasks.values.response import Response
    from twelvetasks.values.tasks import TaskQuery
    from twelvetasks.watching.keeping import CheckpointStore
    from twelvetasks.watching.plan import ItemChange, TaskChange
    from twelvetasks.watching.watch import ItemWatch, TaskWatch

    __version__: str
else:  # Type checkers would take any name for one that `__getattr__` knows.

    def __getattr__(name: str) -> object:
        if name in _MODULES:
            try:
                return importlib.import_module(f"{__name__}.{name}")
            except ImportError as error:
                # `help` passes over what is missing, but not over other errors.
                raise AttributeError(str(error), name=name) from error
        for home, names in _HOMES.items():
            if name in names:
                from twelvetasks.values.field_docs import with_field_docs  # noqa: PLC0415 - as they

                value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
                return globals().setdefault(name, with_field_docs(value))
        if name == "__version__":
            return importlib.import_module(f"{__name__}.values.version").VERSION
        words = f"module {__name__!r} has no attribute {name!r}"
        if name in _ELSEWHERE:
            words = f"{words}; did you mean `{__name__}.{_ELSEWHERE[name]}.{name}`?"
        raise AttributeError(words)


def __dir__() -> list[str]:
    dunders = [name for name in globals() if name.startswith("__") and name != "__main__"]
    return sorted({*__all__, *_MODULES, *dunders, "__version__"})
