"""The arguments of a session that decide how it sends, checked before anything is sent."""

from __future__ import annotations

import functools
import os
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

import aiohttp
from yarl import URL

from twelvetasks.transport.gate import Gate, Gatekeeper
from twelvetasks.transport.proxies import Proxy, choose_proxy
from twelvetasks.transport.telemetry import Telemetry
from twelvetasks.values.checks import refuse

CERTIFICATES_VARIABLE = "SSL_CERT_FILE"
"""OpenSSL's name for a file of trusted certificates, which the official SDK reads, too."""


def checked_gate(gate: Any, concurrency: int) -> Gatekeeper:
    """Return the gate given, or else a new one."""
    if gate is None:
        return Gate(concurrency)
    if not isinstance(gate, Gatekeeper) or isinstance(gate, type):
        refuse("gate", gate, "must be a Gate, or have its methods `passage` and `pause_left`")
    return gate


def checked_client_session(given: Any) -> aiohttp.ClientSession | None:
    """Return the aiohttp session given."""
    if given is None:
        return None
    # A mock passes `isinstance`, but has no connector.
    connector = getattr(given, "connector", None)
    if not isinstance(given, aiohttp.ClientSession) or not (
        connector is None or isinstance(connector, aiohttp.BaseConnector)
    ):
        refuse("client_session", given, "must be an aiohttp.ClientSession, or of a subclass")
    return given


def _refuse_beside_one(parameter: str, value: object, instead: str) -> NoReturn:
    refuse(parameter, value, f"cannot be given with `client_session`: {instead}")


def checked_trace_configs(given: Any, client_session: object) -> list[aiohttp.TraceConfig]:
    """Return the trace configs as a list; refuse them beside a session that has its own."""
    if given is None:
        return []
    if client_session is not None:
        _refuse_beside_one("trace_configs", given, "pass them to that aiohttp.ClientSession")
    configs = list(given) if isinstance(given, Iterable) else [given]
    if not all(isinstance(config, aiohttp.TraceConfig) for config in configs):
        refuse("trace_configs", given, "must be aiohttp.TraceConfig objects, in a list")
    return configs


def checked_proxy(
    given: Any, client_session: object, base_url: URL, *, insecure_http: bool
) -> Proxy | None:
    """Return the proxy of the session's own connections; refuse one beside a `client_session`."""
    if client_session is None:
        return choose_proxy(given, base_url, insecure_http=insecure_http)
    if given is not None:
        _refuse_beside_one("proxy", "***", "pass it to aiohttp.ClientSession")
    return None


def checked_ssl(given: Any, client_session: object) -> ssl.SSLContext | None:
    """Return the context given, or one with the certificates that ``SSL_CERT_FILE`` names.

    aiohttp makes its own when it is imported, perhaps before the variable is set; and OpenSSL
    ignores a file that it cannot read.
    """
    if given is not None:
        if client_session is not None:
            _refuse_beside_one("ssl", given, "pass it to its aiohttp.TCPConnector")
        if not isinstance(given, ssl.SSLContext):
            refuse("ssl", given, "must be an ssl.SSLContext")
        if given.verify_mode is ssl.CERT_NONE:
            refuse("ssl", given, "must check certificates: the API key would go to any server")
        return given
    path = os.environ.get(CERTIFICATES_VARIABLE)
    if client_session is not None or not path:
        return None
    try:
        stat = Path(path).stat()
        stamp = (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        return _trusting(path, os.environ.get("SSL_CERT_DIR"), stamp)
    except OSError as error:
        fault = error.strerror or str(error)
        refuse(
            CERTIFICATES_VARIABLE, path, f"must be a file of certificates in PEM format: {fault}"
        )


@functools.lru_cache(maxsize=4)
def _trusting(path: str, _folder: str | None, _stamp: tuple[int, ...]) -> ssl.SSLContext:
    """Return a context that trusts the system's certificates and those in a file.

    Sessions share it until the file changes: it takes tens of milliseconds to make one. The
    system's are also those in the folder that the environment names.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(cafile=path)
    return context


def checked_telemetry(telemetry: Any) -> Telemetry | None:
    """Return the telemetry given."""
    if isinstance(telemetry, type) or not isinstance(telemetry, Telemetry | None):
        refuse("telemetry", telemetry, "must be a twelvetasks.otel.Telemetry")
    return telemetry
