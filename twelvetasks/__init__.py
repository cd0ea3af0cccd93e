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
    TransportError,
    TwelveTasksError,
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
from twelvetasks.query import TaskQuery
from twelvetasks.report import Consistency, ListingReport
from twelvetasks.session import TaskSession

__all__ = [
    "ApiError",
    "AuthenticationError",
    "BadRequestError",
    "Checkpoint",
    "Consistency",
    "HlsStream",
    "InvalidArgumentError",
    "ListingDriftError",
    "ListingReport",
    "NotFoundError",
    "PageInfo",
    "PageStream",
    "RateLimitedError",
    "RequestTimeoutError",
    "ResponseError",
    "ServerError",
    "SessionClosedError",
    "SortBy",
    "SortOption",
    "SystemMetadata",
    "Task",
    "TaskListing",
    "TaskPage",
    "TaskQuery",
    "TaskSession",
    "TaskStatus",
    "TaskStream",
    "TransportError",
    "TwelveTasksError",
    "to_dict",
    "to_json",
]
