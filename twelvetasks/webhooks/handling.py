"""The webhook handlers: they read a request's body, receive it, and choose the response.

The one for ASGI (FastAPI, Starlette and others) is an ASGI application itself, which any framework
can mount or route to, and imports none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
    MutableMapping,
)
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus
from typing import Any

import attrs
from aiohttp import web
from multidict import CIMultiDict, MultiMapping

from twelvetasks.values.errors import Refusal, WebhookError
from twelvetasks.webhooks.receiver import Receiver
from twelvetasks.webhooks.signature import check_header

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_log = logging.getLogger("twelvetasks")

ANSWERS: Mapping[Refusal, HTTPStatus] = {
    Refusal.WRONG_METHOD: HTTPStatus.METHOD_NOT_ALLOWED,
    Refusal.ENCODED: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Refusal.OVERSIZED: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Refusal.TRUNCATED: HTTPStatus.BAD_REQUEST,
    Refusal.UNSIGNED: HTTPStatus.UNAUTHORIZED,
    Refusal.MALFORMED_SIGNATURE: HTTPStatus.BAD_REQUEST,
    Refusal.FORGED: HTTPStatus.UNAUTHORIZED,
    Refusal.STALE: HTTPStatus.UNAUTHORIZED,
    Refusal.MALFORMED: HTTPStatus.BAD_REQUEST,
    Refusal.REPLAYED: HTTPStatus.CONFLICT,
    Refusal.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
    Refusal.UNHEARD: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The HTTP status of the response to each refusal; only 5xx asks the platform to retry."""

PATIENCE = 30.0
"""Seconds in which a body must arrive, because its sender is not verified yet."""


@attrs.frozen
class Reply:
    """The HTTP response to a webhook: its status and its text."""

    status: int
    text: str


def aiohttp_handler(receiver: Receiver) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return a handler for a route of an aiohttp.web application, as `add_post` takes.

    It responds with 200 once the event has been handed over, 4xx to a refused request, and 5xx if
    the platform should retry. No middleware before it may read the body.
    """

    async def handle(request: web.Request) -> web.Response:
        chunks = _aiohttp_chunks(request)
        answered = await answer(receiver, request.method, request.headers, chunks)
        return web.Response(status=answered.status, text=answered.text)

    return handle


async def _aiohttp_chunks(request: web.Request) -> AsyncGenerator[bytes, None]:
    try:
        async for chunk in request.content.iter_any():
            yield chunk
    except (ConnectionError, web.RequestPayloadError):
        raise _lost() from None


class _AsgiHandler:
    # An object, because a route of Starlette would treat a function as an endpoint.
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"webhooks come by http, not by {scope['type']}")
        sent = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        ]
        headers, chunks = CIMultiDict(sent), _asgi_chunks(receive)
        answered = await answer(self._receiver, scope["method"], headers, chunks)
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


async def _asgi_chunks(receive: Receive) -> AsyncGenerator[bytes, None]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _lost()
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


async def answer(
    receiver: Receiver,
    method: str,
    headers: MultiMapping[str],
    chunks: AsyncGenerator[bytes, None],
) -> Reply:
    """Receive a request and return the response; log why a request is refused."""

    def header(name: str) -> str | None:
        return ",".join(headers.getall(name, ())) or None

    try:
        async with aclosing(chunks):
            body = await _read(receiver, method, header, chunks)
        await receiver.receive(body, header("tl-signature"))
    except WebhookError as error:
        # As text: the traceback of an error that a log handler keeps would keep the body.
        _log.warning("a webhook was refused (%s): %s", error.refusal, str(error))
        return Reply(ANSWERS[error.refusal], error.refusal)
    except Exception:  # noqa: BLE001 - whatever it was, the platform must retry
        _log.exception("a webhook could not be handed over; the platform is asked to retry")
        return Reply(HTTPStatus.INTERNAL_SERVER_ERROR, "not handed over")
    return Reply(HTTPStatus.OK, "ok")


async def _read(
    receiver: Receiver,
    method: str,
    header: Callable[[str], str | None],
    chunks: AsyncGenerator[bytes, None],
) -> bytes:
    if method != "POST":
        raise WebhookError("the request is not sent by POST", refusal=Refusal.WRONG_METHOD)
    if (header("content-encoding") or "identity").strip().lower() != "identity":
        raise WebhookError(
            "the request has a Content-Encoding, which no webhook has", refusal=Refusal.ENCODED
        )
    # Before the body is read: an unsigned request takes no memory.
    check_header(header("tl-signature"))
    length = header("content-length") or ""
    if length.isdecimal() and (len(length) > 15 or int(length) > receiver.max_bytes):
        raise _oversized(receiver)
    body = bytearray()
    try:
        async with _time_limit(PATIENCE):
            async for chunk in chunks:
                if len(body) + len(chunk) > receiver.max_bytes:
                    raise _oversized(receiver)
                if not receiver.unverified.take(len(body), len(body) + len(chunk)):
                    reason = "other large bodies, not verified either, take the memory"
                    raise WebhookError(reason, refusal=Refusal.BUSY)
                body += chunk
        return bytes(body)
    except TimeoutError:
        reason = f"the request's body has not arrived within {PATIENCE:g} seconds"
        raise WebhookError(reason, refusal=Refusal.TRUNCATED) from None
    finally:
        receiver.unverified.give_back(len(body))
        body.clear()  # Else it lives as long as the traceback of a refusal.


def _lost() -> WebhookError:
    reason = "the connection was lost before the request's end"
    return WebhookError(reason, refusal=Refusal.TRUNCATED)


def _oversized(receiver: Receiver) -> WebhookError:
    reason = f"the request's body has more than {receiver.max_bytes} bytes"
    return WebhookError(reason, refusal=Refusal.OVERSIZED)


@asynccontextmanager
async def _time_limit(seconds: float) -> AsyncIterator[None]:
    """Raise TimeoutError in the block after so long, under asyncio or trio."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        import trio  # noqa: PLC0415 - without an asyncio loop, the server runs under trio

        with trio.move_on_after(seconds) as scope:
            yield
        if scope.cancelled_caught:
            raise TimeoutError from None
    else:
        async with asyncio.timeout(seconds):
            yield
