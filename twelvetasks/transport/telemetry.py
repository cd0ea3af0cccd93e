"""The protocol by which a session reports its listings and requests.

`twelvetasks.otel` implements it with OpenTelemetry. A session without telemetry calls none of it.
An observation must not refer to the stream that it observes, which may be dropped at any time.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import Context
from typing import Any, Protocol, runtime_checkable

import attrs
from yarl import URL

from twelvetasks.values.query import ListQuery
from twelvetasks.values.report import ListingReport


@attrs.frozen(kw_only=True)
class ListingFacts:
    """How far an iteration over a listing has got."""

    report: ListingReport
    total_results: int | None
    """How many items match, by the newest page; None before the first."""
    tasks: int
    """Items yielded."""


class ListingObservation(Protocol):
    """One iteration over a listing, from its first request on."""

    @property
    def context(self) -> Context:
        """The context that its requests run in; each gets a copy."""
        ...

    def end(self, *, complete: bool = False, error: Exception | None = None) -> None:
        """Note that it is over. Only the first call counts."""
        ...


class AttemptObservation(Protocol):
    """One request that is sent once."""

    def answered(
        self, *, status: int | None, request_id: str | None, error: Exception | None
    ) -> None:
        """Report the outcome. If this is not called, the request was cancelled."""
        ...


@runtime_checkable
class Telemetry(Protocol):
    """What a session reports to."""

    def listing(
        self,
        query: ListQuery[Any],
        *,
        exact: bool,
        max_items: int | None,
        resumed: bool,
        facts: Callable[[], ListingFacts],
    ) -> ListingObservation:
        """Observe an iteration that begins; `facts` may be asked until it has ended."""
        ...

    def attempt(
        self, method: str, url: URL, *, page: int | None, resends: int, waited: float
    ) -> AbstractContextManager[AttemptObservation]:
        """Observe a request from being sent until its answer is read.

        `resends`: how often it has been sent before. `waited`: seconds spent at the gate.
        """
        ...
