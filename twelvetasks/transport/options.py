"""The options of a session that `TaskSession.with_options` can change, checked and as values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
import attrs

from twelvetasks.transport.retries import RetryPolicy
from twelvetasks.values.checks import check_seconds, refuse, whole
from twelvetasks.values.secret import Secret

CONNECT_TIMEOUT = 10.0
"""Seconds for a connection, unless the caller gives another limit."""


def _as_timeout(given: Any) -> aiohttp.ClientTimeout:
    """Return the limits of one attempt, with a limit for the connection in any case."""
    if not isinstance(given, aiohttp.ClientTimeout):
        check_seconds("timeout", given, positive=True)
        return aiohttp.ClientTimeout(
            total=float(given), sock_connect=min(float(given), CONNECT_TIMEOUT)
        )
    for name in ("total", "connect", "sock_connect", "sock_read"):
        if (seconds := getattr(given, name)) is not None:
            check_seconds(f"timeout.{name}", seconds, positive=True)
    if given.total is None and given.sock_read is None:
        refuse("timeout", given, "must have a `total` or a `sock_read`, or a request may never end")
    if given.connect is not None or given.sock_connect is not None:
        return given
    return aiohttp.ClientTimeout(
        total=given.total,
        sock_connect=min(given.total or CONNECT_TIMEOUT, CONNECT_TIMEOUT),
        sock_read=given.sock_read,
    )


def _as_policy(retry: Any) -> RetryPolicy:
    if retry is None:
        return RetryPolicy()
    if not isinstance(retry, RetryPolicy):
        refuse("retry", retry, "must be a RetryPolicy")
    return retry


@attrs.frozen(kw_only=True, repr=False)
class Options:
    """How requests are sent. Raises InvalidArgumentError, which names the option."""

    concurrency: int = attrs.field(validator=whole(least=1))
    """How many requests a listing may have in flight at once."""
    timeout: aiohttp.ClientTimeout = attrs.field(converter=_as_timeout)
    """The limits of one attempt."""
    retry: RetryPolicy = attrs.field(converter=_as_policy)
    """Which failures are retried, how often and for how long."""
    headers: Mapping[str, Secret] = attrs.field(factory=dict)
    """Sent with each request, beside those that the session needs."""

    @property
    def connecting(self) -> float:
        """Seconds for a connection: name lookup, TCP, TLS and the proxy together."""
        given = self.timeout
        # None of them is 0.
        return min(filter(None, (given.connect, given.sock_connect, given.total)))

    @property
    def silence(self) -> float:
        """Seconds without a byte of the answer; with a body, also without one of it being sent."""
        # `_as_timeout` insists on one of the two.
        return self.timeout.sock_read or self.timeout.total or CONNECT_TIMEOUT

    def limits(self, *, has_body: bool, pooled: bool) -> aiohttp.ClientTimeout:
        """Return the limits of one attempt for aiohttp.

        With a body, the whole attempt has none: how long sending may take is up to the code that
        makes the body. `pooled`: the request may have to wait for a connection of the caller's
        pool, which is not connecting.
        """
        given, connecting = self.timeout, self.connecting
        return aiohttp.ClientTimeout(
            # The whole is limited by `Progress`, which leaves out the wait for a pool.
            total=None,
            connect=given.connect if pooled else connecting,
            sock_connect=connecting,
            sock_read=self.silence if has_body else given.sock_read,
        )
