"""The API's address: which are allowed, and how any address is shown without its secrets."""

from __future__ import annotations

import os
from ipaddress import ip_address
from typing import Any

from yarl import URL

from twelvetasks.values.checks import content

DEFAULT_BASE_URL = URL("https://api.twelvelabs.io/v1.3")

BASE_URL_VARIABLES = ("TWELVETASKS_BASE_URL", "TWELVELABS_BASE_URL")
"""The environment variables that name the address: the first that is set and not empty counts.

The second is that of the official SDK.
"""

HIDDEN = "***"


def chosen_base_url(given: Any) -> tuple[str, Any]:
    """Return the name and the value of the address: given, of the environment, or the default.

    The name is that of the parameter or the variable, for errors.
    """
    for name in BASE_URL_VARIABLES if given is None else ():
        if value := os.environ.get(name):
            return name, value
    return "base_url", DEFAULT_BASE_URL if given is None else given


def read_base_url(base_url: Any, *, insecure_http: bool) -> tuple[Any, str]:
    """Return the address, or as much of it as may be shown and what is wrong with it."""
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
    if url.scheme == "http" and not insecure_http and not is_this_machine(url.host):
        return shown, (
            "must be https: over http the API key travels in the clear, and anyone on the way can "
            "read it. If you trust that network, allow it with insecure_http=True"
        )
    return url, ""


def shown_address(address: str | URL) -> str:
    """Write an address without user, password, query and fragment, its host in ASCII.

    An address that cannot be parsed is not shown: any part of it may be a secret.
    """
    try:
        url = URL(address)
    except ValueError:
        return HIDDEN
    if not url.raw_host:
        # Without a host, the part before an @ may be a password.
        return HIDDEN if any(sign in str(address) for sign in "@?#") else str(url)
    if url.raw_query_string:
        url = url.with_query(HIDDEN)
    if url.raw_fragment:
        url = url.with_fragment(HIDDEN)
    return str(url.with_user(None))


def is_this_machine(host: str) -> bool:
    """Whether a host is this machine itself by its name, without a lookup."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
