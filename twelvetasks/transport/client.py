"""One attempt, from URL to body: authentication, time limits, and the error for each bad answer.

No exception of aiohttp leaves this module, and no error refers to one: they carry the headers of
the request, and with them the API key.
"""

from __future__ import annotations

import json
import re
import time
from http import HTTPStatus

import aiohttp

from twelvetasks.transport.api_key import KeySource
from twelvetasks.transport.attempt import LostConnectionError, Progress
from twelvetasks.transport.body import ACCEPTED, BodyFault, read_body
from twelvetasks.transport.connections import Connections
from twelvetasks.transport.faults import Origin, fault_of, refused_by_proxy
from twelvetasks.transport.messages import Answer, Outcome, Request
from twelvetasks.transport.options import Options
from twelvetasks.transport.ratelimits import RateReport, read_report
from twelvetasks.transport.refusals import (
    HAS_ITEM,
    code_and_message,
    error_in,
    host_of,
    kind_of_refusal,
    read_words,
)
from twelvetasks.transport.responses import collect
from twelvetasks.values.display import excerpt, wait_text
from twelvetasks.values.errors import (
    RateLimitedError,
    RequestTimeoutError,
    ResponseError,
    ServerError,
    TwelveTasksError,
)
from twelvetasks.values.response import Headers, Response
from twelvetasks.values.secret import ApiKey

UNANSWERED = RateReport()
"""What is known of a request before its answer."""

_LOGIN = re.compile(r"(?<=://)[^\s/@]*@")
"""The user and the password in an address: aiohttp names the proxy of a caller's session so."""


