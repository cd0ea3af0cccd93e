"""One request, from URL to body: authentication, retries, size cap, and status to error.

Nothing that aiohttp raises leaves this module, and no error keeps a reference to one of aiohttp's,
because those carry the request's headers and with them the API key.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import random
import time
from collections.abc import Callable, Container, Iterable
from http import HTTPStatus
from typing import Any

import aiohttp
import attrs
import msgspec
from yarl import URL

from twelvetasks.bodies import ACCEPTED, BodyFault, read_body
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
from twelvetasks.pacing import Gatekeeper
from twelvetasks.ratelimits import RateReport, read_report
from twelvetasks.retries import Budget, Failure, RetryPolicy, wait_before_retry
from twelvetasks.secret import ApiKey
from twelvetasks.telemetry import Telemetry

__all__ = ["Answer", "Request", "Transport"]

_log = logging.getLogger("twelvetasks")

MAX_BODY = 16 * 1024 * 1024
"""Bytes of a body, on the wire or after decompression, above which it is refused."""

ONLY_OK = frozenset({HTTPStatus.OK.value})

UNANSWERED = RateReport()
"""What is known of a request before there is an answer."""

LONGEST_QUOTE = 500
"""Characters of what another machine said that an error repeats."""


@attrs.frozen(kw_only=True)
class Answer:
    """A successful answer: its status, its body and the id the platform gave the request."""

    status: int
    body: bytes = attrs.field(repr=False)
    request_id: str | None


@attrs.frozen(kw_only=True)
class Request:
    """What is to be sent, as often as it takes."""

    method: str
    url: URL = attrs.field(repr=False)
    page: int | None = None
    """The page that is read, for its errors to name."""
    body: Callable[[], Any] | None = attrs.field(default=None, repr=False)
    """Makes aiohttp's `data`, anew for each attempt."""
    repeatable: Callable[[], bool] | None = attrs.field(default=None, repr=False)
    """Whether `body` can be made once more, asked after an attempt; None if it always can."""
    accept: Container[int] = ONLY_OK
    """The statuses that are a success."""
    timeout: float | None = None
    """Seconds for one attempt; None for the session's own."""
    priority: float = 0
    """The lower, the sooner it passes the gate."""
    budget: Budget | None = None
    """What its listing may lose to failures; None if it is the only request of its kind."""


@attrs.frozen(kw_only=True)
class _Outcome:
    """What came of one attempt."""

    result: Answer | TwelveTasksError
    report: RateReport
    lost: bool = False
    """Whether there was no whole answer."""


