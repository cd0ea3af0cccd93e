"""Answers with a status of 400 or more: the error class of each, and the platform's message."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import aiohttp
from yarl import URL

from twelvetasks.transport.body import BodyFault, read_body
from twelvetasks.values.errors import (
    AuthenticationError,
    BadRequestError,
    EndpointRemovedError,
    NotFoundError,
    RateLimitedError,
    RequestTimeoutError,
    ServerError,
    TwelveTasksError,
)
from twelvetasks.values.words import words_in

UPGRADE_REQUIRED = "api_upgrade_required"
"""The platform's code for an endpoint that it serves no more."""

LONGEST_REFUSAL = 64 * 1024
"""The most bytes of a body that are searched for a message: parsed JSON takes much memory."""


MOSTLY = 0.8
"""The share of ASCII in bytes that are not UTF-8, from which they are text in another encoding."""

MARKS = ("error", "errors", "fault", "code")
"""Fields that show an object to be an error."""

HAS_ITEM = re.compile(rb'"(?:_id|task_id|batch_id)"').search
"""Finds a field that no error has: a cheap way to skip nearly every page before `error_in`."""


async def read_words(response: aiohttp.ClientResponse) -> bytes:
    """Read the body of a refusal; empty if it cannot be read, as the status says enough."""
    try:
        body = await read_body(response)
    except aiohttp.ClientError:
        return b""
    return b"" if isinstance(body, BodyFault) else body


def kind_of_refusal(
    status: int, code: str | None, *, listing: bool, successor: str = ""
) -> tuple[type[TwelveTasksError], str]:
    """Return the error class for a status of 400 or more, and its advice.

    `listing`: the request was for a page. `successor`: what to use once the list is removed.
    The platform answers 403 with a code such as ``read_not_allowed`` for an id of another account.
    """
    kind, advice = _usual_kind(status, code, listing=listing)
    gone = status == HTTPStatus.GONE or code == UPGRADE_REQUIRED
    no_list = listing and status == HTTPStatus.NOT_FOUND and not _is_of_item(code)
    if successor and (gone or no_list) and issubclass(kind, (BadRequestError, NotFoundError)):
        return (EndpointRemovedError, f"{successor}. If the list should be there, check `base_url`")
    return kind, advice


def _is_of_item(code: str | None) -> bool:
    """Whether a code says that an item is missing, and not a list."""
    return (code or "").startswith("resource_not_exist")


def _usual_kind(
    status: int, code: str | None, *, listing: bool
) -> tuple[type[TwelveTasksError], str]:
    foreign = (code or "").endswith("_not_allowed")
    match status:
        case HTTPStatus.FORBIDDEN if foreign:
            return NotFoundError, "Check the id: it belongs to another account than the API key"
        case HTTPStatus.UNAUTHORIZED:
            return AuthenticationError, "Check the API key: keys expire unless they are set not to"
        case HTTPStatus.FORBIDDEN:
            return AuthenticationError, "Check the API key and what it gives access to"
        case HTTPStatus.NOT_FOUND if listing and not _is_of_item(code):
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


def error_in(body: bytes, *, listing: bool) -> tuple[str | None, str | None] | None:
    """Return code and message of an error that came with the status of a success, or None.

    Some gateways answer so. Read as a page, it would have no items.
    """
    if len(body) > LONGEST_REFUSAL:
        return None
    try:
        said = _decoded(body)
    except (RecursionError, ValueError):
        return None
    if not isinstance(said, dict) or said.get("data"):
        return None
    marked = any(said.get(mark) for mark in MARKS)
    bare = listing and "data" not in said and "page_info" not in said
    code, words = _code(said), _words(said)
    return (code, words) if (marked or bare) and (code or words) else None


def code_and_message(body: bytes, *, refused: bool = False) -> tuple[str | None, str | None]:
    """Read the platform's code and message from a body, as far as it has them.

    The platform's own form is ``{"code", "message"}``, on some endpoints under ``error``. Gateways
    and proxies answer in forms of their own, or in plain text. What is missing is None. `refused`:
    the body is a refusal, so a message in any part of it is the reason.
    """
    if len(body) > LONGEST_REFUSAL:
        return None, None
    try:
        said = _decoded(body)
    except (RecursionError, ValueError):
        return None, _plain_text(body)
    return _code(said), _words(said) if refused else words_in(said)


def _decoded(body: bytes) -> Any:
    import msgspec  # noqa: PLC0415 - slow to import, and few programs are refused anything

    return msgspec.json.decode(body)


def _words(said: Any) -> str | None:
    """Find the message of a refusal, also where a part such as ``response`` holds the error."""
    if (words := words_in(said)) or not isinstance(said, dict):
        return words
    parts = [{"error": part} for part in said.values() if isinstance(part, dict | list)]
    return next(filter(None, map(words_in, parts)), None)


def _plain_text(body: bytes) -> str | None:
    """Read a body that is not JSON; a page of HTML, or bytes that are no text, say nothing."""
    try:
        text = body.decode().strip()
    except UnicodeDecodeError:
        # Old gateways do so. Bytes that are not text have little ASCII.
        text = body.decode("latin-1").strip()
        if not text.isprintable() or sum(map(str.isascii, text)) < MOSTLY * len(text):
            return None
    return None if not text or text.startswith(("<", "{", "[")) else text


def _code(said: Any) -> str | None:
    if not isinstance(said, dict):
        return None
    code = said.get("code")
    return code if isinstance(code, str) else _code(said.get("error"))
