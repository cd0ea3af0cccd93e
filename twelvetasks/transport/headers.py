"""The caller's own headers, and the User-Agent of a session.

Header values may be secrets, such as the token of a gateway in between, so they are never shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from twelvetasks.values.checks import content, is_encodable, refuse
from twelvetasks.values.secret import Secret
from twelvetasks.values.version import VERSION

TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
"""A header's name (RFC 9110, section 5.1)."""

NO_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|^[ \t]|[ \t]$")
"""What no header's value has (RFC 9110, section 5.5): above all, no line break."""

OURS = frozenset(
    {
        *("x-api-key", "accept", "accept-encoding", "user-agent", "host", "content-type"),
        *("content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer"),
        *("upgrade", "expect", "proxy-authorization", "proxy-connection"),
    }
)
"""Headers that a session sets, or that are about one connection only."""


def read_headers(given: Any) -> tuple[dict[str, Secret], tuple[str, str] | None]:
    """Return the headers; or, for what cannot be sent, what may be shown of it and what is wrong.

    The fault is returned: raised here, its traceback would show values where locals are shown.
    """
    headers: dict[str, Secret] = {}
    if given is None:
        return headers, None
    if not isinstance(given, Mapping):
        return {}, (type(given).__name__, "must be a mapping of header names to values")
    for key, value in given.items():
        if not isinstance(key, str) or not TOKEN.fullmatch(key):
            return {}, ("***", "must have names of letters, digits and hyphens")
        name = content(key)
        if name.lower() in OURS:
            advice = "use `user_agent`" if name.lower() == "user-agent" else "the session sets it"
            return {}, (name, f"must not have the header {name}: {advice}")
        if name.lower() in map(str.lower, headers):
            return {}, (name, f"must have the header {name} only once")
        if not isinstance(value, str):
            return {}, (name, f"must have a string as the value of {name}")
        if NO_VALUE.search(value) or not is_encodable(value):
            return {}, (
                name,
                f"must have no line break, other control character or space around it in {name}",
            )
        headers[name] = Secret(value)
    return headers, None


def merged_headers(before: Mapping[str, Secret], added: Mapping[str, Secret]) -> dict[str, Secret]:
    """Return both; those added replace those before of the same name, in whatever case."""
    replaced = set(map(str.lower, added))
    kept = {name: value for name, value in before.items() if name.lower() not in replaced}
    return kept | dict(added)


def checked_user_agent(given: Any) -> str:
    """Return the product name of the caller's program; empty for None."""
    if given is None:
        return ""
    if not isinstance(given, str) or not given.strip():
        refuse("user_agent", given, "must be a product such as 'myapp/1.0'")
    if not all(" " <= sign <= "~" for sign in given):
        refuse("user_agent", given, "must be printable ASCII")
    return content(given).strip()


def user_agent(callers: str) -> str:
    """Return the header's value: the caller's product first, as the more significant one."""
    return f"{callers} twelvetasks/{VERSION}".lstrip()
