"""Which events have been handed over: distinguishes new events, retries and replays.

Pure. An event is identified by a digest of its id, and an attempt to deliver it by the time of its
signature. For each event the newest such time is kept: an attempt signed later is the platform's
retry, any other is a replay. The event signed first is forgotten first and leaves its time as a
horizon: an unknown event signed no later than the horizon may be a replay and is refused. So no
signed request is handed over twice, and an event signed far ahead does not move the horizon.
"""

from __future__ import annotations

import hashlib
import heapq

from twelvetasks.values.errors import Refusal, WebhookError

REMEMBERED = 50_000
"""Most events that are remembered, at most 500 bytes each, however long their ids: 25 MB."""

REMEMBERED_FOR = 86_400.0
"""Seconds for which an event is remembered, if there are not too many: a day."""


class Deliveries:
    """The events that are being handed over, and those that have been.

    `tolerance`: seconds; older signatures were refused before.
    """

    def __init__(self, tolerance: float) -> None:
        # Long enough that a forgotten event is refused for its age anyway.
        self._kept_for = max(REMEMBERED_FOR, 2 * tolerance) - tolerance
        self._done: dict[bytes, int] = {}
        """Of each event that was handed over, the newest time of its signatures."""
        self._order: list[tuple[int, bytes]] = []
        """The same as a heap, with outdated times between them."""
        self._under_way: set[bytes] = set()
        self._horizon = -1

    def __len__(self) -> int:
        return len(self._done)

    def begin(self, id: str, signed_at: int, now: float) -> bool:  # noqa: A002
        """Return whether to hand the event over; if not, this is a retry of a delivered event.

        Raises WebhookError for a replay, and while the event is being handed over.
        """
        while self._order and self._order[0][0] + self._kept_for < now:
            self._forget_first()
        event = _digest(id)
        newest = self._done.get(event)
        if newest is not None and signed_at > newest:
            self._remember(event, signed_at)
            return False
        if newest is not None or signed_at <= self._horizon:
            raise WebhookError(
                f"the request signed at {signed_at} was, or may have been, received before",
                refusal=Refusal.REPLAYED,
            )
        if event in self._under_way:
            raise WebhookError(
                "the request's event is being handed over by another request", refusal=Refusal.BUSY
            )
        self._under_way.add(event)
        return True

    def end(self, id: str, signed_at: int, *, delivered: bool) -> None:  # noqa: A002
        """Note that the event was handed over, or that this failed."""
        event = _digest(id)
        self._under_way.discard(event)
        if delivered:
            self._remember(event, signed_at)

    def _remember(self, event: bytes, signed_at: int) -> None:
        self._done[event] = signed_at
        heapq.heappush(self._order, (signed_at, event))
        while len(self._done) > REMEMBERED:
            self._forget_first()
        if len(self._order) > 1.25 * REMEMBERED:
            self._order = [(signed, event) for event, signed in self._done.items()]
            heapq.heapify(self._order)

    def _forget_first(self) -> None:
        signed_at, event = heapq.heappop(self._order)
        if self._done.get(event) == signed_at:
            del self._done[event]
            self._horizon = max(self._horizon, signed_at)


def _digest(id: str) -> bytes:  # noqa: A002
    return hashlib.blake2b(id.encode(errors="surrogatepass"), digest_size=16).digest()
