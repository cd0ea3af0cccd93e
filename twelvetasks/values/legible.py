"""What a person reads: text that obeys nothing and hides nothing, and lengths of time in words."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

__all__ = ["duration_text", "minute_text", "printable"]

_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def printable(text: str) -> str:
    """Replace what a terminal or a page would obey instead of showing it."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else " " if each.isspace() else "\N{REPLACEMENT CHARACTER}"
        for each in text
    )


def duration_text(seconds: float) -> str:
    """Write a length of time in its two largest units, and below ten seconds with a tenth."""
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    for (unit, size), (smaller, smaller_size) in pairwise(_UNITS):
        whole, more = divmod(round(seconds / smaller_size), size // smaller_size)
        if whole:
            return f"{whole}{unit} {more}{smaller}" if more else f"{whole}{unit}"
    return f"{round(seconds)}s"


def minute_text(moment: datetime | None) -> str:
    """Write a time as its minute of UTC; nothing for None."""
    return moment.astimezone(UTC).isoformat(" ", "minutes")[:16] if moment else ""
