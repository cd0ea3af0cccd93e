"""The requests of a session's listings, watches and waits.

It ends with the session: closing it ends every fetch.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from contextvars import Context
from typing import Any, Generic, NoReturn, TypeVar, get_origin
from weakref import WeakSet

import attrs
from yarl import URL

from twelvetasks.conversion.convert import converters
from twelvetasks.paging.options import ListingOptions
from twelvetasks.paging.page_checks import KeyedPage, check_page, examine_page
from twelvetasks.paging.reads import Read
from twelvetasks.paging.totals import Calm
from twelvetasks.transport.exchange import Transport
from twelvetasks.transport.home_loop import running_loop
from twelvetasks.transport.messages import Answer, Request
from twelvetasks.transport.options import Options
from twelvetasks.transport.retries import Budget
from twelvetasks.transport.telemetry import ListingFacts, ListingObservation
from twelvetasks.values.errors import REPORT_IT, ResponseError
from twelvetasks.values.fields import json_names
from twelvetasks.values.malformed import Malformed
from twelvetasks.values.models import Page
from twelvetasks.values.query import ListQuery
from twelvetasks.values.resources import Resource

MAY_LAG = 10.0
"""Seconds for which the platform may not yet know an item that it has just made. Our choice: a
database whose replicas lag shows a new row after some seconds at most."""

T = TypeVar("T")
ItemT = TypeVar("ItemT")


class Requests:
    """Fetches pages, as tasks that end with the session."""

    def __init__(
        self, transport: Transport, base_url: URL, *, parent: Requests | None = None
    ) -> None:
        self.transport = transport
        self.base_url = base_url
        self.closing: asyncio.Event = asyncio.Event()
        """Set when the session begins to close, for those that wait without a request."""
        self.calm: defaultdict[str, Calm] = defaultdict(Calm) if parent is None else parent.calm
        """How long each list has been quiet, by its path."""
        self._latest: tuple[ListQuery[Any] | None, URL] = None, base_url
        """The query asked last, and the URL of its first page: others differ in two parameters."""
        self._made: dict[str, float] = {}
        self._fetches: set[asyncio.Task[Any]] = set()
        self._observations: WeakSet[ListingObservation] = WeakSet()
        # Kept alive by its own children, so that closing reaches all of them.
        self._parent = parent
        self._children: WeakSet[Requests] = WeakSet()

    def with_options(self, options: Options) -> Requests:
        """Return requests with other options over the same connections; these end with them."""
        child = Requests(self.transport.with_options(options), self.base_url, parent=self)
        self._children.add(child)
        return child

    @property
    def concurrency(self) -> int:
        """How many requests a listing may have in flight at once."""
        return self.transport.options.concurrency

    @property
    def closed(self) -> bool:
        """Whether the session is closed."""
        return self.transport.closed

    def enter(self, *, to_close: bool = False) -> None:
        """Raise SessionClosedError unless the caller runs in the session's event loop.

        `to_close`: allow that it was never used or that its loop is closed.
        """
        if to_close:
            self.transport.home.enter_to_close()
        else:
            self.transport.home.enter()

    def budget(self) -> Budget:
        """Return the time that one iteration of a listing may lose to failures."""
        return Budget(self.transport.options.retry.budget)

    def observe(
        self, options: ListingOptions[Any], facts: Callable[[], ListingFacts]
    ) -> ListingObservation | None:
        """Tell the session's telemetry, if it has one, of an iteration that begins."""
        if (telemetry := self.transport.telemetry) is None:
            return None
        observation = telemetry.listing(
            options.query,
            exact=options.exact,
            max_items=options.max_items,
            resumed=options.resume is not None,
            facts=facts,
        )
        self._observations.add(observation)
        return observation

    def note_made(self, item_id: str) -> None:
        """Note that this session has just created an item."""
        now = asyncio.get_running_loop().time()
        for old in [one for one, made in self._made.items() if now - made > MAY_LAG]:
            del self._made[old]
        self._made[item_id] = now

    def was_just_made(self, item_id: str) -> bool:
        """Whether this session created an item so recently that the platform may not know it."""
        made = self._made.get(item_id)
        return made is not None and asyncio.get_running_loop().time() - made <= MAY_LAG

    async def read_page(
        self, query: ListQuery[ItemT], read: Read, *, strict: bool = True
    ) -> Page[ItemT]:
        """Fetch, structure and check one page of a query: one request, and its retries.

        If it is not `strict`, an odd page is taken as it is, without the items that are malformed.
        """
        answer = await self.fetch_page(query, read)
        page = self.structure_page(query, read, answer, strict=strict).whole()
        if strict:
            for item in page.items:
                if isinstance(item, Malformed):
                    raise item.error
            return page
        items = tuple(item for item in page.items if not isinstance(item, Malformed))
        return attrs.evolve(page, data=items)

    async def count(self, query: ListQuery[Any]) -> int:
        """Ask how many items match: one small request."""
        answer = await self.fetch_page(query, Read(1, 1))

        def total(body: bytes) -> int:
            page = converters().read_page(body, query.resource.page, page=1)
            known = page.page_info.total_results
            if known is None:
                _refuse_count()
            return known

        return self.read(answer, total)

    def fetch_page(
        self, query: ListQuery[Any], read: Read, budget: Budget | None = None
    ) -> Coroutine[Any, Any, Answer]:
        """Fetch one page of a query, without reading it."""
        if query is not self._latest[0]:
            self._latest = query, query.url(self.base_url)
        url = self._latest[1].update_query(page=read.page, page_limit=read.page_limit)
        request = Request(
            method="GET",
            url=url,
            page=read.page,
            priority=read.start,
            budget=budget,
            successor=query.resource.successor,
        )
        return self.transport.send(request)

    def structure_page(
        self, query: ListQuery[ItemT], read: Read, answer: Answer, *, strict: bool
    ) -> KeyedPage[ItemT]:
        """Check one page that was fetched. Its items are structured when they are handed out.

        If it is `strict`, an odd page is refused, and not only marked as odd.
        """
        whole = _Whole(self, query, read, answer)

        def checked(body: bytes) -> KeyedPage[ItemT]:
            seen = converters().fast_hooks.glance(body, query)
            if seen is None:
                page = KeyedPage.of(whole.made(body), query)
            else:
                page = KeyedPage(seen.page_info, seen.ids, seen.keys, whole)
            return (check_page if strict else examine_page)(page, query, read)

        return self.read(answer, checked)

    async def retrieve(self, query: ListQuery[ItemT], item_id: str) -> ItemT:
        """Fetch an item of a list with every field that the platform returns."""
        url, successor = self.base_url / query.path / item_id, query.resource.successor
        answer = await self.transport.send(Request(method="GET", url=url, successor=successor))
        item: ItemT = self.structure_item(query.resource, answer, expected=item_id)
        return item

    def structure_item(
        self, resource: Resource[ItemT], answer: Answer, *, expected: str | None = None
    ) -> ItemT:
        """Structure one item that was fetched or made; `expected` is its id, if that is known."""

        def read_item(body: bytes) -> ItemT:
            item: ItemT = converters().read(body, resource.item)
            if expected is not None and resource.id_of(item) != expected:
                _refuse_other(resource, expected)
            return item

        return self.read(answer, read_item)

    def read(self, answer: Answer, reader: Callable[[bytes], T]) -> T:
        """Return the result of `reader` for an answer's body.

        A ResponseError of it is raised with status and request id, without the key that the body
        may quote, and without the decoder's own error as its context.
        """
        try:
            return reader(answer.body)
        except ResponseError as error:
            fault = self.transport.client.malformed(answer, error)
        raise fault

    def spawn(
        self, fetch: Coroutine[Any, Any, T], context: Context | None = None
    ) -> asyncio.Task[T]:
        """Run a fetch as a task that ends, at the latest, when the session is closed."""
        create_task = asyncio.get_running_loop().create_task
        # Without the argument `context`, which a task factory of two arguments does not take.
        task = create_task(fetch) if context is None else context.run(create_task, fetch)
        self._fetches.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """End every fetch, wait until it has ended, and close the connection."""
        self.enter(to_close=True)
        if not self.transport.home.is_over:
            self.closing.set()
        # Before they are ended, so that they say why.
        self.transport.closed = True
        for child in tuple(self._children):
            await child.close()
        await self.transport.close()
        if self._fetches and not self.transport.home.is_over:
            await asyncio.wait(self._fetches)
        for observation in tuple(self._observations):
            observation.end()

    def _ended(self, fetch: asyncio.Task[Any]) -> None:
        self._fetches.discard(fetch)
        if not fetch.cancelled():
            # Marks the error as seen: asyncio warns about a task whose error nobody has read.
            fetch.exception()


