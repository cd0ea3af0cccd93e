"""One GET request, from URL to body: authentication, retries, size cap, and status to error.

Nothing that aiohttp raises leaves this module, and no error keeps a reference to one of aiohttp's,
because those carry the request's headers and with them the API key.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import aiohttp
import attrs
import orjson
import stamina
from yarl import URL

from twelvetasks.errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    RateLimitedError,
    RequestTimeoutError,
    ResponseError,
    ServerError,
    SessionClosedError,
    TransportError,
    TwelveTasksError,
)
from twelvetasks.secret import ApiKey

__all__ = ["Answer", "Transport"]

MAX_BODY = 16 * 1024 * 1024
"""Bytes of a body, after decompression, above which it is refused."""

ATTEMPTS = 5
LONGEST_WAIT = 60.0
"""Seconds: a platform that asks for a longer wait than this is not waited for."""

_USER_AGENT = f"twelvetasks/{version('twelvetasks')}"


@attrs.frozen(kw_only=True)
class Answer:
    """A successful answer: its body and the id the platform gave the request."""

    body: bytes
    request_id: str | None


class Transport:
    """Sends requests through one aiohttp session, which it closes only if it opened it."""

    def __init__(
        self,
        *,
        api_key: ApiKey,
        timeout: float,
        concurrency: int,
        client_session: aiohttp.ClientSession | None,
    ) -> None:
        self._api_key = api_key
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._places = asyncio.Semaphore(concurrency)
        self._client = client_session
        self._owns_client = client_session is None
        self._closed = False

    async def get(self, url: URL, *, page: int | None = None) -> Answer:
        """Ask for `url` until there is an answer, or raise the error of the last attempt."""
        async for attempt in stamina.retry_context(
            on=_wait_before_retry, attempts=ATTEMPTS, timeout=None
        ):
            with attempt:
                async with self._places:
                    return await self._get_once(url, page)
        raise AssertionError("unreachable: the last attempt raises")  # pragma: no cover

    async def close(self) -> None:
        """Refuse every later request, and close the aiohttp session if it is this one's own."""
        self._closed = True
        if self._owns_client and self._client is not None:
            await self._client.close()

    def _open_client(self) -> aiohttp.ClientSession:
        if self._client is None and not self._closed:
            self._client = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                connector=aiohttp.TCPConnector(limit=0),
                headers={"User-Agent": _USER_AGENT},
            )
        if self._closed or self._client is None or self._client.closed:
            raise SessionClosedError(
                "the session is closed", advice="Use it inside its own `async with` block"
            )
        return self._client

    async def _get_once(self, url: URL, page: int | None) -> Answer:
        client = self._open_client()
        fault: TwelveTasksError
        try:
            async with client.get(
                url,
                headers={"x-api-key": self._api_key, "Accept": "application/json"},
                allow_redirects=False,
                raise_for_status=False,
                timeout=self._timeout,
            ) as response:
                request_id = response.headers.get("X-Request-Id")
                body = await _read_capped(response.content)
                if body is not None and response.status == HTTPStatus.OK:
                    return Answer(body=body, request_id=request_id)
                fault = self._refusal(response, body, request_id, page)
        except TimeoutError:
            fault = RequestTimeoutError(
                f"no answer within {self._timeout.total:g} seconds",
                advice="Raise the session's `timeout`, or try again later",
                page=page,
            )
        except aiohttp.ClientError as error:
            fault = TransportError(
                self._api_key.redact(f"the connection failed: {_described(error)}"),
                advice="Check the network and the session's `base_url`, or try again later",
                page=page,
            )
        raise fault

    def _refusal(
        self,
        response: aiohttp.ClientResponse,
        body: bytes | None,
        request_id: str | None,
        page: int | None,
    ) -> TwelveTasksError:
        """Make the error for an answer that is not a plain success."""
        status = response.status
        known: dict[str, Any] = {"status": status, "request_id": request_id, "page": page}
        if body is None:
            return ResponseError(
                f"the body is larger than {MAX_BODY} bytes",
                advice="Nothing of it was used; check the session's `base_url`",
                **known,
            )
        if status < HTTPStatus.BAD_REQUEST:
            target = URL(response.headers.get("Location", "")).host
            whither = f" to {target}" if target else ""
            return ResponseError(
                f"the platform answered {status}{whither}, which is not followed",
                advice="The API key must not reach another server: check the session's `base_url`",
                **known,
            )
        kind, advice = _kind_of_refusal(status)
        code, message = _code_and_message(body)
        said = self._api_key.redact(": ".join(filter(None, (code, message))))
        error = kind(f"{status} {said}".rstrip(), advice=advice, code=code, **known)
        if isinstance(error, RateLimitedError):
            error.retry_after = _seconds(response.headers.get("Retry-After"))
        return error


def _described(error: Exception) -> str:
    """Name an aiohttp error without its text where that shows the request's headers."""
    said = "" if isinstance(error, aiohttp.ClientResponseError) else str(error)
    return f"{type(error).__name__}{': ' if said else ''}{said}"


async def _read_capped(content: aiohttp.StreamReader) -> bytes | None:
    """Read a body, or give None as soon as it is larger than the cap."""
    chunks = []
    size = 0
    async for chunk in content.iter_any():
        size += len(chunk)
        if size > MAX_BODY:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _kind_of_refusal(status: int) -> tuple[type[ApiError], str]:
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return AuthenticationError, "Check the API key: keys expire by themselves"
        case HTTPStatus.NOT_FOUND:
            return NotFoundError, "Check the id, and that it belongs to this account"
        case HTTPStatus.TOO_MANY_REQUESTS:
            return RateLimitedError, "Wait, or lower the session's `concurrency`"
        case _ if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return BadRequestError, "Correct the request: sent again, it would fail again"
    return ServerError, "Try again later"


def _code_and_message(body: bytes) -> tuple[str | None, str | None]:
    """Read a refusal's body, flat or nested under ``error``; a proxy's may be no JSON at all."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None, None
    if isinstance(said, dict) and isinstance(said.get("error"), dict):
        said = said["error"]
    if not isinstance(said, dict):
        return None, None
    code, message = said.get("code"), said.get("message")
    return code if isinstance(code, str) else None, message if isinstance(message, str) else None


def _seconds(retry_after: str | None) -> float | None:
    return float(retry_after) if retry_after is not None and retry_after.isdecimal() else None


def _wait_before_retry(error: Exception) -> bool | float:
    """Say whether another attempt may help, and after how many seconds if the platform said so."""
    if isinstance(error, RateLimitedError) and error.retry_after is not None:
        return error.retry_after <= LONGEST_WAIT and error.retry_after
    return isinstance(error, (RateLimitedError, ServerError, TransportError))
