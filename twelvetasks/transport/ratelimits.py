"""Reads the account's rate limits from the status and headers of an answer.

The platform sends any of three families of headers or none, in epoch seconds of its own clock. All
are read, none is required, and a malformed one counts as not sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import attrs

LARGEST_SKEW = 2.0
"""Seconds. Where the two clocks differ by more, times are relative to the platform's `Date`."""

PLAIN = "X-Ratelimit-"
REQUESTS = "Request"
"""The dimension that counts requests; the others count, say, minutes of video."""

TELLING = ("Retry-After", f"{PLAIN}Reset", f"{PLAIN}{REQUESTS}-Reset", f"{PLAIN}Dimensions")
"""An answer without one of these says nothing about limits. Most answers have none."""

MOST_DIMENSIONS = 8

SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
COUNT = re.compile(r"[0-9]{1,15}", re.ASCII)
DIMENSION = re.compile(r"[A-Za-z][A-Za-z0-9]{0,31}", re.ASCII)


@attrs.frozen(kw_only=True)
class Allowance:
    """How many requests are left, and when the count is reset."""

    name: str
    """The family of headers that announced it: ``""`` or ``"Request"``."""
    remaining: int
    """Requests left, after the one that was answered."""
    limit: int | None = None
    """Requests allowed from one reset to the next; None if unknown."""
    reset_after: float
    """Seconds from the answer until the reset; more than 0."""


@attrs.frozen(kw_only=True)
class RateReport:
    """How one request ended, as far as pacing is concerned."""

    status: int | None = None
    """The HTTP status, or None if there was no answer."""
    reached: bool = True
    """Whether the platform may have counted the request; False if it provably never left."""
    retry_after: float | None = None
    """Seconds that the platform asked to wait, by `Retry-After` or by a limit that is used up. 0.0
    means at once; None means that it named no time."""
    allowances: tuple[Allowance, ...] = ()
    """Each count of requests that the answer announced."""

    @property
    def throttled(self) -> bool:
        """Whether the platform refused the request for coming too soon."""
        return self.status == HTTPStatus.TOO_MANY_REQUESTS


def read_report(status: int, headers: Mapping[str, str], *, wall: float) -> RateReport:
    """Read the limits from an answer. `wall` is this machine's time in epoch seconds.

    `headers` find names in any case, as aiohttp's do. Sources: RFC 9110 for `Retry-After`; the
    platform's "Rate limits" page and its answers for `X-Ratelimit-*` and `X-RateLimit-Request-*`.
    """
    if not any(map(headers.__contains__, TELLING)):
        return RateReport(status=status)
    now = _platforms_now(headers, wall)
    counts = tuple(_counts(headers, now))
    retry_after = _retry_after(headers.get("Retry-After"), now)
    if retry_after is None and status == HTTPStatus.TOO_MANY_REQUESTS:
        retry_after = _wait_of(counts)
    return RateReport(
        status=status,
        retry_after=retry_after,
        allowances=tuple(count for count in counts if count.name in {"", REQUESTS}),
    )


def _platforms_now(headers: Mapping[str, str], wall: float) -> float:
    """Return the platform's time: that of this machine, which is finer, if the two agree."""
    date = _http_date(headers.get("Date"))
    return wall if date is None or abs(date - wall) <= LARGEST_SKEW else date


def _counts(headers: Mapping[str, str], now: float) -> Iterator[Allowance]:
    """Read each complete count whose reset is in the future."""
    for name in ("", REQUESTS, *_other_dimensions(headers.get(f"{PLAIN}Dimensions", ""))):
        prefix = f"{PLAIN}{name}-" if name else PLAIN
        remaining, reset = headers.get(f"{prefix}Remaining"), headers.get(f"{prefix}Reset")
        if remaining is None or reset is None:
            continue
        if not COUNT.fullmatch(remaining) or not SECONDS.fullmatch(reset):
            continue
        reset_after = float(reset) - now
        if reset_after > 0:
            limit = headers.get(f"{prefix}Limit", "")
            yield Allowance(
                name=name,
                remaining=int(remaining),
                limit=int(limit) if COUNT.fullmatch(limit) else None,
                reset_after=reset_after,
            )


def _other_dimensions(listed: str) -> Iterator[str]:
    for name in listed.split(",", MOST_DIMENSIONS)[:MOST_DIMENSIONS]:
        dimension = name.strip()
        if DIMENSION.fullmatch(dimension) and dimension.lower() != REQUESTS.lower():
            yield dimension


def _wait_of(counts: tuple[Allowance, ...]) -> float | None:
    """Return the seconds until the counts that are used up are reset."""
    used_up = [count.reset_after for count in counts if not count.remaining]
    if used_up:
        return max(used_up)
    return min((count.reset_after for count in counts), default=None)


def _retry_after(sent: str | None, now: float) -> float | None:
    """Read a `Retry-After` in either form; None if it names no time, or a past date."""
    if sent is None:
        return None
    if SECONDS.fullmatch(sent):
        return float(sent)
    date = _http_date(sent)
    return None if date is None or date <= now else date - now


def _http_date(sent: str | None) -> float | None:
    """Read an HTTP date, in any of its three forms, as epoch seconds."""
    if sent is None:
        return None
    try:
        date = parsedate_to_datetime(sent)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        # Of the three forms only that of C's asctime, which has no comma, names no zone.
        if "," in sent:
            return None
        date = date.replace(tzinfo=UTC)
    return date.timestamp()
