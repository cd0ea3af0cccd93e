"""The aiohttp sessions that requests go through: with kept-alive connections, and with fresh ones.

A request that must not use a connection that the server may have closed gets a new one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from ssl import SSLContext
from typing import Any

import aiohttp
from yarl import URL

from twelvetasks.transport.attempt import TRACES, ReportingConnector
from twelvetasks.transport.headers import user_agent
from twelvetasks.transport.proxies import Proxy
from twelvetasks.values.errors import SessionClosedError

RECEIVED_AT_ONCE = 256 * 1024
"""Bytes that asyncio makes room for before each read from a socket.

glibc maps fresh memory for a block of that size, and unmaps it, at each read, until a larger one
has been freed once; a listing takes an eighth more CPU until then. So one is.
"""


class _NoName(str):
    """An empty string that equals only itself."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


class Connections:
    """The caller's aiohttp session, or two of our own: kept-alive connections, and fresh ones.

    Our own are opened when they are needed, with the proxy, certificates and trace configs given.
    """

    def __init__(
        self,
        *,
        user_agent: str = "",
        client_session: aiohttp.ClientSession | None = None,
        proxy: Proxy | None = None,
        ssl: SSLContext | None = None,
        trace_configs: Iterable[aiohttp.TraceConfig] = (),
    ) -> None:
        self._user_agent = user_agent
        self.callers = client_session
        self.proxy = proxy
        self._ssl = ssl
        self.trace_configs: list[aiohttp.TraceConfig] = list(trace_configs)
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._places = _places_in(client_session)
        self.have_served: bool = False
        """Whether any request has been answered."""

    @property
    def is_plain(self) -> bool:
        """Whether nothing but aiohttp takes part in a request."""
        socks = self.proxy is not None and self.proxy.is_socks
        return self.callers is None and not self.trace_configs and not socks

    def headers(self, *, fresh: bool) -> dict[str, str]:
        """Return the headers that our own sessions send by default, for a caller's session."""
        if self.callers is None:
            return {}
        named = {"User-Agent": user_agent(self._user_agent)} if self._user_agent else {}
        return named | ({"Connection": "close"} if fresh else {})

    def key(self, *, fresh: bool) -> dict[str, Any]:
        """Return what keeps a request in a caller's session off kept-alive connections.

        aiohttp pools connections by the server name given, too. This one equals that of no
        connection in the pool; it is empty, so the name is the host's, as without it.
        """
        return {"server_hostname": _NoName()} if fresh and self.callers is not None else {}

    def place(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Wait until a caller's pool has room, so that our requests do not queue in it."""
        return self._places or contextlib.nullcontext()

    def session(self, *, fresh: bool, page: int | None) -> aiohttp.ClientSession:
        """Return a session; each connection of a `fresh` one serves one request.

        Raises SessionClosedError for a session of the caller that cannot be used.
        """
        if self.callers is not None:
            return _checked(self.callers, page)
        if fresh not in self._sessions:
            bytes(2 * RECEIVED_AT_ONCE)  # made and freed
            connector = self._connector(fresh=fresh)
            reports = isinstance(connector, ReportingConnector) and not self.trace_configs
            self._sessions[fresh] = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                connector=connector,
                proxy=None if self.proxy is None or self.proxy.is_socks else self.proxy.address,
                # Otherwise a fresh session asks the server to close after its answer, and an answer
                # that stalls can then look like one that was cut short.
                headers={"User-Agent": user_agent(self._user_agent), "Connection": "keep-alive"},
                trace_configs=[] if reports else [TRACES, *self.trace_configs],
            )
        return self._sessions[fresh]

    def _connector(self, *, fresh: bool) -> aiohttp.TCPConnector:
        settings: dict[str, Any] = {"force_close": fresh}
        if self._ssl is not None:
            settings["ssl"] = self._ssl
        if self.proxy is None or not self.proxy.is_socks:
            return ReportingConnector(**settings)
        from aiohttp_socks import ProxyConnector, ProxyType  # noqa: PLC0415 - an extra

        url = URL(str.__str__(self.proxy.address))
        return ProxyConnector(
            proxy_type=ProxyType.SOCKS4 if url.scheme == "socks4" else ProxyType.SOCKS5,
            host=url.host or "",
            port=url.port or 0,
            username=url.user,
            password=url.password,
            rdns=True,
            limit=0,
            **settings,
        )

    async def close(self) -> None:
        """Close the sessions of our own."""
        for session in self._sessions.values():
            await session.close()
        if self._sessions:
            # A closed asyncio transport releases its socket in the next turn of the event loop.
            await asyncio.sleep(0)


def _places_in(client_session: aiohttp.ClientSession | None) -> asyncio.Semaphore | None:
    connector = getattr(client_session, "connector", None)
    limits = (getattr(connector, name, 0) for name in ("limit", "limit_per_host"))
    places = min((limit for limit in limits if limit), default=0)
    return asyncio.Semaphore(places) if places else None


def _checked(callers: aiohttp.ClientSession, page: int | None) -> aiohttp.ClientSession:
    if callers.closed:
        raise SessionClosedError(
            "the `client_session` that the session was given is closed",
            advice="Keep it open for as long as the TaskSession",
            page=page,
        )
    # aiohttp has no public way to ask for it.
    if getattr(callers, "_loop", None) not in (None, asyncio.get_running_loop()):
        raise SessionClosedError(
            "the `client_session` was opened in another event loop",
            advice="Make the aiohttp.ClientSession in the loop that uses the TaskSession",
            page=page,
        )
    if TRACES not in callers.trace_configs:
        callers.trace_configs.append(TRACES)
    return callers
