"""One attempt, from URL to body: authentication, time limits, and the error for each bad answer.

No exception of aiohttp leaves this module, and no error refers to one: they carry the headers of
the request, and with them the API key.
"""

from __future__ import annotations

import asyncio
import copy
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Self, TypedDict, TypeVar

import aiohttp
import attrs
from yarl import URL

from twelvetasks.transport.api_key import KeySource
from twelvetasks.transport.body import ACCEPTED, BodyFault, read_body
from twelvetasks.transport.connections import Connections, LostConnectionError, send_once
from twelvetasks.transport.headers import user_agent
from twelvetasks.transport.messages import Answer, Outcome, Request
from twelvetasks.transport.options import Options
from twelvetasks.transport.proxies import proxy_of_environment
from twelvetasks.transport.ratelimits import RateReport, read_report
from twelvetasks.transport.refusals import (
    code_and_message,
    host_of,
    kind_of_refusal,
    read_words,
)
from twelvetasks.values.display import excerpt, wait_text
from twelvetasks.values.errors import (
    RateLimitedError,
    RequestTimeoutError,
    ResponseError,
    ServerError,
    SessionClosedError,
    TransportError,
    TwelveTasksError,
)
from twelvetasks.values.secret import ApiKey

__all__ = ["Client"]

T = TypeVar("T")

UNANSWERED = RateReport()
"""What is known of a request before its answer."""


class Origin(TypedDict, total=False):
    """What every error says of its request and the answer to it."""

    page: int | None
    status: int
    request_id: str | None


