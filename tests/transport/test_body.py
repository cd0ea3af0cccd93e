"""Bodies: under a cap, in any pieces, compressed or not, without holding the event loop."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
import attrs
import msgspec
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from tests.conftest import until_no_connection
from tests.transport.raw import (
    EMPTY_PAGE,
    answer,
    bomb,
    count,
    endlessly,
    failure,
    failure_in,
    memory_below,
    raw,
)
from twelvetasks import (
    AuthenticationError,
    ResponseError,
    TaskSession,
)
from twelvetasks.testing import FakePlatform
from twelvetasks.transport import body
from twelvetasks.transport.body import BodyFault, read_body

CAP = 1024 * 1024
PAGE = msgspec.json.encode(
    {
        "data": [{"_id": "a"}],
        "page_info": {"page": 1, "limit_per_page": 1, "total_page": 1, "total_results": 1},
    }
)


def deflated(body: bytes, wbits: int) -> bytes:
    packer = zlib.compressobj(wbits=wbits)
    return packer.compress(body) + packer.flush()


class Response:
    """As much of aiohttp's response as the reading of a body needs: headers and chunks."""

    def __init__(self, encoding: str, *chunks: bytes) -> None:
        self.headers = CIMultiDict({"Content-Encoding": encoding})
        self.content = self
        self.chunks = chunks

    async def iter_any(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            yield chunk


async def body_of(encoding: str, *chunks: bytes, cap: int = CAP) -> bytes | BodyFault:
    return await read_body(Response(encoding, *chunks), cap=cap)  # type: ignore[arg-type]


ENCODED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "identity": bytes,
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZip": gzip.compress,
    "deflate": zlib.compress,
    "deflate ": lambda body: deflated(body, -15),
}


class TestBodies:
    @pytest.mark.parametrize("encoding", ENCODED)
    @given(st.binary(max_size=300), st.integers(0, 300), st.integers(1, 200))
    def test_a_body_is_the_same_in_whatever_pieces_it_comes(
        self, encoding: str, body: bytes, repeated: int, size: int
    ) -> None:
        whole = body * (1 + repeated)
        sent = ENCODED[encoding](whole)
        chunks = [sent[place : place + size] for place in range(0, len(sent), size)]
        assert asyncio.run(body_of(encoding, *chunks)) == whole

    async def test_several_streams_one_after_the_other_are_one_body(self) -> None:
        assert await body_of("gzip", gzip.compress(b"a", mtime=0) + gzip.compress(b"b")) == b"ab"

    @pytest.mark.parametrize("encoding", ENCODED)
    async def test_a_body_of_the_cap_is_read_and_one_byte_more_is_not(self, encoding: str) -> None:
        encode = ENCODED[encoding]
        assert await body_of(encoding, encode(bytes(CAP))) == bytes(CAP)
        assert await body_of(encoding, encode(bytes(CAP + 1))) == BodyFault(
            f"the body is larger than {CAP} bytes"
        )

    @pytest.mark.parametrize(("encoding", "wbits"), [("gzip", 31), ("deflate", 15)])
    async def test_a_bomb_takes_no_more_memory_than_the_cap(
        self, encoding: str, wbits: int
    ) -> None:
        sent = bomb(300, wbits)
        assert len(sent) < 400_000
        with memory_below(3 * CAP):
            assert isinstance(await body_of(encoding, sent), BodyFault)

    async def test_streams_that_never_come_to_anything_are_ended(self) -> None:
        empty = gzip.compress(b"", mtime=0) * 1000
        read = body_of("gzip", *[empty] * 1000, cap=10 * len(empty))
        assert isinstance(await read, BodyFault)

    @pytest.mark.parametrize(
        ("encoding", "sent"),
        [
            ("gzip", gzip.compress(PAGE, mtime=0)[:-1]),
            ("gzip", gzip.compress(PAGE, mtime=0)[:5]),
            ("gzip", PAGE),
            ("gzip", gzip.compress(PAGE, mtime=0) + b"more"),
            ("deflate", zlib.compress(PAGE)[:-1]),
            ("deflate", PAGE),
        ],
    )
    async def test_what_is_cut_or_garbled_is_a_payload_error(
        self, encoding: str, sent: bytes
    ) -> None:
        with pytest.raises(aiohttp.ClientPayloadError):
            await body_of(encoding, sent)

    @pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "x" * 5000, "\x00"])
    async def test_an_encoding_that_was_not_asked_for_is_refused_without_being_quoted(
        self, encoding: str
    ) -> None:
        assert await body_of(encoding, PAGE) == BodyFault(
            "the body comes in a Content-Encoding other than gzip, deflate"
        )


