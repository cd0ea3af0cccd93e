"""Every list of the platform, as a method that returns its listing.

Making a listing sends no request. What a list takes is checked by its query, which is in one
file of `twelvetasks.values` for each list.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar, overload

from twelvetasks.listing import Listing, TaskListing
from twelvetasks.paging.options import ListingOptions, OnMalformed
from twelvetasks.streams.requests import Requests
from twelvetasks.values.checkpoint import Checkpoint
from twelvetasks.values.checks import refuse
from twelvetasks.values.models import SortBy, SortOption
from twelvetasks.values.query import ListQuery, SortByName, SortOptionName
from twelvetasks.values.ranges import RangeFilter
from twelvetasks.values.suggestions import (
    OF_A_SESSION,
    missing_attribute,
    refuse_synchronous_use,
    suggesting,
    unknown_argument,
)
from twelvetasks.values.tasks import StatusFilter, TaskQuery

if TYPE_CHECKING:  # imported by the methods that need them, so that others do not wait for it
    from twelvetasks.values.analysis_batches import (
        AnalysisBatch,
        AnalysisModeFilter,
        BatchStatusFilter,
    )
    from twelvetasks.values.analysis_tasks import (
        AnalysisMode,
        AnalysisModeName,
        AnalysisStatus,
        AnalysisStatusName,
        AnalysisTask,
    )
    from twelvetasks.values.embedding_tasks import (
        EmbeddingStatus,
        EmbeddingStatusName,
        EmbeddingTask,
    )
    from twelvetasks.values.indexed_assets import IndexedAsset, IndexedAssetStatusFilter

ItemT = TypeVar("ItemT")

LARGEST = 50
"""Items on a page of each of these lists, unless fewer are asked for."""


class _New:
    """Makes a session. No function: of one, Sphinx would show the signature, not `__init__`'s."""

    def __call__(self, cls: Any, *args: Any, **kwargs: Any) -> Any:
        error = unknown_argument(cls.__init__, cls.__name__, kwargs)
        del args, kwargs  # A traceback that shows locals must not show the key.
        if error is not None:
            raise error
        return object.__new__(cls)


