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

_HOMES = {
    "conversion.convert": "to_dict to_json",
    "listing": "Listing TaskListing",
    "session": "TaskSession",
    "stats.summary": "ItemStats TaskStats",
    "streams.streams": "ItemStream PageStream TaskStream",
    "tasks.polling": "Polling",
    "tasks.waiting": "ItemWaiting TaskWaiting",
    "transport.gate": "Gate Gatekeeper",
    "transport.pacer": "GatePolicy",
    "transport.responses": "responses",
    "transport.retries": "RetryPolicy",
    "values.analysis_batches": "AnalysisBatch AnalysisBatchQuery BatchStatus",
    "values.analysis_tasks": (
        "AnalysisError AnalysisMode AnalysisRequest AnalysisResult AnalysisStatus AnalysisTask "
        "AnalysisTaskQuery AnalysisUsage VideoSource WebhookDelivery"
    ),
    "values.checkpoint": "Checkpoint",
    "values.embedding_tasks": (
        "Embedding EmbeddingError EmbeddingMetadata EmbeddingStatus EmbeddingTask "
        "EmbeddingTaskQuery OlderEmbeddingTaskQuery"
    ),
    "values.errors": (
        "ApiError AuthenticationError BadRequestError EndpointRemovedError InvalidArgumentError "
        "ListingDriftError NotFoundError RateLimitedError RequestTimeoutError ResponseError "
        "ServerError SessionClosedError TaskFailedError TaskNotDeletableError TransportError "
        "TwelveTasksError UploadError WaitTimeoutError WebhookError"
    ),
    "values.fields": "extra_field sent_as spelling_field",
    "values.indexed_assets": "AssetMetadata IndexedAsset IndexedAssetQuery IndexedAssetStatus",
    "values.models": "HlsStream Page PageInfo SortBy SortOption SystemMetadata",
    "values.query": "ListQuery SortedQuery",
    "values.ranges": "Range",
    "values.report": "Consistency ListingReport",
    "values.resources": "Resource SortKey",
    "values.response": "Response",
    "values.tasks": "Task TaskPage TaskQuery TaskStatus",
    "watching.keeping": "CheckpointStore",
    "watching.plan": "ItemChange TaskChange",
    "watching.watch": "ItemWatch TaskWatch",
}
"""The public names of each module, which is imported when one of its names is first used."""

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
    from twelvetasks.conversion.convert import to_dict as to_dict
    from twelvetasks.conversion.convert import to_json as to_json
    from twelvetasks.listing import Listing as Listing
    from twelvetasks.listing import TaskListing as TaskListing
    from twelvetasks.session import TaskSession as TaskSession
    from twelvetasks.stats.summary import ItemStats as ItemStats
    from twelvetasks.stats.summary import TaskStats as TaskStats
    from twelvetasks.streams.streams import ItemStream as ItemStream
    from twelvetasks.streams.streams import PageStream as PageStream
    from twelvetasks.streams.streams import TaskStream as TaskStream
    from twelvetasks.tasks.polling import Polling as Polling
    from twelvetasks.tasks.waiting import ItemWaiting as ItemWaiting
    from twelvetasks.tasks.waiting import TaskWaiting as TaskWaiting
    from twelvetasks.transport.gate import Gate as Gate
    from twelvetasks.transport.gate import Gatekeeper as Gatekeeper
    from twelvetasks.transport.pacer import GatePolicy as GatePolicy
    from twelvetasks.transport.responses import responses as responses
    from twelvetasks.transport.retries import RetryPolicy as RetryPolicy
    from twelvetasks.values.analysis_batches import AnalysisBatch as AnalysisBatch
    from twelvetasks.values.analysis_batches import AnalysisBatchQuery as AnalysisBatchQuery
    from twelvetasks.values.analysis_batches import BatchStatus as BatchStatus
    from twelvetasks.values.analysis_tasks import AnalysisError as AnalysisError
    from twelvetasks.values.analysis_tasks import AnalysisMode as AnalysisMode
    from twelvetasks.values.analysis_tasks import AnalysisRequest as AnalysisRequest
    from twelvetasks.values.analysis_tasks import AnalysisResult as AnalysisResult
    from twelvetasks.values.analysis_tasks import AnalysisStatus as AnalysisStatus
    from twelvetasks.values.analysis_tasks import AnalysisTask as AnalysisTask
    from twelvetasks.values.analysis_tasks import AnalysisTaskQuery as AnalysisTaskQuery
    from twelvetasks.values.analysis_tasks import AnalysisUsage as AnalysisUsage
    from twelvetasks.values.analysis_tasks import VideoSource as VideoSource
    from twelvetasks.values.analysis_tasks import WebhookDelivery as WebhookDelivery
    from twelvetasks.values.checkpoint import Checkpoint as Checkpoint
    from twelvetasks.values.embedding_tasks import Embedding as Embedding
    from twelvetasks.values.embedding_tasks import EmbeddingError as EmbeddingError
    from twelvetasks.values.embedding_tasks import EmbeddingMetadata as EmbeddingMetadata
    from twelvetasks.values.embedding_tasks import EmbeddingStatus as EmbeddingStatus
    from twelvetasks.values.embedding_tasks import EmbeddingTask as EmbeddingTask
    from twelvetasks.values.embedding_tasks import EmbeddingTaskQuery as EmbeddingTaskQuery
    from twelvetasks.values.embedding_tasks import (
        OlderEmbeddingTaskQuery as OlderEmbeddingTaskQuery,
    )
    from twelvetasks.values.errors import ApiError as ApiError
    from twelvetasks.values.errors import AuthenticationError as AuthenticationError
    from twelvetasks.values.errors import BadRequestError as BadRequestError
    from twelvetasks.values.errors import EndpointRemovedError as EndpointRemovedError
    from twelvetasks.values.errors import InvalidArgumentError as InvalidArgumentError
    from twelvetasks.values.errors import ListingDriftError as ListingDriftError
    from twelvetasks.values.errors import NotFoundError as NotFoundError
    from twelvetasks.values.errors import RateLimitedError as RateLimitedError
    from twelvetasks.values.errors import RequestTimeoutError as RequestTimeoutError
    from twelvetasks.values.errors import ResponseError as ResponseError
    from twelvetasks.values.errors import ServerError as ServerError
    from twelvetasks.values.errors import SessionClosedError as SessionClosedError
    from twelvetasks.values.errors import TaskFailedError as TaskFailedError
    from twelvetasks.values.errors import TaskNotDeletableError as TaskNotDeletableError
    from twelvetasks.values.errors import TransportError as TransportError
    from twelvetasks.values.errors import TwelveTasksError as TwelveTasksError
    from twelvetasks.values.errors import UploadError as UploadError
    from twelvetasks.values.errors import WaitTimeoutError as WaitTimeoutError
    from twelvetasks.values.errors import WebhookError as WebhookError
    from twelvetasks.values.fields import extra_field as extra_field
    from twelvetasks.values.fields import sent_as as sent_as
    from twelvetasks.values.fields import spelling_field as spelling_field
    from twelvetasks.values.indexed_assets import AssetMetadata as AssetMetadata
    from twelvetasks.values.indexed_assets import IndexedAsset as IndexedAsset
    from twelvetasks.values.indexed_assets import IndexedAssetQuery as IndexedAssetQuery
    from twelvetasks.values.indexed_assets import IndexedAssetStatus as IndexedAssetStatus
    from twelvetasks.values.models import HlsStream as HlsStream
    from twelvetasks.values.models import Page as Page
    from twelvetasks.values.models import PageInfo as PageInfo
    from twelvetasks.values.models import SortBy as SortBy
    from twelvetasks.values.models import SortOption as SortOption
    from twelvetasks.values.models import SystemMetadata as SystemMetadata
    from twelvetasks.values.query import ListQuery as ListQuery
    from twelvetasks.values.query import SortedQuery as SortedQuery
    from twelvetasks.values.ranges import Range as Range
    from twelvetasks.values.report import Consistency as Consistency
    from twelvetasks.values.report import ListingReport as ListingReport
    from twelvetasks.values.resources import Resource as Resource
    from twelvetasks.values.resources import SortKey as SortKey
    from twelvetasks.values.response import Response as Response
    from twelvetasks.values.tasks import Task as Task
    from twelvetasks.values.tasks import TaskPage as TaskPage
    from twelvetasks.values.tasks import TaskQuery as TaskQuery
    from twelvetasks.values.tasks import TaskStatus as TaskStatus
    from twelvetasks.watching.keeping import CheckpointStore as CheckpointStore
    from twelvetasks.watching.plan import ItemChange as ItemChange
    from twelvetasks.watching.plan import TaskChange as TaskChange
    from twelvetasks.watching.watch import ItemWatch as ItemWatch
    from twelvetasks.watching.watch import TaskWatch as TaskWatch

    __version__: str
else:  # Type checkers would take any name for one that `__getattr__` knows.
    __all__ = [name for names in _HOMES.values() for name in names.split()]

    def __getattr__(name: str) -> object:
        if name in _MODULES:
            try:
                return importlib.import_module(f"{__name__}.{name}")
            except ImportError as error:
                # `help` passes over what is missing, but not over other errors.
                raise AttributeError(str(error), name=name) from error
        for home, names in _HOMES.items():
            if name in names.split():
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