class Transport:
    """Sends requests through one aiohttp session, which it closes only if it opened it."""

    def __init__(
        self,
        *,
        api_key: ApiKey,
        timeout: float,
        gate: Gatekeeper,
        retry: RetryPolicy,
        client_session: aiohttp.ClientSession | None,
        trace_configs: Iterable[aiohttp.TraceConfig] = (),
        telemetry: Telemetry | None = None,
    ) -> None:
        self.gate = gate
        self.retry = retry
        self.telemetry = telemetry
        self._api_key = api_key
        self.timeout = timeout
        self._client = client_session
        self._trace_configs = list(trace_configs)
        self._owns_client = client_session is None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scopes: set[asyncio.Timeout] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self.closed: bool = False

    async def get(
        self,
        url: URL,
        *,
        page: int | None = None,
        priority: float = 0,
        budget: Budget | None = None,
    ) -> Answer:
        """Ask for `url` until there is an answer, or raise the error of the last attempt."""
        return await self.send(
            Request(method="GET", url=url, page=page, priority=priority, budget=budget)
        )

    async def send(self, request: Request) -> Answer:
        """Send a request until it succeeds, or raise the error of the last attempt.

        Closing ends it, too. As the task may be the caller's own, a scope is ended, not the task.
        """
        scope = asyncio.timeout(None)
        if not self.closed:
            try:
                async with scope:
                    self._scopes.add(scope)
                    self._idle.clear()
                    return await Exchange(self, request).run()
            except TimeoutError:
                if not scope.expired():
                    raise
            finally:
                self._scopes.discard(scope)
                if not self._scopes:
                    self._idle.set()
        raise SessionClosedError(
            "the session is closed",
            advice="Use it inside its own `async with` block",
            page=request.page,
        )

    def malformed(self, answer: Answer, error: ResponseError) -> ResponseError:
        """Make the error for an answer that could not be read, out of what the reader found."""
        fault = ResponseError(
            self._api_key.redact(error.reason),
            advice=error.advice,
            status=answer.status,
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

    async def ask(self, request: Request) -> _Outcome:
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
                return _Outcome(result=await self._result(response, request, known), report=report)
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
        return _Outcome(result=fault, report=report, lost=True)

    async def _result(
        self, response: aiohttp.ClientResponse, request: Request, known: dict[str, Any]
    ) -> Answer | TwelveTasksError:
        if response.status in request.accept:
            return await _read_answer(response, known)
        if response.status >= HTTPStatus.BAD_REQUEST:
            return await self._refusal(response, known)
        return self._diversion(response, known)

    async def _refusal(
        self, response: aiohttp.ClientResponse, known: dict[str, Any]
    ) -> TwelveTasksError:
        """Make the error for a status of 400 or more."""
        code, message = _code_and_message(await _read_words(response))
        said = ": ".join(filter(None, (code, message))) or response.reason
        kind, advice = _kind_of_refusal(response.status)
        reason = f"{response.status} {self._quoted(said) or ''}".rstrip(" .")
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
        if not words.isprintable():
            words = "".join(sign if sign.isprintable() else "\ufffd" for sign in words)
        return f"{words[:LONGEST_QUOTE]}..." if len(words) > LONGEST_QUOTE else words


class Exchange:
    """One request and its retries. Its name is what stamina's instrumentation tells of it."""

    def __init__(self, transport: Transport, request: Request) -> None:
        self._transport = transport
        self._request = request
        self._budget = request.budget or Budget(transport.retry.budget)
        self._failures = 0
        self._wait: float | None = None
        self._notice: asyncio.Handle | None = None
        self._known: TwelveTasksError | None = None

    async def run(self) -> Answer:
        """Make attempts, with stamina's waits between them, until one succeeds or is final.

        Only what fails is stamina's business: it is then told of the first failure as if it had
        made that attempt itself.
        """
        try:
            return await self._send_once()
        except TwelveTasksError as error:
            if self._wait is None:
                raise
            self._known = error
        # Most programs never need it, and with tenacity it takes as long to import as all of ours.
        import stamina  # noqa: PLC0415

        attempts = stamina.retry(
            on=self._wait_before_retry, attempts=self._transport.retry.attempts, timeout=None
        )
        try:
            return await attempts(self.attempt)()
        finally:
            if self._notice is not None:
                self._notice.cancel()

    async def attempt(self) -> Answer:
        """Make an attempt, or tell of the one that was made already."""
        known, self._known = self._known, None
        if known is not None:
            raise known
        return await self._send_once()

    async def _send_once(self) -> Answer:
        """Pass the gate and send the request."""
        request, transport = self._request, self._transport
        passage = transport.gate.passage(
            priority=request.priority, patience=transport.retry.longest_wait
        )
        self._wait = None
        came = time.monotonic()
        try:
            async with passage as place:
                began = time.monotonic()
                if transport.telemetry is None:
                    outcome = await transport.ask(request)
                else:
                    outcome = await self._observed(transport.telemetry, waited=began - came)
                place.report(outcome.report)
        except RateLimitedError as refused:
            # The gate's own: nothing was sent.
            refused.page = request.page
            raise
        if isinstance(outcome.result, Answer):
            return outcome.result
        self._note(outcome, began)
        raise outcome.result

    async def _observed(self, telemetry: Telemetry, *, waited: float) -> _Outcome:
        request = self._request
        with telemetry.attempt(
            request.method, request.url, page=request.page, resends=self._failures, waited=waited
        ) as attempt:
            outcome = await self._transport.ask(request)
            result = outcome.result
            attempt.answered(
                status=result.status,
                request_id=result.request_id,
                error=None if isinstance(result, Answer) else result,
            )
        return outcome

    def _note(self, outcome: _Outcome, began: float) -> None:
        """Decide, as long as all is known of it, what the failure of an attempt leads to."""
        error, report = outcome.result, outcome.report
        if isinstance(error, RateLimitedError):
            error.retry_after = report.retry_after
        self._failures += 1
        failure = Failure(
            method=self._request.method,
            status=report.status,
            lost=outcome.lost,
            reached=report.reached,
            retry_after=report.retry_after,
            pause=self._transport.gate.pause_left(),
        )
        self._wait = wait_before_retry(
            self._transport.retry,
            failure,
            number=self._failures,
            chance=random.random(),  # noqa: S311 - spreads clients in time, protects nothing
        )
        if self._request.repeatable is not None and not self._request.repeatable():
            self._wait = None
        now = time.monotonic()
        if self._wait is not None and not self._budget.allows(began, now + self._wait):
            self._wait = None

    def _wait_before_retry(self, error: Exception) -> bool | float:
        """Tell stamina the wait, and have it logged as soon as stamina has begun to wait."""
        if self._wait is None or not isinstance(error, TwelveTasksError):
            return False
        # Whether this attempt was the last is stamina's to know. If it was, `run` ends before the
        # event loop comes to the notice.
        self._notice = asyncio.get_running_loop().call_soon(
            self._log_retry, self._wait, error.reason
        )
        return self._wait

    def _log_retry(self, wait: float, reason: str) -> None:
        request = self._request
        _log.info(
            "retry %d of %s %s%s in %.2f s: %s",
            self._failures,
            request.method,
            request.url.path,
            "" if request.page is None else f", page {request.page},",
            wait,
            reason,
        )


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


async def _read_words(response: aiohttp.ClientResponse) -> bytes:
    """Read the body of a refusal, which is one even if its words cannot be had."""
    try:
        body = await read_body(response, cap=MAX_BODY)
    except aiohttp.ClientError:
        return b""
    return b"" if isinstance(body, BodyFault) else body


def _user_agent() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - it is slow

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
        said = msgspec.json.decode(body)
    except (RecursionError, ValueError):
        return None, None
    if isinstance(said, dict) and isinstance(said.get("error"), dict):
        said = said["error"]
    if not isinstance(said, dict):
        return None, None
    code, message = said.get("code"), said.get("message")
    return code if isinstance(code, str) else None, message if isinstance(message, str) else None