class Client:
    """Makes attempts through one aiohttp session, and closes it only if it opened it.

    `trace_configs` are for an aiohttp session of its own.
    """

    def __init__(
        self,
        *,
        keys: KeySource,
        options: Options,
        client_session: aiohttp.ClientSession | None,
        trace_configs: Iterable[aiohttp.TraceConfig] = (),
        proxy: URL | None = None,
        user_agent: str = "",
    ) -> None:
        self.options = options
        self._keys = keys
        self._user_agent = user_agent
        self._callers = client_session
        self._proxy = proxy
        self._proxies: dict[URL, URL | None] = {}
        self._trace_configs = list(trace_configs)
        self._connections = Connections(user_agent=user_agent, trace_configs=self._trace_configs)

    def with_options(self, options: Options) -> Self:
        """Return a client with other options that shares the connections."""
        other = copy.copy(self)
        other.options = options
        return other

    async def close(self) -> None:
        """Close the aiohttp sessions that are our own."""
        await self._connections.close()

    async def ask(self, request: Request, *, fresh: bool = False) -> Outcome:
        """Send a request once, and return what came of it.

        `fresh`: over a new connection, as every POST; not in an aiohttp session of the caller.

        An error is returned, not raised: its traceback would hold aiohttp's request and response.
        Raises SessionClosedError if it cannot be sent from here.
        """
        session = self._open_session(request.page, fresh=fresh or request.method == "POST")
        limit = self.options.silence
        key = await self._keys.ask(timeout=limit)
        if not isinstance(key, ApiKey):
            refusal = key.located(page=request.page)
            return Outcome(result=refusal, report=RateReport(reached=False), lasting=True)
        outcome = await self._send(session, request, key)
        if outcome.report.status == HTTPStatus.UNAUTHORIZED:
            renewed = await self._keys.has_another(key, timeout=limit)
            return attrs.evolve(outcome, key_renewed=renewed)
        return outcome

    async def _send(self, session: aiohttp.ClientSession, request: Request, key: ApiKey) -> Outcome:
        origin = Origin(page=request.page)
        report = UNANSWERED
        result: Answer | TwelveTasksError
        try:
            async with session.request(
                request.method,
                request.url,
                data=None if request.body is None else request.body(),
                headers=self._headers(key),
                proxy=self._proxy_for(request.url),
                allow_redirects=False,
                auto_decompress=False,
                raise_for_status=False,
                # Beside the caller's own, which a request's would replace.
                middlewares=(*getattr(session, "_middlewares", ()), send_once),
                timeout=self.options.limits(
                    has_body=request.body is not None, pooled=self._callers is not None
                ),
            ) as response:
                report = read_report(response.status, response.headers, wall=time.time())
                origin["status"] = response.status
                origin["request_id"] = self._quoted(response.headers.get("X-Request-Id"))
                if response.status in request.accept:
                    result = _answer(await read_body(response), response.status, origin)
                elif response.status >= HTTPStatus.BAD_REQUEST:
                    words = await read_words(response)
                    result = self._refusal(response, words, report, origin)
                else:
                    result = self._diversion(response, origin)
                return Outcome(result=result, report=report)
        except TwelveTasksError:
            raise
        except Exception as error:
            if (outcome := self._failed(error, report, origin)) is None:
                raise
            return outcome

    def _failed(self, error: Exception, report: RateReport, origin: Origin) -> Outcome | None:
        """Return what came of an attempt without an answer; None for an error of our own."""
        unsent = RateReport(reached=False)
        lasting = False
        match error:
            case aiohttp.ConnectionTimeoutError():
                fault: TransportError = RequestTimeoutError(
                    f"no connection within {self.options.connecting:g} seconds",
                    advice="Check the network, the proxy and the session's `base_url`",
                    reached=False,
                    **origin,
                )
            case TimeoutError():
                silent = isinstance(error, aiohttp.SocketTimeoutError)
                seconds = None if silent else self.options.timeout.total
                fault = RequestTimeoutError(
                    f"no answer within {seconds or self.options.silence:g} seconds",
                    advice="Raise the session's `timeout`, or try again later",
                    **origin,
                )
            case aiohttp.ClientHttpProxyError():
                fault = _refused_by_proxy(error.status, origin)
                lasting = error.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
            case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
                fault, lasting = _untrusted(error, origin), True
            case aiohttp.ClientConnectorDNSError() if _is_unknown(error):
                fault, lasting = _unresolvable(error, origin), True
            case aiohttp.ClientError():
                fault = TransportError(
                    f"the connection failed: {self._described(error)}",
                    advice="Check the network and the session's `base_url`, or try again later",
                    reached=not isinstance(error, aiohttp.ClientConnectorError),
                    **origin,
                )
            case _ if isinstance(error, OSError) or self._callers or self._trace_configs:
                # A caller's connector, resolver, proxy library or trace hook raises what it likes.
                said = self._quoted(f"{type(error).__name__}: {error}")
                fault = TransportError(
                    f"the connection failed: {said}",
                    advice="Check the network, and what the session's `client_session` is made of",
                    **origin,
                )
            case _:
                return None
        return Outcome(
            result=fault, report=report if fault.reached else unsent, lost=True, lasting=lasting
        )

    def read(self, answer: Answer, reader: Callable[[bytes], T]) -> T:
        """Return what `reader` makes of an answer's body.

        A ResponseError that it raises is raised anew with status and request id, without the key
        that the body may quote, and without the decoder's own error as its context.
        """
        try:
            return reader(answer.body)
        except ResponseError as error:
            fault = self._malformed(answer, error)
        raise fault

    def explained(self, answer: Answer, error: ResponseError) -> ResponseError:
        """Return the error of one item of an answer, with its request id, without the key."""
        raw = json.dumps(error.raw)
        return ResponseError(
            self._keys.redact(error.reason),
            advice=error.advice,
            status=answer.status,
            request_id=answer.request_id,
            page=error.page,
            json_path=error.json_path,
            raw=json.loads(self._keys.redact(raw)),
        )

    def _open_session(self, page: int | None, *, fresh: bool) -> aiohttp.ClientSession:
        if self._callers is not None:
            if self._callers.closed:
                raise SessionClosedError(
                    "the `client_session` that the session was given is closed",
                    advice="Keep it open for as long as the TaskSession",
                    page=page,
                )
            # aiohttp has no public way to ask for it.
            if getattr(self._callers, "_loop", None) not in (None, asyncio.get_running_loop()):
                raise SessionClosedError(
                    "the `client_session` was opened in another event loop",
                    advice="Make the aiohttp.ClientSession in the loop that uses the TaskSession",
                    page=page,
                )
            return self._callers
        return self._connections.session(fresh=fresh)

    def _headers(self, key: ApiKey) -> dict[str, str]:
        headers = {
            "x-api-key": key,
            "Accept": "application/json",
            "Accept-Encoding": ACCEPTED,
            **self.options.headers,
        }
        if self._callers is not None and self._user_agent:
            headers["User-Agent"] = user_agent(self._user_agent)
        return headers

    def _proxy_for(self, url: URL) -> URL | None:
        """Return the proxy for our own connections; a session of the caller has its own."""
        if self._callers is not None or self._proxy is not None:
            return self._proxy
        origin = url.origin()
        if origin not in self._proxies:
            self._proxies[origin] = proxy_of_environment(url)
        return self._proxies[origin]

    def _refusal(
        self, response: aiohttp.ClientResponse, words: bytes, report: RateReport, origin: Origin
    ) -> TwelveTasksError:
        """Make the error for a status of 400 or more."""
        code, message = code_and_message(words)
        said = ": ".join(filter(None, (code, message))) or response.reason
        reason = f"{response.status} {self._quoted(said) or ''}".rstrip(" .")
        kind, advice = kind_of_refusal(
            response.status, code, listing=origin.get("page") is not None
        )
        code = self._quoted(code)
        if issubclass(kind, (RateLimitedError, ServerError)):
            wait = report.retry_after
            if wait:
                advice = f"The platform asks to wait {wait_text(wait)}. {advice}"
            return kind(reason, advice=advice, code=code, retry_after=wait, **origin)
        return kind(reason, advice=advice, code=code, **origin)

    def _diversion(self, response: aiohttp.ClientResponse, origin: Origin) -> TwelveTasksError:
        """Make the error for a status below 400 that the request does not accept."""
        if response.status < HTTPStatus.MULTIPLE_CHOICES:
            return ResponseError(
                f"the platform answered {response.status} where it has to answer 200",
                advice="Check the session's `base_url`",
                **origin,
            )
        host = self._quoted(host_of(response.headers.get("Location", "")))
        return ResponseError(
            f"the platform answered {response.status}{f' to {host}' if host else ''}, "
            "which is not followed",
            advice="The API key must not reach another server: check the session's `base_url`",
            **origin,
        )

    def _malformed(self, answer: Answer, error: ResponseError) -> ResponseError:
        # Some gateways answer 200 to a request that they refuse.
        code, message = code_and_message(answer.body)
        said = self._quoted(": ".join(filter(None, (code, message))))
        reason = self._keys.redact(error.reason)
        return ResponseError(
            f"{reason}; it says: {said}" if said else reason,
            advice=error.advice,
            status=answer.status,
            code=self._quoted(code),
            request_id=answer.request_id,
            page=error.page,
            json_path=error.json_path,
        )

    def _described(self, error: aiohttp.ClientError) -> str:
        """Say what went wrong, without the status 400 that aiohttp makes up for broken HTTP."""
        said: str | None
        if isinstance(error, aiohttp.ClientPayloadError):
            said = "the body was cut short or is garbled"
        elif isinstance(error, LostConnectionError):
            return f"{self._quoted(str(error))}"
        elif isinstance(error, aiohttp.ClientResponseError):
            said = self._quoted(error.message)
        else:
            said = self._quoted(str(error))
        return f"{type(error).__name__}: {said}"

    def _quoted(self, text: str | None) -> str | None:
        """Quote what another machine said, without the key."""
        return None if text is None else excerpt(self._keys.redact(text))


