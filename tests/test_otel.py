"""What OpenTelemetry is told of a session: spans that end, have the right parents, hold no key."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from twelvetasks import (
    InvalidArgumentError,
    ServerError,
    SessionClosedError,
    TaskSession,
    TransportError,
)
from twelvetasks.otel import Telemetry
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.fixtures import FakePlatformFactory


class Heard:
    """What has been told."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.meters = MeterProvider([self._reader])
        self.tracers = tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.begun = 0
        """Spans that have begun."""
        tracers.add_span_processor(Counting(self))
        self.tracer = tracers.get_tracer("reader")
        self.telemetry = Telemetry(tracer_provider=tracers, meter_provider=self.meters)

    @property
    def spans(self) -> list[ReadableSpan]:
        """All spans, each of which has to have ended."""
        ended = list(self._exporter.get_finished_spans())
        assert len(ended) == self.begun
        return ended

    @property
    def listings(self) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == "twelvetasks.listing"]

    @property
    def requests(self) -> list[ReadableSpan]:
        return [span for span in self.spans if span.kind is SpanKind.CLIENT]

    def metric(self, name: str) -> list[Any]:
        """The data points of a metric."""
        data = self._reader.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    def everything(self) -> str:
        data = self._reader.get_metrics_data()
        return "\n".join([*(span.to_json() for span in self.spans), data.to_json() if data else ""])

    def close(self) -> None:
        self.meters.shutdown()


class Counting(SimpleSpanProcessor):
    """Counts the spans that begin."""

    def __init__(self, heard: Heard) -> None:
        super().__init__(InMemorySpanExporter())
        self._heard = heard

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        self._heard.begun += 1


@pytest.fixture
def heard() -> Iterator[Heard]:
    listener = Heard()
    yield listener
    listener.close()


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def parents(spans: Iterable[ReadableSpan]) -> set[int | None]:
    return {None if span.parent is None else span.parent.span_id for span in spans}


def id_of(span: ReadableSpan | trace.Span) -> int:
    context = span.get_span_context()
    assert context is not None
    return context.span_id


def connected(platform: FakePlatform, heard: Heard, **options: Any) -> TaskSession:
    return TaskSession(
        platform.api_key, base_url=platform.base_url, telemetry=heard.telemetry, **options
    )


