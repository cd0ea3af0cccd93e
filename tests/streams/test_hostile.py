"""A server that lies, floods, drips or sends rubbish: a typed error or the right result, soon.

Answers damaged on the wire are in tests/transport/test_client.py, bodies in test_body.py, and pages
that cannot be true in tests/paging/test_page_checks.py; here are whole listings and their cost in
memory and requests.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import web

from tests.conftest import until_no_connection
from tests.transport.raw import Behaviour, answer, bomb, endlessly, memory_below, raw
from twelvetasks import (
    Consistency,
    ListingDriftError,
    RateLimitedError,
    ResponseError,
    TaskSession,
    TransportError,
    TwelveTasksError,
)
from twelvetasks.testing import FakePlatform

MIB = 1024 * 1024
PAGE = msgspec.json.encode(
    {
        "data": [{"_id": "a"}],
        "page_info": {"page": 1, "limit_per_page": 1, "total_page": 1, "total_results": 1},
    }
)


def page(**changes: Any) -> bytes:
    """Write page 1 with two tasks, changed: `data`, or a field of `page_info`."""
    data = [{"_id": "a"}, {"_id": "b"}]
    info = {"page": 1, "limit_per_page": 50, "total_page": 1, "total_results": 2}
    body = {"data": changes.pop("data", data), "page_info": info | changes}
    return msgspec.json.encode(body)


DEEP = b"[" * 100_000 + b"]" * 100_000  # deeper than any Python reads
RUBBISH: dict[str, bytes] = {
    "nothing": b"",
    "HTML": b"<!DOCTYPE html><html><body>Sign in to the network</body></html>",
    "half a page": page()[:-9],
    "two pages": page() * 2,
    "a byte order mark": b"\xef\xbb\xbf" + page(),
    "another character set": page().decode().encode("utf-16"),
    "no object": b'"tasks"',
    "a number beyond all": page().replace(b'"total_results":2', b'"total_results":' + b"9" * 5000),
    "not a number": page().replace(b'"total_results":2', b'"total_results":NaN'),
    "half a character": page(data=[{"_id": "@"}]).replace(b"@", b"\\ud800"),
    "a hundred thousand levels": b"[" * 100_000,
    "a deep id": page(data=[{"_id": "@"}]).replace(b'"@"', DEEP),
    "a deep unknown field": page(data=[{"_id": "a", "x": "@"}]).replace(b'"@"', DEEP),
    "deep page_info": page(x="@").replace(b'"@"', DEEP),
    "a task that is a list": page(data=[["_id"]]),
    "a task that is null": page(data=[None, None]),
    "an id that is a number": page(data=[{"_id": 1}]),
    "a time that is a number": page(data=[{"_id": "a", "created_at": 1654750200}]),
    "a time before all": page(data=[{"_id": "a", "created_at": "0001-01-01T00:00:00+09:00"}]),
    "a time after all": page(data=[{"_id": "a", "created_at": "9999-12-31T23:59:59-09:00"}]),
    "a time of a megabyte": page(data=[{"_id": "a", "created_at": "2" * 1_000_000}]),
    "a status that is a list": page(data=[{"_id": "a", "status": ["ready"]}]),
    "tasks that are an object": page(data={"a": 1}),
    "no page_info": b'{"data": []}',
    "page_info null": b'{"data": [], "page_info": null}',
    "page_info empty": b'{"data": [], "page_info": {}}',
    "page_info a list": b'{"data": [], "page_info": [1, 50, 1, 2]}',
    "a total that is text": page(total_results="2"),
    "a total that is no whole number": page(total_results=2.5),
    "a total that is true": page(total_results=True),
    "a negative total": page(total_results=-2),
    "a negative number of pages": page(total_page=-1),
    "a billion pages of two tasks": page(total_page=10**9),
    "no pages of two tasks": page(total_page=0),
    "another page": page(page=2),
    "another page limit": page(limit_per_page=10),
    "more tasks than any number": page(total_results=1e300, total_page=2e298),
    "more tasks than were asked for": page(
        data=[{"_id": f"{number}"} for number in range(10_000)],
        total_results=10_000,
        total_page=200,
    ),
    "one task twice": page(data=[{"_id": "a"}, {"_id": "a"}]),
    "tasks out of order": page(
        data=[
            dict.fromkeys(("created_at", "updated_at"), "2024-01-01T00:00:00Z") | {"_id": "a"},
            dict.fromkeys(("created_at", "updated_at"), "2024-01-02T00:00:00Z") | {"_id": "b"},
        ]
    ),
}

READABLE = {
    *("a byte order mark", "another character set"),
    *("a total that is text", "a negative number of pages"),
}
"""What is listed with ``exact=True``, too: nothing is in doubt."""

LISTED = READABLE | {
    *("no page_info", "page_info null", "page_info empty", "page_info a list"),
    *("a billion pages of two tasks", "no pages of two tasks", "another page limit"),
}
"""What is listed as it is without ``exact``."""

REPEATED = {
    *("half a character", "another page", "one task twice", "tasks out of order"),
    *("more tasks than any number", "more tasks than were asked for", "a billion billion tasks"),
    *("a total that is no whole number", "a total that is true", "a negative total"),
    *("a total of none for two tasks", "a total of three for two tasks"),
}
"""What would be listed without ``exact``, if not every page were the same."""

MALFORMED_TASKS = {
    *("a task that is a list", "a task that is null", "an id that is a number"),
    *("a time that is a number", "a time before all", "a time after all", "a time of a megabyte"),
    "a status that is a list",
}
"""What has a total, whatever the tasks are."""


@pytest.mark.parametrize("name", RUBBISH)
async def test_an_answer_that_is_no_page_is_a_response_error(
    platform: FakePlatform, session: TaskSession, name: str
) -> None:
    body = RUBBISH[name]
    platform.respond(lambda _: web.Response(body=body, headers={"X-Request-Id": "r-1"}))
    for whole in (session.tasks(), session.tasks(exact=True), session.tasks(sort_by="updated_at")):
        exact = "exact" in repr(whole)
        if name in (READABLE if exact else LISTED):
            assert len(await whole) == (0 if "page_info" in name else 2)
            continue
        with pytest.raises(ResponseError) as caught:
            await whole
        # A walk begins at page 1, and gives up at the third page that brings nothing new.
        assert caught.value.page in ((1,) if exact or name not in REPEATED else (3, 4))
        assert caught.value.checkpoint is not None
        assert len(str(caught.value)) < 1000
    assert len(platform.requests) <= 3 * 5


@pytest.mark.parametrize("name", sorted(RUBBISH.keys() - LISTED - REPEATED - MALFORMED_TASKS))
async def test_nor_is_it_counted_or_taken_for_the_first_task(
    platform: FakePlatform, session: TaskSession, name: str
) -> None:
    platform.respond(lambda _: web.Response(body=RUBBISH[name]))
    for request in (session.tasks().count(), session.tasks().first()):
        with pytest.raises(ResponseError):
            await request


async def count_at(said: bytes | Behaviour, *, seconds: float = 20.0) -> int:
    """Count the tasks of a server that says this to every request."""
    async with (
        raw(said) as server,
        TaskSession("tlk", base_url=server.base_url, timeout=seconds) as session,
    ):
        return await session.tasks().count()


ENCODINGS: dict[str, tuple[str, bytes]] = {
    "gzip that is none": ("gzip", PAGE),
    "gzip that is cut": ("gzip", gzip.compress(PAGE)[:-9]),
    "gzip that is not said to be": ("identity", gzip.compress(PAGE)),
    "deflate that is none": ("deflate", PAGE),
    "brotli": ("br", b"\x8b\x02\x80{}\x03"),
    "gzip twice": ("gzip, gzip", gzip.compress(gzip.compress(PAGE))),
    "an encoding of its own": ("rot13", b"{}"),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_a_wrong_content_encoding_is_a_typed_error(encoding: str) -> None:
    name, body = ENCODINGS[encoding]
    with pytest.raises((ResponseError, TransportError)):
        await count_at(answer("200 OK", f"Content-Encoding: {name}", body=body))


async def test_a_bomb_over_the_wire_takes_little_memory() -> None:
    sent = bomb(400)
    with memory_below(64 * MIB), pytest.raises(ResponseError, match="larger than"):
        await count_at(answer("200 OK", "Content-Encoding: gzip", body=sent))


@pytest.mark.parametrize("length", [10**4, 10**9, 10**15, 10**30])
async def test_a_length_is_believed_only_as_far_as_it_comes(length: int) -> None:
    with memory_below(16 * MIB), pytest.raises(TransportError):
        await count_at(answer(body=PAGE, length=length))


async def test_a_head_without_an_end_is_a_transport_error() -> None:
    async def headers(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-Filler: %b\r\n" % (b"a" * 1000) * 64)
            await writer.drain()

    with memory_below(64 * MIB), pytest.raises(TransportError):
        await count_at(headers, seconds=2.0)


async def test_answers_that_only_announce_an_answer_are_a_timeout() -> None:
    async def promises(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0)

    with memory_below(64 * MIB), pytest.raises(TransportError):
        await count_at(promises, seconds=0.2)


async def test_a_refusal_without_an_end_is_still_that_refusal() -> None:
    head = answer("404 Not Found", "Transfer-Encoding: chunked")
    with memory_below(64 * MIB), pytest.raises(TwelveTasksError) as caught:
        await count_at(endlessly(head, b'{"code": "' + b"a" * 65_536))
    assert caught.value.status == 404


@pytest.mark.parametrize(
    "wait", ["9" * 5000, "1e999", "-1", "nan", "inf", "٣", "Fri, 99 Foo 99999 99:99:99 GMT"]
)
async def test_a_wait_that_no_clock_knows_is_survived(
    platform: FakePlatform, session: TaskSession, wait: str
) -> None:
    for name in ("X-Ratelimit-Reset", "X-RateLimit-Request-Reset", "X-Ratelimit-Remaining"):
        headers = {"Retry-After": wait, name: wait}
        platform.respond(lambda _, headers=headers: web.Response(status=429, headers=headers))  # type: ignore[misc]
        with pytest.raises(RateLimitedError):
            await session.tasks().count()


def answering(page_of: Callable[[int, int], dict[str, Any]]) -> Callable[[web.Request], Any]:
    """Answer with what a function makes of page and page limit."""

    def respond(request: web.Request) -> web.Response:
        asked = int(request.query["page"]), int(request.query["page_limit"])
        return web.json_response(page_of(*asked))

    return respond


def made(page: int, limit: int, total: int, ids: range, prefix: str = "t") -> dict[str, Any]:
    return {
        "data": [{"_id": f"{prefix}{number}"} for number in ids],
        "page_info": {
            "page": page,
            "limit_per_page": limit,
            "total_page": -(-total // limit),
            "total_results": total,
        },
    }


@asynccontextmanager
async def liar(page_of: Callable[[int, int], dict[str, Any]]) -> AsyncIterator[TaskSession]:
    """Open a session with a platform that makes up its pages, and bound what it comes to."""
    async with FakePlatform() as platform:
        platform.respond(answering(page_of))
        async with (
            asyncio.timeout(60),
            TaskSession(platform.api_key, base_url=platform.base_url) as session,
        ):
            yield session
        await until_no_connection(platform)
        assert len(platform.requests) < 500


async def test_a_listing_without_an_end_costs_what_is_read_of_it() -> None:
    total = 5 * 10**10

    def endless(page: int, limit: int) -> dict[str, Any]:
        return made(page, limit, total, range((page - 1) * limit, page * limit))

    async with liar(endless) as session:
        assert await session.tasks().count() == total
        assert len(await session.tasks(max_items=1000)) == 1000
        with memory_below(16 * MIB):
            async with session.tasks() as stream:
                for number in range(5000):
                    assert (await anext(stream)).id == f"t{number}"
                assert stream.total_page == 10**9


async def test_a_billion_pages_of_which_there_are_three_is_an_error_if_it_is_to_be_exact() -> None:
    def promised(page: int, limit: int) -> dict[str, Any]:
        there = range((page - 1) * limit, min(page * limit, 150))
        return made(page, limit, 5 * 10**10, there)

    async with liar(promised) as session:
        with pytest.raises(ResponseError, match="contradicts") as caught:
            await session.tasks(exact=True)
        assert caught.value.page is not None
        assert caught.value.page >= 4
        assert len(await session.tasks()) == 150


async def test_the_same_page_for_ever_with_ever_more_to_come_is_an_error() -> None:
    asked = 0

    def growing(page: int, limit: int) -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return made(page, limit, (page + asked) * 50, range(limit))

    async with liar(growing) as session:
        with pytest.raises((ListingDriftError, ResponseError)):
            await session.tasks()


@pytest.mark.parametrize("total", [3, 10**18])
async def test_a_total_that_no_page_bears_out_is_an_error(total: int) -> None:
    def promised(page: int, limit: int) -> dict[str, Any]:
        return made(page, limit, total, range((page - 1) * limit, min(page * limit, 2)))

    async with liar(promised) as session:
        with pytest.raises(ResponseError, match="contradicts") as caught:
            await session.tasks(exact=True)
        assert caught.value.checkpoint is not None
        async with session.tasks() as stream:
            assert [task.id async for task in stream] == ["t0", "t1"]
        assert stream.report.consistency is Consistency.UNPROVEN


async def test_a_total_that_is_too_small_hides_nothing() -> None:
    def counted_too_early(page: int, limit: int) -> dict[str, Any]:
        body = made(page, limit, 0, range((page - 1) * limit, min(page * limit, 130)))
        body["page_info"] |= {"total_page": 1}
        return body

    async with liar(counted_too_early) as session:
        for listing in (session.tasks(), session.tasks(exact=True)):
            assert [task.id for task in await listing] == [f"t{number}" for number in range(130)]


async def test_a_total_that_jumps_at_every_answer_ends_at_one_of_them_or_is_an_error() -> None:
    asked = 0
    totals = (200, 10**12, 50, 10**6)

    def jumping(page: int, limit: int) -> dict[str, Any]:
        nonlocal asked
        asked += 1
        total = totals[asked % len(totals)]
        return made(page, limit, total, range((page - 1) * limit, min(page * limit, total)))

    async with liar(jumping) as session:
        try:
            ids = [task.id for task in await session.tasks()]
        except (ListingDriftError, ResponseError):
            return
    # Where a page was short, there was the end: below the least total there is none.
    assert min(totals) <= len(ids)
    assert ids == [f"t{number}" for number in range(len(ids))]


async def test_tasks_that_are_new_at_every_answer_are_listed_once_up_to_the_total() -> None:
    """A platform that makes up other tasks each time it is asked."""
    asked = 0

    def inventing(page: int, limit: int) -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return made(page, limit, 1000, range(limit), prefix=f"{asked}-")

    async with liar(inventing) as session:
        ids = [task.id for task in await session.tasks()]
    assert len(ids) == len(set(ids)) == 1000
