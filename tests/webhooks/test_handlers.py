"""The handlers in real servers over real sockets: what the platform sends, and what others do."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import attrs
import pytest
from yarl import URL

from tests.webhooks.servers import WAYS, Serve, by_aiohttp, by_starlette_route
from tests.webhooks.signing import SECRET, body_of, signed
from twelvetasks.testing import FakePlatform
from twelvetasks.webhooks import Event, Receiver, TaskFailed, TaskReady, asgi_handler, handling

BODY = body_of()
MAX_BYTES = 10_000


@attrs.define(eq=False)
class Service:
    """A service that takes webhooks, and what it was told."""

    url: str = ""
    told: list[Event] = attrs.field(factory=list)
    failing: int = 0
    """How many events it will fail to handle."""

    def on_event(self, event: Event) -> None:
        if self.failing:
            self.failing -= 1
            raise RuntimeError("the service is down")
        self.told.append(event)

    async def post(
        self, body: Any, signature: str | None, *, method: str = "POST", **headers: str
    ) -> tuple[int, str]:
        """Send a request, and give its status and what it says."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if signature is not None:
            sent["TL-Signature"] = signature
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(20)) as client,
            client.request(method, self.url, data=body, headers=sent) as response,
        ):
            return response.status, await response.text()


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
async def service(request: pytest.FixtureRequest) -> AsyncIterator[Service]:
    async for service in serve(request.param):
        yield service


async def serve(way: Serve) -> AsyncIterator[Service]:
    service = Service()
    async with way(Receiver(SECRET, service.on_event, max_bytes=MAX_BYTES)) as service.url:
        yield service


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


def now(body: bytes, *, ago: int = 0) -> str:
    return signed(body, SECRET, int(time.time()) - ago)


async def chunked(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 7):
        yield body[start : start + 7]


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    records = [record for record in caplog.records if record.name == "twelvetasks"]
    assert all(record.levelno == logging.WARNING for record in records)
    return [record.getMessage() for record in records]


class TestThePlatform:
    async def test_is_believed_and_each_event_is_handed_over_once(self, service: Service) -> None:
        async with FakePlatform() as platform:
            platform.add_webhook(service.url, SECRET).disturb(copies=2)
            one = platform.add()["_id"]
            await until(
                lambda: len(platform.deliveries) >= 2 and platform.deliveries[-1].status == 200
            )
            other = platform.add(status="failed")["_id"]
            await until(lambda: len(service.told) == 2)
        assert [(type(event), event.data.id) for event in service.told] == [  # type: ignore[attr-defined]
            (TaskReady, one),
            (TaskFailed, other),
        ]

    async def test_tries_again_what_the_service_could_not_handle(
        self, service: Service, caplog: pytest.LogCaptureFixture
    ) -> None:
        service.failing = 2
        async with FakePlatform() as platform:
            platform.add_webhook(service.url, SECRET, retries=[0.001] * 5)
            platform.add()
            await until(lambda: len(platform.deliveries) == 3)
        assert [delivery.status for delivery in platform.deliveries] == [500, 500, 200]
        assert len(service.told) == 1
        logged = [record for record in caplog.records if record.name == "twelvetasks"]
        assert [record.levelno for record in logged] == [logging.ERROR] * 2
        assert "the service is down" in caplog.text
        assert SECRET not in caplog.text

    async def test_its_body_may_come_in_pieces(self, service: Service) -> None:
        assert await service.post(chunked(BODY), now(BODY)) == (200, "ok")
        assert len(service.told) == 1


def rewritten(body: bytes) -> bytes:
    return json.dumps(json.loads(body), indent=2).encode()


ATTACKS: dict[str, tuple[int, str, Callable[[], tuple[Any, ...]], dict[str, str]]] = {
    "forged": (401, "forged", lambda: (BODY, signed(BODY, "guessed", int(time.time()))), {}),
    "another body": (401, "forged", lambda: (body_of(task="t2"), now(BODY)), {}),
    "truncated": (401, "forged", lambda: (BODY[:-1], now(BODY)), {}),
    "empty": (401, "forged", lambda: (b"", now(BODY)), {}),
    "re-encoded JSON": (401, "forged", lambda: (rewritten(BODY), now(BODY)), {}),
    "re-encoded text": (
        401,
        "forged",
        lambda: (BODY.decode().encode("utf-16"), now(BODY)),
        {"Content_Type": "application/json; charset=utf-16"},
    ),
    "compressed": (
        415,
        "encoded",
        lambda: (gzip.compress(BODY), now(BODY)),
        {"Content_Encoding": "gzip"},
    ),
    "compressed in silence": (401, "forged", lambda: (gzip.compress(BODY), now(BODY)), {}),
    "stale": (401, "stale", lambda: (BODY, now(BODY, ago=400)), {}),
    "from the future": (401, "stale", lambda: (BODY, now(BODY, ago=-400)), {}),
    "unsigned": (401, "unsigned", lambda: (BODY, None), {}),
    "half a signature": (401, "forged", lambda: (BODY, now(BODY)[:-32]), {}),
    "a time alone": (400, "malformed_signature", lambda: (BODY, now(BODY)[:12]), {}),
    "no text": (401, "forged", lambda: (BODY, now(BODY).replace("v1=", "v1=ä")), {}),
    "two signatures": (
        400,
        "malformed_signature",
        lambda: (BODY, f"{now(BODY)},{now(BODY)}"),
        {},
    ),
    "no event": (400, "malformed", lambda: (b'{"id": 1}', now(b'{"id": 1}')), {}),
    "oversize": (413, "oversized", lambda: (b"0" * (MAX_BYTES + 1), now(BODY)), {}),
    "oversize in pieces": (
        413,
        "oversized",
        lambda: (chunked(b"0" * (MAX_BYTES + 1)), now(BODY)),
        {},
    ),
}


