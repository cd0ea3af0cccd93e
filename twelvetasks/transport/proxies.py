"""The proxy that a session goes through: the one given, or that of the environment.

As curl and the official SDK do, a session honours ``HTTPS_PROXY`` (for an http address
``HTTP_PROXY``), or else ``ALL_PROXY``, in either case, and ``NO_PROXY``. A proxy's address may hold
a password, so no local variable of a function that raises holds it as a plain string.
"""

from __future__ import annotations

import importlib.util
from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import Any
from urllib import request

import attrs
from yarl import URL

from twelvetasks.transport.base_url import is_this_machine
from twelvetasks.values.checks import refuse
from twelvetasks.values.secret import Secret

HTTP = ("http", "https")
SOCKS = ("socks4", "socks5", "socks5h")


@attrs.frozen
class Proxy:
    """The address of a proxy."""

    address: Secret
    """With its user and password."""
    place: str
    """Its host and port."""
    is_socks: bool


def hidden_proxy(given: Any) -> Any:
    """Return a proxy's address as a string that does not show its password."""
    if isinstance(given, str):
        return Secret(given)
    return Secret(str(given)) if isinstance(given, URL) else given


def choose_proxy(given: Any, url: URL, *, insecure_http: bool) -> Proxy | None:
    """Return the proxy for the API's address, or None for a direct connection.

    Raises InvalidArgumentError, which names the parameter or the variable but shows no password,
    for an address that cannot be a proxy's.
    """
    name, address = ("proxy", given) if given is not None else _of_environment(url)
    if address is None:
        return None
    shown, fault = _fault_in(address)
    if fault:
        refuse(name, shown, fault)
    proxy = _proxy(address)
    if url.scheme == "http" and not insecure_http and not is_this_machine(_host(address)):
        if given is None:
            # A proxy for the web is not meant for servers of this machine.
            return None
        refuse(
            name, shown, "the API key would travel to it in the clear, because `base_url` is http"
        )
    return proxy


def _of_environment(url: URL) -> tuple[str, Secret | None]:
    """Return the variable that names a proxy for an address, and its value."""
    proxies = request.getproxies_environment()
    kind = url.scheme if proxies.get(url.scheme) else "all"
    proxy = proxies.get(kind)
    if not proxy or _is_exempt(url, proxies):
        return "", None
    return f"{kind}_proxy".upper(), Secret(proxy if "://" in proxy else f"http://{proxy}")


def _is_exempt(url: URL, proxies: dict[str, str]) -> bool:
    """Whether ``NO_PROXY`` names a host, one of its domains, or the network of its IP address."""
    if request.proxy_bypass_environment(f"{url.host}:{url.port}", proxies):  # type: ignore[attr-defined]
        return True
    with suppress(ValueError):
        address = ip_address(url.host or "")
        for network in proxies.get("no", "").split(","):
            with suppress(ValueError):
                if address in ip_network(network.strip().strip("[]"), strict=False):
                    return True
    return False


def _fault_in(address: Any) -> tuple[str, str]:
    """Return as much of an address as may be shown, and what is wrong with it."""
    wanted = "must be the URL of a proxy, such as http://user:password@proxy.example.com:3128"
    if not isinstance(address, Secret):
        return type(address).__name__, wanted
    try:
        url = URL(str.__str__(address))
        port = url.port
    except ValueError:
        return "***", wanted
    if not url.absolute or not url.host:
        return "***", wanted
    shown = str(url.with_user(None).origin() if url.scheme in HTTP else url.with_user(None))
    if url.scheme not in (*HTTP, *SOCKS):
        return shown, f"{wanted}, or socks5://proxy.example.com:1080"
    if port is None:
        return shown, "must name the proxy's port, as in socks5://proxy.example.com:1080"
    if url.scheme in SOCKS and importlib.util.find_spec("aiohttp_socks") is None:
        return shown, "a SOCKS proxy needs an extra: pip install 'twelvetasks[socks]'"
    return shown, ""


def _proxy(address: Secret) -> Proxy:
    url = URL(str.__str__(address))
    return Proxy(address, f"{url.raw_host}:{url.port}", url.scheme in SOCKS)


def _host(address: Secret) -> str:
    return URL(str.__str__(address)).host or ""
