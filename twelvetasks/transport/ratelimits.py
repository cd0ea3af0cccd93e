"""What an answer says of the account's limits: its status and headers, read into one value.

The platform sends any of three families of headers or none, in epoch seconds of its own clock. All
are read, none is relied on, and what makes no sense counts as not sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import attrs

__all__ = ["Allowance", "RateReport", "read_report"]

LARGEST_SKEW = 2.0
"""Seconds: where the two clocks differ by more, the platform's own tells how far off a time is."""

PLAIN = "X-Ratelimit-"
REQUESTS = "Request"
"""The dimension that counts requests; the others count, say, minutes of video."""

TELLING = (
    "Retry-After",
    f"{PLAIN}Reset",
    f"{PLAIN}{REQUESTS}-Reset",
    f"{PLAIN}Dimensions",
)
"""Without one of these an answer says nothing of limits, and most say nothing."""

MOST_DIMENSIONS = 8

SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
COUNT = re.compile(r"[0-9]{1,15}", re.ASCII)
DIMENSION = re.compile(r"[A-Za-z][A-Za-z0-9]{0,31}", re.ASCII)


@attrs.frozen(kw_only=True)
class Allowance:
    """How many requests the platform still takes, and when it begins to count anew."""

    name: str
    """Which of its counts this is: a family of headers."""
    remaining: int
    """Requests left, after the one that was answered."""
    limit: int | None = None
    """Requests that are allowed in all from one reset to the next."""
    reset_after: float
    """Seconds from the answer until the count begins anew; more than 0."""


@attrs.frozen(kw_only=True)
class RateReport:
    """What came of one request, as far as pacing goes."""

    status: int | None = None
    """The HTTP status, or None if there was no answer."""
    reached: bool = True
    """Whether the platform may have counted the request; False if it provably never left."""
    retry_after: float | None = None
    """Seconds that the platform asked to wait, by `Retry-After` or by a limit that is used up. 0.0
    means at once; None means that it named no time."""
    allowances: tuple[Allowance, ...] = ()
    """What is left of each count of requests that was announced."""

    @property
    def throttled(self) -> bool:
        """Whether the platform refused the request for coming too soon."""
        return self.status == HTTPStatus.TOO_MANY_REQUESTS


def read_report(status: int, headers: Mapping[str, str], *, wall: float) -> RateReport:
    """Read the limits that an answer tells. `wall` is this machine's time in epoch seconds.

    `headers` find names in any case, as aiohttp's do. Sources: RFC 9110 for `Retry-After`; the
    platform's "Rate limits" page and its answers for `X-Ratelimit-*` and `X-RateLimit-Request-*`.
    """
    if not any(name in headers for name in TELLING):
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
    """Give the time by the platform's clock: our own, which is finer, where the two agree."""
    date = _http_date(headers.get("Date"))
    return wall if date is None or abs(date - wall) <= LARGEST_SKEW else date


def _counts(headers: Mapping[str, str], now: float) -> Iterator[Allowance]:
    """Read each count that is announced whole, with a reset that is yet to come."""
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
    """Give the wait that the counts make of a refusal: until those used up begin anew."""
    used_up = [count.reset_after for count in counts if not count.remaining]
    if used_up:
        return max(used_up)
    return min((count.reset_after for count in counts), default=None)


def _retry_after(sent: str | None, now: float) -> float | None:
    """Read a `Retry-After` in either form; None if it names no time, or one that is past."""
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
