"""Which events have been handed over: distinguishes new events, retries and replays.

Pure. An event is identified by its id, and an attempt to deliver it by the time of its signature.
For each event the newest such time is kept: an attempt signed later is the platform's retry, any
other is a replay. A forgotten event leaves its time as a horizon: an unknown event signed no later
than the horizon may be a replay and is refused. So no signed request is handed over twice.
"""

from __future__ import annotations

from collections import OrderedDict

import attrs

from twelvetasks.values.errors import Refusal
from twelvetasks.webhooks.refusals import refused

__all__ = ["Deliveries"]

REMEMBERED = 10_000
"""Most events that are remembered."""

REMEMBERED_FOR = 86_400.0
"""Seconds for which an event is remembered, if there are not too many: a day."""


@attrs.frozen
class _Delivery:
    done_at: float
    signed_at: int


class Deliveries:
    """The events that are being handed over, and those that have been.

    `tolerance`: seconds; older signatures were refused before.
    """

    def __init__(self, tolerance: float) -> None:
        # Long enough that a forgotten event is refused for its age anyway.
        self._kept_for = max(REMEMBERED_FOR, 2 * tolerance)
        self._done: OrderedDict[str, _Delivery] = OrderedDict()
        self._under_way: set[str] = set()
        self._horizon = -1

    def __len__(self) -> int:
        return len(self._done)

    def begin(self, id: str, signed_at: int, now: float) -> bool:  # noqa: A002
        """Return whether to hand the event over; if not, this is a retry of a delivered event.

        Raises WebhookError for a replay, and while the event is being handed over.
        """
        self._forget(now)
        done = self._done.get(id)
        if done is not None and signed_at > done.signed_at:
            self._remember(id, signed_at, now)
            return False
        if done is not None or signed_at <= self._horizon:
            raise refused(
                Refusal.REPLAYED,
                f"the request signed at {signed_at} was, or may have been, received before",
            )
        if id in self._under_way:
            raise refused(Refusal.BUSY, "its event is being handed over by another request")
        self._under_way.add(id)
        return True

    def end(self, id: str, signed_at: int, now: float, *, delivered: bool) -> None:  # noqa: A002
        """Note that the event was handed over, or that this failed."""
        self._under_way.discard(id)
        if delivered:
            self._remember(id, signed_at, now)

    def _remember(self, id: str, signed_at: int, now: float) -> None:  # noqa: A002
        self._done[id] = _Delivery(now, signed_at)
        self._done.move_to_end(id)
        while len(self._done) > REMEMBERED:
            self._forget_first()

    def _forget(self, now: float) -> None:
        while self._done and next(iter(self._done.values())).done_at + self._kept_for < now:
            self._forget_first()

    def _forget_first(self) -> None:
        _, delivery = self._done.popitem(last=False)
        self._horizon = max(self._horizon, delivery.signed_at)
