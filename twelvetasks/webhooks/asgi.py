"""The webhook handler for ASGI applications (FastAPI, Starlette and others).

It is an ASGI application itself, which any framework can mount or route to, and imports none.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from typing import Any

from twelvetasks.values.errors import Refusal, WebhookError
from twelvetasks.webhooks.handling import answer
from twelvetasks.webhooks.receiver import Receiver

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class _AsgiHandler:
    # An object, because a route of Starlette would treat a function as an endpoint.
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"webhooks come by http, not by {scope['type']}")
        headers: list[tuple[bytes, bytes]] = list(scope["headers"])

        def header(name: str) -> str | None:
            wanted = name.encode()
            values = [value.decode("latin-1") for key, value in headers if key == wanted]
            return ",".join(values) or None

        answered = await answer(self._receiver, scope["method"], header, _chunks(receive))
        body = answered.text.encode()
        await send(
            {
                "type": "http.response.start",
                "status": int(answered.status),
                "headers": [
                    (b"content-type", b"text/plain; charset=utf-8"),
                    (b"content-length", str(len(body)).encode()),
                ],
            }
        )
        await send({"type": "http.response.body", "body": body})


def asgi_handler(receiver: Receiver) -> Callable[[Message, Receive, Send], Awaitable[None]]:
    """Return an ASGI application: mount it in FastAPI or Starlette, or add it as a route.

    It responds with 200 once the event has been handed over, 4xx to a refused request, and 5xx if
    the platform should retry. No middleware before it may read the body.
    """
    return _AsgiHandler(receiver)


async def _chunks(receive: Receive) -> AsyncGenerator[bytes, None]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise WebhookError("the connection was lost before its end", refusal=Refusal.TRUNCATED)
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return
