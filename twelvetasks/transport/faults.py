"""Attempts without an answer: the error for each exception, and whether a retry can help.

What no retry can mend is final: an untrusted certificate, an unknown host, a refusing proxy.
"""

from __future__ import annotations

import socket
import ssl
import traceback
from collections.abc import Callable
from http import HTTPStatus
from pathlib import PurePath
from typing import TypedDict

import aiohttp

from twelvetasks.transport.attempt import LostConnectionError, Progress
from twelvetasks.transport.connections import Connections
from twelvetasks.transport.options import Options
from twelvetasks.transport.proxies import Proxy
from twelvetasks.values.errors import RequestTimeoutError, TransportError

PROXY_PASSWORD = (
    "Check the proxy's user and password in its address: http://user:password@host:port"  # noqa: S105
)

RETRIED = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
"""Statuses of a proxy that may be gone at the next request."""

DOMAIN_NOT_FOUND = {1, 4}
"""The codes of c-ares, which aiodns uses, for no data and for no such domain."""


class Origin(TypedDict, total=False):
    """What every error says of its request and the answer to it."""

    page: int | None
    status: int
    request_id: str | None


def fault_of(
    error: Exception,
    origin: Origin,
    *,
    progress: Progress,
    connections: Connections,
    options: Options,
    quoted: Callable[[str], str],
) -> TransportError | None:
    """Return the error for an exception; None for a bug of our own.

    `quoted` makes text of other machines safe to show.
    """
    reached = progress.sent is not False
    if isinstance(error, TimeoutError):
        return _late(error, options, origin, progress)
    match error:
        case aiohttp.ClientHttpProxyError():
            said = quoted(f"{error.status} {error.message}".strip())
            host = error.request_info.url.raw_host or ""
            return refused_by_proxy(said, error.status, host, connections.proxy, origin)
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            return _untrusted(error, origin)
        case aiohttp.ClientConnectorError() if _is_of_proxy(error, connections.proxy):
            said, unknown = quoted(str(error.os_error)), _is_unknown(error.os_error)
            lasting = unknown and not connections.have_served
            return _proxy_away(f"{error.host}:{error.port}", said, origin, lasting=lasting)
        case aiohttp.ClientConnectorDNSError() if _is_unknown(error.os_error):
            # A machine that loses its network may report the same for a host that it has reached.
            words = f"the host {error.host!r} cannot be found"
            advice = "Check the session's `base_url` and the proxy, if the network needs one"
            return _fault(words, advice, origin, lasting=not connections.have_served)
        case aiohttp.ClientError():
            words = f"the connection failed: {_described(error, quoted)}"
            advice = "Check the network and the session's `base_url`, or try again later"
            return _fault(words, advice, origin, reached=reached)
        case _ if connections.is_plain and not isinstance(error, OSError):
            return None
    words = f"the connection failed: {quoted(f'{type(error).__name__}: {error}')}"
    if _is_refused_login(error):
        return _fault(words, PROXY_PASSWORD, origin, lasting=True)
    if type(error).__name__ == "ProxyConnectionError":  # of the SOCKS library
        place = connections.proxy.place if connections.proxy else ""
        return _proxy_away(place, quoted(str(error)), origin, lasting=False)
    # A caller's connector, resolver, proxy library or trace hook may raise anything.
    advice = f"Check the network, and {_made_of(connections)}"
    return _fault(f"{words}{_place_of(error)}", advice, origin, reached=reached)


def _late(error: Exception, options: Options, origin: Origin, progress: Progress) -> TransportError:
    reached = progress.sent is not False
    if progress.queued:
        words = f"no connection of the `client_session` was free within {options.silence:g} seconds"
        advice = "Raise the `limit` of its connector, or close the responses that hold connections"
    elif reached and not isinstance(error, aiohttp.ConnectionTimeoutError):
        silent = isinstance(error, aiohttp.SocketTimeoutError)
        seconds = None if silent else options.timeout.total
        words = f"no answer within {seconds or options.silence:g} seconds"
        advice = "Raise the session's `timeout`, or try again later"
    else:
        words = f"no connection within {options.connecting:g} seconds"
        advice = "Check the network, the proxy and the session's `base_url`"
    return RequestTimeoutError(words, advice=advice, reached=reached, **origin)


