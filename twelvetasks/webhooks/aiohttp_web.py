"""The webhook handler for aiohttp.web applications."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable

from aiohttp import web

from twelvetasks.values.errors import Refusal, WebhookError
from twelvetasks.webhooks.handling import answer
from twelvetasks.webhooks.receiver import Receiver


def aiohttp_handler(receiver: Receiver) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return a handler for a route of an aiohttp.web application, as `add_post` takes.

    It responds with 200 once the event has been handed over, 4xx to a refused request, and 5xx if
    the platform should retry. No middleware before it may read the body.
    """

    async def handle(request: web.Request) -> web.Response:
        def header(name: str) -> str | None:
            return ",".join(request.headers.getall(name, ())) or None

        answered = await answer(receiver, request.method, header, _chunks(request))
        return web.Response(status=answered.status, text=answered.text)

    return handle


async def _chunks(request: web.Request) -> AsyncGenerator[bytes, None]:
    try:
        async for chunk in request.content.iter_any():
            yield chunk
    except (ConnectionError, web.RequestPayloadError):
        raise WebhookError(
            "the connection was lost before its end", refusal=Refusal.TRUNCATED
        ) from None