class TestAListing:
    async def test_it_is_a_span_with_a_client_span_for_each_request(
        self, platform: FakePlatform, heard: Heard
    ) -> None:
        async with connected(platform, heard) as session:
            since = datetime(2025, 1, 1, tzinfo=UTC)
            tasks = await session.tasks(
                status=["ready", "failed"], updated_at=since, sort_by="updated_at"
            )
        (listing,) = heard.listings
        assert (listing.kind, listing.status.status_code) == (SpanKind.INTERNAL, StatusCode.UNSET)
        told = attributes(listing)
        assert told["twelvetasks.query.status"] == ("ready", "failed")
        assert told["twelvetasks.query.sort_by"] == "updated_at"
        assert told["twelvetasks.query.updated_at"] == "2025-01-01T00:00:00Z"
        assert told["twelvetasks.listing.exact"] is False
        assert told["twelvetasks.listing.resumed"] is False
        assert told["twelvetasks.listing.complete"] is True
        assert told["twelvetasks.listing.consistency"] == "exact"
        assert told["twelvetasks.listing.tasks"] == len(tasks)
        assert told["twelvetasks.listing.total_results"] == len(tasks)
        assert told["twelvetasks.listing.requests"] == len(platform.requests)
        assert len(heard.requests) == len(platform.requests)
        assert parents(heard.requests) == {id_of(listing)}
        (yielded,) = heard.metric("twelvetasks.tasks")
        assert yielded.value == len(tasks)

    async def test_a_request_is_described_by_the_conventions(
        self, platform: FakePlatform, heard: Heard
    ) -> None:
        async with connected(platform, heard) as session:
            await session.tasks(max_items=3, filename="a&b.mp4").first()
        (request,) = heard.requests
        assert (request.name, request.status.status_code) == ("GET", StatusCode.UNSET)
        told = attributes(request)
        assert told.pop("url.full").startswith(f"{platform.base_url}/tasks?page=1&page_limit=")
        assert told.pop("twelvetasks.request_id")
        assert told == {
            "http.request.method": "GET",
            "http.response.status_code": 200,
            "server.address": "127.0.0.1",
            "server.port": platform.base_url.port,
            "twelvetasks.page": 1,
        }
        (duration,) = heard.metric("http.client.request.duration")
        assert (duration.count, duration.attributes["http.response.status_code"]) == (1, 200)
        (waited,) = heard.metric("twelvetasks.gate.wait.duration")
        assert waited.count == 1

    async def test_a_request_that_is_sent_again_has_a_span_each_time(
        self, platform: FakePlatform, heard: Heard
    ) -> None:
        platform.fail(status=503, page=2, times=2)
        async with connected(platform, heard) as session:
            await session.tasks()
        told = [attributes(span) for span in heard.requests]
        of_page_2 = [one for one in told if one["twelvetasks.page"] == 2]
        assert [
            (one["http.response.status_code"], one.get("http.request.resend_count"))
            for one in of_page_2
        ] == [(503, None), (503, 1), (200, 2)]
        assert [one.get("error.type") for one in of_page_2] == ["503", "503", None]
        refused = [span for span in heard.requests if span.status.status_code is StatusCode.ERROR]
        assert [span.status.description for span in refused] == [None, None]
        assert parents(heard.requests) == {id_of(heard.listings[0])}
        (resent,) = heard.metric("twelvetasks.requests.resent")
        assert resent.value == 2

    async def test_its_error_is_told(self, platform: FakePlatform, heard: Heard) -> None:
        platform.fail(page=3, times=10)
        async with connected(platform, heard) as session:
            stream = aiter(session.tasks())
            with pytest.raises(ServerError):
                [task async for task in stream]
            (listing,) = heard.listings
            with pytest.raises(ServerError):
                await anext(stream)
        assert heard.listings == [listing]
        assert listing.status.status_code is StatusCode.ERROR
        assert (listing.status.description or "").startswith("500 ")
        told = attributes(listing)
        assert told["error.type"] == "ServerError"
        assert told["twelvetasks.listing.complete"] is False
        assert told["twelvetasks.listing.tasks"] == 100

    async def test_no_answer_is_an_error_without_a_status(
        self, unused_tcp_port: int, heard: Heard
    ) -> None:
        base_url = f"http://127.0.0.1:{unused_tcp_port}"
        async with TaskSession("tlk", base_url=base_url, telemetry=heard.telemetry) as session:
            with pytest.raises(TransportError):
                await session.tasks()
        for span in heard.requests:
            assert span.status.status_code is StatusCode.ERROR
            assert (span.status.description or "").startswith("the connection failed")
            assert attributes(span)["error.type"] == "TransportError"
            assert "http.response.status_code" not in attributes(span)

    async def test_each_iteration_is_one_of_its_own(
        self, platform: FakePlatform, heard: Heard
    ) -> None:
        async with connected(platform, heard) as session:
            listing = session.tasks(max_items=60)
            assert heard.begun == 0
            await listing
            [page async for page in listing.pages()]
            await listing.to_arrow()
        assert [attributes(span)["twelvetasks.listing.tasks"] for span in heard.listings] == [
            60
        ] * 3


async def leave_it_by_break(session: TaskSession) -> None:
    seen = 0
    async for _task in session.tasks():
        seen += 1
        if seen == 70:
            break


async def close_it(session: TaskSession) -> None:
    async with session.tasks() as stream:
        for _ in range(70):
            await anext(stream)


async def drop_it(session: TaskSession) -> None:
    stream = aiter(session.tasks())
    for _ in range(70):
        await anext(stream)
    del stream
    gc.collect()


async def cancel_its_reader(session: TaskSession) -> None:
    reached = asyncio.Event()

    async def read() -> None:
        seen = 0
        async for _task in session.tasks():
            seen += 1
            if seen == 70:
                reached.set()
                await asyncio.sleep(60)

    reading = asyncio.ensure_future(read())
    await asyncio.wait_for(reached.wait(), 10)
    reading.cancel()
    await asyncio.wait([reading])


