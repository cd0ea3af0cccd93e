"""One attempt, from URL to body: authentication, size cap, and status to error.

Nothing that aiohttp raises leaves this module, and no error keeps a reference to one of aiohttp's,
because those carry the request's headers and with them the API key.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import aiohttp

from twelvetasks.transport.body import ACCEPTED, BodyFault, read_body
from twelvetasks.transport.messages import MAX_BODY, Answer, Outcome, Request
from twelvetasks.transport.ratelimits import RateReport, read_report
from twelvetasks.transport.refusals import (
    LONGEST_QUOTE,
    code_and_message,
    host_of,
    kind_of_refusal,
    read_words,
)
from twelvetasks.values.errors import (
    RateLimitedError,
    RequestTimeoutError,
    ResponseError,
    SessionClosedError,
    TransportError,
    TwelveTasksError,
)
from twelvetasks.values.secret import ApiKey

__all__ = ["Client"]

UNANSWERED = RateReport()
"""What is known of a request before there is an answer."""


class Client:
    """Makes attempts through one aiohttp session, which it closes only if it opened it."""

    def __init__(
        self,
        *,
        api_key: ApiKey,
        timeout: float,
        client_session: aiohttp.ClientSession | None,
        trace_configs: Iterable[aiohttp.TraceConfig] = (),
    ) -> None:
        self.timeout = timeout
        self._api_key = api_key
        self._client = client_session
        self._trace_configs = list(trace_configs)
        self._owns_client = client_session is None
        self._loop: asyncio.AbstractEventLoop | None = None

    def malformed(self, answer: Answer, error: ResponseError) -> ResponseError:
        """Make the error for an answer that could not be read, out of what the reader found."""
        return ResponseError(
            self._api_key.redact(error.reason),
            advice=error.advice,
            status=answer.status,
            request_id=answer.request_id,
            page=error.page,
            json_path=error.json_path,
        )

    async def close(self) -> None:
        """Close the aiohttp session if it is our own."""
        if self._owns_client and self._client is not None:
            await self._client.close()
            # A closed transport lets go of its socket in the loop's next turn.
            await asyncio.sleep(0)

    def _open_client(self, page: int | None) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._client is None:
            self._loop = loop
            self._client = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                connector=aiohttp.TCPConnector(limit=0),
                headers={"User-Agent": _user_agent()},
                trace_configs=self._trace_configs,
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

    async def ask(self, request: Request) -> Outcome:
        """Send a request once and give what comes of it.

        An error is given, not raised, so that no traceback holds aiohttp's request and response.
        """
        client = self._open_client(request.page)
        timeout = self.timeout if request.timeout is None else request.timeout
        known: dict[str, Any] = {"page": request.page}
        report = UNANSWERED
        try:
            async with client.request(
                request.method,
                request.url,
                data=None if request.body is None else request.body(),
                headers={
                    "x-api-key": self._api_key,
                    "Accept": "application/json",
                    "Accept-Encoding": ACCEPTED,
                },
                allow_redirects=False,
                auto_decompress=False,
                raise_for_status=False,
                timeout=_limits(request, timeout),
            ) as response:
                report = read_report(response.status, response.headers, wall=time.time())
                known["status"] = response.status
                known["request_id"] = self._quoted(response.headers.get("X-Request-Id"))
                result = await self._result(response, request, known, report)
                return Outcome(result=result, report=report)
        except TimeoutError:
            fault: TransportError = RequestTimeoutError(
                f"no answer within {timeout:g} seconds",
                advice="Raise the session's `timeout`, or try again later",
                **known,
            )
        except aiohttp.ClientError as error:
            fault = TransportError(
                f"the connection failed: {self._described(error)}",
                advice="Check the network and the session's `base_url`, or try again later",
                **known,
            )
            if isinstance(error, aiohttp.ClientConnectorError):
                report = RateReport(reached=False)
        return Outcome(result=fault, report=report, lost=True)

    async def _result(
        self,
        response: aiohttp.ClientResponse,
        request: Request,
        known: dict[str, Any],
        report: RateReport,
    ) -> Answer | TwelveTasksError:
        if response.status in request.accept:
            return await _read_answer(response, known)
        if response.status >= HTTPStatus.BAD_REQUEST:
            return await self._refusal(response, known, report)
        return self._diversion(response, known)

    async def _refusal(
        self, response: aiohttp.ClientResponse, known: dict[str, Any], report: RateReport
    ) -> TwelveTasksError:
        """Make the error for a status of 400 or more."""
        code, message = code_and_message(await read_words(response))
        said = ": ".join(filter(None, (code, message))) or response.reason
        kind, advice = kind_of_refusal(response.status)
        reason = f"{response.status} {self._quoted(said) or ''}".rstrip(" .")
        if kind is RateLimitedError:
            known = known | {"retry_after": report.retry_after}
        return kind(reason, advice=advice, code=self._quoted(code), **known)

    def _diversion(
        self, response: aiohttp.ClientResponse, known: dict[str, Any]
    ) -> TwelveTasksError:
        """Make the error for a status below 400 that is not the success that was asked for."""
        if response.status < HTTPStatus.MULTIPLE_CHOICES:
            return ResponseError(
                f"the platform answered {response.status} where it has to answer 200",
                advice="Check the session's `base_url`",
                **known,
            )
        host = self._quoted(host_of(response.headers.get("Location", "")))
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
        if not words.isprintable():
            words = "".join(sign if sign.isprintable() else "\ufffd" for sign in words)
        return f"{words[:LONGEST_QUOTE]}..." if len(words) > LONGEST_QUOTE else words


@functools.lru_cache(maxsize=16)
def _whole(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=seconds)


def _limits(request: Request, timeout: float) -> aiohttp.ClientTimeout:
    """Bound the whole attempt; or its connecting and the wait for its answer, if it has a body.

    How long a body may take to be sent is for those to bound who make it.
    """
    if request.body is None:
        return _whole(timeout)
    return aiohttp.ClientTimeout(total=None, connect=timeout, sock_read=timeout)


async def _read_answer(
    response: aiohttp.ClientResponse, known: dict[str, Any]
) -> Answer | ResponseError:
    body = await read_body(response, cap=MAX_BODY)
    if isinstance(body, BodyFault):
        return ResponseError(
            body.reason,
            advice="Nothing of it was used; check the session's `base_url`",
            **known,
        )
    return Answer(status=known["status"], body=body, request_id=known["request_id"])


def _user_agent() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - it is slow

    try:
        return f"twelvetasks/{version('twelvetasks')}"
    except PackageNotFoundError:
        # Bundled into an application without its metadata.
        return "twelvetasks"
