"""From bytes to JSON values: strictly and fast, and again the way `json.loads` reads them.

Services written in JavaScript cut strings in the middle of a character, and some begin with a byte
order mark. Python's own decoder, and so the official SDK, reads both.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

import msgspec

MOST_HALVES = 100_000
"""Escapes, and bytes that may begin half a character, in a body that is read Python's way: each
half costs some microseconds, and a body has room for millions."""


def decode_json(body: bytes) -> Any:
    """Return the value; half a character becomes U+FFFD. Raises ValueError if it is not JSON."""
    try:
        return msgspec.json.decode(body)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        fault = error
    if body.count(b"\\u") + body.count(b"\xed") > MOST_HALVES:
        raise fault
    try:
        value = json.loads(body, parse_constant=_refuse, parse_float=_finite)
        text = json.dumps(value, ensure_ascii=False)
        # Halves that belong together become the character; others are replaced.
        return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    except (RecursionError, ValueError):
        raise fault from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("the number is too large")
    return number
