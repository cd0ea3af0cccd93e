"""`FakePlatform`: TwelveLabs on a loopback socket, for tests, demonstrations and benchmarks.

It connects the parts of this package: the account, its endpoints, the script of a test, the rate
limit, webhooks and the server. It shares no code with the client, which it is there to judge.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, Self

import attrs
import msgspec
from aiohttp import web
from yarl import URL

from twelvetasks.testing import answers, kinds
from twelvetasks.testing.behaviour import Behaviour, clock_or_system
from twelvetasks.testing.demo import demo_items, demo_tasks
from twelvetasks.testing.endpoints import PREFIX, Endpoints
from twelvetasks.testing.kinds import Kind
from twelvetasks.testing.limits import RateLimit, RateWindow
from twelvetasks.testing.lists import FakeList
from twelvetasks.testing.living import Living
from twelvetasks.testing.recording import RecordedRequest
from twelvetasks.testing.script import Failure, Hold, Responder
from twelvetasks.testing.server import Server
from twelvetasks.testing.serving import Serving
from twelvetasks.testing.uploads import RecordedUpload
from twelvetasks.testing.webhooks import FakeWebhook, RecordedDelivery, Webhooks
from twelvetasks.testing.worlds import World

Action = Callable[["FakePlatform", web.Request], Awaitable[None] | None]

_TICK = 0.01
"""Seconds between two checks for tasks that are due, if there are webhooks to send."""


@attrs.define(auto_attribs=False, eq=False, slots=False, repr=False)
class FakePlatform(Behaviour):
    """A TwelveLabs in your own process that serves its lists of work on a loopback socket.

    It serves `GET` and `POST /v1.3/tasks`, `GET` and `DELETE /v1.3/tasks/{id}`, and `GET` of the
    other lists and their items; it refuses what the platform refuses. The methods here are about
    video indexing tasks. Each other list is a `FakeList`: `indexed_assets`, `embedding_tasks`,
    `older_embedding_tasks`, `analysis_tasks`, `analysis_batches`, `indexes`, `assets` and
    `entities`. Use `async with` in the running event loop, or
    `with platform.run_in_thread()` in synchronous code::

        async with (
            FakePlatform.demo(1000) as platform,
            TaskSession(platform.api_key, base_url=platform.base_url) as session,
        ):
            failed = await session.tasks(status="failed")

    - `tasks`: the account's first tasks, as JSON objects. A missing `_id`, `created_at`,
      `updated_at`, `status` or `index_id` is filled in.
    - `lists`: the first items of the other lists, by the name of their attribute.
    - `api_key`: the one key that is accepted; any other is answered 401.
    - `rate_limit`: a `RateLimit`; None for no limit.
    - `latency`: seconds before a request is answered, or a function of the request that returns
      them.
    - `clock`: a function that returns the time of the account and of the rate limit; the system's
      by default.
    - `past_end`: whether a page past the end is empty or refused with status 400.
    - `empty_total_page`: `total_page` where nothing matches.
    - `date_filter`: whether the filters `created_at` and `updated_at` match everything at or after
      the time (`"since"`) or only until the end of its day in UTC (`"day"`).
    - `index_ids`: the indexes that accept uploads; None for any.
    - `foreign_index_ids`: indexes of other accounts; reading or filling them is answered 403.
    - `ready_deletion`: whether a ready task can be deleted, as documented, or only after its video
      has been deleted by `DELETE /indexes/{index_id}/videos/{video_id}`, as seen on the platform.
    - `conforming`: send only what the official OpenAPI specification declares: no null, no older
      name, no `error_reason`.
    - `cross_origin`: let pages of any origin in a browser use the platform.
    - `max_filesize`: the largest video that can be uploaded, in bytes.
    - `indexing_time`: seconds of the clock in which an uploaded task becomes `ready`; None to move
      it with `advance` and `finish`.
    - `reads`: `"torn"` counts the total when a request arrives and reads the page later, just
      before the answer, so that changes come between the two; `"atomic"` reads both at once.
    - `replicas`: reads come from one of so many copies of the account, each up to 20 steps behind
      (a step is one change or one read), so that a read may be older than the one before.
    - `ties`: `"unstable"` orders items with equal times anew for each page and page limit.
    - `commits`: `"late"` makes changes visible up to 5 steps after they were made, so that one
      with an earlier time can appear after one with a later time.
    - `seed`: decides the choices of the four above.
    - `host`, `port`: the address to listen on; port 0 takes any free port.

    An uploaded video is counted and hashed while it arrives, and not kept: see `uploads`.
    """

    _first_tasks: Iterable[Mapping[str, Any]] = attrs.field(default=(), alias="tasks")

    def __attrs_post_init__(self) -> None:
        self._webhooks = Webhooks(self._clock)
        world = World(
            reads=self._reads,
            replicas=self._replicas,
            ties=self._ties,
            commits=self._commits,
            seed=self._seed,
        )
        first = {**(self._first_items or {}), "tasks": self._first_tasks}
        self._lists: list[FakeList] = []

        def served(name: str, kind: Kind) -> FakeList:
            items = FakeList(
                kind,
                self._clock,
                world,
                conforming=self._conforming,
                changed=partial(self._webhooks.tell, kind),
                first=first.pop(name, ()),
            )
            self._lists.append(items)
            return items

        self._tasks: FakeList = served("tasks", kinds.TASKS)
        self._tasks.load()
        self.indexed_assets: FakeList = served("indexed_assets", kinds.INDEXED_ASSETS)
        """`GET /indexes/{index_id}/indexed-assets`."""
        self.embedding_tasks: FakeList = served("embedding_tasks", kinds.EMBEDDING_TASKS)
        """`GET /embed-v2/tasks`."""
        older = served("older_embedding_tasks", kinds.OLDER_EMBEDDING_TASKS)
        self.older_embedding_tasks: FakeList = older
        """`GET /embed/tasks`."""
        self.analysis_tasks: FakeList = served("analysis_tasks", kinds.ANALYSIS_TASKS)
        """`GET /analyze/tasks`."""
        self.analysis_batches: FakeList = served("analysis_batches", kinds.ANALYSIS_BATCHES)
        """`GET /analyze/batches`."""
        self.indexes: FakeList = served("indexes", kinds.INDEXES)
        """`GET /indexes`."""
        self.assets: FakeList = served("assets", kinds.ASSETS)
        """`GET /assets`."""
        self.entities: FakeList = served("entities", kinds.ENTITIES)
        """`GET /entity-collections/{entity_collection_id}/entities`."""
        self._living: Living | None = None
        if first:
            raise ValueError(f"lists has no list {min(first)!r}")
        # Each list lets go of its first items when it has taken them in.
        self._first_tasks, self._first_items = (), None
        self._endpoints = Endpoints(self._lists, self)
        torn = self._reads == "torn"
        self._serving = Serving(self._endpoints, self, torn, self._apply_due)
        self._script = self._serving.script
        self._server = Server(self._serving.serve, self._host, self._port)
        self.rate_limit = self._rate_limit

    @classmethod
    def demo(
        cls,
        count: int = 1000,
        *,
        seed: int = 0,
        living: bool = False,
        changes_per_minute: float = 20.0,
        **options: Any,
    ) -> Self:
        """Return a platform with `count` realistic tasks, the same for the same count and seed.

        By default the newest is of 2025-06-30 and nothing changes. With `living` it is of just
        now, what is under way in any list ends within `indexing_time` (30 seconds), and tasks are
        uploaded, updated and deleted, `changes_per_minute` in all. `options` are the parameters of
        `FakePlatform` except `tasks` and `lists`.
        """
        clock = clock_or_system(options.get("clock"))
        newest = clock() if living else None
        if living:
            options = {"indexing_time": 30.0} | options
        platform = cls(
            demo_tasks(count, seed=seed, newest=newest),
            lists=demo_items(count, seed=seed, newest=newest),
            seed=seed,
            **options,
        )
        if living:
            platform._living = Living(
                platform._lists,
                clock,
                changes_per_minute=changes_per_minute,
                indexing_time=options["indexing_time"],
                seed=seed,
            )
        return platform

    @property
    def base_url(self) -> URL:
        """The address to give to a client; raises `RuntimeError` while the platform is stopped."""
        return self._server.origin.with_path(PREFIX)

    @property
    def rate_limit(self) -> RateLimit | None:
        """The limit on requests; assigning one opens a fresh window."""
        return self._rate_limit

    @rate_limit.setter
    def rate_limit(self, limit: RateLimit | None) -> None:
        self._rate_limit = limit
        self._serving.window = None if limit is None else RateWindow(limit, self._clock)

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every request so far, in order of arrival; may be cleared."""
        return self._serving.recorder.requests

    @property
    def uploads(self) -> list[RecordedUpload]:
        """Every upload that became a task, in order of completion; may be cleared."""
        return self._endpoints.uploads

    @property
    def deliveries(self) -> list[RecordedDelivery]:
        """Every completed attempt to deliver a webhook; may be cleared."""
        return self._webhooks.deliveries

    @property
    def open_connections(self) -> int:
        """The number of TCP connections that are open now."""
        return len(self._server.connections)

    @property
    def in_flight(self) -> int:
        """The number of requests that have arrived and are not answered yet."""
        return self._serving.recorder.in_flight

    @property
    def most_in_flight(self) -> int:
        """The largest number of requests that were in flight at once."""
        return self._serving.recorder.most_in_flight

    async def start(self) -> None:
        """Serve in the running event loop until `stop`, for code where ``async with`` does not fit.

        Raises `RuntimeError` if it serves already. ::

            platform = FakePlatform.demo()
            await platform.start()
            print(platform.base_url)
            await platform.stop()
        """
        await self._server.start()
        self._webhooks.start()
        if self._webhooks.receivers:
            self._webhooks.run(self._move_on())

    async def stop(self) -> None:
        """Close every connection and drop requests in flight; tasks and `requests` remain.

        Raises the first error of a test's own `before_each`, `respond` or `latency` function, so
        that a mistake there is not mistaken for a failing platform.
        """
        await self._server.stop(self._end_work)
        broken, self._serving.broken_script = self._serving.broken_script, None
        if broken is not None:
            raise broken

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    @contextmanager
    def run_in_thread(self) -> Iterator[Self]:
        """Serve from a thread with its own event loop; leaving the block stops the thread."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="FakePlatform", daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.start(), loop).result()
            try:
                yield self
            finally:
                asyncio.run_coroutine_threadsafe(self.stop(), loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def add(self, **fields: Any) -> dict[str, Any]:
        """Add a task and return it.

        By default `created_at` and `updated_at` are now and `status` is `ready`. Times may be
        `datetime`s. The field `hls` is shown only when the task is retrieved by its id. Raises
        `ValueError` if the `_id` is taken.
        """
        return self._tasks.add(**fields)

    def update(self, id: str, **fields: Any) -> dict[str, Any]:  # noqa: A002
        """Set fields of a task and return it; `updated_at` becomes now unless it is given.

        Each change gets a later time than the one before, by a millisecond at least. Raises
        `KeyError` for an unknown id.
        """
        return self._tasks.update(id, **fields)

    def delete(self, id: str) -> None:  # noqa: A002
        """Remove a task, whatever its status; raises `KeyError` for an unknown id."""
        self._tasks.delete(id)

    def advance(self, id: str) -> dict[str, Any]:  # noqa: A002
        """Move a task to its next status and return it.

        The order is `uploading`, `queued`, `indexing`, `ready`; the documented statuses `pending`
        and `validating` come before `queued`. A failed task has an `error_reason`, a ready one a
        `video_id` and, unless it was uploaded with `enable_video_stream=False`, an `hls` stream.
        `indexing_time` no longer moves this task. Raises `KeyError` for an unknown id and
        `ValueError` for a task that has ended.
        """
        return self._tasks.advance(id)

    def finish(
        self,
        id: str,  # noqa: A002
        *,
        status: Literal["ready", "failed"] = "ready",
    ) -> dict[str, Any]:
        """Make a task ready or failed and return it; raises `KeyError` for an unknown id."""
        return self._tasks.finish(id, status=status)

    def add_webhook(
        self, url: str | URL, secret: str, *, retries: Iterable[float] = (0.05, 0.1, 0.2)
    ) -> FakeWebhook:
        """Send a webhook to `url` for each task that becomes `ready` or `failed`.

        Each is a POST signed with `secret`. It is retried after each of the `retries`, in seconds,
        until the answer is 2xx. No two attempts are signed in the same second. `deliveries`
        records every attempt; `FakeWebhook.disturb` drops, repeats or delays events. With a
        webhook, `indexing_time` moves tasks at once, not when the account is next read.
        """
        webhook = FakeWebhook(str(url), secret, tuple(retries))
        self._webhooks.receivers.append(webhook)
        loop = self._server.loop
        if loop is not None and len(self._webhooks.receivers) == 1:
            loop.call_soon_threadsafe(lambda: self._webhooks.run(self._move_on()))
        return webhook

    def tasks(self, **filters: Any) -> list[dict[str, Any]]:
        """Return every task that matches, in order, as a list shows it.

        Takes the parameters of `GET /tasks` except `page` and `page_limit`; `status` may be a
        list and times may be `datetime`s. Raises `ValueError` for what the endpoint refuses.
        """
        self._apply_due()
        return self._tasks.items(dates=self.date_filter, **filters)

    def before_each(self, action: Action) -> None:
        """Call `action(platform, request)` just before each request reads the account."""
        self._script.actions.append(partial(action, self))

    def fail(
        self,
        *,
        status: int = 500,
        times: int = 1,
        page: int | None = None,
        body: bytes | Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        disconnect: bool = False,
    ) -> None:
        """Let the next `times` requests fail; with `page`, only requests for that page.

        `body` None sends the platform's own error body for the status (empty for 429); a mapping
        is sent as JSON. `disconnect` aborts the connection instead. Many clients, including
        aiohttp, repeat a GET once when a kept-alive connection is lost: plan one failure more.
        Raises `ValueError` if `times` is less than 1.
        """
        if body is None:
            body = b"" if status == 429 else answers.refusal_of_status(status).body
        elif not isinstance(body, bytes):
            body = msgspec.json.encode(dict(body))
        self._script.plan(
            Failure(status=status, body=body, headers=dict(headers or {}), disconnect=disconnect),
            times=times,
            page=page,
        )

    def respond(self, handler: Responder) -> None:
        """Let `handler(request)` answer before rate limit, planned failures and endpoints.

        The first handler that returns a response wins; None passes the request on.
        """
        self._script.responders.append(handler)

    def hold(self, page: int | None = None) -> Hold:
        """Keep all later requests waiting until released; with `page`, only those for that page."""
        return self._script.hold(page)

    async def _end_work(self) -> None:
        await self._webhooks.stop()
        self._script.release_all()

    def _apply_due(self) -> None:
        if self._living is not None:
            self._living.apply_due()
        for items in self._lists:
            items.apply_due()

    async def _move_on(self) -> None:
        while True:
            self._apply_due()
            await asyncio.sleep(_TICK)
