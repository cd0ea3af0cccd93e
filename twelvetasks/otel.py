"""`Telemetry`: the spans and metrics of a session, by OpenTelemetry's semantic conventions.

One span for each iteration over a listing, and below it a client span for each attempt of a
request. The listing's span is never attached to the caller's context: its requests run in a context
of their own, in which it is current. Only this module imports opentelemetry, and only its API.
"""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import attrs
from yarl import URL

from twelvetasks.transport.telemetry import AttemptObservation, ListingFacts, ListingObservation
from twelvetasks.values.checks import content
from twelvetasks.values.errors import TwelveTasksError
from twelvetasks.values.query import ListQuery
from twelvetasks.values.timestamps import utc_timestamp
from twelvetasks.values.version import VERSION

try:
    from opentelemetry import context, metrics, trace

    # By this key the instrumentations of HTTP clients leave a request alone; see
    # `opentelemetry.instrumentation.utils.is_http_instrumentation_enabled`.
    from opentelemetry.context import _SUPPRESS_HTTP_INSTRUMENTATION_KEY as SUPPRESSED
    from opentelemetry.trace import Span, SpanKind, StatusCode
except ModuleNotFoundError as _missing:
    raise ImportError(
        "twelvetasks.otel needs its extra: pip install 'twelvetasks[otel]'", name=_missing.name
    ) from None

__all__ = ["Telemetry"]

SCOPE = "twelvetasks"
"""The instrumentation scope of all spans and metrics."""

