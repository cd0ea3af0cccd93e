"""`TaskSession`: holds the key and the connection, and hands out listings.

Everything that runs on a session's behalf is started here, so that closing it ends all of it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NoReturn, Self, SupportsIndex, TypeVar, overload

import aiohttp
from yarl import URL

from twelvetasks.conversion.convert import converters
from twelvetasks.listing import Listing, TaskListing
from twelvetasks.paging.options import ListingOptions
from twelvetasks.streams.requests import Requests
from twelvetasks.tasks import requests as single
from twelvetasks.tasks.polling import Polling
from twelvetasks.tasks.uploads import OnProgress, VideoFile, checked_upload
from twelvetasks.tasks.waiting import OnChange, TaskWaiting, WaitPlan, under_way, wait_for
from twelvetasks.transport.address import read_base_url
from twelvetasks.transport.client import Client
from twelvetasks.transport.gate import Gate, Gatekeeper
from twelvetasks.transport.retries import RetryPolicy
from twelvetasks.transport.telemetry import Telemetry
from twelvetasks.transport.transport import Transport
from twelvetasks.values.checkpoint import Checkpoint
from twelvetasks.values.checks import refuse, whole_number
from twelvetasks.values.errors import AuthenticationError, SessionClosedError
from twelvetasks.values.models import SortBy, SortOption, Task
from twelvetasks.values.query import ListQuery, SortByName, SortOptionName
from twelvetasks.values.secret import ApiKey
from twelvetasks.values.tasks import TASKS, StatusFilter, TaskQuery
from twelvetasks.watching.plan import WatchPlan
from twelvetasks.watching.watch import Announcer, TaskWatch

__all__ = ["API_KEY_VARIABLE", "DEFAULT_BASE_URL", "TaskSession"]

ItemT = TypeVar("ItemT")

API_KEY_VARIABLE = "TWELVE_LABS_API_KEY"
"""The environment variable that the official SDK reads, too."""

DEFAULT_BASE_URL = URL("https://api.twelvelabs.io/v1.3")


class TaskSession:
    """A connection to one TwelveLabs account. Use it as an async context manager.

    - `api_key`: the key; without it, the environment's ``TWELVE_LABS_API_KEY``.
    - `base_url`: the API's address with its version; https, except on this machine itself.
    - `concurrency`: how many requests may be under way at once, and how many pages a listing may
      fetch or hold ahead of its reader.
    - `timeout`: seconds for one request, from connecting to the last byte.
    - `retry`: which failures are tried again, how often and for how long; see `RetryPolicy`.
    - `gate`: what every request passes; a `Gate` of its own by default. Sessions of one account
      share one, and then its `concurrency` says how many of their requests are under way at once.
    - `client_session`: an `aiohttp.ClientSession` to send through (for proxies, TLS, tracing). It
      stays the caller's to close, and the key is never stored on it.
    - `trace_configs`: `aiohttp.TraceConfig` objects for the `aiohttp.ClientSession` that is made
      without `client_session`. Their hooks see the headers of each request, and so the key.
    - `telemetry`: a `twelvetasks.otel.Telemetry`, for spans and metrics.

    Raises AuthenticationError if there is no key, InvalidArgumentError for an argument out of
    range.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | URL = DEFAULT_BASE_URL,
        concurrency: int = 8,
        timeout: float = 60.0,
        retry: RetryPolicy | None = None,
        gate: Gatekeeper | None = None,
        client_session: aiohttp.ClientSession | None = None,
        trace_configs: Iterable[aiohttp.TraceConfig] | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        # Rebound before anything is refused: a traceback that shows locals must not show the key.
        api_key = _found_api_key(api_key)
        _check_characters(api_key)
        base_url, fault = read_base_url(base_url)
        if fault:
            refuse("base_url", base_url, fault)
        self._base_url = URL(base_url)
        whole_number("concurrency", concurrency, least=1)
        client = Client(
            api_key=api_key,
            timeout=_checked_timeout(timeout),
            client_session=client_session,
            trace_configs=_checked_trace_configs(trace_configs, client_session),
        )
        transport = Transport(
            client,
            gate=_checked_gate(gate, concurrency),
            retry=_checked_policy(retry),
            telemetry=_checked_telemetry(telemetry),
        )
        self._requests = Requests(transport, self._base_url, concurrency)
        # Made here, so that the first page does not hold up whatever else runs in the loop.
        converters()

    @property
    def base_url(self) -> URL:
        """The API's address."""
        return self._base_url

    @property
    def concurrency(self) -> int:
        """How many requests may be under way at once."""
        return self._requests.concurrency

    @property
    def retry(self) -> RetryPolicy:
        """Which failures are tried again, how often and for how long."""
        return self._requests.transport.retry

    @property
    def gate(self) -> Gatekeeper:
        """What every request passes: give it to other sessions of the account to share it."""
        return self._requests.transport.gate

    @property
    def closed(self) -> bool:
        """Whether the session, and with it every listing of it, has been closed."""
        return self._requests.closed

    def __repr__(self) -> str:
        if not hasattr(self, "_requests"):
            # A traceback that shows locals meets it while its arguments are being refused.
            return "<TaskSession>"
        state = ", closed" if self.closed else ""
        return f"<TaskSession {self._base_url}, concurrency={self.concurrency}{state}>"

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        raise TypeError("a TaskSession cannot be pickled: it holds a connection and the API key")

    async def __aenter__(self) -> Self:
        if self.closed:
            raise SessionClosedError("the session is closed", advice="Make a new TaskSession")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End every listing, wait until its requests have ended, and close the connection."""
        await self._requests.close()

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
        page_limit: int = TASKS.max_page_limit,
        max_items: int | None = None,
        exact: bool = False,
        resume: Checkpoint | str | None = None,
    ) -> TaskListing:
        """List the tasks that match. Sends no request until the listing is iterated or awaited.

        Filters, order and `page_limit` mean what `TaskQuery` says of them; `status` takes one
        status or many, and times are aware datetimes.

        - `max_items`: the most tasks to yield; None for all.
        - `exact`: prove at every seam of two pages that nothing is missed, whatever changes
          meanwhile, for about a fifth more requests.
        - `resume`: a checkpoint, or its string, of a listing with the same filters and order: go on
          after the last task that it yielded.

        Raises InvalidArgumentError for whatever the endpoint could not take.
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
        return self.list(query, max_items=max_items, exact=exact, resume=resume)

    @overload
    def list(
        self,
        query: TaskQuery,
        *,
        max_items: int | None = None,
        exact: bool = False,
        resume: Checkpoint | str | None = None,
    ) -> TaskListing: ...

    @overload
    def list(
        self,
        query: ListQuery[ItemT],
        *,
        max_items: int | None = None,
        exact: bool = False,
        resume: Checkpoint | str | None = None,
    ) -> Listing[ItemT]: ...

    def list(
        self,
        query: ListQuery[Any],
        *,
        max_items: int | None = None,
        exact: bool = False,
        resume: Checkpoint | str | None = None,
    ) -> Listing[Any]:
        """List the items that match a query, of any list of the platform.

        Sends no request until the listing is iterated or awaited. `query` is a `TaskQuery`, or one
        of another list: a subclass of `ListQuery` that names its `Resource`. `max_items`, `exact`
        and `resume` mean what `tasks` says of them.

        Raises InvalidArgumentError for a value out of range, and for a checkpoint of another
        listing.
        """
        if not isinstance(query, ListQuery):
            refuse("query", query, "must be a TaskQuery, or a query of another list")
        options = ListingOptions[Any](query=query, max_items=max_items, exact=exact, resume=resume)
        kind = TaskListing if isinstance(query, TaskQuery) else Listing
        return kind(self._requests, options)

    def watch(
        self,
        *,
        index_id: str | None = None,
        status: StatusFilter | None = None,
        filename: str | None = None,
        duration: float | None = None,
        width: int | None = None,
        height: int | None = None,
        created_at: datetime | None = None,
        since: datetime | None = None,
        resume: Checkpoint | str | None = None,
        deletions: bool = False,
        min_interval: float = 5.0,
        max_interval: float = 60.0,
        webhooks: Announcer | None = None,
    ) -> TaskWatch:
        """Watch the tasks that match: an endless async generator of `TaskChange`.

        Each change is delivered once, in order of `updated_at`. A change is the difference between
        two looks at a task: if it changes twice between two polls, only its newest state is seen.
        `before` is None for a task that this watch has not seen before: it remembers the last state
        of the 10,000 tasks seen last, from its beginning or its `resume` on.

        The filters are those of `tasks`. With `status`, a change is delivered if the task was, or
        is, in one of these states; that it was is known only of tasks this watch has seen.

        `since`, an aware datetime: deliver what was updated at or after it. Without it the watch
        begins with its first poll, and what was there then is no change. `resume`: a checkpoint of
        such a watch, or its text, to go on behind the last change delivered.

        `deletions`: deliver deleted tasks, too, after the changes of the poll that noticed them.
        For that the watch lists every task once at its beginning and remembers them all, and lists
        them again when there are fewer than there should be, which at most doubles its requests.
        Tasks deleted while no watch is running are not delivered.

        A quiet poll is one request for ten tasks. Between two polls it waits about `min_interval`
        seconds after a change, and longer and longer, up to about `max_interval`, while nothing
        changes. Connection failures, timeouts and answers of 429 and 5xx do not end it: it logs a
        warning and polls on. Any other error does, and carries the `checkpoint`.

        `webhooks`, a `twelvetasks.webhooks.Receiver`: look at once when one tells that a task is
        ready or has failed, at most once a second. If the change does not show yet, it looks again
        after 1, 2, 4, ... seconds. Webhooks decide when it looks, never what is delivered: each
        change is delivered once, in order, whether they are lost, late, doubled or out of order.

        It relies on this: `updated_at` changes with a task's every change, and no change gets an
        earlier one than a change that could be seen before it. A task without one is not watched.

        Raises InvalidArgumentError for whatever the endpoint could not take.
        """
        query = TaskQuery(
            index_id=index_id,
            status=status,
            filename=filename,
            duration=duration,
            width=width,
            height=height,
            created_at=created_at,
        )
        plan = WatchPlan(
            query=query,
            since=since,
            resume=resume,
            deletions=deletions,
            min_interval=min_interval,
            max_interval=max_interval,
        )
        return TaskWatch(self._requests, plan, webhooks)

    async def task(self, task_id: str | Task) -> Task:
        """Fetch a task with all that the platform shows of it, its stream included.

        Raises NotFoundError if there is none with this id.
        """
        transport, base_url = self._requests.transport, self._base_url
        return await single.retrieve(transport, base_url, single.checked_id(task_id))

    async def delete(self, task: str | Task) -> None:
        """Delete a task, given as it is or by its id.

        Raises TaskNotDeletableError if it is neither ``ready`` nor ``failed``, NotFoundError if it
        is not there, which is also the answer if a deletion was done but had to be sent again.
        """
        transport, base_url = self._requests.transport, self._base_url
        await single.delete(transport, base_url, single.checked_id(task))

    async def create(
        self,
        *,
        index_id: str,
        video_url: str | URL | None = None,
        video_file: VideoFile | None = None,
        filename: str | None = None,
        size: int | None = None,
        enable_video_stream: bool = True,
        user_metadata: Mapping[str, Any] | None = None,
        on_progress: OnProgress | None = None,
    ) -> Task:
        """Upload a video, and give the new task: its `id` and its `video_id`, and no more.

        Give either `video_url`, a public http(s) address, or `video_file`: a path, or an async
        iterable of bytes, then with its `filename` and, if it is known, its `size` in bytes.

        - `index_id`: the index that the video is for.
        - `enable_video_stream`: whether the platform keeps the video for streaming.
        - `user_metadata`: what JSON can write, kept with the video.
        - `on_progress`: called with the bytes of the video sent so far and with its size, or None.

        The session's `timeout` is for each piece of a video and for the answer, not for the whole.
        It is sent again only if it never left this machine or was refused with status 429; bytes
        that can be had only once are never sent again.

        Raises InvalidArgumentError before anything is sent, UploadError if the bytes fail on the
        way, BadRequestError, with the platform's `code`, if the video is refused. What the caller's
        own iterable or `on_progress` raises is raised as it is; no task is made then.
        """
        upload = await checked_upload(
            index_id=index_id,
            video_url=video_url,
            video_file=video_file,
            filename=filename,
            size=size,
            enable_video_stream=enable_video_stream,
            user_metadata=user_metadata,
            on_progress=on_progress,
            stall_timeout=self._requests.transport.client.timeout,
        )
        return await single.create(self._requests.transport, self._base_url, upload)

    async def wait(
        self,
        task: str | Task,
        *,
        timeout: float = 3600.0,  # noqa: ASYNC109 - it is one for many requests and pauses
        on_change: OnChange | None = None,
        raise_on_failure: bool = True,
        polling: Polling | None = None,
    ) -> Task:
        """Wait until a task has ended, and give it as it is then.

        - `timeout`: seconds in all.
        - `on_change`: called, or awaited, with the task at first sight and whenever its status has
          changed.
        - `raise_on_failure`: whether a task that has failed is raised instead of given.
        - `polling`: how often to look.

        Errors that may pass (no connection, no answer in time, status 429 and 5xx) do not end the
        wait. A status that this version does not know counts as one under way.

        Raises TaskFailedError, with the `task`, if it has failed, unless `raise_on_failure` is
        False; WaitTimeoutError when the time is over; NotFoundError if the task is not there.
        """
        plan = WaitPlan(timeout=timeout, on_change=on_change, polling=polling)
        return await wait_for(self._requests, task, plan, raise_on_failure=raise_on_failure)

    def wait_all(
        self,
        tasks: Iterable[str | Task],
        *,
        timeout: float = 3600.0,
        on_change: OnChange | None = None,
        index_id: str | None = None,
        polling: Polling | None = None,
    ) -> TaskWaiting:
        """Iterate over tasks, each as soon as it has ended, be it ``ready`` or ``failed``.

        One listing of what is under way serves all of them; `index_id` narrows it to the index that
        all the tasks belong to. The other arguments are those of `wait`.

        Raises WaitTimeoutError, with `task_ids`, when the time is over, and NotFoundError, after
        all others have ended, if tasks are not there.
        """
        query = under_way(index_id)
        plan = WaitPlan(timeout=timeout, on_change=on_change, polling=polling, query=query)
        return TaskWaiting(self._requests, tasks, plan)


