"""Every error this library raises, as one short tree under `TwelveTasksError`.

An error carries what was known where it arose (status, code, request id, page) as attributes, so
that programs need not read messages; its message says what happened and what to do next.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twelvetasks.values.checkpoint import Checkpoint
    from twelvetasks.values.models import Task

__all__ = [
    "REPORT_IT",
    "ApiError",
    "AuthenticationError",
    "BadRequestError",
    "InvalidArgumentError",
    "ListingDriftError",
    "NotFoundError",
    "RateLimitedError",
    "Refusal",
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
]

REPORT_IT = "Nothing of it was used; if it happens again, report it with the request id"
"""The advice of an error for an answer that is not what the platform promises."""


class TwelveTasksError(Exception):
    """The root of the tree: catch it to catch everything that twelvetasks raises.

    `reason` is what happened and `advice` what to do about it; `str(error)` joins both with the
    page and the request id where they are known.
    """

    status: int | None
    """The HTTP status of the answer, or None if there was no answer."""
    code: str | None
    """The platform's own error code, such as ``parameter_invalid``."""
    request_id: str | None
    """The id the platform gave the request: quote it when you ask its support."""
    page: int | None
    """The page that was being read, counted from 1."""
    checkpoint: Checkpoint | None
    """Where the listing stood: pass it as `resume` to go on from there. None outside listings."""

    def __init__(
        self,
        reason: str,
        *,
        advice: str = "",
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        page: int | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.advice = advice
        self.status = status
        self.code = code
        self.request_id = request_id
        self.page = page
        self.checkpoint = None

    def __str__(self) -> str:
        where = f"page {self.page}: " if self.page is not None else ""
        which = f" (request id {self.request_id})" if self.request_id else ""
        return f"{where}{self.reason}{which}{'. ' if self.advice else ''}{self.advice}"


class InvalidArgumentError(TwelveTasksError, ValueError):
    """An argument was refused before any request was sent; the message names it and its value."""


class SessionClosedError(TwelveTasksError):
    """The session was closed, or never opened, when it was asked for something."""


class TransportError(TwelveTasksError):
    """The connection failed: refused, reset, cut, or its TLS or name lookup failed."""


class RequestTimeoutError(TransportError, TimeoutError):
    """The platform did not answer within the session's `timeout`."""


class ResponseError(TwelveTasksError):
    """An answer arrived that is not what the API promises, so nothing of it was used."""

    json_path: str | None = None
    """The exact place of the fault, such as ``$.data[3].created_at``; None if it was no JSON."""


class ApiError(TwelveTasksError):
    """The platform answered with an error; the subclass says of which kind."""


class AuthenticationError(ApiError):
    """No API key, or one that the platform does not accept (keys expire by themselves)."""


class BadRequestError(ApiError):
    """The platform refused the request as it was made: see `code` and the message."""


class TaskNotDeletableError(BadRequestError):
    """The task is being worked on: it can be deleted once it is ``ready`` or ``failed``."""


class NotFoundError(ApiError):
    """What was asked for does not exist, or not in this account."""


class RateLimitedError(ApiError):
    """The account's rate limit is used up, and waiting for it would take too long."""

    retry_after: float | None = None
    """The wait that the platform asked for, in seconds, or None if it named none."""


class ServerError(ApiError):
    """The platform failed on its side (status 5xx)."""


class ListingDriftError(TwelveTasksError):
    """The account changes faster than the listing can prove that nothing is missing.

    All that was yielded before is complete and in order; go on from `checkpoint`.
    """


class UploadError(TwelveTasksError):
    """The bytes of a video could not be had, or were not those announced, while it was sent.

    The upload was broken off before its end, so that no task was made of it.
    """


class TaskFailedError(TwelveTasksError):
    """A task that was waited for has ended as ``failed``. The API gives no reason."""

    task: Task
    """The task as it ended."""


class WaitTimeoutError(TwelveTasksError, TimeoutError):
    """Tasks were still not at their end when the time given to wait for them was over."""

    task_ids: tuple[str, ...] = ()
    """The ids of the tasks that had not ended."""


class Refusal(StrEnum):
    """Why a webhook was refused. Each member equals its string."""

    WRONG_METHOD = "wrong_method"
    """It is no POST."""
    ENCODED = "encoded"
    """It has a ``Content-Encoding``: what was signed is not what was sent."""
    OVERSIZED = "oversized"
    """Its body is larger than allowed."""
    TRUNCATED = "truncated"
    """The end of its body has not arrived: the connection was lost, or it took too long."""
    UNSIGNED = "unsigned"
    """It has no signature."""
    MALFORMED_SIGNATURE = "malformed_signature"
    """The header is no signature as the platform writes it."""
    FORGED = "forged"
    """No signature in it was made of this body, at this time, with one of the secrets."""
    STALE = "stale"
    """It was signed too long ago, or in the future."""
    MALFORMED = "malformed"
    """It is signed, but its body is no event."""
    REPLAYED = "replayed"
    """The same signed bytes, or bytes signed before them, have been handed over already."""
    BUSY = "busy"
    """Its event is being handed over just now."""
    UNHEARD = "unheard"
    """There is nobody to hand it over to."""


class WebhookError(TwelveTasksError):
    """A request that claims to be a webhook of the platform was refused; nothing of it was used."""

    refusal: Refusal
    """Why, as data."""
    json_path: str | None = None
    """The exact place of a fault in an event that was signed but is malformed: ``$.data.id``."""
