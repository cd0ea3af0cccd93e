"""Answers with a status of 400 or more: the error class of each, and the platform's words."""

from __future__ import annotations

from http import HTTPStatus

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

LONGEST_QUOTE = 500
"""Characters that an error quotes of what another machine said."""


async def read_words(response: aiohttp.ClientResponse) -> bytes:
    """Read the body of a refusal; one that cannot be read is empty, for the status says enough."""
    try:
        body = await read_body(response)
    except aiohttp.ClientError:
        return b""
    return b"" if isinstance(body, BodyFault) else body


def kind_of_refusal(status: int) -> tuple[type[TwelveTasksError], str]:
    """Return the error class for a status of 400 or more, and its advice."""
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return AuthenticationError, "Check the API key: keys expire by themselves"
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
    """Return the host of a URL, or None if it has none or is not a URL."""
    try:
        return URL(location).host
    except ValueError:
        return None


def code_and_message(body: bytes) -> tuple[str | None, str | None]:
    """Read the body of a refusal, flat or nested under ``error``.

    Returns None for what is missing; the body may come from a proxy, and need not be JSON.
    """
    try:
        said = msgspec.json.decode(body)
    except (RecursionError, ValueError):
        return None, None
    if isinstance(said, dict) and isinstance(said.get("error"), dict):
        said = said["error"]
    if not isinstance(said, dict):
        return None, None
    code, message = said.get("code"), said.get("message")
    return code if isinstance(code, str) else None, message if isinstance(message, str) else None
