"""Reading a response body under a cap, on the wire and decoded, without holding the event loop.

gzip and deflate are decoded here, because aiohttp reports a gzip body that is cut off as whole, and
bounds the number of members in one only from version 3.14.4 on. Requests must therefore be sent
with `auto_decompress=False` and with `ACCEPTED`.
"""

from __future__ import annotations

import asyncio
import zlib

import aiohttp
import attrs

ACCEPTED = "gzip, deflate"
"""The value of the header ``Accept-Encoding``."""

MAX_BODY = 16 * 1024 * 1024
"""Bytes of a body, on the wire or decoded, above which it is refused."""

PIECE = 64 * 1024
"""Bytes that are decoded in one turn of the event loop."""

MOST_MEMBERS = 1024
"""Compressed streams in one body. A server sends one; each costs a turn of the event loop."""

PLAIN = ("", "identity")
GZIP = ("gzip", "x-gzip")
DEFLATE = ("deflate",)


@attrs.frozen
class BodyFault:
    """Why a body was refused, without any text of the server."""

    reason: str


async def read_body(response: aiohttp.ClientResponse, *, cap: int = MAX_BODY) -> bytes | BodyFault:
    """Read a whole body and decode it; return a fault as soon as it exceeds `cap` bytes.

    Holds at most the cap and one piece in memory, at any ratio of compression. Raises
    `aiohttp.ClientPayloadError`, as aiohttp does, for a body that is cut short or garbled.
    """
    encoding = ", ".join(response.headers.getall("Content-Encoding", ())).strip().lower()
    if encoding not in (*PLAIN, *GZIP, *DEFLATE):
        return BodyFault(f"the body comes in a Content-Encoding other than {ACCEPTED}")
    decoder = None if encoding in PLAIN else _Decoder(gzip=encoding in GZIP)
    body: bytes | bytearray = b""
    received = 0
    async for chunk in response.content.iter_any():
        received += len(chunk)
        if decoder is None:
            body = _joined(body, chunk)
        else:
            body = _joined(body, decoder.decode(chunk))
            while decoder.has_more and decoder.members <= MOST_MEMBERS and len(body) <= cap:
                await asyncio.sleep(0)
                body = _joined(body, decoder.decode())
            if decoder.members > MOST_MEMBERS:
                return BodyFault(f"the body has more than {MOST_MEMBERS} compressed members")
        if max(received, len(body)) > cap:
            return BodyFault(f"the body is larger than {cap} bytes")
    if received and decoder is not None and not decoder.ended:
        raise aiohttp.ClientPayloadError("the compressed body ends too early")
    return bytes(body)


def _joined(body: bytes | bytearray, piece: bytes) -> bytes | bytearray:
    """Append a piece; one that is the whole body, as most are, is not copied."""
    if not body:
        return piece
    body = body if isinstance(body, bytearray) else bytearray(body)
    body += piece
    return body


class _Decoder:
    """Decodes a gzip or deflate stream, or several one after the other (RFC 1952, section 2.2)."""

    def __init__(self, *, gzip: bool) -> None:
        self.members = 0
        """Streams begun so far."""
        self.has_more = False
        """Whether `decode` must be called again before more input is given to it."""
        self._gzip = gzip
        self._rest = b""
        self._member: zlib._Decompress | None = None

    @property
    def ended(self) -> bool:
        """Whether the body may end here."""
        return self._member is not None and self._member.eof

    def decode(self, data: bytes = b"") -> bytes:
        """Decode the next piece, which ends at the latest with a member."""
        data = self._rest + data
        if self._member is None or self._member.eof:
            self._member = zlib.decompressobj(wbits=self._window_bits(data))
            self.members += 1
        try:
            piece = self._member.decompress(data, PIECE)
        except zlib.error:
            raise aiohttp.ClientPayloadError("the compressed body is garbled") from None
        if self._member.eof:
            self._rest = self._member.unused_data
            self.has_more = bool(self._rest)
        else:
            self._rest = self._member.unconsumed_tail
            # zlib may also hold back output of input that it has consumed.
            self.has_more = bool(self._rest) or len(piece) == PIECE
        return piece

    def _window_bits(self, data: bytes) -> int:
        """Choose zlib's format. Some servers send ``deflate`` without the zlib header it needs."""
        if self._gzip:
            return zlib.MAX_WBITS | 16
        has_header = data[:1] and data[0] & 0x0F == zlib.DEFLATED
        return zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS
