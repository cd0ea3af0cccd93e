"""Listings: values that can be iterated, awaited and counted, again and again."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from datetime import datetime
from os import PathLike
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

import attrs

from twelvetasks.paging.options import ListingOptions
from twelvetasks.paging.reads import Read
from twelvetasks.streams.requests import Requests
from twelvetasks.streams.streams import BATCH_SIZE, ItemStream, PageStream, TaskStream
from twelvetasks.tasks.requests import checked_item_id
from twelvetasks.values.checkpoint import Checkpoint
from twelvetasks.values.checks import refuse, whole_number
from twelvetasks.values.models import Page
from twelvetasks.values.query import ListQuery
from twelvetasks.values.suggestions import missing_attribute, refuse_synchronous_use
from twelvetasks.values.tasks import Task, TaskPage
from twelvetasks.values.uncopied import Uncopied

if TYPE_CHECKING:  # imported by the methods that need them, so that others do not wait for it
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from twelvetasks.frames.batches import BatchStream
    from twelvetasks.tasks.polling import OnItemChange, Polling
    from twelvetasks.tasks.waiting import ItemWaiting
    from twelvetasks.watching.keeping import CheckpointStore
    from twelvetasks.watching.plan import ItemChange
    from twelvetasks.watching.watch import Announcer, ItemWatch

ItemT = TypeVar("ItemT")


@attrs.frozen(eq=False, repr=False)
class Listing(Generic[ItemT], Uncopied):
    """The items of a list that match a query, in its order.

    Made by `TaskSession.list`; making it sends no request, and each iteration is a new listing.
    It can be iterated over, awaited for a list of all items, and counted, again and again::

        listing: Listing = session.list(TaskQuery(status="failed"))
        async for item in listing:
            print(item.id)
        items = await listing
        count = await listing.count()

    Errors are raised at their place in the order: every item before the page that could not be read
    is yielded first. See `TwelveTasksError` and the classes below it.
    """

    _why_uncopied = "share it, as each iteration is a listing of its own, or keep its query"

    _requests: Requests
    _options: ListingOptions[ItemT]
    _entered: list[ItemStream[ItemT]] = attrs.field(factory=list, init=False)

    @property
    def query(self) -> ListQuery[ItemT]:
        """The filters and the order."""
        return self._options.query

    @property
    def max_items(self) -> int | None:
        """The most items that an iteration yields; None for all."""
        return self._options.max_items

    if not TYPE_CHECKING:  # type checkers would take it for an iterable
        # `for` calls it where there is no `__iter__`, which would make this an Iterable.
        __getitem__ = refuse_synchronous_use

        def __getattr__(self, name: str) -> NoReturn:
            is_of_stream = hasattr(ItemStream, name) and not name.startswith("_")
            meant = f"stream.{name}` in `async with listing as stream:" if is_of_stream else None
            raise missing_attribute(self, name, meant)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._options}>"

    def __aiter__(self) -> ItemStream[ItemT]:
        return ItemStream(self._requests, self._options)

    def __await__(self) -> Generator[Any, None, list[ItemT]]:
        return self._all().__await__()

    async def __aenter__(self) -> ItemStream[ItemT]:
        if self._entered:
            raise RuntimeError(
                "this listing has been entered already; make another one with the same query"
            )
        self._entered.append(aiter(self))
        return self._entered[0]

    async def __aexit__(self, *exc_info: object) -> None:
        await self._entered.pop().aclose()

    def pages(self) -> PageStream[Page[ItemT]]:
        """Iterate over the same items page by page, with each page's `page_info`.

        Where requests overlap, each page holds what is new in it: fewer items than `page_limit`, or
        more. So it is in a restless account, with `exact`, and oldest first; `page` gives the
        platform's own pages.
        """
        return PageStream(self._requests, self._options)

    async def page(self, number: int) -> Page[ItemT]:
        """Ask for one page of `page_limit` items as the platform has it now: one request.

        For front ends with numbered pages. `number` counts from 1; a page past the end is empty, or
        BadRequestError, as the platform answers. `max_items` and `resume` do not matter to it, and
        between two pages the list may change: to read all items, iterate the listing::

            page = await session.tasks(page_limit=20).page(3)
            print(page.page_info.total_results, page.has_next)

        Raises InvalidArgumentError for a listing with `since` or `until`, which the platform does
        not know when it numbers its pages.
        """
        whole_number("number", number, least=1)
        self._refuse_period("page() gives the platform's pages; iterate the listing, or `pages()`")
        return await self._requests.read_page(self.query, Read(number, self.query.page_limit))

    async def retrieve(self, item: str | ItemT) -> ItemT:
        """Fetch one item of the list, given as an item or by its id, with all of its fields.

        It need not match the filters. Raises NotFoundError if there is none with this id::

            asset = await session.indexed_assets("62a0906d47f5678267ec10a6").retrieve(asset)
        """
        item_id = checked_item_id(self.query.resource, item)
        return await self._requests.retrieve(self.query, item_id)

    async def wait(
        self,
        item: str | ItemT,
        *,
        timeout: float = 3600.0,  # noqa: ASYNC109 - it is one for many requests and pauses
        on_change: OnItemChange[ItemT] | None = None,
        raise_on_failure: bool = True,
        polling: Polling | None = None,
    ) -> ItemT:
        """Wait until an item has a final status, and return it as `retrieve` does.

        Which statuses are final, and which of them failures, the `Resource` of the list says. One
        that it does not know counts as under way.

        - `timeout`: seconds for the whole wait. Default: one hour.
        - `on_change`: called, or awaited, with the item when it is first seen and whenever its
          status changes.
        - `raise_on_failure`: raise TaskFailedError for a failure instead of returning it. Default:
          True.
        - `polling`: how often to poll. Default: `Polling()`.

        Transient failures (no connection, no answer in time, status 429 and 5xx) are retried.
        Raises TaskFailedError; WaitTimeoutError after `timeout`; NotFoundError if there is no such
        item; InvalidArgumentError if the items of the list never end. ::

            newest = await session.embedding_tasks(status="ready").first()
            task = await session.embedding_tasks().wait(newest, timeout=600)
        """
        from twelvetasks.tasks.polling import WaitPlan  # noqa: PLC0415
        from twelvetasks.tasks.waiting import wait_for  # noqa: PLC0415

        plan = WaitPlan(timeout=timeout, on_change=on_change, polling=polling, query=self.query)
        return await wait_for(self._requests, item, plan, raise_on_failure=raise_on_failure)

    def wait_all(
        self,
        items: Iterable[str | ItemT],
        *,
        timeout: float = 3600.0,
        on_change: OnItemChange[ItemT] | None = None,
        polling: Polling | None = None,
    ) -> ItemWaiting[ItemT]:
        """Iterate over items, each as soon as it has a final status.

        Each poll lists what is under way, for all of them at once; the filters of the listing
        narrow that, and items that they leave out are retrieved one by one. The other arguments are
        those of `wait`.

        Raises WaitTimeoutError, with `task_ids`, after `timeout`, and NotFoundError, after all
        others have ended, if items do not exist. ::

            batches = await session.analysis_batches(status="completed", max_items=2)
            async for batch in session.analysis_batches().wait_all(batches, timeout=600):
                print(batch.id, batch.status, batch.failed_items)
        """
        from twelvetasks.tasks.polling import WaitPlan  # noqa: PLC0415
        from twelvetasks.tasks.waiting import ItemWaiting  # noqa: PLC0415

        plan = WaitPlan(timeout=timeout, on_change=on_change, polling=polling, query=self.query)
        return ItemWaiting(self._requests, items, plan)

    def watch(
        self,
        *,
        since: datetime | None = None,
        resume: Checkpoint | str | None = None,
        checkpoint_file: str | PathLike[str] | CheckpointStore | None = None,
        deletions: bool = False,
        min_interval: float = 5.0,
        max_interval: float = 60.0,
        lateness: float = 5.0,
        webhooks: Announcer | None = None,
    ) -> ItemWatch[ItemChange[ItemT]]:
        """Watch the items that match: an endless async generator of `ItemChange`.

        The arguments, and what the watch promises, are those of `TaskSession.watch`; the filters
        are those of the listing. Only lists that can be sorted by ``updated_at`` can be watched:
        those of tasks and of indexed assets. Raises InvalidArgumentError for any other, and for an
        argument out of range. ::

            from datetime import UTC, datetime

            listing = session.indexed_assets("62a0906d47f5678267ec10a6", status="ready")
            async with listing.watch(since=datetime(2025, 1, 1, tzinfo=UTC)) as watch:
                async for change in watch:
                    print(change.item.id, change.item.status)
                    break
        """
        self._refuse_period("a watch reports changes; its own `since` says from when on")
        from twelvetasks.watching.plan import WatchPlan  # noqa: PLC0415
        from twelvetasks.watching.watch import ItemWatch  # noqa: PLC0415

        plan = WatchPlan(
            query=self.query,
            since=since,
            resume=resume,
            checkpoint_file=checkpoint_file,
            deletions=deletions,
            min_interval=min_interval,
            max_interval=max_interval,
            lateness=lateness,
        )
        return ItemWatch(self._requests, plan, webhooks)

    async def count(self) -> int:
        """Count the items that match now, up to `max_items`: one small request.

        With `since` or `until` the items are read and counted, because the platform cannot count
        them: as many requests as the listing takes, less `resume`.
        """
        if self._options.period is not None:
            options = attrs.evolve(self._options, resume=None)
            async with PageStream[Page[ItemT]](self._requests, options) as pages:
                return sum([len(page.items) async for page in pages])
        total = await self._requests.count(self.query)
        return total if self.max_items is None else min(total, self.max_items)

    async def first(self) -> ItemT | None:
        """Ask for the first item alone, or None if none matches: one small request."""
        wanted = 1 if self.max_items is None else min(self.max_items, 1)
        options = attrs.evolve(self._options, max_items=wanted)
        async with ItemStream(self._requests, options) as stream:
            return await anext(stream, None)

    async def to_arrow(self) -> pa.Table:
        """Read all items into an Arrow table, whose schema does not depend on the data.

        The items become columns as they come, so they are never all held as Python objects. They
        must be models, not dicts: TypeError says so. Needs ``pip install 'twelvetasks[arrow]'``;
        ImportError says so. ::

            table = await session.indexed_assets("62a0906d47f5678267ec10a6").to_arrow()
        """
        from twelvetasks.frames import batches  # noqa: PLC0415

        return await batches.to_arrow(self._requests, self._options)

    async def to_pandas(self) -> pd.DataFrame:
        """Read all items into a pandas data frame.

        A status is categorical, times are ``datetime64[us, UTC]``, structs and lists keep their
        Arrow type. Needs ``pip install 'twelvetasks[pandas]'``; ImportError says so. ::

            frame = await session.analysis_tasks(status="failed").to_pandas()
        """
        from twelvetasks.frames import batches  # noqa: PLC0415

        return await batches.to_pandas(self._requests, self._options)

    async def to_polars(self) -> pl.DataFrame:
        """Read all items into a polars data frame.

        Needs ``pip install 'twelvetasks[polars]'``; ImportError says so. ::

            frame = await session.embedding_tasks().to_polars()
        """
        from twelvetasks.frames import batches  # noqa: PLC0415

        return await batches.to_polars(self._requests, self._options)

    def arrow_batches(self, *, size: int = BATCH_SIZE) -> BatchStream[ItemT]:
        """Iterate over the same items in Arrow record batches of `size` items, the last of fewer.

        For listings that memory does not hold. Needs ``pip install 'twelvetasks[arrow]'``;
        ImportError says so. ::

            async with session.tasks().arrow_batches(size=10_000) as batches:
                async for batch in batches:
                    print(batch.num_rows)
        """
        from twelvetasks.frames.batches import BatchStream  # noqa: PLC0415

        return BatchStream(self._requests, self._options, size)

    def _refuse_period(self, reason: str) -> None:
        for name in ("since", "until"):
            if (moment := getattr(self._options, name)) is not None:
                refuse(name, moment, f"does not go with this: {reason}")

    async def _all(self) -> list[ItemT]:
        # Page by page: a call for each item would take a third more CPU.
        items: list[ItemT] = []
        async with self.pages() as pages:
            async for page in pages:
                items += page.items
        return items


class TaskListing(Listing[Task]):
    """The tasks that match a query, in its order: iterate it, await it, count it, again and again.

    Made by `TaskSession.tasks`; making it sends no request, and each iteration is a new listing, a
    `TaskStream`. Its pages are `TaskPage` objects::

        listing = session.tasks(status="failed")
        async for task in listing:
            print(task.id)
        tasks = await listing
        count = await listing.count()
        frame = await listing.to_pandas()
    """

    __slots__ = ()

    def __aiter__(self) -> TaskStream:
        return TaskStream(self._requests, self._options)

    if TYPE_CHECKING:  # what the listing of any items does, with the types that it gives for tasks

        async def __aenter__(self) -> TaskStream: ...
        async def page(self, number: int) -> TaskPage: ...  # noqa: D102 - it has that of `Listing`
        def pages(self) -> PageStream[TaskPage]: ...  # noqa: D102 - the same
