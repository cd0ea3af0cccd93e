"""Reading a body under a cap: on the wire, and after decompression, while it streams.

The encodings are undone here, not in aiohttp: how much that decompresses at once is bounded only in
its newest versions, and it takes on more encodings as soon as their libraries are installed. So
whoever reads bodies has to request them with `auto_decompress=False` and to send `ACCEPTED`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Protocol

import aiohttp
import attrs

__all__ = ["ACCEPTED", "BodyFault", "read_body"]

ACCEPTED = "gzip, deflate"
"""The value of the header ``Accept-Encoding``."""

PIECE = 64 * 1024
"""Bytes that are decompressed at once."""


@attrs.frozen
class BodyFault:
    """Why a body was not used. It holds nothing that the other side has said."""

    reason: str


async def read_body(response: aiohttp.ClientResponse, *, cap: int) -> bytes | BodyFault:
    """Read a whole body, or give the fault as soon as there are more than `cap` bytes of it.

    Holds no more than the cap and a piece, however small the body is on the wire. Raises
    `aiohttp.ClientPayloadError` for one that is cut short or garbled, as aiohttp itself does.
    """
    encoding = ", ".join(response.headers.getall("Content-Encoding", ())).strip().lower()
    decoder = _decoder(encoding)
    if decoder is None:
        return BodyFault(f"the body comes in a Content-Encoding other than {ACCEPTED}")
    body = bytearray()
    received = 0
    async for chunk in response.content.iter_any():
        # Counted as well, for a stream of empty members goes on and on and comes to nothing.
        received += len(chunk)
        for piece in decoder.feed(chunk):
            body += piece
            if len(body) > cap:
                break
        if max(received, len(body)) > cap:
            return BodyFault(f"the body is larger than {cap} bytes")
    if received and not decoder.whole:
        raise aiohttp.ClientPayloadError("the compressed body ends too early")
    return bytes(body)


class _Decoder(Protocol):
    @property
    def whole(self) -> bool:
        """Whether the body may end here."""
        ...

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decode what has come, piece by piece."""
        ...


def _decoder(encoding: str) -> _Decoder | None:
    if encoding in ("", "identity"):
        return _Plain()
    if encoding in ("gzip", "x-gzip", "deflate"):
        return _Members(zipped=encoding != "deflate")
    return None


class _Plain:
    """A body as it is."""

    whole = True

    def feed(self, data: bytes) -> Iterator[bytes]:
        yield data


class _Members:
    """A gzip or deflate stream, or several one after the other."""

    def __init__(self, *, zipped: bool) -> None:
        self._zipped = zipped
        self._member: zlib._Decompress | None = None

    @property
    def whole(self) -> bool:
        return self._member is not None and self._member.eof

    def feed(self, data: bytes) -> Iterator[bytes]:
        piece = b""
        # zlib may hold back a rest of what it has taken in when a piece comes out full.
        while data or len(piece) == PIECE:
            if self._member is None or self._member.eof:
                if not data:
                    return
                self._member = zlib.decompressobj(wbits=self._window_bits(data[0]))
            try:
                piece = self._member.decompress(data, PIECE)
            except zlib.error:
                raise aiohttp.ClientPayloadError("the compressed body is garbled") from None
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            yield piece

    def _window_bits(self, first: int) -> int:
        """Choose zlib's format: some servers send ``deflate`` without the header it needs."""
        if self._zipped:
            return zlib.MAX_WBITS | 16
        return zlib.MAX_WBITS if first & 0x0F == zlib.DEFLATED else -zlib.MAX_WBITS