def _fault(
    words: str, advice: str, origin: Origin, *, reached: bool = False, lasting: bool = False
) -> TransportError:
    return TransportError(words, advice=advice, reached=reached, lasting=lasting, **origin)


def refused_by_proxy(
    said: str, status: int, host: str, proxy: Proxy | None, origin: Origin
) -> TransportError:
    """Make the error for a proxy's refusal of a connection to a host."""
    advice = "Check the proxy, and whether it lets connections to the session's `base_url` pass"
    # tinyproxy answers 401 to a wrong password, and 407 to none.
    if status in (HTTPStatus.PROXY_AUTHENTICATION_REQUIRED, HTTPStatus.UNAUTHORIZED):
        advice = PROXY_PASSWORD
    words = f"the proxy answered {said} to a connection to {host}"
    where = "" if proxy is None else f" (its address is {proxy.place})"
    lasting = status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in RETRIED
    return _fault(f"{words}{where}", advice, origin, lasting=lasting)


def _untrusted(error: Exception, origin: Origin) -> TransportError:
    cause = getattr(error, "certificate_error", error)
    words = getattr(cause, "verify_message", "") or type(cause).__name__
    return _fault(
        f"the server's certificate is not trusted: {words}",
        "Check the session's `base_url`; name a private authority's certificates by the "
        "environment variable SSL_CERT_FILE or the session's `ssl`",
        origin,
        lasting=True,
    )


def _proxy_away(place: str, said: str, origin: Origin, *, lasting: bool) -> TransportError:
    return _fault(
        f"the connection failed: the proxy{place and f' {place}'} cannot be reached: {said}",
        "Check that the proxy runs, and its address: the session's `proxy`, or the environment "
        "variables HTTPS_PROXY, HTTP_PROXY and ALL_PROXY",
        origin,
        lasting=lasting,
    )


def _is_of_proxy(error: aiohttp.ClientConnectorError, proxy: Proxy | None) -> bool:
    """Whether the connection that failed is the one to the proxy."""
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return True
    # A proxy's name that is not found raises the same error as the platform's.
    return proxy is not None and proxy.place == f"{error.host}:{error.port}"


def _is_unknown(error: OSError) -> bool:
    """Whether a name was looked up and is not there, and not only could not be looked up."""
    cause = error.__cause__
    if type(cause).__module__.startswith("aiodns"):
        return cause is not None and cause.args[:1] in {(code,) for code in DOMAIN_NOT_FOUND}
    return error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None))


def _is_refused_login(error: Exception) -> bool:
    """Whether a SOCKS proxy does not accept the user and the password; it has no code for that."""
    return type(error).__name__ == "ProxyError" and "authentication" in str(error).lower()


def _described(error: aiohttp.ClientError, quoted: Callable[[str], str]) -> str:
    """Say what went wrong, without the status 400 that aiohttp makes up for broken HTTP."""
    if isinstance(error, LostConnectionError):
        return quoted(str(error))
    if isinstance(error, aiohttp.ClientPayloadError):
        said = "the body was cut short or is garbled"
    elif isinstance(error, aiohttp.ClientResponseError):
        said = quoted(error.message)
    else:
        said = quoted(str(error))
    return f"{type(error).__name__}: {said}"


def _made_of(connections: Connections) -> str:
    if connections.callers is not None:
        return "what the session's `client_session` is made of"
    if connections.trace_configs:
        return "the hooks of the session's `trace_configs`"
    return "the session's `proxy`"


def _place_of(error: Exception) -> str:
    """Say where an exception was raised, because the error cannot refer to its traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({PurePath(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