SCHEMA_URL = "https://opentelemetry.io/schemas/1.27.0"
"""The version of the semantic conventions that the names follow."""

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""The bucket boundaries that the conventions recommend for ``http.client.request.duration``."""

WAITED = (0.001, 0.01, 0.1, 1, 5, 10, 30, 60, 300, 3600)


class Telemetry:
    """Reports a session to OpenTelemetry: ``TaskSession(telemetry=Telemetry())``.

    `tracer_provider`, `meter_provider`: where spans and metrics go; by default the application's
    global providers. Several sessions may share one Telemetry.

    Spans: ``twelvetasks.listing`` for each iteration over a listing, with its filters, order and
    result, and below it a client span for each attempt of a request. Beside
    OpenTelemetry's own instrumentation of aiohttp, each attempt still has one span and is counted
    once, and no trace header is sent.
    Metrics: ``http.client.request.duration``, ``twelvetasks.tasks`` (yielded),
    ``twelvetasks.requests.resent`` and ``twelvetasks.gate.wait.duration``.
    """

    def __init__(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        self._tracer = trace.get_tracer(
            SCOPE, VERSION, tracer_provider=tracer_provider, schema_url=SCHEMA_URL
        )
        meter = metrics.get_meter(
            SCOPE, VERSION, meter_provider=meter_provider, schema_url=SCHEMA_URL
        )
        self._duration = meter.create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._waited = meter.create_histogram(
            "twelvetasks.gate.wait.duration",
            unit="s",
            description="How long requests waited at the gate.",
            explicit_bucket_boundaries_advisory=WAITED,
        )
        self._resent = meter.create_counter(
            "twelvetasks.requests.resent",
            unit="{request}",
            description="Requests that were retried.",
        )
        self._tasks = meter.create_counter(
            "twelvetasks.tasks",
            unit="{task}",
            description="Tasks that listings yielded, counted when each listing ends.",
        )

    def listing(
        self,
        query: ListQuery[Any],
        *,
        exact: bool,
        max_items: int | None,
        resumed: bool,
        facts: Callable[[], ListingFacts],
    ) -> ListingObservation:
        """Begin the span of an iteration over a listing."""
        filters = _attributes("twelvetasks.query", attrs.asdict(query, recurse=False))
        options = {"exact": exact, "max_items": max_items, "resumed": resumed}
        span = self._tracer.start_span(
            "twelvetasks.listing", attributes=filters | _attributes("twelvetasks.listing", options)
        )
        return _Listing(span, facts, self._tasks)

    @contextmanager
    def attempt(
        self, method: str, url: URL, *, page: int | None, resends: int, waited: float
    ) -> Iterator[AttemptObservation]:
        """Put one attempt of a request into a span, and measure it."""
        measured: dict[str, Any] = {
            "http.request.method": method,
            "server.address": url.raw_host,
            "server.port": url.port,
        }
        self._waited.record(waited, {"server.address": url.raw_host or ""})
        if resends:
            self._resent.add(1, measured)
        told = {"url.full": str(url), "twelvetasks.page": page}
        told["http.request.resend_count"] = resends or None
        attempt = _Attempt()
        began = time.perf_counter()
        with (
            self._tracer.start_as_current_span(
                method,
                kind=SpanKind.CLIENT,
                attributes=measured | _present(told),
                record_exception=False,
                set_status_on_exception=False,
            ) as span,
            _only_instrumentation(),
        ):
            try:
                yield attempt
            finally:
                measured |= attempt.outcome
                self._duration.record(time.perf_counter() - began, measured)
                attempt.conclude(span)


class _Attempt:
    def __init__(self) -> None:
        self.outcome: dict[str, Any] = {"error.type": "cancelled"}
        """The attributes that the span and the metric share."""
        self._request_id: str | None = None
        self._error: Exception | None = None
        self._is_refused = False

    def answered(
        self, *, status: int | None, request_id: str | None, error: Exception | None
    ) -> None:
        self._request_id, self._error = request_id, error
        self._is_refused = error is not None and status is not None and status >= 400
        kind = None if error is None else type(error).__name__
        self.outcome = _present(
            {
                "http.response.status_code": status,
                "error.type": str(status) if self._is_refused else kind,
            }
        )

    def conclude(self, span: Span) -> None:
        """Set the attributes and the status of the span."""
        span.set_attributes(self.outcome | _present({"twelvetasks.request_id": self._request_id}))
        if self._error is not None:
            # By the conventions, a status of 400 or more needs no description.
            reason = None if self._is_refused else _reason(self._error)
            span.set_status(StatusCode.ERROR, reason)


class _Listing:
    """The span of an iteration over a listing, until it has ended."""

    def __init__(
        self, span: Span, facts: Callable[[], ListingFacts], tasks: metrics.Counter
    ) -> None:
        self._span = span
        self._facts = facts
        self._tasks = tasks
        self._over = False
        self.context = contextvars.copy_context()
        self.context.run(context.attach, trace.set_span_in_context(span))

    def end(self, *, complete: bool = False, error: Exception | None = None) -> None:
        if self._over:
            return
        self._over = True
        facts = self._facts()
        # It refers to the listing, which refers to this: a cycle.
        del self._facts
        self._tasks.add(facts.tasks)
        told = attrs.asdict(facts.report) | {
            "consistency": str(facts.report.consistency),
            "tasks": facts.tasks,
            "total_results": facts.total_results,
            "complete": complete,
        }
        self._span.set_attributes(_attributes("twelvetasks.listing", told))
        if error is not None:
            self._span.set_attribute("error.type", type(error).__name__)
            self._span.set_status(StatusCode.ERROR, _reason(error))
        self._span.end()


@contextmanager
def _only_instrumentation() -> Iterator[None]:
    """Tell OpenTelemetry's instrumentation of aiohttp that the request has its span already."""
    token = context.attach(context.set_value(SUPPRESSED, True))
    try:
        yield
    finally:
        context.detach(token)


def _reason(error: Exception) -> str:
    return error.reason if isinstance(error, TwelveTasksError) else type(error).__name__


def _attributes(prefix: str, values: dict[str, Any]) -> dict[str, Any]:
    return {f"{prefix}.{name}": _plain(value) for name, value in _present(values).items()}


def _present(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _plain(value: Any) -> Any:
    """Return a value as OpenTelemetry takes it: of a plain type, not of a subclass."""
    if isinstance(value, datetime):
        return utc_timestamp(value)
    if isinstance(value, str):
        return content(value)
    return tuple(map(_plain, value)) if isinstance(value, tuple) else value