def _found_api_key(given: Any) -> ApiKey:
    key = os.environ.get(API_KEY_VARIABLE, "") if given is None else given
    if not isinstance(key, str):
        raise AuthenticationError(f"api_key must be a string, not {type(key).__name__}")
    if not key:
        raise AuthenticationError(
            "there is no API key",
            advice=f"Pass api_key=... or set the environment variable {API_KEY_VARIABLE}",
        )
    return ApiKey(key)


def _check_characters(api_key: ApiKey) -> None:
    if not all("!" <= character <= "~" for character in api_key):
        raise AuthenticationError(
            "the API key has a character that no key has, perhaps a space or a line break",
            advice=f"Check api_key or the environment variable {API_KEY_VARIABLE}",
        )


def _checked_gate(gate: Any, concurrency: int) -> Gatekeeper:
    if gate is None:
        return Gate(concurrency)
    if not isinstance(gate, Gatekeeper) or isinstance(gate, type):
        refuse("gate", gate, "must be a Gate, or have its methods `passage` and `pause_left`")
    return gate


def _checked_trace_configs(given: Any, client_session: object) -> list[aiohttp.TraceConfig]:
    if given is None:
        return []
    if client_session is not None:
        refuse(
            "trace_configs",
            given,
            "cannot be given with `client_session`: pass them to that aiohttp.ClientSession",
        )
    configs = list(given) if isinstance(given, Iterable) else [given]
    if not all(isinstance(config, aiohttp.TraceConfig) for config in configs):
        refuse("trace_configs", given, "must be aiohttp.TraceConfig objects, in a list")
    return configs


def _checked_telemetry(telemetry: Any) -> Telemetry | None:
    if isinstance(telemetry, type) or not isinstance(telemetry, Telemetry | None):
        refuse("telemetry", telemetry, "must be a twelvetasks.otel.Telemetry")
    return telemetry


def _checked_policy(retry: Any) -> RetryPolicy:
    if retry is None:
        return RetryPolicy()
    if not isinstance(retry, RetryPolicy):
        refuse("retry", retry, "must be a RetryPolicy")
    return retry


def _checked_timeout(timeout: Any) -> float:
    number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    if not number or not math.isfinite(timeout) or timeout <= 0:
        refuse("timeout", timeout, "must be a positive, finite number of seconds")
    return float(timeout)