class Lists:
    """The lists of one account."""

    _requests: Requests

    if not TYPE_CHECKING:  # type checkers would take any name
        __new__ = staticmethod(_New())
        __enter__ = __exit__ = refuse_synchronous_use

        def __getattribute__(self, name: str) -> Any:
            # In the class the methods stay functions, as mocks and documentation expect.
            return suggesting(name, super().__getattribute__(name))

        def __getattr__(self, name: str) -> NoReturn:
            raise missing_attribute(self, name, OF_A_SESSION.get(name))

    def tasks(
        self,
        *,
        index_id: str | None = None,
        status: StatusFilter | None = None,
        filename: str | None = None,
        duration: float | None = None,
        width: int | None = None,
        height: int | None = None,
        created_at: datetime | None = None,
        updated_at: datetime | None = None,
        sort_by: SortBy | SortByName = SortBy.CREATED_AT,
        sort_option: SortOption | SortOptionName = SortOption.DESC,
        page_limit: int = LARGEST,
        since: datetime | None = None,
        until: datetime | None = None,
        max_items: int | None = None,
        exact: bool = False,
        resume: Checkpoint | str | None = None,
        on_malformed: OnMalformed = "raise",
    ) -> TaskListing:
        """List the tasks that match. Sends no request until the listing is iterated or awaited.

        The listing can be iterated, awaited for a list of all tasks, counted, or read page by page;
        see `TaskListing`::

            async for task in session.tasks(status=["ready", "failed"], sort_by="updated_at"):
                print(task.id, task.status)
            tasks = await session.tasks(max_items=100)
            count = await session.tasks(status="queued").count()

        Filters. None, the default of each, leaves it out:

        - `index_id`: only the tasks of this index.
        - `status`: only tasks in this state, or in one of these states: `TaskStatus` or str.
        - `filename`: only tasks of videos with this file name.
        - `duration`: only tasks of videos of this length, in seconds.
        - `width`, `height`: only tasks of videos of this size, in pixels.
        - `created_at`, `updated_at`: only tasks created, or updated, on this date at or after this
          time, as the platform reads it: an aware datetime.
        - `since`, `until`: only tasks created at or after `since`, and before `until`: aware
          datetimes, compared here with each task's `created_at`. Sorted by that, the listing reads
          little else: a search of a few dozen requests skips what comes before the period, and
          the listing ends after it. Sorted by `updated_at` it reads all tasks. A task without
          `created_at` is listed.

        Order and amount:

        - `sort_by`: ``"created_at"``, the default, or ``"updated_at"``.
        - `sort_option`: ``"desc"``, the default (newest first), or ``"asc"``.
        - `page_limit`: tasks on each page, 1 to 50. Default: 50, which makes the fewest requests.
        - `max_items`: the most tasks to yield. Default: None, for all.
        - `exact`: whether to prove that nothing is missing between any two pages, whatever changes
          meanwhile, for about a fifth more requests. An odd answer, which proves nothing, raises
          ResponseError then; without `exact` it is listed as it comes. Default: False.
        - `resume`: a checkpoint, or its string, of a listing with the same filters and order:
          continue after the last task that it yielded. `since`, `until` and `max_items` may differ.
          Default: None, to begin at the first.
        - `on_malformed`: ``"raise"``, the default, raises the ResponseError of a task that cannot
          be read, with its JSON as `raw`, after the tasks before it; ``"skip"`` passes it over and
          counts it in the report.

        Raises InvalidArgumentError, which names the parameter, for a value that the endpoint does
        not accept. While it is iterated: AuthenticationError, RateLimitedError, ServerError,
        TransportError, ResponseError and other ApiErrors, each at its place in the order, after
        every task before it; ListingDriftError if it cannot be proven that nothing is missing, as
        where the account changes too fast.
        """
        query = TaskQuery(
            index_id=index_id,
            status=status,
            filename=filename,
            duration=duration,
            width=width,
            height=height,
            created_at=created_at,
            updated_at=updated_at,
            sort_by=sort_by,
            sort_option=sort_option,
            page_limit=page_limit,
        )
        return self.list(
            query,
            since=since,
            until=until,
            max_items=max_items,
            exact=exact,
            resume=resume,
            on_malformed=on_malformed,
        )

    def indexed_assets(
        self,
        index_id: str,
        *,
        status: IndexedAssetStatusFilter | None = None,
        filename: str | None = None,
        duration: RangeFilter | None = None,
        fps: RangeFilter | None = None,
        width: RangeFilter | None = None,
        height: RangeFilter | None = None,
        size: RangeFilter | None = None,
        created_at: datetime | None = None,
        updated_at: datetime | None = None,
        user_metadata: Mapping[str, str | float | bool] | None = None,
        sort_by: SortBy | SortByName = SortBy.CREATED_AT,
        sort_option: SortOption | SortOptionName = SortOption.DESC,
        page_limit: int = LARGEST,
        since: datetime | None = None,
        until: datetime | None = None,
        max_items: int | None = None,
        exact: bool = False,
        resume: Checkpoint | str | None = None,
        on_malformed: OnMalformed = "raise",
    ) -> Listing[IndexedAsset]:
        """List the indexed assets of an index that match: the successor of the list of tasks.

        Filters, order and `page_limit` mean what `IndexedAssetQuery` says of them: `status` takes
        one status or many, the ranges a `Range`, a mapping such as ``{"gte": 10}`` or one number.
        `since`, `until`, `max_items`, `exact`, `resume` and `on_malformed` mean what `tasks` says
        of them.

        Raises InvalidArgumentError for a value that the endpoint does not accept.
        """
        from twelvetasks.values.indexed_assets import IndexedAssetQuery  # noqa: PLC0415

        query = IndexedAssetQuery(
            index_id=index_id,
            status=status,
            filename=filename,
            duration=duration,
            fps=fps,
            width=width,
            height=height,
            size=size,
            created_at=created_at,
            updated_at=updated_at,
            user_metadata=user_metadata,
            sort_by=sort_by,
            sort_option=sort_option,
            page_limit=page_limit,
        )
        return self.list(
            query,
            since=since,
            until=until,
            max_items=max_items,
            exact=exact,
            resume=resume,
            on_malformed=on_malformed,
        )

    def embedding_tasks(
        self,
        *,
        status: EmbeddingStatus | EmbeddingStatusName | None = None,
        started_at: datetime | None = None,
        ended_at: datetime | None = None,
        version: Literal[1, 2] = 2,
        page_limit: int = LARGEST,
        since: datetime | None = None,
        until: datetime | None = None,
        max_items: int | None = None,
        exact: bool = False,
        resume: Checkpoint | str | None = None,
        on_malformed: OnMalformed = "raise",
    ) -> Listing[EmbeddingTask]:
        """List the embedding tasks that match, newest first.

        `version`: 2 for ``/embed-v2/tasks``, 1 for the older ``/embed/tasks``. Without `started_at`
        and `ended_at` the platform gives those of the last seven days; it keeps no others.

        The filters mean what `EmbeddingTaskQuery` says of them; the other
        arguments mean what `tasks` says of them.

        Raises InvalidArgumentError for a value that the endpoint does not accept.
        """
        from twelvetasks.values.embedding_tasks import (  # noqa: PLC0415
            EmbeddingTaskQuery,
            OlderEmbeddingTaskQuery,
        )

        if version not in (1, 2) or isinstance(version, bool):
            refuse("version", version, "must be 2, or 1 for the older list")
        kind = EmbeddingTaskQuery if version == 2 else OlderEmbeddingTaskQuery
        query = kind(status=status, started_at=started_at, ended_at=ended_at, page_limit=page_limit)
        return self.list(
            query,
            since=since,
            until=until,
            max_items=max_items,
            exact=exact,
            resume=resume,
            on_malformed=on_malformed,
        )

    def analysis_tasks(
        self,
        *,
        status: AnalysisStatus | AnalysisStatusName | None = None,
        analysis_mode: AnalysisMode | AnalysisModeName | None = None,
        video_url: str | None = None,
        asset_id: str | None = None,
        video_id: str | None = None,
        page_limit: int = LARGEST,
        since: datetime | None = None,
        until: datetime | None = None,
        max_items: int | None = None,
        exact: bool = False,
        resume: Checkpoint | str | None = None,
        on_malformed: OnMalformed = "raise",
    ) -> Listing[AnalysisTask]:
        """List the analysis tasks that match, newest first.

        The filters mean what `AnalysisTaskQuery` says of them; the other
        arguments mean what `tasks` says of them.

        Raises InvalidArgumentError for a value that the endpoint does not accept.
        """
        from twelvetasks.values.analysis_tasks import AnalysisTaskQuery  # noqa: PLC0415

        query = AnalysisTaskQuery(
            status=status,
            analysis_mode=analysis_mode,
            video_url=video_url,
            asset_id=asset_id,
            video_id=video_id,
            page_limit=page_limit,
        )
        return self.list(
            query,
            since=since,
            until=until,
            max_items=max_items,
            exact=exact,
            resume=resume,
            on_malformed=on_malformed,
        )

    def analysis_batches(
        self,
        *,
        status: BatchStatusFilter | None = None,
        analysis_mode: AnalysisModeFilter | None = None,
        page_limit: int = LARGEST,
        since: datetime | None = None,
        until: datetime | None = None,
        max_items: int | None = None,
        exact: bool = False,
        resume: Checkpoint | str | None = None,
        on_malformed: OnMalformed = "raise",
    ) -> Listing[AnalysisBatch]:
        """List the analysis batches that match, newest first.

        `status` and `analysis_mode` take one value or many, as `AnalysisBatchQuery` says; the other
        arguments mean what `tasks` says of them.

        Raises InvalidArgumentError for a value that the endpoint does not accept.
        """
        from twelvetasks.values.analysis_batches import AnalysisBatchQuery  # noqa: PLC0415

        query = AnalysisBatchQuery(
            status=status, analysis_mode=analysis_mode, page_limit=page_limit
        )
        return self.list(
            query,
            since=since,
            until=until,
            max_items=max_items,
            exact=exact,
            resume=resume,
            on_malformed=on_malformed,
        )

    @overload
    def list(
        self,
        query: TaskQuery,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        max_items: int | None = None,
        exact: bool = False,
        resume: Checkpoint | str | None = None,
        on_malformed: OnMalformed = "raise",
    ) -> TaskListing: ...

    @overload
    def list(
        self,
        query: ListQuery[ItemT],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        max_items: int | None = None,
        exact: bool = False,
        resume: Checkpoint | str | None = None,
        on_malformed: OnMalformed = "raise",
    ) -> Listing[ItemT]: ...

    def list(
        self,
        query: ListQuery[Any] | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        max_items: int | None = None,
        exact: bool = False,
        resume: Checkpoint | str | None = None,
        on_malformed: OnMalformed = "raise",
    ) -> Listing[Any]:
        """List the items that match a query, of any list of the platform.

        `query` is a `TaskQuery`, or a query of another list: a subclass of `ListQuery` that names
        its `Resource`. The other arguments, and the errors raised, are those of `tasks`, which is
        the same with a `TaskQuery`::

            query = TaskQuery(status="failed")
            async for task in session.list(query, max_items=10):
                print(task.id)

        Sends no request until the listing is iterated or awaited. Raises InvalidArgumentError for a
        value out of range, and for a checkpoint of another listing.
        """
        if query is None:
            raise TypeError("list() needs a query; call session.tasks(...) to list tasks")
        if not isinstance(query, ListQuery):
            refuse("query", query, "must be a TaskQuery, or a query of another list")
        options = ListingOptions[Any](
            query=query,
            since=since,
            until=until,
            max_items=max_items,
            exact=exact,
            resume=resume,
            on_malformed=on_malformed,
        )
        kind = TaskListing if isinstance(query, TaskQuery) else Listing
        return kind(self._requests, options)
