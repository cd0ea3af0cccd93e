"""The proxy that a request goes through: the one given, or that of the environment.

As for curl and the official SDK, ``HTTPS_PROXY`` or else ``ALL_PROXY`` names it, in either case;
``NO_PROXY`` names the hosts that need none. Requests in the clear go to this machine only, through
no proxy, which would see the key.
"""

from __future__ import annotations

from typing import Any

from yarl import URL

from twelvetasks.values.checks import refuse

__all__ = ["checked_proxy", "proxy_of_environment"]


def checked_proxy(given: Any) -> URL | None:
    """Return a proxy's address, or refuse what is none, without showing its password."""
    return None if given is None else _checked("proxy", given)


def proxy_of_environment(url: URL) -> URL | None:
    """Return the proxy that the environment names for an address; None for a direct connection.

    Raises InvalidArgumentError, which names the variable, for an address that is no http(s) proxy.
    """
    from urllib import request  # noqa: PLC0415 - it is slow to import

    proxies = request.getproxies_environment()
    kind = "https" if proxies.get("https") else "all"
    proxy = proxies.get(kind)
    if url.scheme != "https" or not proxy:
        return None
    if request.proxy_bypass_environment(f"{url.host}:{url.port}", proxies):  # type: ignore[attr-defined]
        return None
    return _checked(f"{kind}_proxy".upper(), proxy if "://" in proxy else f"http://{proxy}")


def _checked(name: str, given: Any) -> URL:
    try:
        url = URL(given)
        port = url.port
    except (TypeError, ValueError):
        # Not shown: it may hold a password.
        refuse(name, "***", "must be the URL of a proxy")
    if url.scheme not in ("http", "https") or not url.host or port is None:
        shown = str(url.with_user(None)) if url.absolute else "***"
        refuse(
            name,
            shown,
            "must be an http(s) proxy such as http://user:password@proxy.example.com:3128; for "
            "SOCKS give a client_session with a connector of aiohttp-socks",
        )
    return url
