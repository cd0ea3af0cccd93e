"""`Receiver`: takes signed requests, and hands each event over once.

It knows no web framework; `handling` has what the handlers for aiohttp.web and ASGI share. Several
threads and event loops may use one receiver: a lock guards what they share, and no call out of it,
nor an `await`, happens under the lock.
"""

from __future__ import annotations

import inspect
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Protocol

from twelvetasks.values.checks import check_seconds, refuse, whole_number
from twelvetasks.values.errors import Refusal, WebhookError
from twelvetasks.values.events import Event
from twelvetasks.values.secret import Secret
from twelvetasks.values.uncopied import Uncopied
from twelvetasks.webhooks.allowance import Allowance
from twelvetasks.webhooks.deliveries import Deliveries
from twelvetasks.webhooks.reading import read_event
from twelvetasks.webhooks.signature import TOLERANCE, read_secrets, verify

MAX_BYTES = 1 << 20
"""Bytes of a body: far more than an event has."""

OnEvent = Callable[[Event], Awaitable[None] | None]
"""Called, or awaited, with each event. If it raises, the platform retries."""

_NOT_SYNC = "must be a plain function for receive_sync, not an async one; or await receive"


class Listener(Protocol):
    """The part of a watch that a receiver needs."""

    def announce(self, event: Event) -> None:
        """Poll soon for what the event says; any thread may call it."""
        ...


class Receiver(Uncopied):
    """Takes the platform's webhooks: verifies them, and hands each event over once.

    - `secret`: the secret of the webhook, or several while it is being changed.
    - `on_event`: called, or awaited, with each event; None if only watches are to be notified, see
      ``TaskSession.watch(webhooks=receiver)``. The platform waits for it: keep it short.
    - `tolerance`: how many seconds the time of signing may differ from now; 300 by default.
    - `max_bytes`: the size of the largest body that is read; 1 MiB by default.
    - `clock`: gives the seconds since 1970.

    Put it into an application with `aiohttp_handler` or `asgi_handler`, or call `receive`, or from
    synchronous code `receive_sync`. Any thread and any event loop may do so, also beside a watch
    that runs in another one::

        from aiohttp import web

        receiver = twelvetasks.webhooks.Receiver("whsec_...", on_event=print)
        app = web.Application()
        app.router.add_post("/webhooks", twelvetasks.webhooks.aiohttp_handler(receiver))

    An event counts as handed over once `on_event` has returned; if it raises, the platform is asked
    to try again. A retry of an event that has been handed over is accepted and not handed over
    again; a later time of signing identifies it. The same signed bytes once more are a replay and
    are refused. For this the receiver remembers up to 50,000 events of the last day, in this
    process: a replay to another process, or after a restart, is recognised by its age alone.

    Raises InvalidArgumentError, which does not show the secret, for a bad argument.
    """

    _why_uncopied = "share it, since a copy would hand over events again"

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
        self._lock = threading.Lock()
        self.unverified: Allowance = Allowance()
        self._listeners: weakref.WeakSet[Listener] = weakref.WeakSet()

    async def receive(self, body: bytes, signature_header: str | None) -> Event:
        """Verify a request, hand its event over unless that has been done, and return the event.

        `body`: the bytes as they arrived. `signature_header`: its ``TL-Signature``, or None.

        Raises WebhookError, with its `refusal`, if the request is refused, and what `on_event`
        raises. A call that is cancelled does not count as having handed over the event.
        """
        with self._delivery(body, signature_header) as (event, is_new):
            if is_new:
                result = self._hand_over(event)
                if inspect.isawaitable(result):
                    await result
        return event

    def receive_sync(self, body: bytes, signature_header: str | None) -> Event:
        """Do what `receive` does, without an event loop; `on_event` must not be async.

        In Flask::

            from flask import Flask, request

            app = Flask(__name__)
            receiver = twelvetasks.webhooks.Receiver("whsec_...", on_event=print)

            @app.post("/webhooks")
            def webhook():
                receiver.receive_sync(request.get_data(), request.headers.get("TL-Signature"))
                return "ok"

        In Django pass ``request.body`` and ``request.headers.get("TL-Signature")``, and exempt the
        view from CSRF checks. In AWS Lambda pass ``base64.b64decode(event["body"])`` if
        ``event["isBase64Encoded"]``, else ``event["body"].encode()``; an API Gateway with payload
        format 2.0 gives the header as ``event["headers"].get("tl-signature")``.

        Raises InvalidArgumentError for an async `on_event`; else what `receive` raises. Answer a
        WebhookError with ``twelvetasks.webhooks.ANSWERS[error.refusal]``, an HTTP status.
        """
        if inspect.iscoroutinefunction(self._on_event):
            refuse("on_event", self._on_event, _NOT_SYNC)
        with self._delivery(body, signature_header) as (event, is_new):
            if is_new and inspect.isawaitable(result := self._hand_over(event)):
                if inspect.iscoroutine(result):
                    result.close()  # else Python warns that it was never awaited
                refuse("on_event", self._on_event, _NOT_SYNC)
        return event

    def attach(self, listener: Listener) -> None:
        """Announce each event to a watch, too, until it is detached or garbage-collected."""
        with self._lock:
            self._listeners.add(listener)

    def detach(self, listener: Listener) -> None:
        """Stop announcing events to a watch."""
        with self._lock:
            self._listeners.discard(listener)

    @contextmanager
    def _delivery(
        self, body: bytes, signature_header: str | None
    ) -> Generator[tuple[Event, bool], None, None]:
        """Yield a verified event, and whether it is new; leaving without an error delivers it."""
        now = self._clock()
        signed_at = verify(body, signature_header, self._secrets, self.tolerance, clock=lambda: now)
        event = read_event(body)
        with self._lock:
            is_new = self._deliveries.begin(event.id, signed_at, now)
        delivered = False
        try:
            yield event, is_new
            delivered = True
        finally:
            if is_new:
                with self._lock:
                    self._deliveries.end(event.id, signed_at, delivered=delivered)

    def _hand_over(self, event: Event) -> Awaitable[None] | None:
        with self._lock:
            listeners = tuple(self._listeners)
        if self._on_event is None and not listeners:
            raise WebhookError(
                "nothing is listening for the request's event",
                refusal=Refusal.UNHEARD,
                advice="Give the Receiver an on_event, or to session.watch(webhooks=receiver)",
            )
        for listener in listeners:
            listener.announce(event)
        return None if self._on_event is None else self._on_event(event)
