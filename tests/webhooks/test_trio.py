"""Webhooks received by an ASGI server that runs under trio."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from functools import partial
from http.client import HTTPConnection
from typing import Any

import pytest
import trio
import trio.lowlevel
from hypercorn.config import Config
from hypercorn.trio import serve

from tests.webhooks.signing import SECRET, signed
from twelvetasks.webhooks import Event, Receiver, asgi_handler, handling


def body_of_ready(event_id: str) -> bytes:
    data = {"id": "62a17bf847f5678267ec10cc", "status": "ready", "models": []}
    event = {"id": event_id, "type": "index.task.ready", "data": data}
    return json.dumps({**event, "created_at": "2025-06-30T16:47:03Z"}).encode()


def post(address: str, body: bytes, *, announced: int | None = None) -> tuple[int, bytes]:
    host, _, port = address.removeprefix("http://").partition(":")
    connection = HTTPConnection(host, int(port), timeout=10)
    headers = {"TL-Signature": signed(body, SECRET, int(time.time()))}
    if announced is not None:
        headers["Content-Length"] = str(announced)
    connection.request("POST", "/", body, headers)
    response = connection.getresponse()
    try:
        return response.status, response.read()
    finally:
        connection.close()


def served_by_trio(receiver: Receiver, use: Callable[[str], Awaitable[None]]) -> None:
    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.accesslog = config.errorlog = None
    app: Any = asgi_handler(receiver)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            over = trio.Event()
            start = partial(serve, app, config, shutdown_trigger=over.wait)
            (address,) = await nursery.start(start)
            await use(address)
            over.set()

    trio.run(main)


@pytest.mark.parametrize("is_async", [False, True])
def test_hypercorn_under_trio_hands_each_event_over_once(is_async: bool) -> None:
    got: list[Event] = []

    async def keep(event: Event) -> None:
        await trio.lowlevel.checkpoint()
        got.append(event)

    async def use(address: str) -> None:
        for name in ("evt_1", "evt_2"):
            answer = await trio.to_thread.run_sync(post, address, body_of_ready(name))
            assert answer == (200, b"ok")

    served_by_trio(Receiver(SECRET, keep if is_async else got.append), use)
    assert [event.id for event in got] == ["evt_1", "evt_2"]


def test_a_body_that_does_not_arrive_is_refused_under_trio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handling, "PATIENCE", 0.05)
    got: list[Event] = []

    async def use(address: str) -> None:
        late = partial(post, address, body_of_ready("evt_1"), announced=1000)
        assert await trio.to_thread.run_sync(late) == (400, b"truncated")

    served_by_trio(Receiver(SECRET, got.append), use)
    assert not got