@attrs.frozen(eq=False)
class _Whole(Generic[ItemT]):
    """Makes a page of an answer when it is called.

    One object, not functions in functions: a hundred pages may wait to be handed out, and with ten
    more objects for each, garbage collections take a twentieth of a listing's CPU.
    """

    requests: Requests
    query: ListQuery[ItemT]
    page_read: Read
    answer: Answer

    def __call__(self) -> Page[ItemT]:
        """Return the page. Raises ResponseError if it is malformed."""
        return self.requests.read(self.answer, self.made)

    def made(self, body: bytes) -> Page[ItemT]:
        """Make the page, in which what is malformed has its error, without the key."""
        page: Page[Any] = converters().read_page(
            body, self.query.resource.page, page=self.page_read.page
        )
        if Malformed in set(map(type, page.items)):
            explained = self.requests.transport.client.explained
            data = (
                Malformed(explained(self.answer, one.error)) if isinstance(one, Malformed) else one
                for one in page.items
            )
            page = attrs.evolve(page, data=tuple(data))
        return attrs.evolve(page, response=self.answer.response)


def _refuse_count() -> NoReturn:
    path = "$.page_info.total_results"
    raise ResponseError(
        f"the answer does not say how many match: there is no number at {path}",
        advice=REPORT_IT,
        page=1,
        json_path=path,
    )


