"""A request, an answer, and what came of one attempt."""

from __future__ import annotations

from collections.abc import Callable, Container
from http import HTTPStatus
from typing import Any

import attrs
from yarl import URL

from twelvetasks.transport.ratelimits import RateReport
from twelvetasks.transport.retries import Budget
from twelvetasks.values.errors import (
    TwelveTasksError,
)

__all__ = ["Answer", "Request"]

MAX_BODY = 16 * 1024 * 1024
"""Bytes of a body, on the wire or after decompression, above which it is refused."""

ONLY_OK = frozenset({HTTPStatus.OK.value})


@attrs.frozen(kw_only=True)
class Answer:
    """A successful answer: its status, its body and the id the platform gave the request."""

    status: int
    body: bytes = attrs.field(repr=False)
    request_id: str | None


@attrs.frozen(kw_only=True)
class Request:
    """What is to be sent, as often as it takes."""

    method: str
    url: URL = attrs.field(repr=False)
    page: int | None = None
    """The page that is read, for its errors to name."""
    body: Callable[[], Any] | None = attrs.field(default=None, repr=False)
    """Makes aiohttp's `data`, anew for each attempt."""
    repeatable: Callable[[], bool] | None = attrs.field(default=None, repr=False)
    """Whether `body` can be made once more, asked after an attempt; None if it always can."""
    accept: Container[int] = ONLY_OK
    """The statuses that are a success."""
    timeout: float | None = None
    """Seconds for one attempt; None for the session's own."""
    priority: float = 0
    """The lower, the sooner it passes the gate."""
    budget: Budget | None = None
    """What its listing may lose to failures; None if it is the only request of its kind."""


@attrs.frozen(kw_only=True)
class Outcome:
    """What came of one attempt."""

    result: Answer | TwelveTasksError
    report: RateReport
    lost: bool = False
    """Whether there was no whole answer."""