def _refused_by_proxy(status: int, origin: Origin) -> TransportError:
    advice = "Check the proxy, and whether it lets connections to the session's `base_url` pass"
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        advice = "Give the proxy's user and password in its address: http://user:password@host:port"
    return TransportError(f"the proxy answered {status}", advice=advice, reached=False, **origin)


def _untrusted(error: Exception, origin: Origin) -> TransportError:
    cause = getattr(error, "certificate_error", error)
    words = getattr(cause, "verify_message", "") or type(cause).__name__
    return TransportError(
        f"the server's certificate is not trusted: {words}",
        advice="Check the session's `base_url`; name a private authority's certificates by the "
        "environment variable SSL_CERT_FILE",
        reached=False,
        **origin,
    )


def _unresolvable(error: aiohttp.ClientConnectorError, origin: Origin) -> TransportError:
    return TransportError(
        f"the host {error.host!r} cannot be found",
        advice="Check the session's `base_url`, and whether the network needs a proxy",
        reached=False,
        **origin,
    )


def _is_unknown(error: aiohttp.ClientConnectorError) -> bool:
    """Whether a name was looked up and is not there, and not only could not be looked up."""
    return error.os_error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None))


def _answer(body: bytes | BodyFault, status: int, origin: Origin) -> Answer | ResponseError:
    if isinstance(body, BodyFault):
        advice = "Nothing of it was used; check the session's `base_url`"
        return ResponseError(body.reason, advice=advice, **origin)
    return Answer(status=status, body=body, request_id=origin.get("request_id"))