def _refuse_other(resource: Resource[Any], expected: str) -> NoReturn:
    class_ = class_of(resource)
    path = f"$.{json_names(class_)['id']}" if attrs.has(class_) else "$"
    raise ResponseError(
        f"the platform returned another {resource.singular} than {expected}, at {path}",
        advice=REPORT_IT,
        json_path=path,
    )


def class_of(resource: Resource[Any]) -> type[Any]:
    """Return the class of a list's items, to be used with `isinstance`."""
    return get_origin(resource.item) or resource.item


def cancel(fetches: Collection[asyncio.Task[Any]]) -> None:
    """Cancel fetches; a finalizer may call it in any thread, and after their loop was closed."""
    for fetch in fetches:
        loop = fetch.get_loop()
        if running_loop() is loop:
            fetch.cancel()
        else:
            with suppress(RuntimeError):  # a closed loop has nothing left to cancel
                loop.call_soon_threadsafe(fetch.cancel)


async def all_ended(tasks: Collection[asyncio.Task[Any]], timeout: float | None = None) -> bool:  # noqa: ASYNC109
    """Wait for tasks, at most `timeout` seconds; return whether all have ended.

    Without a turn of the event loop if they have: a caller who gives up after less than one turn,
    time and again, still gets on.
    """
    if all(task.done() for task in tasks):
        return True
    _, pending = await asyncio.wait(tasks, timeout=timeout)
    return not pending


async def end(fetches: Collection[asyncio.Task[Any]]) -> None:
    """Cancel fetches and wait until they have ended; those of a closed loop never will."""
    fetches = [fetch for fetch in fetches if not fetch.get_loop().is_closed()]
    cancel(fetches)
    if fetches:
        await asyncio.wait(fetches)
