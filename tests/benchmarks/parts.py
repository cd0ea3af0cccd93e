"""Where the CPU of a listing goes: each part of the way of a page, run alone.

The parts run in one process, in turns, the platform in another. The best of the rounds counts. What
is left of the whole is the window of fetches, their asyncio tasks and the memory of pages that wait
for their proof.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import aiohttp
import attrs

from tests.benchmarks._processes import platforms
from tests.benchmarks._report import Report
from tests.benchmarks._server import Account
from twelvetasks import TaskQuery, TaskSession
from twelvetasks.paging.options import ListingOptions
from twelvetasks.paging.page_checks import KeyedPage
from twelvetasks.paging.progress import ListingProgress
from twelvetasks.paging.reads import Read
from twelvetasks.streams.requests import Requests
from twelvetasks.transport.messages import Answer

AT_ONCE = 16

WHOLE = "async for, the whole"
AIOHTTP = "aiohttp alone: the request, and its body"
REQUEST = "the rest of a request: address, gate, time limits, retries, answer"
GLANCE = "reading ids, sort keys and counts, and checking them"
PROOF = "the order of requests, and the proof"
MODELS = "structuring models of the body"
ITEMS = "handing out each item"
REST = "all else: window, asyncio tasks, memory"


def main(report: Report) -> None:
    """Print microseconds for each page, and their part of the whole."""
    pages, rounds = report.either((400, 9), (20, 1))
    with platforms(Account(pages * 50)) as served:
        url = served.urls[0]
        best = asyncio.run(_Parts(url, pages).best(rounds))
    best[REQUEST] -= best[AIOHTTP]
    known = sum(cost for part, cost in best.items() if part != WHOLE)
    best[REST] = best[WHOLE] - known
    report.table(
        f"CPU of each part, for a page of 50 tasks, {pages} pages, best of {rounds} rounds",
        ("part", "µs/page", "of the whole"),
        [
            (part, f"{cost:.1f}", f"{cost / best[WHOLE]:.0%}")
            for part, cost in sorted(best.items(), key=lambda one: -one[1])
        ],
    )


Made = dict[tuple[int, int, bool], KeyedPage[Any]]
"""Pages by their number, their limit, and whether they are a stamp."""


class _Parts:
    def __init__(self, url: str, pages: int) -> None:
        self._url = url
        self._pages = pages
        self._query = TaskQuery()

    async def best(self, rounds: int) -> dict[str, float]:
        """Give the microseconds of each part for a page."""
        best: dict[str, float] = {}
        async with (
            TaskSession("tlk_demo", base_url=self._url, concurrency=AT_ONCE) as session,
            aiohttp.ClientSession(headers={"x-api-key": "tlk_demo"}) as plain,
        ):
            requests: Requests = session._requests
            numbers = range(1, self._pages + 1)
            answers = [await self._fetched(requests, Read(number, 50)) for number in numbers]
            keyed = [self._glance(requests, number, one) for number, one in enumerate(answers, 1)]
            made = {(number, 50, False): _made(page) for number, page in enumerate(keyed, 1)}
            await self._fetch_what_else_is_asked(requests, made)
            parts: dict[str, Callable[[], Awaitable[object]]] = {
                WHOLE: partial(self._listed, session),
                AIOHTTP: partial(self._at_once, partial(self._plain, plain)),
                REQUEST: partial(
                    self._at_once, lambda number: self._fetched(requests, Read(number, 50))
                ),
                GLANCE: partial(self._glanced, requests, answers),
                PROOF: partial(self._proven, made),
                MODELS: partial(self._structured, keyed),
                ITEMS: partial(self._handed_out, session, keyed[0].whole().items),
            }
            for _ in range(rounds):
                for part, run in parts.items():
                    began = time.process_time()
                    await run()
                    cost = (time.process_time() - began) / self._pages * 1e6
                    best[part] = min(best.get(part, cost), cost)
        return best

    async def _listed(self, session: TaskSession) -> None:
        async for _ in session.tasks():
            pass

    async def _at_once(self, read: Callable[[int], Awaitable[object]]) -> None:
        """Read every page, as many at once as a listing."""
        numbers = iter(range(1, self._pages + 1))

        async def read_each() -> None:
            for number in numbers:
                await read(number)

        await asyncio.gather(*(read_each() for _ in range(AT_ONCE)))

    async def _plain(self, session: aiohttp.ClientSession, number: int) -> bytes:
        params = {"page": number, "page_limit": 50}
        async with session.get(f"{self._url}/tasks", params=params) as response:
            return await response.read()

    async def _fetched(self, requests: Requests, read: Read) -> Answer:
        return await requests.fetch_page(self._query, read)

    def _glance(self, requests: Requests, number: int, answer: Answer) -> KeyedPage[Any]:
        return requests.structure_page(self._query, Read(number, 50), answer, strict=False)

    async def _glanced(self, requests: Requests, answers: list[Answer]) -> None:
        for number, answer in enumerate(answers, 1):
            self._glance(requests, number, answer)

    async def _structured(self, keyed: list[KeyedPage[Any]]) -> None:
        for page in keyed:
            page.whole()

    async def _handed_out(self, session: TaskSession, items: tuple[Any, ...]) -> None:
        async with session.tasks() as stream:
            await anext(stream)
            stream._items.clear()
            for _ in range(self._pages):
                stream._items.extend(items)
                left = len(items)
                async for _ in stream:
                    left -= 1
                    if not left:
                        break

    async def _fetch_what_else_is_asked(self, requests: Requests, made: Made) -> None:
        """Fetch what the proof needs beside the pages: stamps, and the last overlapping reads."""
        while (read := self._unknown_read(made)) is not None:
            query = self._query.stamp if read.stamp else self._query
            assert query is not None
            answer = await requests.fetch_page(query, read)
            page = requests.structure_page(query, read, answer, strict=False)
            made[read.page, read.page_limit, read.stamp] = _made(page)

    async def _proven(self, made: Made) -> None:
        assert self._unknown_read(made) is None

    def _unknown_read(self, made: Made) -> Read | None:
        """Play a listing, answered in the order of its requests; give a read without an answer."""
        progress: ListingProgress[Any] = ListingProgress(ListingOptions(query=self._query))
        under_way: deque[Read] = deque()
        while not progress.finished:
            while len(under_way) < AT_ONCE and (read := progress.next_read(AT_ONCE)) is not None:
                under_way.append(read)
            read = under_way.popleft()
            page = made.get((read.page, read.page_limit, read.stamp))
            if page is None:
                return read
            progress.receive(read, page)
            while progress.take() is not None:
                pass
        return None


def _made(page: KeyedPage[Any]) -> KeyedPage[Any]:
    """Give a page whose models need not be made."""
    whole = page.whole()
    return attrs.evolve(page, whole=lambda: whole)
