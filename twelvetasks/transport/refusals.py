"""Answers with a status of 400 or more: the error class of each, and the platform's words."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import aiohttp
import msgspec
from yarl import URL

from twelvetasks.transport.body import BodyFault, read_body
from twelvetasks.values.errors import (
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    RateLimitedError,
    RequestTimeoutError,
    ServerError,
    TwelveTasksError,
)
from twelvetasks.values.words import words_in

LONGEST_REFUSAL = 64 * 1024
"""Bytes of a body in which words are looked for: a refusal is short, and JSON large in memory."""


async def read_words(response: aiohttp.ClientResponse) -> bytes:
    """Read the body of a refusal; one that cannot be read is empty, for the status says enough."""
    try:
        body = await read_body(response)
    except aiohttp.ClientError:
        return b""
    return b"" if isinstance(body, BodyFault) else body


def kind_of_refusal(
    status: int, code: str | None, *, listing: bool
) -> tuple[type[TwelveTasksError], str]:
    """Return the error class for a status of 400 or more, and its advice.

    The platform answers 403 with a code such as ``read_not_allowed`` for an id of another account.
    """
    foreign = (code or "").endswith("_not_allowed")
    missing = (code or "").startswith("resource_not_exist")
    match status:
        case HTTPStatus.FORBIDDEN if foreign:
            return NotFoundError, "Check the id: it belongs to another account than the API key"
        case HTTPStatus.UNAUTHORIZED:
            return AuthenticationError, "Check the API key: keys expire unless they are set not to"
        case HTTPStatus.FORBIDDEN:
            return AuthenticationError, "Check the API key and what it gives access to"
        case HTTPStatus.NOT_FOUND if listing and not missing:
            return NotFoundError, "Check the session's `base_url`: there is no such list at it"
        case HTTPStatus.NOT_FOUND:
            return NotFoundError, "Check the id, and that it belongs to this account"
        case HTTPStatus.REQUEST_TIMEOUT:
            return RequestTimeoutError, "Try again later"
        case HTTPStatus.TOO_MANY_REQUESTS:
            return RateLimitedError, "Wait, or lower the session's `concurrency`"
        case _ if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return BadRequestError, "Correct the request: sent again, it would fail again"
    return ServerError, "Try again later"


def host_of(location: str) -> str | None:
    """Return the host of a URL in its ASCII form; None if it has none or is not a URL.

    In its Unicode form, a host can look like another one.
    """
    try:
        return URL(location).raw_host
    except ValueError:
        return None


def code_and_message(body: bytes) -> tuple[str | None, str | None]:
    """Read the platform's code and words from the body of a refusal.

    The platform's own form is ``{"code", "message"}``, on some endpoints under ``error``. Gateways
    and proxies answer in forms of their own, or in plain text. What is missing is None.
    """
    if len(body) > LONGEST_REFUSAL:
        return None, None
    try:
        said = msgspec.json.decode(body)
    except (RecursionError, ValueError):
        return None, _plain_text(body)
    return _code(said), words_in(said)


def _plain_text(body: bytes) -> str | None:
    """Read a body that is not JSON; a page of HTML, or bytes that are no text, say nothing."""
    try:
        text = body.decode().strip()
    except UnicodeDecodeError:
        return None
    return None if not text or text.startswith(("<", "{", "[")) else text


def _code(said: Any) -> str | None:
    if not isinstance(said, dict):
        return None
    code = said.get("code")
    return code if isinstance(code, str) else _code(said.get("error"))
