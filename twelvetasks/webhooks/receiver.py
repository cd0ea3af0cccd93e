"""`Receiver`: takes signed requests, and hands each event over once.

It knows no web framework: `answer` is what the handlers for aiohttp.web and ASGI have in common.
"""

from __future__ import annotations

import inspect
import logging
import time
import weakref
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from twelvetasks.values.checks import check_seconds, refuse, whole_number
from twelvetasks.values.errors import Refusal
from twelvetasks.values.events import Event
from twelvetasks.values.secret import Secret
from twelvetasks.webhooks.deliveries import Deliveries
from twelvetasks.webhooks.reading import read_event
from twelvetasks.webhooks.refusals import refused
from twelvetasks.webhooks.signature import TOLERANCE, read_secrets, verify

__all__ = ["Listener", "OnEvent", "Receiver"]

_log = logging.getLogger("twelvetasks")

MAX_BYTES = 1 << 20
"""Bytes of a body: far more than an event has."""

OnEvent = Callable[[Event], Awaitable[None] | None]
"""Called, or awaited, with each event. What it raises lets the platform try again."""


class Listener(Protocol):
    """What a watch is to a receiver."""

    def announce(self, event: Event) -> None:
        """Look at once for what the event tells."""
        ...


class Receiver:
    """Takes the platform's webhooks: verifies them, and hands each event over once.

    `secret`: the secret of the webhook, or several while it is being changed.
    `on_event`: called, or awaited, with each event; None if only watches are to be told, see
    ``TaskSession.watch(webhooks=receiver)``. The platform waits for it: keep it short.
    `tolerance`: how many seconds the time of signing may be away from now.
    `max_bytes`: the size of the largest body that is read.
    `clock`: gives the seconds since 1970.

    An event counts as handed over once `on_event` has returned; if it raises, the platform is told
    to try again. A retry of an event that has been handed over is accepted and not handed over
    again; it is known by a later time of signing. The same signed bytes once more are a replay and
    are refused. For this the receiver remembers the last 10,000 events of a day, in this process:
    a replay to another process, or after a restart, is recognised by its age alone.

    Raises InvalidArgumentError, which does not show the secret, for arguments that make no sense.
    """

    def __init__(
        self,
        secret: str | Iterable[str],
        on_event: OnEvent | None = None,
        *,
        tolerance: float = TOLERANCE,
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        # Rebound before anything is refused: a traceback that shows locals must not show it.
        secret, fault = read_secrets(secret)
        if fault:
            refuse("secret", Secret(), fault)
        if on_event is not None and not callable(on_event):
            refuse("on_event", on_event, "must be something to call, or None")
        check_seconds("tolerance", tolerance)
        self.max_bytes: int = whole_number("max_bytes", max_bytes, least=1)
        self.tolerance = tolerance
        self._secrets = secret
        self._on_event = on_event
        self._clock = clock
        self._deliveries = Deliveries(tolerance)
        self._listeners: weakref.WeakSet[Listener] = weakref.WeakSet()

    async def receive(self, body: bytes, signature_header: str | None) -> Event:
        """Verify a request, hand its event over unless that has been done, and give the event.

        `body`: the bytes as they arrived. `signature_header`: its ``TL-Signature``, or None.

        Raises WebhookError, with its `refusal`, if it is refused, and what `on_event` raises. When
        it is cancelled, the event does not count as handed over.
        """
        now = self._clock()
        signed_at = verify(body, signature_header, self._secrets, self.tolerance, clock=lambda: now)
        event = read_event(body)
        if self._deliveries.begin(event.id, signed_at, now):
            delivered = False
            try:
                await self._hand_over(event)
                delivered = True
            finally:
                self._deliveries.end(event.id, signed_at, now, delivered=delivered)
        return event

    def attach(self, listener: Listener) -> None:
        """Announce each event to a watch, too, for as long as there is one."""
        self._listeners.add(listener)

    def detach(self, listener: Listener) -> None:
        """Announce nothing more to it."""
        self._listeners.discard(listener)

    async def _hand_over(self, event: Event) -> None:
        listeners = tuple(self._listeners)
        if self._on_event is None and not listeners:
            raise refused(
                Refusal.UNHEARD,
                "there is nobody to hand its event over to",
                advice="Give the Receiver an on_event, or to session.watch(webhooks=receiver)",
            )
        for listener in listeners:
            listener.announce(event)
        if self._on_event is not None:
            told = self._on_event(event)
            if inspect.isawaitable(told):
                await told
