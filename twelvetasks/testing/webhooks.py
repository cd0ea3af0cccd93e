"""The webhooks that a `FakePlatform` sends: signed, retried, and disturbed on demand.

Each event is delivered by an asyncio task of its own in the platform's loop, so that a slow
receiver holds nothing up. Like the rest of the platform it shares no code with the client, whose
judge it is.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import threading
import uuid
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping
from datetime import datetime
from typing import Any

import aiohttp
import attrs
import msgspec

from twelvetasks.testing import instants
from twelvetasks.testing.kinds import Kind

_TYPES = {
    (prefix, status): f"{event}.{status}"
    for prefix, event, statuses in (
        ("tasks", "index.task", ("ready", "failed")),
        ("analyze_tasks", "analyze.task", ("ready", "failed", "canceled")),
    )
    for status in statuses
}
"""The type of the event for a list and a final status."""


@attrs.frozen(kw_only=True)
class RecordedDelivery:
    """One attempt to deliver one event, once it has been answered or has failed."""

    url: str
    """Where it was sent."""
    event_id: str
    """The same in every attempt to deliver the event."""
    type: str
    """The type of the event, such as ``index.task.ready``."""
    task_id: str
    """The id of the task it is about."""
    attempt: int
    """1 for the first, 2 for the first retry."""
    body: bytes = attrs.field(repr=False)
    """The body that was sent."""
    signature: str = attrs.field(repr=False)
    """Its `TL-Signature` header."""
    status: int | None = None
    """The status of the answer; None if there was none."""


@attrs.define(eq=False)
class FakeWebhook:
    """A webhook receiver; `FakePlatform.add_webhook` creates it."""

    url: str
    """Where events are sent."""
    secret: str = attrs.field(repr=False)
    """The secret that signs them."""
    retries: tuple[float, ...]
    """Seconds before each retry of an attempt that was not answered with 2xx."""
    _disturbances: deque[tuple[int, float]] = attrs.field(factory=deque, repr=False, init=False)

    def disturb(self, *, times: int = 1, copies: int = 1, delay: float = 0.0) -> None:
        """Drop, repeat or delay the next `times` events.

        `copies`: how often each is delivered; 0 drops it, 2 repeats it. `delay`: seconds before it
        is sent, so that later events overtake it.
        """
        self._disturbances.extend([(copies, delay)] * times)

    def next_disturbance(self) -> tuple[int, float]:
        """Return the copies and the delay of the next event."""
        return self._disturbances.popleft() if self._disturbances else (1, 0.0)


class Webhooks:
    """Sends events to the receivers; all methods but `start` and `stop` are thread-safe."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.deliveries: list[RecordedDelivery] = []
        self.receivers: list[FakeWebhook] = []
        self._clock = clock
        self._recording = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Start sending, from the running event loop."""
        self._loop = asyncio.get_running_loop()

    async def stop(self) -> None:
        """Cancel deliveries, and close the connections."""
        self._loop = None
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._client is not None:
            await self._client.close()
            self._client = None

    def tell(self, kind: Kind, item: Mapping[str, Any]) -> None:
        """Send an event if the item has ended and the platform is running."""
        loop, event_type = self._loop, _TYPES.get((kind.name, str(item.get("status"))))
        if loop is None or event_type is None or not self.receivers:
            return
        event = {
            "id": f"whe_{uuid.uuid4().hex}",
            "created_at": instants.written(self._clock()),
            "type": event_type,
            "data": _event_data(kind, item),
        }
        for receiver in tuple(self.receivers):
            loop.call_soon_threadsafe(self._send, receiver, event)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine in the running event loop; `stop` cancels it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _send(self, receiver: FakeWebhook, event: dict[str, Any]) -> None:
        if self._loop is None:
            return
        copies, delay = receiver.next_disturbance()
        times = self._times()
        for _ in range(copies):
            self.run(self._deliver(receiver, event, delay, times))

    def _times(self) -> Iterator[int]:
        """Yield the signing time of each attempt: now, but never the same second twice."""
        time = 0
        while True:
            time = max(int(self._clock().timestamp()), time + 1)
            yield time

    async def _deliver(
        self, receiver: FakeWebhook, event: dict[str, Any], delay: float, times: Iterator[int]
    ) -> None:
        body = msgspec.json.encode(event)
        for attempt, pause in enumerate((delay, *receiver.retries), 1):
            await asyncio.sleep(pause)
            signature = signed(body, receiver.secret, next(times))
            status = await self._post(receiver.url, body, signature)
            delivery = RecordedDelivery(
                url=receiver.url,
                event_id=event["id"],
                type=event["type"],
                task_id=event["data"]["id"],
                attempt=attempt,
                body=body,
                signature=signature,
                status=status,
            )
            with self._recording:
                self.deliveries.append(delivery)
            if status is not None and 200 <= status < 300:
                return

    async def _post(self, url: str, body: bytes, signature: str) -> int | None:
        if self._client is None:
            self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
        headers = {"Content-Type": "application/json", "TL-Signature": signature}
        try:
            async with self._client.post(
                url, data=body, headers=headers, allow_redirects=False
            ) as response:
                return response.status
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None


def _event_data(kind: Kind, item: Mapping[str, Any]) -> dict[str, Any]:
    if kind.name == "analyze_tasks":
        names = ("status", "custom_id", "created_at", "completed_at", "video_source", "error")
        return {"id": item["task_id"]} | {name: item[name] for name in names if name in item}
    return {
        "id": item["_id"],
        "metadata": item.get("system_metadata"),
        "status": item["status"],
        "models": [{"name": "marengo2.7", "options": ["visual", "audio"]}],
        "tags": [],
    }


def signed(body: bytes, secret: str, at: int) -> str:
    """Return the `TL-Signature` header for a body signed at this time."""
    digest = hmac.new(secret.encode(), b"%d.%b" % (at, body), hashlib.sha256)
    return f"t={at},v1={digest.hexdigest()}"
