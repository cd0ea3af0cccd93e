"""Every error this library raises, as one short tree under `TwelveTasksError`.

::

    TwelveTasksError
    ├── InvalidArgumentError         an argument was refused; also a ValueError
    ├── SessionClosedError           the session is closed, or belongs to another event loop
    ├── TransportError               no connection, or one that broke
    │   └── RequestTimeoutError      no answer in time; also a TimeoutError
    ├── ResponseError                an answer that breaks the API's promises
    ├── ApiError                     an answer that is an error
    │   ├── AuthenticationError      no valid API key, or no access
    │   ├── BadRequestError          the request was refused
    │   │   └── TaskNotDeletableError
    │   ├── NotFoundError
    │   │   └── EndpointRemovedError the platform has removed the list
    │   ├── RateLimitedError         the limit is used up for too long
    │   └── ServerError              status 5xx
    ├── ListingDriftError            the account changes faster than it can be listed
    ├── UploadError                  the bytes of a video could not be read
    ├── TaskFailedError              a task that was waited for has failed
    ├── WaitTimeoutError             tasks did not end in time; also a TimeoutError
    └── WebhookError                 a webhook was refused

An error carries its data (status, code, request id, page, ...) as attributes from construction on,
so programs never parse messages. Its message says what happened and what to do next.
"""

from __future__ import annotations

import copyreg
from datetime import datetime
from enum import StrEnum
from typing import Any, Self, TypedDict, Unpack

from twelvetasks.values.checkpoint import Checkpoint
from twelvetasks.values.display import excerpt, printable

REPORT_IT = "The answer was not used; if this happens again, report it with the request id"
"""The advice of an error for an answer that breaks the API's promises."""


class Known(TypedDict, total=False):
    """What an error may know of its request; each is an attribute of `TwelveTasksError`."""

    status: int | None
    code: str | None
    request_id: str | None
    page: int | None
    retry_after: float | None
    checkpoint: Checkpoint | None


class Told(Known, total=False):
    """The keyword arguments of errors: each is an attribute of the same name."""

    advice: str
    task_may_exist: bool
    reached: bool
    lasting: bool
    json_path: str | None
    raw: Any
    task_ids: tuple[str, ...]


class TwelveTasksError(Exception):
    """The root of the tree: catch it to catch everything that twelvetasks raises.

    Each has, as far as it is known and else None: `status` (HTTP), `code` (the platform's own),
    `request_id`, `page` (from 1), `retry_after` (seconds) and `checkpoint`. ``str(error)`` joins
    `page`, `reason`, `request_id` and `advice`::

        try:
            tasks = await session.tasks()
        except twelvetasks.TwelveTasksError as error:
            print(error, error.status, error.code, error.request_id)
    """

    reason: str
    """What happened, in a few words without a full stop."""
    advice: str = ""
    """What to do about it; empty if there is nothing to say."""
    status: int | None = None
    """The HTTP status of the answer, or None if there was no answer."""
    code: str | None = None
    """The platform's own error code, such as ``parameter_invalid``."""
    request_id: str | None = None
    """The platform's id for the request: quote it to the platform's support."""
    page: int | None = None
    """The page that was being read, counted from 1."""
    retry_after: float | None = None
    """The wait that the platform asked for with status 408, 429 or 5xx, in seconds, or None."""
    checkpoint: Checkpoint | None = None
    """Where the listing stopped: pass it as `resume` to continue. None outside listings."""
    task_may_exist: bool = False
    """Whether `TaskSession.create` may have made a task although it failed, because the answer was
    late, lost, cut or unreadable: look for the task before you create it again."""

    def __init__(self, reason: str, **known: Unpack[Told]) -> None:
        # It may quote other machines, whose text must not rewrite a log or a terminal.
        reason = printable(reason)
        super().__init__(reason)
        self.reason = reason
        vars(self).update(known)

    def __str__(self) -> str:
        where = f"page {self.page}: " if self.page is not None else ""
        which = f" (request id {self.request_id})" if self.request_id else ""
        return f"{where}{self.reason}{which}{'. ' if self.advice else ''}{self.advice}"

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own calls the class with `args` alone, without its required arguments.
        # `args` are data, too: a TimeoutError, being an OSError, sets none without __init__.
        return copyreg.__newobj__, (type(self),), {**vars(self), "args": self.args}  # type: ignore[attr-defined]

    def located(self, **known: Unpack[Told]) -> Self:
        """Return a copy of this error, traceback included, with what only the caller knows.

        It takes attributes by their names, such as `page`, `checkpoint` and `advice`; None keeps
        the error's own.
        """
        twin = type(self).__new__(type(self))
        told = {name: value for name, value in known.items() if value is not None}
        vars(twin).update(vars(self) | told)
        twin.args = self.args
        twin.__cause__, twin.__context__ = self.__cause__, self.__context__
        twin.__suppress_context__ = self.__suppress_context__
        return twin.with_traceback(self.__traceback__)


def _brief(value: object) -> str:
    try:
        return excerpt(repr(value))
    except ValueError:  # Python refuses to write an int of thousands of digits.
        return f"{type(value).__name__} that is too long to show"


class InvalidArgumentError(TwelveTasksError, ValueError):
    """An argument was refused before any request was sent.

    The message, and `parameter`, `value` and `demand`, say which, what it was and must be.
    """

    parameter: str
    """The parameter's name, as the function or class spells it."""
    value: Any
    """The value that was refused."""
    demand: str
    """What the value must be, or what is wrong with it."""

    def __init__(self, parameter: str, value: Any, demand: str, *, advice: str = "") -> None:
        super().__init__(f"{parameter}={_brief(value)}: {demand}", advice=advice)
        self.parameter = parameter
        self.value = value
        self.demand = demand

    def __reduce__(self) -> tuple[Any, ...]:
        rebuild, arguments, data = super().__reduce__()
        # The value may be anything, but the error must stay picklable.
        if not isinstance(self.value, (str, int, float, datetime, type(None))):
            data["value"] = _brief(self.value)
        return rebuild, arguments, data


class SessionClosedError(TwelveTasksError):
    """The session was closed, or is used in another event loop than the one that opened it."""


class TransportError(TwelveTasksError):
    """The connection failed: refused, reset, cut, or its TLS or name lookup failed.

    `reached`: whether the platform may have received the request; `lasting`: whether a retry would
    fail, too.
    """

    reached: bool = True
    """Whether the platform may have received the request; False if no connection was made."""
    lasting: bool = False
    """Whether the same request fails again until something is corrected: an untrusted certificate,
    an unknown host, a proxy that refuses. It is not retried, and ends a watch or a wait."""


class RequestTimeoutError(TransportError, TimeoutError):
    """No answer within the session's `timeout`, or the platform gave up on the request (408)."""


class ResponseError(TwelveTasksError):
    """An answer arrived that breaks the API's promises, so nothing of it was used.

    `json_path` is the place of the fault, and `raw` the JSON of a single item that is malformed.
    """

    json_path: str | None = None
    """The exact place of the fault, such as ``$.data[3].created_at``; None if it was not JSON."""
    raw: Any = None
    """The JSON value of the item that is malformed, if a single item is; None otherwise."""


class ApiError(TwelveTasksError):
    """The platform answered with an error; the subclass says of which kind."""


class AuthenticationError(ApiError):
    """No API key, or one that the platform does not accept (keys may expire), or no access.

    Status 401 or 403; `status` is None if no key was given at all.
    """


class BadRequestError(ApiError):
    """The platform refused the request (status 4xx): see `code` and the message."""


class TaskNotDeletableError(BadRequestError):
    """The task is still being processed: it can be deleted once it is ``ready`` or ``failed``.

    The platform was also seen to refuse a ``ready`` one until its video has been deleted.
    """


class NotFoundError(ApiError):
    """The task, index or page does not exist (status 404), or belongs to another account (403)."""


class EndpointRemovedError(NotFoundError):
    """The platform has removed the list; the advice says which method to use instead.

    For a list that the platform has marked for removal: status 404 without a code for a missing
    item, status 410, or the code ``api_upgrade_required``.
    """


class RateLimitedError(ApiError):
    """The account's rate limit is used up for longer than `RetryPolicy.longest_wait`."""


class ServerError(ApiError):
    """The platform failed on its side (status 5xx)."""


def is_transient(error: Exception) -> bool:
    """Whether a watch or a wait survives the error: the same request may succeed later."""
    if isinstance(error, TransportError):
        return not error.lasting
    return isinstance(error, ServerError | RateLimitedError)


class ListingDriftError(TwelveTasksError):
    """It cannot be proven that nothing is missing between two pages, however often they are read.

    The account changes too fast; or dozens of items have the same sort key, and the platform orders
    them differently in each answer; or items without a sort key begin an exact listing. The message
    tells which, and what to do. Everything yielded before is complete and in order; a listing or
    watch goes on from `checkpoint`.
    """


class UploadError(TwelveTasksError):
    """The bytes of a video could not be read during the upload, or were not of the announced size.

    The upload was cut off before its end, so the platform made no task.
    """


class TaskFailedError(TwelveTasksError):
    """A task that was waited for has ended as ``failed``.

    The message quotes `Task.error_reason`, if the platform gave one; `task` is the task.
    """

    task: Any
    """The final state of what was waited for: a `Task`, or the item of another list."""

    def __init__(self, reason: str, *, task: Any, **known: Unpack[Told]) -> None:
        super().__init__(reason, **known)
        self.task = task


class WaitTimeoutError(TwelveTasksError, TimeoutError):
    """Some tasks, `task_ids`, had not ended when the `timeout` of the wait was over."""

    task_ids: tuple[str, ...] = ()
    """The ids of the tasks that had not ended."""


class Refusal(StrEnum):
    """Why a webhook was refused. Each member equals its string."""

    WRONG_METHOD = "wrong_method"
    """It is not a POST."""
    ENCODED = "encoded"
    """It has a ``Content-Encoding``, so its bytes are not those that were signed."""
    OVERSIZED = "oversized"
    """Its body is larger than allowed."""
    TRUNCATED = "truncated"
    """The end of its body has not arrived: the connection was lost, or it took too long."""
    UNSIGNED = "unsigned"
    """It has no signature."""
    MALFORMED_SIGNATURE = "malformed_signature"
    """The signature header does not have the platform's format."""
    FORGED = "forged"
    """No signature in it matches this body and time with any of the secrets."""
    STALE = "stale"
    """It was signed too long ago, or in the future."""
    MALFORMED = "malformed"
    """It is signed, but its body is not an event."""
    REPLAYED = "replayed"
    """The same signed bytes, or an event signed before, have been delivered already."""
    BUSY = "busy"
    """Its event is being handled right now."""
    UNHEARD = "unheard"
    """Nothing is listening for events."""


class WebhookError(TwelveTasksError):
    """A request that claims to be a webhook of the platform was refused; `refusal` says why."""

    refusal: Refusal
    """Why, as data."""
    json_path: str | None = None
    """The exact place of a fault in an event that was signed but is malformed: ``$.data.id``."""

    def __init__(self, reason: str, *, refusal: Refusal, **known: Unpack[Told]) -> None:
        super().__init__(reason, **known)
        self.refusal = refusal
