"""twelvetasks: every task that matches, once, in order."""

from twelvetasks.conversion.convert import to_dict, to_json
from twelvetasks.listing import Listing, TaskListing
from twelvetasks.session import TaskSession
from twelvetasks.stats.summary import TaskStats
from twelvetasks.streams.streams import ItemStream, PageStream, TaskStream
from twelvetasks.tasks.polling import Polling
from twelvetasks.tasks.waiting import TaskWaiting
from twelvetasks.transport.gate import Gate, Gatekeeper
from twelvetasks.transport.pacer import GatePolicy
from twelvetasks.transport.retries import RetryPolicy
from twelvetasks.values.checkpoint import Checkpoint
from twelvetasks.values.errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
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
from twelvetasks.values.report import Consistency, ListingReport
from twelvetasks.values.resources import Resource, SortKey
from twelvetasks.values.tasks import TaskQuery
from twelvetasks.watching.plan import TaskChange
from twelvetasks.watching.watch import TaskWatch

__all__ = [
    "ApiError",
    "AuthenticationError",
    "BadRequestError",
    "Checkpoint",
    "Consistency",
    "Gate",
    "GatePolicy",
    "Gatekeeper",
    "HlsStream",
    "InvalidArgumentError",
    "ItemStream",
    "ListQuery",
    "Listing",
    "ListingDriftError",
    "ListingReport",
    "NotFoundError",
    "Page",
    "PageInfo",
    "PageStream",
    "Polling",
    "RateLimitedError",
    "RequestTimeoutError",
    "Resource",
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
    "WaitTimeoutError",
    "WebhookError",
    "to_dict",
    "to_json",
]
