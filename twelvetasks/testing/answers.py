"""How the platform answers: with JSON, or with one error body for each `RefusalError`.

The codes are those of TwelveLabs' documentation; the wording is close to it, not a promise.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs
import msgspec
from aiohttp import web

_NONE: Mapping[str, str] = MappingProxyType({})
_DOCS_URL = "https://docs.twelvelabs.io/v1.3/api-reference/error-codes"

_OF_STATUS: Mapping[int, tuple[str, str]] = {
    400: ("parameter_invalid", "A parameter of the request is invalid."),
    401: (
        "api_key_invalid",
        "The API key is invalid or has expired. Please generate a new one and try again.",
    ),
    403: ("unauthorized", "You are not allowed to do this."),
    404: ("resource_not_exists", "The requested resource does not exist."),
    409: (
        "task_cannot_be_deleted",
        "The task cannot be deleted: its status is neither ready nor failed.",
    ),
    429: ("too_many_requests", "You have exceeded the rate limit. Please try again later."),
}


@attrs.frozen
class RefusalError(ValueError):
    """An error answer, which is raised wherever a request turns out to be wrong."""

    status: int
    code: str
    message: str
    docs_url: str | None = None
    headers: Mapping[str, str] = _NONE

    def __str__(self) -> str:
        return self.message

    @property
    def body(self) -> bytes:
        """Return its JSON; `docs_url` only where there is one."""
        error = {"code": self.code, "message": self.message}
        if self.docs_url is not None:
            error["docs_url"] = self.docs_url
        return msgspec.json.encode(error)


def refusal_of_status(status: int) -> RefusalError:
    """Return the error the platform most plausibly means by a status."""
    code, message = _OF_STATUS.get(
        status,
        ("internal_server_error", "An unexpected error occurred. Please try again later.")
        if status >= 500
        else ("bad_request", "The request could not be served."),
    )
    return RefusalError(status, code, message, _DOCS_URL if status == 401 else None)


def wrong_parameter(code: str, message: str) -> RefusalError:
    """Refuse a query string or a form."""
    return RefusalError(400, code, message, _DOCS_URL)


def invalid(name: str, reason: str) -> RefusalError:
    """Refuse a parameter with a wrong value."""
    return wrong_parameter("parameter_invalid", f"The {name} parameter is invalid: {reason}.")


def unknown(name: str) -> RefusalError:
    """Refuse a parameter that a request does not have."""
    return wrong_parameter("parameter_unknown", f"The {name} parameter is unknown in this request.")


def no_such(collection: str, item_id: str) -> RefusalError:
    """Refuse an unknown id."""
    return RefusalError(
        404,
        "resource_not_exists",
        f"Resource with id {item_id} does not exist in collection {collection}.",
    )


def foreign_index() -> RefusalError:
    """Refuse an index of another account."""
    return RefusalError(403, "read_not_allowed", "You are not allowed to read this index.")


def no_such_endpoint(path: str) -> RefusalError:
    """Refuse an unknown path."""
    return RefusalError(
        404, "endpoint_not_exists", f"The endpoint {path} does not exist.", _DOCS_URL
    )


def no_such_method(method: str, path: str, allowed: str) -> RefusalError:
    """Refuse a method that is none of those the path allows."""
    message = f"The endpoint {path} does not allow {method}."
    return RefusalError(405, "method_not_allowed", message, headers={"Allow": allowed})


def answered(body: bytes, status: int = 200, headers: Mapping[str, str] = _NONE) -> web.Response:
    """Return a response with a JSON body, or without a body where it is empty."""
    content_type = "application/json" if body else None
    response = web.Response(body=body or None, status=status, content_type=content_type)
    response.headers.update(headers)
    return response