class TestTheCap:
    async def test_a_body_of_exactly_the_cap_is_read(self) -> None:
        async with raw(answer(body=EMPTY_PAGE.ljust(body.MAX_BODY))) as server:
            assert await count(server.base_url) == 0

    async def test_one_byte_more_is_refused(self) -> None:
        text = answer("200 OK", "X-Request-Id: r", body=EMPTY_PAGE.ljust(body.MAX_BODY + 1))
        async with raw(text) as server:
            error = await failure(server.base_url)
        assert type(error) is ResponseError
        assert f"the body is larger than {body.MAX_BODY} bytes" in str(error)
        assert (error.status, error.request_id, error.page) == (200, "r", 1)
        assert len(server.heard) == 1

    async def test_a_body_without_an_end_is_refused_while_it_streams(self) -> None:
        head = answer("200 OK", "Transfer-Encoding: chunked")
        async with raw(endlessly(head, b" " * 65_536)) as server:
            error = await failure(server.base_url)
        assert "the body is larger than" in str(error)

    async def test_what_counts_is_the_size_after_decompression(self) -> None:
        bomb = gzip.compress(EMPTY_PAGE.ljust(body.MAX_BODY + 1))
        assert len(bomb) < 100_000
        async with raw(answer("200 OK", "Content-Encoding: gzip", body=bomb)) as server:
            error = await failure(server.base_url)
        assert "the body is larger than" in str(error)

    async def test_a_compressed_body_without_an_end_is_refused_while_it_streams(self) -> None:
        deflate = zlib.compressobj(wbits=31)
        start = deflate.compress(b" ") + deflate.flush(zlib.Z_FULL_FLUSH)
        more = deflate.compress(b" " * 1_000_000) + deflate.flush(zlib.Z_FULL_FLUSH)
        head = answer("200 OK", "Content-Encoding: gzip", "Transfer-Encoding: chunked")
        async with raw(endlessly(head + b"%x\r\n%b\r\n" % (len(start), start), more)) as server:
            error = await failure(server.base_url)
        assert "the body is larger than" in str(error)

    async def test_a_refusal_above_the_cap_is_still_that_refusal(self) -> None:
        head = answer("401 Unauthorized", "Transfer-Encoding: chunked")
        async with raw(endlessly(head, b" " * 65_536)) as server:
            error = await failure(server.base_url)
        assert type(error) is AuthenticationError
        assert len(server.heard) == 1

    async def test_the_connection_of_a_refused_body_is_closed(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        platform.respond(lambda _: web.Response(body=b" " * (2 * body.MAX_BODY)))
        await failure_in(session)
        await until_no_connection(platform)


@attrs.define
class Watched:
    """What zlib has done since the event loop last turned, and the most of it in any turn."""

    streams: int = 0
    decoded: int = 0
    most_streams: int = 0
    most_decoded: int = 0

    def decompressobj(self, *, wbits: int) -> WatchedStream:
        self.streams += 1
        self.most_streams = max(self.streams, self.most_streams)
        return WatchedStream(self, zlib.decompressobj(wbits=wbits))

    async def turn(self) -> None:
        while True:
            self.streams = self.decoded = 0
            await asyncio.sleep(0)


class WatchedStream:
    """A real decompressor whose output is counted."""

    def __init__(self, watched: Watched, real: Any) -> None:
        self._watched = watched
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def decompress(self, data: bytes, most: int) -> bytes:
        piece: bytes = self._real.decompress(data, most)
        self._watched.decoded += len(piece)
        self._watched.most_decoded = max(self._watched.decoded, self._watched.most_decoded)
        return piece


class TestTheEventLoop:
    """It turns while a body is decoded. A piece may be counted on either side of a turn."""

    @pytest.fixture
    async def watched(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watched]:
        watch = Watched()
        monkeypatch.setattr(
            body,
            "zlib",
            SimpleNamespace(**vars(zlib) | {"decompressobj": watch.decompressobj}),
        )
        turning = asyncio.create_task(watch.turn())
        yield watch
        turning.cancel()
        await asyncio.wait([turning])

    async def test_it_turns_between_the_pieces_of_a_large_body(self, watched: Watched) -> None:
        page = gzip.compress(EMPTY_PAGE.ljust(body.MAX_BODY))
        async with raw(answer("200 OK", "Content-Encoding: gzip", body=page)) as server:
            assert await count(server.base_url) == 0
        assert watched.most_decoded <= 2 * body.PIECE
        assert watched.most_streams == 1

    async def test_it_turns_between_the_streams_of_a_body(self, watched: Watched) -> None:
        page = gzip.compress(b"", mtime=0) * (body.MOST_MEMBERS - 1) + gzip.compress(EMPTY_PAGE)
        async with raw(answer("200 OK", "Content-Encoding: gzip", body=page)) as server:
            assert await count(server.base_url) == 0
        assert watched.most_streams <= 2

    async def test_a_body_of_more_streams_is_refused(self, watched: Watched) -> None:
        page = gzip.compress(b"", mtime=0) * body.MOST_MEMBERS + gzip.compress(EMPTY_PAGE)
        async with raw(answer("200 OK", "Content-Encoding: gzip", body=page)) as server:
            error = await failure(server.base_url)
        assert type(error) is ResponseError
        assert f"the body has more than {body.MOST_MEMBERS} compressed members" in str(error)
        assert watched.most_streams <= 2
        assert len(server.heard) == 1