async def close_the_session(session: TaskSession) -> None:
    stream = aiter(session.tasks())
    for _ in range(70):
        await anext(stream)
    await session.aclose()
    with pytest.raises(SessionClosedError):
        await anext(stream)


class TestEnds:
    @pytest.mark.parametrize(
        "interrupt",
        [leave_it_by_break, close_it, drop_it, cancel_its_reader, close_the_session],
        ids=lambda way: way.__name__,
    )
    async def test_an_interrupted_listing_ends_with_what_was_read(
        self,
        fake_platform_factory: FakePlatformFactory,
        heard: Heard,
        interrupt: Callable[[TaskSession], Awaitable[None]],
    ) -> None:
        platform = fake_platform_factory(500, latency=0.002)
        async with connected(platform, heard) as session:
            await interrupt(session)
            told = {span.name: attributes(span) for span in heard._exporter.get_finished_spans()}[
                "twelvetasks.listing"
            ]
            assert told["twelvetasks.listing.tasks"] == 70
            assert told["twelvetasks.listing.complete"] is False
            assert "error.type" not in told
        assert len(heard.listings) == 1
        # Each request that was under way ended, too, and was no error of anybody's.
        assert {span.status.status_code for span in heard.spans} == {StatusCode.UNSET}
        assert parents(heard.requests) == {id_of(heard.listings[0])}

    async def test_a_request_given_up_says_so(self, platform: FakePlatform, heard: Heard) -> None:
        async with connected(platform, heard) as session:
            hold = platform.hold(page=1)
            reading = asyncio.ensure_future(session.tasks().count())
            await asyncio.wait_for(hold.until_arrived(), 10)
            reading.cancel()
            await asyncio.wait([reading])
            hold.release()
        (request,) = heard.requests
        assert request.status.status_code is StatusCode.UNSET
        assert attributes(request)["error.type"] == "cancelled"

    async def test_telemetry_leaves_no_garbage_cycle(
        self, platform: FakePlatform, heard: Heard
    ) -> None:
        import weakref

        gc.collect()
        gc.disable()
        try:
            async with connected(platform, heard) as session:
                stream = aiter(session.tasks())
                await anext(stream)
                window = weakref.ref(stream._window)
                await stream.aclose()
                del stream
                await asyncio.sleep(0)
                assert window() is None
        finally:
            gc.enable()