async def test_what_is_not_the_platform_s_is_refused_with_a_logged_reason(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    for attack, (status, reason, make, headers) in ATTACKS.items():
        caplog.clear()
        assert (attack, *await service.post(*make(), **headers)) == (attack, status, reason)
        (logged,) = refusals(caplog)
        assert f"({reason})" in logged
        assert "the request" in logged or "the event" in logged
    assert SECRET not in caplog.text
    assert service.told == []
    assert await service.post(BODY, now(BODY)) == (200, "ok")


async def test_a_replay_is_refused_and_a_retry_is_not(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    first, later = now(BODY, ago=10), now(BODY)
    assert await service.post(BODY, first) == (200, "ok")
    assert await service.post(BODY, first) == (409, "replayed")
    assert await service.post(BODY, later) == (200, "ok")
    assert await service.post(BODY, later) == (409, "replayed")
    reordered = ",".join(reversed(later.split(",")))
    assert await service.post(BODY, reordered) == (409, "replayed")
    assert len(service.told) == 1
    assert ["(replayed)" in logged for logged in refusals(caplog)] == [True] * 3


async def test_only_post_is_taken(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    for method in ("GET", "PUT"):
        assert (await service.post(None, now(b""), method=method))[0] == 405
    assert all("(wrong_method)" in logged for logged in refusals(caplog))


async def test_two_headers_are_one_with_two_times(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    head = f"POST {URL(service.url).path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    head += f"TL-Signature: {now(BODY)}\r\n" * 2 + f"Content-Length: {len(BODY)}\r\n\r\n"
    reader, writer = await asyncio.open_connection(URL(service.url).host, URL(service.url).port)
    writer.write(head.encode() + BODY)
    async with asyncio.timeout(20):
        answered = await reader.read()
    writer.close()
    assert answered.startswith(b"HTTP/1.1 400 ")
    assert "(malformed_signature)" in caplog.text
    assert service.told == []


async def test_a_body_that_is_cut_off_on_its_way_is_not_taken(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    head = f"POST {URL(service.url).path} HTTP/1.1\r\nHost: x\r\n"
    head += f"TL-Signature: {now(BODY)}\r\nContent-Length: {len(BODY)}\r\n\r\n"
    _, writer = await asyncio.open_connection(URL(service.url).host, URL(service.url).port)
    writer.write(head.encode() + BODY[:-5])
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await until(lambda: "(truncated)" in caplog.text)
    assert service.told == []


async def test_a_body_that_does_not_arrive_is_not_waited_for_any_longer(
    service: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handling, "PATIENCE", 0.05)
    head = f"POST {URL(service.url).path} HTTP/1.1\r\nHost: x\r\n"
    head += f"TL-Signature: {now(BODY)}\r\nContent-Length: {len(BODY)}\r\n\r\n"
    reader, writer = await asyncio.open_connection(URL(service.url).host, URL(service.url).port)
    writer.write(head.encode() + BODY[:-5])
    async with asyncio.timeout(20):
        answered = await reader.readline()
    writer.close()
    assert answered.startswith(b"HTTP/1.1 400 ")
    assert "(truncated)" in caplog.text
    assert service.told == []


@pytest.mark.parametrize("way", [by_aiohttp, by_starlette_route])
async def test_as_long_as_nobody_listens_the_platform_tries_again(way: Serve) -> None:
    unheard = Receiver(SECRET)
    told: list[Event] = []

    class Listener:
        def announce(self, event: Event) -> None:
            told.append(event)

    listener = Listener()
    async with way(unheard) as url, FakePlatform() as platform:
        platform.add_webhook(url, SECRET, retries=[0.01] * 500)
        platform.add()
        await until(lambda: len(platform.deliveries) > 1)
        unheard.attach(listener)
        await until(lambda: len(told) == 1)
        await until(lambda: platform.deliveries[-1].status == 200)
    assert {delivery.status for delivery in platform.deliveries} == {503, 200}


async def test_an_asgi_handler_speaks_http_alone() -> None:
    handler: Any = asgi_handler(Receiver(SECRET))
    with pytest.raises(NotImplementedError, match="websocket"):
        await handler({"type": "websocket"}, None, None)
