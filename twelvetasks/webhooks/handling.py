"""One webhook request of any framework: read its body, receive it, and choose the response."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus

import attrs

from twelvetasks.values.errors import Refusal, WebhookError
from twelvetasks.webhooks.receiver import Receiver
from twelvetasks.webhooks.refusals import ANSWERS, refused
from twelvetasks.webhooks.signature import check_header

_log = logging.getLogger("twelvetasks")

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
        raise refused(Refusal.WRONG_METHOD, "it is not sent by POST")
    if (header("content-encoding") or "identity").strip().lower() != "identity":
        raise refused(Refusal.ENCODED, "its body has a Content-Encoding, which no webhook has")
    # Before the body is read: an unsigned request takes no memory.
    check_header(header("tl-signature"))
    length = header("content-length") or ""
    body = bytearray()
    is_over = length.isdecimal() and (len(length) > 15 or int(length) > receiver.max_bytes)
    try:
        async with _time_limit(PATIENCE):
            while not is_over and (chunk := await anext(chunks, None)) is not None:
                is_over = len(body) + len(chunk) > receiver.max_bytes
                if is_over:
                    break
                if not receiver.unverified.take(len(body), len(body) + len(chunk)):
                    raise refused(
                        Refusal.BUSY, "other large bodies, not verified either, take the memory"
                    )
                body += chunk
        if is_over:
            raise refused(Refusal.OVERSIZED, f"its body has more than {receiver.max_bytes} bytes")
        return bytes(body)
    except TimeoutError:
        raise refused(
            Refusal.TRUNCATED, f"its body has not arrived within {PATIENCE:g} seconds"
        ) from None
    finally:
        receiver.unverified.give_back(len(body))
        body.clear()  # Else it lives as long as the traceback of a refusal.


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