class TestContext:
    async def test_concurrent_listings_keep_their_requests_apart(
        self, fake_platform_factory: FakePlatformFactory, heard: Heard
    ) -> None:
        platform = fake_platform_factory(230, latency=0.002)
        async with connected(platform, heard, concurrency=16) as session:

            async def read(page_limit: int) -> int:
                with heard.tracer.start_as_current_span(f"reader {page_limit}"):
                    return len(await session.tasks(page_limit=page_limit))

            assert await asyncio.gather(*map(read, (10, 20, 30))) == [230] * 3
        readers = {span.name: span for span in heard.spans if span.name.startswith("reader")}
        for listing in heard.listings:
            page_limit = attributes(listing)["twelvetasks.query.page_limit"]
            assert parents([listing]) == {id_of(readers[f"reader {page_limit}"])}
            own = [span for span in heard.requests if parents([span]) == {id_of(listing)}]
            assert len(own) == -(-230 // page_limit)
            assert all(f"page_limit={page_limit}&" in attributes(one)["url.full"] for one in own)

    async def test_streams_that_are_read_in_turn_do_not_mix_and_attach_nothing(
        self, platform: FakePlatform, heard: Heard
    ) -> None:
        async with connected(platform, heard) as session:
            with heard.tracer.start_as_current_span("reader") as reader:
                one, other = aiter(session.tasks(page_limit=7)), aiter(session.tasks(page_limit=9))
                for _ in range(40):
                    await anext(one)
                    assert trace.get_current_span() is reader
                    await anext(other)
                    assert trace.get_current_span() is reader
            assert trace.get_current_span() is trace.INVALID_SPAN
            await one.aclose()
            await other.aclose()
        assert parents(heard.listings) == {id_of(reader)}
        for listing in heard.listings:
            limit = attributes(listing)["twelvetasks.query.page_limit"]
            own = [span for span in heard.requests if parents([span]) == {id_of(listing)}]
            assert own
            assert all(f"page_limit={limit}&" in attributes(one)["url.full"] for one in own)

    async def test_other_requests_belong_to_the_span_they_are_made_in(
        self, platform: FakePlatform, heard: Heard
    ) -> None:
        async with connected(platform, heard) as session:
            with heard.tracer.start_as_current_span("reader") as reader:
                await session.tasks().count()
                task = await session.create(index_id="x", video_url="https://example.com/1.mp4")
                await session.task(task)
                assert trace.get_current_span() is reader
        assert [span.name for span in heard.requests] == ["GET", "POST", "GET"]
        assert parents(heard.requests) == {id_of(reader)}


class TestMetrics:
    async def test_refusals_show_by_their_status_and_waits_at_the_gate(
        self, fake_platform_factory: FakePlatformFactory, heard: Heard
    ) -> None:
        platform = fake_platform_factory(500)
        platform.fail(status=429, times=3)
        async with connected(platform, heard) as session:
            assert len(await session.tasks()) == 500
        durations = {
            point.attributes["http.response.status_code"]: point.count
            for point in heard.metric("http.client.request.duration")
        }
        answered = [request.status for request in platform.requests]
        assert durations == {status: answered.count(status) for status in set(answered)}
        assert durations == {200: 10, 429: 3}
        (waited,) = heard.metric("twelvetasks.gate.wait.duration")
        assert waited.count == len(answered)


async def test_the_key_is_told_to_nobody(platform: FakePlatform, heard: Heard) -> None:
    body = {"code": "x", "message": f"no such key: {platform.api_key}"}
    platform.fail(page=2, times=5, body=body)
    async with connected(platform, heard) as session:
        with pytest.raises(ServerError):
            await session.tasks()
        await session.tasks().count()
    told = heard.everything()
    assert "no such key: ***" in told
    assert platform.api_key.lower() not in told.lower()


class TestTheParameter:
    @pytest.mark.parametrize("telemetry", [True, Telemetry, object()])
    def test_nothing_else_is_taken(self, telemetry: Any) -> None:
        with pytest.raises(InvalidArgumentError, match="telemetry="):
            TaskSession("tlk", telemetry=telemetry)

    async def test_without_a_provider_it_is_quiet(self, platform: FakePlatform) -> None:
        async with TaskSession(
            platform.api_key, base_url=platform.base_url, telemetry=Telemetry()
        ) as session:
            assert len(await session.tasks()) == 230

    def test_a_missing_extra_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import twelvetasks

        monkeypatch.setitem(sys.modules, "opentelemetry", None)
        monkeypatch.delitem(sys.modules, "twelvetasks.otel")
        monkeypatch.delattr(twelvetasks, "otel")
        with pytest.raises(ImportError, match=r"pip install 'twelvetasks\[otel\]'"):
            import twelvetasks.otel


async def test_beside_the_instrumentation_of_aiohttp_a_request_has_one_span_and_counts_once(
    heard: Heard, platform: FakePlatform
) -> None:
    instrumentor = AioHttpClientInstrumentor()
    instrumentor.instrument(tracer_provider=heard.tracers, meter_provider=heard.meters)
    try:
        async with TaskSession(
            platform.api_key, base_url=platform.base_url, telemetry=heard.telemetry
        ) as session:
            await session.tasks().count()
    finally:
        instrumentor.uninstrument()
    (span,) = heard.spans
    scope = span.instrumentation_scope
    assert scope is not None
    assert (scope.name, scope.version) == ("twelvetasks", version("twelvetasks"))
    assert sum(point.count for point in heard.metric("http.client.request.duration")) == 1
    assert "traceparent" not in platform.requests[0].headers
