"""A request, an answer, and the outcome of one attempt."""

from __future__ import annotations

from collections.abc import Callable, Container
from http import HTTPStatus
from typing import Any

import attrs
from yarl import URL

from twelvetasks.transport.ratelimits import RateReport
from twelvetasks.transport.retries import Budget
from twelvetasks.values.errors import TwelveTasksError
from twelvetasks.values.response import Response

ONLY_OK = frozenset({HTTPStatus.OK.value})


@attrs.frozen(kw_only=True)
class Answer:
    """A successful answer."""

    response: Response
    """Its status, one of those that the request accepts, and its headers."""
    body: bytes = attrs.field(repr=False)
    """The whole body, decoded."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status

    @property
    def request_id(self) -> str | None:
        """The id that the platform gave the request, or None if it gave none."""
        return self.response.request_id


def _always() -> bool:
    return True


@attrs.frozen(kw_only=True)
class Request:
    """What is sent, and how often it may be."""

    method: str
    url: URL = attrs.field(repr=False)
    page: int | None = None
    """The page that is read, counted from 1, for errors to name."""
    body: Callable[[], Any] | None = attrs.field(default=None, repr=False)
    """Makes aiohttp's `data`, once for each attempt."""
    repeatable: Callable[[], bool] = attrs.field(default=_always, repr=False)
    """Whether `body` can be made once more. Called after an attempt has failed."""
    accept: Container[int] = ONLY_OK
    """The HTTP statuses that are a success."""
    successor: str = ""
    """What to use once the platform has removed the list; empty if no removal is announced."""
    is_upload: bool = False
    """Whether it carries a video, and so takes long."""
    priority: float = 0
    """The lowest passes the gate first."""
    budget: Budget | None = None
    """The time its listing may lose to failures; None for a budget of its own."""


@attrs.frozen(kw_only=True)
class Outcome:
    """The outcome of one attempt."""

    result: Answer | TwelveTasksError
    report: RateReport
    """What the gate and the retries need to know of it."""
    lost: bool = False
    """Whether the answer did not arrive, or not whole."""
    lasting: bool = False
    """Whether the same request would fail again: retries are of no use."""
    key_renewed: bool = False
    """Whether the API key was refused, and the callable now returns another one."""
