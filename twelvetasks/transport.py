"""One GET request, from URL to body: authentication, retries, size cap, and status to error.

Nothing that aiohttp raises leaves this module, and no error keeps a reference to one of aiohttp's,
because those carry the request's headers and with them the API key.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import aiohttp
import attrs
import orjson
import stamina
from yarl import URL

from twelvetasks.errors import (
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

LONGEST_QUOTE = 500
"""Characters of what another machine said that an error repeats."""


@attrs.frozen(kw_only=True)
class Answer:
    """A successful answer: its body and the id the platform gave the request."""

    body: bytes = attrs.field(repr=False)
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
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scopes: set[asyncio.Timeout] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self.closed = False

    async def get(self, url: URL, *, page: int | None = None) -> Answer:
        """Ask for `url` until there is an answer, or raise the error of the last attempt.

        Closing ends it, too. As the task may be the caller's own, a scope is ended, not the task.
        """
        scope = asyncio.timeout(None)
        if not self.closed:
            try:
                async with scope:
                    self._scopes.add(scope)
                    self._idle.clear()
                    return await self._get_with_retries(url, page)
            except TimeoutError:
                if not scope.expired():
                    raise
            finally:
                self._scopes.discard(scope)
                if not self._scopes:
                    self._idle.set()
        raise SessionClosedError(
            "the session is closed", advice="Use it inside its own `async with` block", page=page
        )

    def malformed(self, answer: Answer, error: ResponseError) -> ResponseError:
        """Make the error for an answer that could not be read, out of what the reader found."""
        fault = ResponseError(
            self._api_key.redact(error.reason),
            advice=error.advice,
            status=HTTPStatus.OK.value,
            request_id=answer.request_id,
            page=error.page,
        )
        fault.json_path = error.json_path
        return fault

    async def close(self) -> None:
        """End every request, refuse later ones, and close the aiohttp session if it is our own."""
        self.closed = True
        for scope in self._scopes:
            if not scope.expired():
                scope.reschedule(asyncio.get_running_loop().time())
        try:
            await self._idle.wait()
        finally:
            if self._owns_client and self._client is not None:
                await self._client.close()

    async def _get_with_retries(self, url: URL, page: int | None) -> Answer:
        async for attempt in stamina.retry_context(
            on=_wait_before_retry, attempts=ATTEMPTS, timeout=None
        ):
            with attempt:
                async with self._places:
                    outcome = await self._ask(url, page)
                if isinstance(outcome, Answer):
                    return outcome
                raise outcome
        raise AssertionError("unreachable: the last attempt raises")  # pragma: no cover

    def _open_client(self, page: int | None) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._client is None:
            self._loop = loop
            self._client = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                connector=aiohttp.TCPConnector(limit=0),
                headers={"User-Agent": _user_agent()},
            )
        if self._loop not in (None, loop):
            raise SessionClosedError(
                "the session was opened in another event loop",
                advice="Make a TaskSession in each event loop, such as in each asyncio.run()",
                page=page,
            )
        if self._client.closed:
            raise SessionClosedError(
                "the `client_session` that the session was given is closed",
                advice="Keep it open for as long as the TaskSession",
                page=page,
            )
        return self._client

    async def _ask(self, url: URL, page: int | None) -> Answer | TwelveTasksError:
        """Send one request and give what comes of it.

        An error is given, not raised, so that no traceback holds aiohttp's request and response.
        """
        client = self._open_client(page)
        known: dict[str, Any] = {"page": page}
        try:
            async with client.get(
                url,
                headers={"x-api-key": self._api_key, "Accept": "application/json"},
                allow_redirects=False,
                auto_decompress=True,
                raise_for_status=False,
                timeout=self._timeout,
            ) as response:
                known["status"] = response.status
                known["request_id"] = self._quoted(response.headers.get("X-Request-Id"))
                if response.status == HTTPStatus.OK:
                    return await _read_answer(response.content, known)
                if response.status >= HTTPStatus.BAD_REQUEST:
                    return await self._refusal(response, known)
                return self._diversion(response, known)
        except TimeoutError:
            return RequestTimeoutError(
                f"no answer within {self._timeout.total:g} seconds",
                advice="Raise the session's `timeout`, or try again later",
                **known,
            )
        except aiohttp.ClientError as error:
            return TransportError(
                f"the connection failed: {self._described(error)}",
                advice="Check the network and the session's `base_url`, or try again later",
                **known,
            )

    async def _refusal(
        self, response: aiohttp.ClientResponse, known: dict[str, Any]
    ) -> TwelveTasksError:
        """Make the error for a status of 400 or more."""
        code, message = _code_and_message(await _read_words(response.content))
        said = ": ".join(filter(None, (code, message))) or response.reason
        kind, advice = _kind_of_refusal(response.status)
        reason = f"{response.status} {self._quoted(said) or ''}".rstrip(" .")
        error = kind(reason, advice=advice, code=self._quoted(code), **known)
        if isinstance(error, RateLimitedError):
            error.retry_after = _seconds(response.headers.get("Retry-After"))
        return error

    def _diversion(
        self, response: aiohttp.ClientResponse, known: dict[str, Any]
    ) -> TwelveTasksError:
        """Make the error for a status below 400 that is not the plain success of 200."""
        if response.status < HTTPStatus.MULTIPLE_CHOICES:
            return ResponseError(
                f"the platform answered {response.status} where it has to answer 200",
                advice="Check the session's `base_url`",
                **known,
            )
        host = self._quoted(_host(response.headers.get("Location", "")))
        return ResponseError(
            f"the platform answered {response.status}{f' to {host}' if host else ''}, "
            "which is not followed",
            advice="The API key must not reach another server: check the session's `base_url`",
            **known,
        )

    def _described(self, error: aiohttp.ClientError) -> str:
        """Name an aiohttp error by what went wrong, not by the status 400 it makes up for that."""
        said: str | None
        if isinstance(error, aiohttp.ClientPayloadError):
            said = "the body was cut short or is garbled"
        elif isinstance(error, aiohttp.ClientResponseError):
            said = self._quoted(error.message)
        else:
            said = self._quoted(str(error))
        return f"{type(error).__name__}: {said}"

    def _quoted(self, text: str | None) -> str | None:
        """Make what another machine said fit to be shown: no key in it, one line, not too long."""
        if text is None:
            return None
        words = " ".join(self._api_key.redact(text).split())
        printable = "".join(sign if sign.isprintable() else "\ufffd" for sign in words)
        cut = len(printable) > LONGEST_QUOTE
        return f"{printable[:LONGEST_QUOTE]}..." if cut else printable


async def _read_answer(
    content: aiohttp.StreamReader, known: dict[str, Any]
) -> Answer | ResponseError:
    body = await _read_capped(content)
    if body is None:
        return ResponseError(
            f"the body is larger than {MAX_BODY} bytes",
            advice="Nothing of it was used; check the session's `base_url`",
            **known,
        )
    return Answer(body=body, request_id=known["request_id"])


async def _read_words(content: aiohttp.StreamReader) -> bytes:
    """Read the body of a refusal, which is one even if its words cannot be had."""
    try:
        return await _read_capped(content) or b""
    except aiohttp.ClientError:
        return b""


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


def _user_agent() -> str:
    try:
        return f"twelvetasks/{version('twelvetasks')}"
    except PackageNotFoundError:
        # Bundled into an application without its metadata.
        return "twelvetasks"


def _kind_of_refusal(status: int) -> tuple[type[TwelveTasksError], str]:
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


def _host(location: str) -> str | None:
    try:
        return URL(location).host
    except ValueError:
        return None


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
