"""Floods of requests that anybody can send: what they hold, and that real events come through."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import AsyncGenerator

import pytest
from multidict import CIMultiDict
from yarl import URL

from tests.webhooks.servers import WAYS, Serve
from tests.webhooks.signing import NOW, SECRET, body_of, signed
from twelvetasks import WebhookError
from twelvetasks.webhooks import Event, Receiver, Refusal, allowance
from twelvetasks.webhooks.handling import Reply, answer

FORGED = f"t={NOW},v1={'0' * 64}"


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("X-Other: 1", b"401"),
        ("TL-Signature: hello", b"400"),
        (f"TL-Signature: t={NOW},v1=short", b"401"),
    ],
)
async def test_what_no_body_can_make_right_is_refused_before_its_body_is_read(
    way: Serve, header: str, status: bytes
) -> None:
    async with way(Receiver(SECRET, print)) as url, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection(URL(url).host, URL(url).port)
        head = f"POST {URL(url).path} HTTP/1.1\r\nHost: x\r\n{header}\r\n"
        # The body is announced and never sent.
        writer.write(f"{head}Content-Length: 1000000\r\n\r\n".encode())
        answered = await reader.readline()
        writer.close()
    assert answered.startswith(b"HTTP/1.1 " + status)


async def test_a_flood_of_large_bodies_holds_a_bounded_memory_and_keeps_out_no_event() -> None:
    told: list[Event] = []
    receiver = Receiver(SECRET, told.append, clock=lambda: NOW)
    over = asyncio.Event()

    async def slowly() -> AsyncGenerator[bytes, None]:
        for _ in range(60):
            yield bytes(16 * 1024)
            await asyncio.sleep(0)
        await over.wait()

    async def one(chunks: AsyncGenerator[bytes, None], signature: str) -> Reply:
        return await answer(receiver, "POST", CIMultiDict({"TL-Signature": signature}), chunks)

    tracemalloc.start()
    try:
        flood = [asyncio.create_task(one(slowly(), FORGED)) for _ in range(200)]
        for _ in range(200):
            await asyncio.sleep(0)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 2 * allowance.SHARED + 200 * 2 * allowance.ALWAYS
    refused = [each.result() for each in flood if each.done()]
    assert refused
    assert {(reply.status, reply.text) for reply in refused} == {(503, Refusal.BUSY)}

    async def event() -> AsyncGenerator[bytes, None]:
        yield body_of()

    assert (await one(event(), signed(body_of(), SECRET, NOW))).status == 200
    assert len(told) == 1
    over.set()
    assert {reply.status for reply in await asyncio.gather(*flood)} == {401, 503}
    # All of it has been given back.
    assert receiver.unverified.take(0, allowance.SHARED)


async def test_ten_thousand_events_of_one_second_are_all_handed_over() -> None:
    told: list[Event] = []
    receiver = Receiver(SECRET, told.append, clock=lambda: NOW)
    for number in range(10_001):
        body = body_of(f"whe_{number}")
        await receiver.receive(body, signed(body, SECRET, NOW))
    assert len(told) == 10_001
    ahead = body_of("whe_ahead")
    await receiver.receive(ahead, signed(ahead, SECRET, NOW + 299))
    late = body_of("whe_late")
    await receiver.receive(late, signed(late, SECRET, NOW - 200))
    with pytest.raises(WebhookError) as caught:
        await receiver.receive(ahead, signed(ahead, SECRET, NOW + 299))
    assert caught.value.refusal == Refusal.REPLAYED


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (body_of("w" * 257), "$.id"),
        (body_of(task="t" * 257), "$.data.id"),
        (body_of(task="t" * 257, type="analyze.task.ready"), "$.data.id"),
        (body_of(task="t" * 257, type="analyze.task.canceled"), "$.data.id"),
    ],
)
async def test_an_id_of_any_length_is_not_remembered(body: bytes, path: str) -> None:
    receiver = Receiver(SECRET, print)
    with pytest.raises(WebhookError, match="more than 256 characters") as caught:
        await receiver.receive(body, signed(body, SECRET, int(time.time())))
    assert (caught.value.refusal, caught.value.json_path) == (Refusal.MALFORMED, path)
