"""The clients that are compared: ours, the official SDK, what people write by hand, and the floor.

Each opens its connection first and then lists, as often as it is told to, the whole account, newest
first. What it gives its user at a time, be it a task, a list of tasks or (the floor) a page, it
hands to `take`. A peer imports what it needs when it is opened, so that a process has no more in it
than the one peer it runs.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import random
from typing import Any, Literal

import attrs

Take = Callable[[Any], object]
Listing = Callable[[Take], Awaitable[None]]


@attrs.frozen(kw_only=True)
class Reading:
    """What a peer is to list, and how."""

    base_url: str
    page_limit: int = 50
    concurrency: int = 16
    """The most requests at once; the official SDK makes one after the other."""

    def params(self, page: int) -> dict[str, str | int]:
        """Give the query of one page, as all peers ask for it."""
        return {"page": page, "page_limit": self.page_limit}


Peer = Callable[[Reading], AbstractAsyncContextManager[Listing]]

API_KEY = "tlk_demo"


def _iterated(*, exact: bool, sort_by: Literal["created_at", "updated_at"] = "created_at") -> Peer:
    """Return the peer that is `async for`, with or without the proof that nothing was missed."""

    @asynccontextmanager
    async def opened(reading: Reading) -> AsyncIterator[Listing]:
        async with _our_session(reading) as session:

            async def listing(take: Take) -> None:
                async with session.tasks(
                    page_limit=reading.page_limit, exact=exact, sort_by=sort_by
                ) as stream:
                    async for task in stream:
                        take(task)

            yield listing

    return opened


@asynccontextmanager
async def twelvetasks_awaited(reading: Reading) -> AsyncIterator[Listing]:
    """`await`, which gives a list."""
    async with _our_session(reading) as session:

        async def listing(take: Take) -> None:
            take(await session.tasks(page_limit=reading.page_limit))

        yield listing


def _framed(method: str) -> Peer:
    """Give the peer that is `to_arrow()` or another of our data frames."""

    @asynccontextmanager
    async def opened(reading: Reading) -> AsyncIterator[Listing]:
        async with _our_session(reading) as session:

            async def listing(take: Take) -> None:
                take(await getattr(session.tasks(page_limit=reading.page_limit), method)())

            yield listing

    return opened


@asynccontextmanager
async def arrow_batches(reading: Reading) -> AsyncIterator[Listing]:
    """Our record batches, one after the other."""
    async with _our_session(reading) as session:

        async def listing(take: Take) -> None:
            listed = session.tasks(page_limit=reading.page_limit)
            async with listed.arrow_batches() as batches:
                async for batch in batches:
                    take(batch)

        yield listing


@asynccontextmanager
async def parquet(reading: Reading) -> AsyncIterator[Listing]:
    """Our record batches, written to a Parquet file in memory as they come."""
    import pyarrow.parquet as pq

    from twelvetasks.frames import SCHEMA

    async with _our_session(reading) as session:

        async def listing(take: Take) -> None:
            listed = session.tasks(page_limit=reading.page_limit)
            with pq.ParquetWriter(file := io.BytesIO(), SCHEMA) as writer:
                async with listed.arrow_batches() as batches:
                    async for batch in batches:
                        writer.write_batch(batch)
            take(file)

        yield listing


@asynccontextmanager
async def two_sessions(reading: Reading) -> AsyncIterator[Listing]:
    """Two sessions with a gate each, which list the account at the same time."""
    async with _our_session(reading) as one, _our_session(reading) as other:

        async def listing(take: Take) -> None:
            for tasks in await asyncio.gather(
                *(session.tasks(page_limit=reading.page_limit) for session in (one, other))
            ):
                take(tasks)

        yield listing


@asynccontextmanager
async def official_sdk(reading: Reading) -> AsyncIterator[Listing]:
    """`AsyncTwelveLabs().tasks.list`, page after page."""
    import httpx
    from twelvelabs import AsyncTwelveLabs

    async with httpx.AsyncClient(timeout=600) as connection:
        sdk: Any = AsyncTwelveLabs(
            api_key=API_KEY, base_url=reading.base_url, httpx_client=connection
        )

        async def listing(take: Take) -> None:
            pager = await sdk.tasks.list(page_limit=reading.page_limit)
            async for task in pager:
                take(task)

        yield listing


@asynccontextmanager
async def gathered(reading: Reading) -> AsyncIterator[Listing]:
    """What people write by hand: page 1, then all others with `gather`; dicts."""
    async with _aiohttp_session(reading) as session:

        async def page(number: int) -> Any:
            async with session.get(
                f"{reading.base_url}/tasks", params=reading.params(number)
            ) as response:
                response.raise_for_status()
                return json.loads(await response.read())

        async def listing(take: Take) -> None:
            first = await page(1)
            others = range(2, first["page_info"]["total_page"] + 1)
            pages = [first, *await asyncio.gather(*map(page, others))]
            take([task for one in pages for task in one["data"]])

        yield listing


def _framed_by_hand(frame: Callable[[list[dict[str, Any]]], object]) -> Peer:
    """Give the peer that is the shortest way by hand: gather, orjson, one call for the frame."""

    @asynccontextmanager
    async def opened(reading: Reading) -> AsyncIterator[Listing]:
        import orjson

        async with _aiohttp_session(reading) as session:

            async def page(number: int) -> Any:
                async with session.get(
                    f"{reading.base_url}/tasks", params=reading.params(number)
                ) as response:
                    return orjson.loads(await response.read())

            async def listing(take: Take) -> None:
                first = await page(1)
                others = range(2, first["page_info"]["total_page"] + 1)
                pages = [first, *await asyncio.gather(*map(page, others))]
                take(frame([task for one in pages for task in one["data"]]))

            yield listing

    return opened


def _arrow_by_hand(rows: list[dict[str, Any]]) -> object:
    import pyarrow as pa

    return pa.Table.from_pylist(rows)


def _parquet_by_hand(rows: list[dict[str, Any]]) -> object:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(rows), file := io.BytesIO())
    return file


def _polars_by_hand(rows: list[dict[str, Any]]) -> object:
    import polars as pl

    return pl.DataFrame(rows, infer_schema_length=None)


@asynccontextmanager
async def behind_semaphore(reading: Reading) -> AsyncIterator[Listing]:
    """All page tasks made at once, behind a semaphore, awaited in order; attrs objects."""
    task_of = _object_maker()
    async with _aiohttp_session(reading) as session:

        async def listing(take: Take) -> None:
            permits = asyncio.Semaphore(reading.concurrency)

            async def page(number: int) -> Any:
                async with (
                    permits,
                    session.get(
                        f"{reading.base_url}/tasks", params=reading.params(number)
                    ) as response,
                ):
                    response.raise_for_status()
                    return await response.json()

            first = await page(1)
            for task in first["data"]:
                take(task_of(task))
            others = range(2, first["page_info"]["total_page"] + 1)
            for fetch in [asyncio.create_task(page(number)) for number in others]:
                for task in (await fetch)["data"]:
                    take(task_of(task))

        yield listing


@asynccontextmanager
async def backing_off(reading: Reading) -> AsyncIterator[Listing]:
    """Workers that share a list of pages, each of which backs off by itself after a 429; dicts."""
    async with _aiohttp_session(reading) as session:

        async def page(number: int) -> Any:
            wait = 0.1
            while True:
                async with session.get(
                    f"{reading.base_url}/tasks", params=reading.params(number)
                ) as response:
                    if response.status != 429:
                        response.raise_for_status()
                        return json.loads(await response.read())
                    named = float(response.headers.get("Retry-After", 0))
                await asyncio.sleep(max(wait, named) * (1 + random()))
                wait = min(2 * wait, 10.0)

        async def work(numbers: Iterable[int], take: Take) -> None:
            for number in numbers:
                take((await page(number))["data"])

        async def listing(take: Take) -> None:
            first = await page(1)
            take(first["data"])
            numbers = iter(range(2, first["page_info"]["total_page"] + 1))
            await asyncio.gather(*(work(numbers, take) for _ in range(reading.concurrency)))

        yield listing


def _floor(read: Callable[[bytes], object]) -> Peer:
    """Give the peer that makes the same requests, as many at once, and only `read`s them."""

    @asynccontextmanager
    async def opened(reading: Reading) -> AsyncIterator[Listing]:
        async with _aiohttp_session(reading) as session:

            async def body(number: int) -> bytes:
                async with session.get(
                    f"{reading.base_url}/tasks", params=reading.params(number)
                ) as response:
                    read_whole: bytes = await response.read()
                    return read_whole

            async def read_each(numbers: Iterable[int], take: Take) -> None:
                for number in numbers:
                    take(read(await body(number)))

            async def listing(take: Take) -> None:
                first = await body(1)
                take(read(first))
                # They share one iterator: each takes the next page that none has taken.
                numbers = iter(range(2, json.loads(first)["page_info"]["total_page"] + 1))
                readers = [read_each(numbers, take) for _ in range(reading.concurrency)]
                await asyncio.gather(*readers)

            yield listing

    return opened


@asynccontextmanager
async def floor_of_bodies(reading: Reading) -> AsyncIterator[Listing]:
    """The requests alone: bodies are read and thrown away."""
    async with _floor(len)(reading) as listing:
        yield listing


@asynccontextmanager
async def floor_of_json(reading: Reading) -> AsyncIterator[Listing]:
    """The requests, and `orjson.loads` of each body."""
    import orjson

    async with _floor(orjson.loads)(reading) as listing:
        yield listing


@asynccontextmanager
async def single_request(reading: Reading) -> AsyncIterator[Listing]:
    """Page 1 and no more, through `orjson.loads`."""
    import orjson

    async with _aiohttp_session(reading) as session:

        async def listing(take: Take) -> None:
            async with session.get(
                f"{reading.base_url}/tasks", params=reading.params(1)
            ) as response:
                take(orjson.loads(await response.read())["data"])

        yield listing


def _our_session(reading: Reading) -> Any:
    import twelvetasks

    return twelvetasks.TaskSession(
        API_KEY, base_url=reading.base_url, concurrency=reading.concurrency
    )


def _aiohttp_session(reading: Reading) -> Any:
    import aiohttp

    return aiohttp.ClientSession(
        headers={"x-api-key": API_KEY},
        connector=aiohttp.TCPConnector(limit=reading.concurrency),
        timeout=aiohttp.ClientTimeout(total=600),
    )


def _object_maker() -> Callable[[dict[str, Any]], Any]:
    from tests.benchmarks._plain_models import PlainTask

    return PlainTask.of


ITERATED = "twelvetasks, async for"
AWAITED = "twelvetasks, await"
EXACT = "twelvetasks, exact=True"
BY_UPDATE = "twelvetasks, by updated_at"
TO_ARROW = "twelvetasks, to_arrow"
TO_PANDAS = "twelvetasks, to_pandas"
TO_POLARS = "twelvetasks, to_polars"
ARROW_BATCHES = "twelvetasks, arrow_batches"
PARQUET = "twelvetasks, arrow_batches to Parquet"
ARROW_BY_HAND = "gather, orjson, Table.from_pylist"
PARQUET_BY_HAND = "gather, orjson, Table.from_pylist, Parquet"
POLARS_BY_HAND = "gather, orjson, polars.DataFrame"
SDK = "official SDK"
GATHERED = "gather, json.loads"
SEMAPHORE = "tasks behind a semaphore"
FLOOR_OF_JSON = "floor + orjson.loads"
FLOOR = "floor"
SINGLE = "a single request"
BACKING_OFF = "16 workers that back off"
TWO_SESSIONS = "twelvetasks, two sessions in one process"

PEERS: dict[str, Peer] = {
    ITERATED: _iterated(exact=False),
    AWAITED: twelvetasks_awaited,
    EXACT: _iterated(exact=True),
    BY_UPDATE: _iterated(exact=False, sort_by="updated_at"),
    TO_ARROW: _framed("to_arrow"),
    TO_PANDAS: _framed("to_pandas"),
    TO_POLARS: _framed("to_polars"),
    ARROW_BATCHES: arrow_batches,
    PARQUET: parquet,
    ARROW_BY_HAND: _framed_by_hand(_arrow_by_hand),
    PARQUET_BY_HAND: _framed_by_hand(_parquet_by_hand),
    POLARS_BY_HAND: _framed_by_hand(_polars_by_hand),
    SDK: official_sdk,
    GATHERED: gathered,
    SEMAPHORE: behind_semaphore,
    FLOOR_OF_JSON: floor_of_json,
    FLOOR: floor_of_bodies,
    SINGLE: single_request,
    BACKING_OFF: backing_off,
    TWO_SESSIONS: two_sessions,
}

COMPARED = tuple(
    peer
    for peer in PEERS
    if peer
    not in {
        *(SINGLE, BACKING_OFF, TWO_SESSIONS, BY_UPDATE),
        *(ARROW_BATCHES, PARQUET, PARQUET_BY_HAND),
    }
)
"""Those that list a whole account; of the data frames, those that are most used."""
