"""The bodies the platform answers with: pages, single tasks, and one error body for each refusal.

The codes are those of TwelveLabs' documentation; the wording is close to it, not a promise.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import msgspec
from aiohttp import web

from twelvetasks.testing.filters import ParameterError
from twelvetasks.testing.items import Page
from twelvetasks.testing.parameters import Selection

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
class Refusal:
    """An error answer."""

    status: int
    code: str
    message: str
    docs_url: str | None = None

    @property
    def body(self) -> bytes:
        """Return its JSON; `docs_url` only where there is one."""
        error = {"code": self.code, "message": self.message}
        if self.docs_url is not None:
            error["docs_url"] = self.docs_url
        return msgspec.json.encode(error)


def refusal_of_status(status: int) -> Refusal:
    """Return the error the platform most plausibly means by a status."""
    code, message = _OF_STATUS.get(
        status,
        ("internal_server_error", "An unexpected error occurred. Please try again later.")
        if status >= 500
        else ("bad_request", "The request could not be served."),
    )
    return Refusal(status, code, message, _DOCS_URL if status == 401 else None)


def wrong_parameter(error: ParameterError) -> Refusal:
    """Refuse a query string or a form."""
    return Refusal(400, error.code, error.message, _DOCS_URL)


def no_such_page(page: int, total_page: int) -> Refusal:
    """Refuse a page past the end, where the platform is told to."""
    return Refusal(
        400,
        "parameter_invalid",
        f"The page parameter is invalid: there is no page {page} of {total_page}.",
        _DOCS_URL,
    )


def no_such(collection: str, item_id: str) -> Refusal:
    """Refuse an unknown id."""
    return Refusal(
        404,
        "resource_not_exists",
        f"Resource with id {item_id} does not exist in collection {collection}.",
    )


def foreign_index() -> Refusal:
    """Refuse an index of another account."""
    return Refusal(403, "read_not_allowed", "You are not allowed to read this index.")


def no_such_endpoint(path: str) -> Refusal:
    """Refuse an unknown path."""
    return Refusal(404, "endpoint_not_exists", f"The endpoint {path} does not exist.", _DOCS_URL)


def no_such_method(method: str, path: str) -> Refusal:
    """Refuse a method that the path does not know."""
    return Refusal(405, "method_not_allowed", f"The endpoint {path} does not allow {method}.")


def not_deletable() -> Refusal:
    """Refuse to delete a task that is still being worked on."""
    code, message = _OF_STATUS[409]
    return Refusal(400, code, message)


def created_body(task_id: str, video_id: str) -> bytes:
    """Return the JSON that answers an upload."""
    return msgspec.json.encode({"_id": task_id, "video_id": video_id})


def page_body(page: Page, selection: Selection, total_page: int) -> bytes:
    """Return the JSON of a page: its records as they were encoded once, and `page_info`."""
    info = {
        "limit_per_page": selection.page_limit,
        "page": selection.page,
        "total_page": total_page,
        "total_results": page.total,
    }
    return b'{"data":[%b],"page_info":%b}' % (
        b",".join([record.listed for record in page.records]),
        msgspec.json.encode(info),
    )


def answered(body: bytes, status: int = 200) -> web.Response:
    """Return a response with a JSON body, or without a body where it is empty."""
    if not body:
        return web.Response(status=status)
    return web.Response(body=body, status=status, content_type="application/json")


def refused(refusal: Refusal, **headers: str) -> web.Response:
    """Return a refusal as a response."""
    response = answered(refusal.body, refusal.status)
    response.headers.update(headers)
    return response
