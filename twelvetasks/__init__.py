"""twelvetasks: every task that matches, once, in order."""

from twelvetasks.checkpoint import Checkpoint
from twelvetasks.convert import to_dict, to_json
from twelvetasks.errors import (
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
from twelvetasks.listing import PageStream, TaskListing, TaskStream
from twelvetasks.models import (
    HlsStream,
    PageInfo,
    SortBy,
    SortOption,
    SystemMetadata,
    Task,
    TaskPage,
    TaskStatus,
)
from twelvetasks.pacing import Gate, Gatekeeper, GatePolicy
from twelvetasks.polling import Polling
from twelvetasks.query import TaskQuery
from twelvetasks.report import Consistency, ListingReport
from twelvetasks.retries import RetryPolicy
from twelvetasks.session import TaskSession
from twelvetasks.stats import TaskStats
from twelvetasks.waiting import TaskWaiting
from twelvetasks.watch import TaskWatch
from twelvetasks.watching import TaskChange

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
    "ListingDriftError",
    "ListingReport",
    "NotFoundError",
    "PageInfo",
    "PageStream",
    "Polling",
    "RateLimitedError",
    "RequestTimeoutError",
    "ResponseError",
    "RetryPolicy",
    "ServerError",
    "SessionClosedError",
    "SortBy",
    "SortOption",
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
