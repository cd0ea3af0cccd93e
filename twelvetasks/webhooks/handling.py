"""One webhook request of any framework: read its body, receive it, and choose the response."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus

import attrs

from twelvetasks.values.errors import Refusal, WebhookError
from twelvetasks.webhooks.receiver import Receiver
from twelvetasks.webhooks.signature import check_header

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


async def answer(
    receiver: Receiver,
    method: str,
    header: Callable[[str], str | None],
    chunks: AsyncGenerator[bytes, None],
) -> Reply:
    """Receive a request and return the response; log why a request is refused.

    `header` returns a header by its lower-case name, several of one name joined by commas.
    """
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
        raise WebhookError("it is not sent by POST", refusal=Refusal.WRONG_METHOD)
    if (header("content-encoding") or "identity").strip().lower() != "identity":
        raise WebhookError(
            "its body has a Content-Encoding, which no webhook has", refusal=Refusal.ENCODED
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
        raise WebhookError(
            f"its body has not arrived within {PATIENCE:g} seconds",
            refusal=Refusal.TRUNCATED,
        ) from None
    finally:
        receiver.unverified.give_back(len(body))
        body.clear()  # Else it lives as long as the traceback of a refusal.


def _oversized(receiver: Receiver) -> WebhookError:
    reason = f"its body has more than {receiver.max_bytes} bytes"
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
