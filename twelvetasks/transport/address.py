"""The API's address: which are allowed, and how one is shown without its secrets."""

from __future__ import annotations

from ipaddress import ip_address

from yarl import URL


def read_base_url(base_url: str | URL) -> tuple[str | URL, str]:
    """Give the address, or as much of it as may be shown and what is wrong with it."""
    try:
        url = URL(base_url)
        # As the name lookup will: a label may be empty or too long for it.
        (url.raw_host or "").encode("idna")
    except (TypeError, ValueError):
        return base_url, "must be a URL"
    shown = str(_without_secrets(url))
    if url.user is not None or url.password is not None:
        return shown, "must not hold a user or a password"
    if url.scheme not in ("https", "http") or not url.host or url.query_string or url.fragment:
        return shown, "must be an http(s) address without query and fragment"
    if url.scheme == "http" and not _is_this_machine(url.host):
        return shown, "must be https: the API key would travel in the clear"
    return url, ""


def _without_secrets(url: URL) -> URL:
    if url.absolute:
        url = url.with_user(None)
    return url.with_query("***") if url.query_string else url


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
