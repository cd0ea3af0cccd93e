"""`TaskSession`: the front door. It holds the key and the connection, and makes listings.

All that runs for a session is started here, so that closing it ends all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from os import PathLike
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import attrs
from yarl import URL

from twelvetasks.conversion.convert import converters
from twelvetasks.lists import Lists
from twelvetasks.streams.requests import Requests
from twelvetasks.tasks import requests as single
from twelvetasks.transport import arguments
from twelvetasks.transport.api_key import API_KEY_VARIABLE, KeyCallable, KeySource, read_api_key
from twelvetasks.transport.base_url import DEFAULT_BASE_URL, chosen_base_url, read_base_url
from twelvetasks.transport.client import Client
from twelvetasks.transport.connections import Connections
from twelvetasks.transport.exchange import Transport
from twelvetasks.transport.gate import Gatekeeper
from twelvetasks.transport.headers import checked_user_agent, merged_headers, read_headers
from twelvetasks.transport.log import follow_log_variable
from twelvetasks.transport.options import Options
from twelvetasks.transport.proxies import hidden_proxy
from twelvetasks.transport.retries import RetryPolicy
from twelvetasks.transport.telemetry import Telemetry
from twelvetasks.values.checkpoint import Checkpoint
from twelvetasks.values.checks import check_flag, refuse
from twelvetasks.values.errors import SessionClosedError
from twelvetasks.values.tasks import StatusFilter, Task, TaskQuery
from twelvetasks.values.uncopied import Uncopied

if TYPE_CHECKING:  # imported by the methods that need them, so that others do not wait for it
    from twelvetasks.tasks.polling import OnChange, Polling
    from twelvetasks.tasks.uploads import OnProgress, VideoFile
    from twelvetasks.tasks.waiting import TaskWaiting
    from twelvetasks.watching.keeping import CheckpointStore
    from twelvetasks.watching.watch import Announcer, TaskWatch

__all__ = ["API_KEY_VARIABLE", "DEFAULT_BASE_URL", "TaskSession"]


class TaskSession(Lists, Uncopied):
    """A connection to one TwelveLabs account, for one event loop. Use it with ``async with``.

    Leaving the block, or `aclose`, ends all listings, watches and waits of the session::

        async with TaskSession() as session:
            async for task in session.tasks(status="failed"):
                print(task.id, task.created_at)

    Making a session sends nothing. All arguments have a default:

    - `api_key`: the key, or a callable, sync or async, that returns it: called before each request,
      and again if the key is refused, so that a new key counts at once. Default: the environment
      variable ``TWELVE_LABS_API_KEY``.
    - `base_url`: the API's address with its version, https except on this machine itself. Default:
      the environment variable ``TWELVETASKS_BASE_URL``, or else ``TWELVELABS_BASE_URL``, or else
      ``https://api.twelvelabs.io/v1.3``.
    - `insecure_http`: allow an http address of another machine, such as a sidecar. Anyone on the
      way can then read the API key, and read and change the tasks. Default: False.
    - `concurrency`: how many requests may be in flight at once; a listing holds at most seven times
      as many pages ahead of the caller. At least 1. Default: 8.
    - `timeout`: seconds for one request, from connecting to the last byte, at most 10 of them for
      connecting; or an `aiohttp.ClientTimeout` with limits of its own for the whole (`total`),
      connecting (`connect`) and each wait for bytes (`sock_read`). Default: 60.
    - `retry`: which failures are retried, how often and for how long. Default: `RetryPolicy()`.
    - `headers`: sent with each request, such as those that a gateway in between asks for. Those
      that the session itself sets are refused. Default: none.
    - `user_agent`: what your program calls itself, such as ``"myapp/1.0"``, which the header
      ``User-Agent`` then names before ``twelvetasks/...``. Default: twelvetasks alone.
    - `gate`: the rate limiter that every request passes. Default: a `Gate` of its own. Sessions of
      one account share one; its `concurrency` is then that of all of them together.
    - `client_session`: an `aiohttp.ClientSession` to send through, for proxies, TLS or tracing. The
      caller closes it; the key is never stored on it. Default: the session opens one.
    - `proxy`: the address of an http(s) or SOCKS proxy, which may hold a user and a password; it is
      shown nowhere. Default: the one that ``HTTPS_PROXY`` (for an http address ``HTTP_PROXY``) or
      else ``ALL_PROXY`` names, unless ``NO_PROXY`` names the host.
    - `ssl`: an `ssl.SSLContext`, for certificates of your own. Default: the system's authorities,
      or those in the file that ``SSL_CERT_FILE`` names.
    - `trace_configs`: `aiohttp.TraceConfig` objects for the `aiohttp.ClientSession` that the
      session opens. Their hooks see the headers of each request, and so the key. Default: none.
    - `telemetry`: a `twelvetasks.otel.Telemetry`, for spans and metrics. Default: none.

    The environment variable ``TWELVETASKS_LOG=debug`` logs each request to stderr, without the key.

    Raises AuthenticationError if there is no key, or if it has characters that no key has;
    InvalidArgumentError for any other argument that is out of range.
    """

    _why_uncopied = "it holds a connection and the API key"

    def __init__(
        self,
        api_key: str | KeyCallable | None = None,
        *,
        base_url: str | URL | None = None,
        concurrency: int = 8,
        timeout: float | aiohttp.ClientTimeout = 60.0,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        user_agent: str | None = None,
        gate: Gatekeeper | None = None,
        client_session: aiohttp.ClientSession | None = None,
        proxy: str | URL | None = None,
        ssl: SSLContext | None = None,
        insecure_http: bool = False,
        trace_configs: Iterable[aiohttp.TraceConfig] | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        # Rebound before anything is refused: a traceback that shows locals must not show secrets.
        key, refusal = read_api_key(api_key)
        api_key = None
        proxy = hidden_proxy(proxy)
        name, base_url = chosen_base_url(base_url)
        address, fault = read_base_url(base_url, insecure_http=insecure_http is True)
        base_url = None
        headers, headers_fault = read_headers(headers)
        if refusal is not None:
            raise refusal
        check_flag("insecure_http", insecure_http)
        if fault:
            refuse(name, address, fault)
        if headers_fault is not None:
            refuse("headers", *headers_fault)
        base = self._base_url = URL(address)
        options = Options(concurrency=concurrency, timeout=timeout, retry=retry, headers=headers)
        connections = Connections(
            user_agent=checked_user_agent(user_agent),
            client_session=arguments.checked_client_session(client_session),
            proxy=arguments.checked_proxy(proxy, client_session, base, insecure_http=insecure_http),
            ssl=arguments.checked_ssl(ssl, client_session),
            trace_configs=arguments.checked_trace_configs(trace_configs, client_session),
        )
        transport = Transport(
            Client(keys=KeySource(key), connections=connections),
            options,
            gate=arguments.checked_gate(gate, concurrency),
            telemetry=arguments.checked_telemetry(telemetry),
        )
        self._requests = Requests(transport, self._base_url)
        follow_log_variable()
        # Made here, so that the first page does not hold up other tasks of the loop.
        converters()

    @property
    def base_url(self) -> URL:
        """The API's address."""
        return self._base_url

    @property
    def concurrency(self) -> int:
        """How many requests may be in flight at once."""
        return self._requests.concurrency

    @property
    def retry(self) -> RetryPolicy:
        """Which failures are retried, how often and for how long."""
        return self._requests.transport.options.retry

    @property
    def gate(self) -> Gatekeeper:
        """The rate limiter that every request passes; sessions of one account can share it."""
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

    async def __aenter__(self) -> Self:
        if self.closed:
            raise SessionClosedError("the session is closed", advice="Make a new TaskSession")
        self._requests.enter()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the session: end all its listings, watches and waits, and close the connection.

        When it returns, no request of the session is in flight. Later ones raise
        SessionClosedError. Closing twice is fine. Called in another event loop than the session's,
        it raises SessionClosedError and closes nothing.
        """
        await self._requests.close()

    def with_options(
        self,
        *,
        timeout: float | aiohttp.ClientTimeout | None = None,
        retry: RetryPolicy | None = None,
        concurrency: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        """Return a session with other options that shares the connection, the key and the gate.

        For requests that need other limits than the rest::

            quick = session.with_options(timeout=5, retry=RetryPolicy(attempts=1))
            print(await quick.tasks(status="queued").count())

        The options mean what `TaskSession` says of them; None, the default of each, keeps that of
        this session. `headers` are added to its headers. `concurrency` is how many requests a
        listing may have in flight at once; the shared gate limits all requests together.

        It need not be closed. Closing it ends only its own listings; closing this session closes
        it, too. Sends nothing. Raises InvalidArgumentError for an option that is out of range;
        SessionClosedError if this session is closed.
        """
        headers, headers_fault = read_headers(headers)
        if headers_fault is not None:
            refuse("headers", *headers_fault)
        if self.closed:
            raise self._requests.transport.closed_error()
        given: dict[str, Any] = {"timeout": timeout, "retry": retry, "concurrency": concurrency}
        changes = {name: value for name, value in given.items() if value is not None}
        now = self._requests.transport.options
        options = attrs.evolve(now, **changes, headers=merged_headers(now.headers, headers))
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, _requests=self._requests.with_options(options))
        return other

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
        checkpoint_file: str | PathLike[str] | CheckpointStore | None = None,
        deletions: bool = False,
        min_interval: float = 5.0,
        max_interval: float = 60.0,
        lateness: float = 5.0,
        webhooks: Announcer | None = None,
    ) -> TaskWatch:
        """Watch the tasks that match: an endless async generator of `TaskChange`.

        Each change is delivered once, in order of `updated_at`; what becomes visible after a later
        update, out of order. If a task changes twice between two polls, its newest state is seen.
        `before` is None for a task not among the 10,000 that this watch has seen last.

        The filters are those of `tasks`. With `status`, a change is delivered if the task was, or
        is, in one of these states; that it was is known only of tasks this watch has seen.
        `since`, an aware datetime: deliver updates from this time on. Without it the watch begins
        with its first poll, and what exists then is no change. `resume`: a checkpoint of a watch
        with the same filters, or its string, to continue after the last change delivered.
        `checkpoint_file`: a path, or a `CheckpointStore`, to resume from if it holds a checkpoint
        (`since` is then ignored), and to save it to: after the first poll, and after each change
        when the next is asked for or ``async with`` is left without an error. A restart misses
        nothing, and repeats at most the change that was being handled. The file is replaced
        atomically. An empty one is logged and ignored; other content: InvalidArgumentError.

        `deletions`: list all tasks first and remember them, to deliver deleted ones, too, after the
        changes of that poll. They are listed again when there are fewer than expected, which at
        most doubles the requests; one more confirms each deletion. Not those deleted between runs.

        A poll without changes is one request for ten tasks. The next follows about `min_interval`
        seconds after a change, later while nothing changes, up to about `max_interval`. Transient
        failures (no connection, no answer in time, 429 and 5xx) are logged as warnings and retried.
        Any other error ends the watch and has a `checkpoint`.
        `lateness`, in seconds: by how much an update may become visible after one with a later
        `updated_at`. Each poll reads back so far; the checkpoint holds what was delivered there.

        `webhooks`, a `twelvetasks.webhooks.Receiver`: poll as soon as it receives that a task is
        ready or has failed, at most once a second. If the poll does not show the change yet, it
        polls again after 1, 2, 4, ... seconds; after two polls it fetches the task by itself, if
        there are no filters but `index_id` and `status`. Only what the platform shows is delivered,
        once, even if webhooks are lost, late, duplicated or out of order.
        It assumes that each change sets a new `updated_at`, or another status; tasks without
        `updated_at` are not watched. Raises InvalidArgumentError for what the list does not accept.
        """
        from twelvetasks.watching import plan, watch  # noqa: PLC0415

        query = TaskQuery(
            index_id=index_id,
            status=status,
            filename=filename,
            duration=duration,
            width=width,
            height=height,
            created_at=created_at,
        )
        asked = plan.WatchPlan(
            query=query,
            since=since,
            resume=resume,
            checkpoint_file=checkpoint_file,
            deletions=deletions,
            min_interval=min_interval,
            max_interval=max_interval,
            lateness=lateness,
        )
        return watch.TaskWatch(self._requests, asked, webhooks)

    async def task(self, task_id: str | Task) -> Task:
        """Fetch one task, given as a `Task` or by its id: with `hls`, which listings leave out.

        Example::

            newest = await session.tasks().first()
            task = await session.task(newest)
            print(task.status, task.hls)

        Raises InvalidArgumentError for an invalid id, NotFoundError if there is no such task.
        """
        return await self._requests.retrieve(TaskQuery(), single.checked_id(task_id))

    async def delete(self, task: str | Task) -> None:
        """Delete a task, given as a `Task` or by its id.

        Example::

            async for task in session.tasks(status="failed", max_items=1):
                await session.delete(task)

        Raises TaskNotDeletableError if it is neither ``ready`` nor ``failed``; NotFoundError if it
        is not there, which is also the answer to a retry after the first attempt was carried out
        but its answer got lost.
        """
        await single.delete(self._requests, single.checked_id(task))

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
        """Upload a video, and return the new task, with only its `id` and its `video_id`.

        Give either `video_url`, a public http(s) address, or `video_file`: a path, or an async
        iterable of bytes, then with its `filename` and, if it is known, its `size` in bytes.

        - `index_id`: the index that the video is for.
        - `enable_video_stream`: whether the platform keeps the video for streaming.
        - `user_metadata`: what JSON can write, kept with the video.
        - `on_progress`: called with the bytes of the video sent so far and with its size, or None.

        The session's `timeout` is for each piece of a video and for the answer, not for the whole.
        It is retried only if it never left this machine or was refused with status 429; bytes of
        an iterable that can be read only once are never sent again.

        Raises InvalidArgumentError before anything is sent, UploadError if the bytes fail on the
        way, BadRequestError, with the platform's `code`, if the video is refused. What the caller's
        own iterable or `on_progress` raises is raised unchanged; no task is made then.
        """
        from twelvetasks.tasks.uploads import checked_upload  # noqa: PLC0415

        upload = await checked_upload(
            index_id=index_id,
            video_url=video_url,
            video_file=video_file,
            filename=filename,
            size=size,
            enable_video_stream=enable_video_stream,
            user_metadata=user_metadata,
            on_progress=on_progress,
            stall_timeout=self._requests.transport.options.silence,
        )
        return await single.create(self._requests, upload)

    async def wait(
        self,
        task: str | Task,
        *,
        timeout: float = 3600.0,  # noqa: ASYNC109 - it is one for many requests and pauses
        on_change: OnChange | None = None,
        raise_on_failure: bool = True,
        polling: Polling | None = None,
    ) -> Task:
        """Wait until a task is ``ready`` or ``failed``, and return it.

        - `timeout`: seconds for the whole wait, after one poll, which has 5 more. Default: an hour.
        - `on_change`: called, or awaited, with the task when it is first seen or has a new status.
        - `raise_on_failure`: raise TaskFailedError for a failed task, or return it. Default: True.
        - `polling`: how often to poll. Default: `Polling()`.

        Transient failures (no connection, no answer in time, status 429 and 5xx) are retried. A
        status that this version does not know counts as under way.

        Raises TaskFailedError, with the `task`, if it has failed, unless `raise_on_failure` is
        False; WaitTimeoutError after `timeout`; NotFoundError if the task does not exist. ::

            task = await session.wait(task, timeout=600, on_change=print)
        """
        from twelvetasks.tasks.polling import WaitPlan  # noqa: PLC0415
        from twelvetasks.tasks.waiting import wait_for  # noqa: PLC0415

        plan = WaitPlan(timeout=timeout, on_change=on_change, polling=polling, query=TaskQuery())
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
        """Iterate over tasks, each as soon as it is ``ready`` or ``failed``.

        Each poll lists the tasks under way, for all of them at once. If all tasks belong to one
        index, `index_id` makes that listing shorter. The other arguments are those of `wait`.

        Raises WaitTimeoutError, with `task_ids`, after `timeout`, and NotFoundError, after all
        others have ended, if tasks do not exist. ::

            async for task in session.wait_all(tasks, timeout=600):
                print(task.id, task.status)
        """
        from twelvetasks.tasks.polling import WaitPlan  # noqa: PLC0415
        from twelvetasks.tasks.waiting import TaskWaiting  # noqa: PLC0415

        query = TaskQuery(index_id=index_id)
        plan = WaitPlan(timeout=timeout, on_change=on_change, polling=polling, query=query)
        return TaskWaiting(self._requests, tasks, plan)
