"""The arguments of a session that decide how it sends, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import aiohttp
from yarl import URL

from twelvetasks.transport.gate import Gate, Gatekeeper
from twelvetasks.transport.proxies import checked_proxy
from twelvetasks.transport.telemetry import Telemetry
from twelvetasks.values.checks import refuse

__all__ = [
    "checked_client_session",
    "checked_gate",
    "checked_telemetry",
    "checked_trace_configs",
]


def checked_gate(gate: Any, concurrency: int) -> Gatekeeper:
    """Return the gate given, or else a new one."""
    if gate is None:
        return Gate(concurrency)
    if not isinstance(gate, Gatekeeper) or isinstance(gate, type):
        refuse("gate", gate, "must be a Gate, or have its methods `passage` and `pause_left`")
    return gate


def checked_client_session(given: Any) -> aiohttp.ClientSession | None:
    """Return the aiohttp session given."""
    if given is not None and not isinstance(given, aiohttp.ClientSession):
        refuse("client_session", given, "must be an aiohttp.ClientSession, or of a subclass")
    return given


def checked_trace_configs(given: Any, client_session: object) -> list[aiohttp.TraceConfig]:
    """Return the trace configs as a list; refuse them beside a session that has its own."""
    if given is None:
        return []
    if client_session is not None:
        refuse(
            "trace_configs",
            given,
            "cannot be given with `client_session`: pass them to that aiohttp.ClientSession",
        )
    configs = list(given) if isinstance(given, Iterable) else [given]
    if not all(isinstance(config, aiohttp.TraceConfig) for config in configs):
        refuse("trace_configs", given, "must be aiohttp.TraceConfig objects, in a list")
    return configs


def checked_proxy_beside(given: Any, client_session: object) -> URL | None:
    """Return the proxy's address; refuse it beside a session that has its own."""
    if given is not None and client_session is not None:
        refuse(
            "proxy",
            "***",
            "cannot be given with `client_session`: pass it to aiohttp.ClientSession",
        )
    return checked_proxy(given)


def checked_telemetry(telemetry: Any) -> Telemetry | None:
    """Return the telemetry given."""
    if isinstance(telemetry, type) or not isinstance(telemetry, Telemetry | None):
        refuse("telemetry", telemetry, "must be a twelvetasks.otel.Telemetry")
    return telemetry
