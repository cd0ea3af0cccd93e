"""The API's address: which are allowed, and how any address is shown without its secrets."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from yarl import URL

from twelvetasks.values.checks import content

__all__ = ["read_base_url", "shown_address"]

HIDDEN = "***"


def read_base_url(base_url: Any) -> tuple[Any, str]:
    """Give the address, or as much of it as may be shown and what is wrong with it."""
    if not isinstance(base_url, (str, URL)):
        return type(base_url), "must be a URL"
    try:
        url = URL(content(base_url)) if isinstance(base_url, str) else base_url
        # As the name lookup will: a label may be empty or too long for it.
        (url.raw_host or "").encode("idna")
    except ValueError:
        return HIDDEN, "must be a URL"
    shown = shown_address(url)
    if url.user is not None or url.password is not None:
        return shown, "must not hold a user or a password"
    if url.scheme not in ("https", "http") or not url.host or url.query_string or url.fragment:
        return shown, "must be an http(s) address without query and fragment"
    if url.scheme == "http" and not _is_this_machine(url.host):
        return shown, "must be https: the API key would travel in the clear"
    return url, ""


def shown_address(address: str | URL) -> str:
    """Write an address without user, password, query and fragment, its host in ASCII.

    Of an address that cannot be parsed nothing is shown: nobody knows which part is a secret.
    """
    try:
        url = URL(address)
    except ValueError:
        return HIDDEN
    if not url.raw_host:
        # Nothing that was parsed, so what comes before an @ may be a password.
        return HIDDEN if any(sign in str(address) for sign in "@?#") else str(url)
    if url.raw_query_string:
        url = url.with_query(HIDDEN)
    if url.raw_fragment:
        url = url.with_fragment(HIDDEN)
    return str(url.with_user(None))


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