class Client:
    """Makes attempts over connections, each within the limits of its options."""

    def __init__(self, *, keys: KeySource, connections: Connections) -> None:
        self._keys = keys
        self.connections = connections

    async def ask(self, request: Request, options: Options, *, fresh: bool = False) -> Outcome:
        """Send a request once, and return the outcome.

        `fresh`: over a new connection, as every POST.

        An error is returned, not raised: its traceback would hold aiohttp's request and response.
        Raises SessionClosedError if it cannot be sent from here.
        """
        fresh = fresh or request.method == "POST"
        connections, silence = self.connections, options.silence
        session = connections.session(fresh=fresh, page=request.page)
        key = await self._keys.ask(timeout=silence)
        if not isinstance(key, ApiKey):
            refusal = key.located(page=request.page)
            return Outcome(result=refusal, report=RateReport(reached=False), lasting=True)
        origin = Origin(page=request.page)
        progress = Progress()
        report = UNANSWERED
        result: Answer | TwelveTasksError
        has_body = request.body is not None
        # How long sending a body may take is up to the code that makes it.
        whole = None if has_body else options.timeout.total
        try:
            with progress:
                async with (
                    connections.place(),
                    progress.limited(whole, in_queue=silence),
                    session.request(
                        request.method,
                        request.url,
                        data=None if request.body is None else request.body(),
                        headers=self._headers(key, options, fresh=fresh),
                        allow_redirects=False,
                        auto_decompress=False,
                        raise_for_status=False,
                        # Beside the caller's own, which a request's would replace.
                        middlewares=(*getattr(session, "_middlewares", ()), progress.send_once),
                        timeout=options.limits(
                            has_body=has_body, pooled=connections.callers is not None
                        ),
                        **connections.key(fresh=fresh),
                    ) as response,
                ):
                    connections.have_served = True
                    report = read_report(response.status, response.headers, wall=time.time())
                    facts = self._response(request, response)
                    collect(facts)
                    origin["status"], origin["request_id"] = facts.status, facts.request_id
                    if response.status in request.accept:
                        body = await read_body(response)
                        result = self._answer(request, body, facts, origin)
                    elif response.status >= HTTPStatus.BAD_REQUEST:
                        words = await read_words(response)
                        result = self._refusal(response, words, report, origin, request.successor)
                    else:
                        result = self._diversion(response, origin)
        except TwelveTasksError:
            raise
        except Exception as error:
            unanswered = "status" not in origin and not isinstance(error, LostConnectionError)
            if fresh or not (unanswered and progress.kept_alive and _is_lost(error)):
                failure = fault_of(
                    error,
                    origin,
                    progress=progress,
                    connections=connections,
                    options=options,
                    quoted=self._quoted,
                )
                if failure is None:
                    raise
                return Outcome(
                    result=failure,
                    report=report if failure.reached else RateReport(reached=False),
                    lost=True,
                    lasting=failure.lasting,
                )
        else:
            refused = report.status == HTTPStatus.UNAUTHORIZED
            renewed = refused and await self._keys.has_another(key, timeout=silence)
            return Outcome(result=result, report=report, key_renewed=renewed)
        # aiohttp has sent it twice, and met two connections that the server had closed.
        return await self.ask(request, options, fresh=True)

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

    def _response(self, request: Request, response: aiohttp.ClientResponse) -> Response:
        redact = self._keys.redact
        headers = response.headers.items()
        # All at once: a search in each of a dozen values takes three times as long.
        said = "\n".join(response.headers.values())
        shows_key = redact(said) != said
        return Response(
            method=request.method,
            path=request.url.path,
            status=response.status,
            request_id=self._quoted_if_any(response.headers.get("X-Request-Id")),
            headers=Headers(
                ((name, redact(value)) for name, value in headers) if shows_key else headers
            ),
        )

    def _headers(self, key: ApiKey, options: Options, *, fresh: bool) -> dict[str, str]:
        return {
            "x-api-key": key,
            "Accept": "application/json",
            "Accept-Encoding": ACCEPTED,
            **options.headers,
            **self.connections.headers(fresh=fresh),
        }

    def _refusal(
        self,
        response: aiohttp.ClientResponse,
        words: bytes,
        report: RateReport,
        origin: Origin,
        successor: str,
    ) -> TwelveTasksError:
        """Make the error for a status of 400 or more."""
        code, message = code_and_message(words, refused=True)
        forwarded = self.connections.proxy is not None and response.url.scheme == "http"
        said = ": ".join(filter(None, (code, message))) or response.reason
        reason = f"{response.status} {self._quoted(said or '')}".rstrip(" .")
        if response.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            host, proxy = response.url.raw_host or "", self.connections.proxy
            return refused_by_proxy(reason, response.status, host, proxy, origin)
        listing = origin.get("page") is not None
        kind, advice = kind_of_refusal(response.status, code, listing=listing, successor=successor)
        if response.status == HTTPStatus.UNAUTHORIZED and code is None and forwarded:
            advice = f"{advice}. Or the proxy refuses its user and password"
        wait = None
        if issubclass(kind, (RateLimitedError, RequestTimeoutError, ServerError)):
            wait = report.retry_after
            if wait:
                advice = f"The platform asks to wait {wait_text(wait)}. {advice}"
        code = self._quoted_if_any(code)
        return kind(reason, advice=advice, code=code, retry_after=wait, **origin)

    def _answer(
        self, request: Request, body: bytes | BodyFault, facts: Response, origin: Origin
    ) -> Answer | ResponseError:
        """Make the answer of a success, or the error if its body is none."""
        if isinstance(body, BodyFault):
            advice = "The answer was not used; check the session's `base_url`"
            return ResponseError(body.reason, advice=advice, **origin)
        listing = request.page is not None
        may_be_error = (listing or request.method == "DELETE") and body and not HAS_ITEM(body)
        if not may_be_error or (found := error_in(body, listing=listing)) is None:
            return Answer(response=facts, body=body)
        said = self._quoted(": ".join(filter(None, found)))
        return ResponseError(
            f"the platform answered {facts.status} with an error; it says: {said}",
            advice="The answer was not used; follow the message of the platform, or of its gateway",
            code=self._quoted_if_any(found[0]),
            **origin,
        )

    def _diversion(self, response: aiohttp.ClientResponse, origin: Origin) -> TwelveTasksError:
        """Make the error for a status below 400 that the request does not accept."""
        if response.status < HTTPStatus.MULTIPLE_CHOICES:
            return ResponseError(
                f"the platform answered {response.status} instead of 200",
                advice="Check the session's `base_url`",
                **origin,
            )
        host = self._quoted_if_any(host_of(response.headers.get("Location", "")))
        return ResponseError(
            f"the platform answered {response.status}{f' to {host}' if host else ''}, "
            "which is not followed",
            advice="The API key must not reach another server: check the session's `base_url`",
            **origin,
        )

    def malformed(self, answer: Answer, error: ResponseError) -> ResponseError:
        """Return the error of a body that cannot be read, with what is known of the answer."""
        # Some gateways answer a refused request with 200.
        code, message = code_and_message(answer.body)
        said = self._quoted(": ".join(filter(None, (code, message))))
        reason = self._keys.redact(error.reason)
        return ResponseError(
            f"{reason}; it says: {said}" if said else reason,
            advice=error.advice,
            status=answer.status,
            code=self._quoted_if_any(code),
            request_id=answer.request_id,
            page=error.page,
            json_path=error.json_path,
        )

    def _quoted(self, text: str) -> str:
        """Quote what another machine or aiohttp said, without the key and a proxy's password."""
        return excerpt(_LOGIN.sub("***@", self._keys.redact(text)))

    def _quoted_if_any(self, text: str | None) -> str | None:
        return None if text is None else self._quoted(text)


def _is_lost(error: Exception) -> bool:
    """Whether aiohttp says that the server has closed the connection."""
    return isinstance(error, aiohttp.ClientOSError | aiohttp.ServerDisconnectedError)
