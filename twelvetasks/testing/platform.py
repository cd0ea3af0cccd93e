"""`FakePlatform`: TwelveLabs on a loopback socket, for tests, demonstrations and benchmarks.

It connects the parts of this package: the account, its endpoints, the script of a test, the rate
limit, webhooks and the server. It shares no code with the client, which it is there to judge.
"""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self

import msgspec
from aiohttp import web
from yarl import URL

from twelvetasks.testing import answers
from twelvetasks.testing.account import Account
from twelvetasks.testing.answers import Refusal, answered, refused
from twelvetasks.testing.demo import demo_tasks
from twelvetasks.testing.endpoints import PREFIX, Behaviour, Endpoints, listed
from twelvetasks.testing.indexing import FINAL, Lifecycle
from twelvetasks.testing.limits import RateLimit, RateWindow, Verdict
from twelvetasks.testing.parameters import DateFilter, pairs, select
from twelvetasks.testing.recording import RecordedRequest, Recorder
from twelvetasks.testing.script import Failure, Hold, Responder, Script
from twelvetasks.testing.server import Server
from twelvetasks.testing.uploads import MAX_FILESIZE, RecordedUpload
from twelvetasks.testing.webhooks import FakeWebhook, RecordedDelivery, Webhooks
from twelvetasks.testing.worlds import Commits, Reads, Ties, World

Action = Callable[["FakePlatform", web.Request], Awaitable[None] | None]

_VERSION = "1.3.0"

_TICK = 0.01
"""Seconds between two checks for tasks that are due, while a webhook must be told of them."""


class FakePlatform(Behaviour):
    """A TwelveLabs in your own process that serves video indexing tasks on a loopback socket.

    It serves `GET` and `POST /v1.3/tasks`, `GET` and `DELETE /v1.3/tasks/{id}`, and refuses what
    the platform refuses. Use `async with` in the running event loop, or
    `with platform.run_in_thread()` in synchronous code::

        async with (
            FakePlatform.demo(1000) as platform,
            TaskSession(platform.api_key, base_url=platform.base_url) as session,
        ):
            failed = await session.tasks(status="failed")

    - `tasks`: the account's first tasks, as JSON objects. A missing `_id`, `created_at`,
      `updated_at`, `status` or `index_id` is filled in.
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

    def __init__(
        self,
        tasks: Iterable[Mapping[str, Any]] = (),
        *,
        api_key: str = "tlk_demo",
        rate_limit: RateLimit | None = None,
        latency: float | Callable[[web.Request], float] = 0.0,
        clock: Callable[[], datetime] | None = None,
        past_end: Literal["empty", "error"] = "empty",
        empty_total_page: Literal[0, 1] = 1,
        date_filter: DateFilter = "since",
        index_ids: Collection[str] | None = None,
        max_filesize: int = MAX_FILESIZE,
        indexing_time: float | None = None,
        reads: Reads = "atomic",
        replicas: int = 1,
        ties: Ties = "stable",
        commits: Commits = "ordered",
        seed: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(
            past_end=past_end,
            empty_total_page=empty_total_page,
            date_filter=date_filter,
            index_ids=index_ids,
            max_filesize=max_filesize,
            indexing_time=indexing_time,
        )
        self.api_key = api_key
        self.latency = latency
        self._clock = clock or _now
        self.rate_limit = rate_limit
        self._world = World(reads=reads, replicas=replicas, ties=ties, commits=commits, seed=seed)
        self._account = Account(self._clock, self._world)
        self._account.load(tasks)
        self._webhooks = Webhooks(self._clock)
        self._lifecycle = Lifecycle(self._account, self._clock, self._webhooks.tell)
        self._endpoints = Endpoints(self._account, self._lifecycle, self)
        self._script = Script()
        self._broken_script: Exception | None = None
        self._recorder = Recorder()
        self._server = Server(self._serve, host, port)

    @classmethod
    def demo(cls, count: int = 1000, *, seed: int = 0, **options: Any) -> Self:
        """Return a platform with `count` realistic tasks, the same for the same count and seed.

        `options` are the parameters of `FakePlatform` except `tasks`.
        """
        return cls(demo_tasks(count, seed=seed), seed=seed, **options)

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
        self._window = None if limit is None else RateWindow(limit, self._clock)

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every request so far, in order of arrival; may be cleared."""
        return self._recorder.requests

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
        return self._recorder.in_flight

    @property
    def most_in_flight(self) -> int:
        """The largest number of requests that were in flight at once."""
        return self._recorder.most_in_flight

    async def start(self) -> None:
        """Serve in the running event loop, for code in which ``async with`` does not fit.

        Example::

            platform = FakePlatform.demo(10)
            await platform.start()
            try:
                print(platform.base_url)
            finally:
                await platform.stop()

        Raises `RuntimeError` if it serves already.
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
        broken, self._broken_script = self._broken_script, None
        if broken is not None:
            raise broken

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
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
        task = self._account.add(fields)
        self._webhooks.tell(task)
        return task

    def update(self, id: str, **fields: Any) -> dict[str, Any]:  # noqa: A002
        """Set fields of a task and return it; `updated_at` becomes now unless it is given.

        Each change gets a later time than the one before, by a millisecond at least. Raises
        `KeyError` for an unknown id.
        """
        return self._lifecycle.update(id, fields)

    def delete(self, id: str) -> None:  # noqa: A002
        """Remove a task, whatever its status; raises `KeyError` for an unknown id."""
        self._account.delete(id)

    def advance(self, id: str) -> dict[str, Any]:  # noqa: A002
        """Move a task to its next status and return it.

        The order is `pending`, `validating`, `queued`, `indexing`, `ready`. A ready task has a
        `video_id` and, unless it was uploaded with `enable_video_stream=False`, an `hls` stream.
        `indexing_time` no longer moves this task. Raises `KeyError` for an unknown id and
        `ValueError` for a task that has ended.
        """
        return self._lifecycle.advance(id)

    def finish(
        self,
        id: str,  # noqa: A002
        *,
        status: Literal["ready", "failed"] = "ready",
    ) -> dict[str, Any]:
        """Make a task ready or failed and return it; raises `KeyError` for an unknown id."""
        if status not in FINAL:
            raise ValueError(f"a task ends ready or failed, not {status!r}")
        return self._lifecycle.finish(id, status)

    def add_webhook(
        self, url: str | URL, secret: str, *, retries: Iterable[float] = (0.05, 0.1, 0.2)
    ) -> FakeWebhook:
        """Send a webhook to `url` for each task that becomes `ready` or `failed`.

        Each is a POST signed with `secret`. It is retried after each of the `retries`, in seconds,
        until the answer is 2xx. No two attempts are signed in the same second. `deliveries`
        records every attempt; `FakeWebhook.disturb` drops, repeats or delays events. With a
        webhook, `indexing_time` moves tasks at once, not when the account is next read.
        """
        first = not self._webhooks.receivers
        webhook = self._webhooks.add(str(url), secret, retries)
        loop = self._server.loop
        if first and loop is not None:
            loop.call_soon_threadsafe(lambda: self._webhooks.run(self._move_on()))
        return webhook

    def tasks(self, **filters: Any) -> list[dict[str, Any]]:
        """Return every task that matches, in order, as a list shows it.

        Takes the parameters of `GET /tasks` except `page` and `page_limit`; `status` may be a
        list and times may be `datetime`s. Raises `ValueError` for what the endpoint refuses.
        """
        self._lifecycle.apply_due()
        selection = select(pairs(filters), dates=self.date_filter)
        return [record.fields for record in self._account.every(selection)]

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

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        selection = listed(request)
        recorded = self._recorder.arrived(
            request,
            page=None if selection is None else selection.page,
            page_limit=None if selection is None else selection.page_limit,
        )
        verdict = None if self._window is None else self._window.take()
        failure, holds = self._script.claim(recorded.page)
        status = total = None
        try:
            if self._world.reads == "torn":
                self._lifecycle.apply_due()
                total = self._endpoints.counted(request)
            latency = self.latency(request) if callable(self.latency) else self.latency
            if latency > 0:
                await asyncio.sleep(latency)
            for hold in holds:
                await hold.pass_through()
            response = await self._script.play(request)
            if response is None:
                response = await self._answer(request, verdict, failure, total)
            status = response.status
        except web.HTTPException as raised:
            status = raised.status
            self._sign(raised, verdict)
            raise
        except ConnectionError:
            raise
        except Exception as error:
            self._broken_script = self._broken_script or error
            raise
        else:
            self._sign(response, verdict)
            return response
        finally:
            self._recorder.ended(recorded, status)

    async def _answer(
        self,
        request: web.Request,
        verdict: Verdict | None,
        failure: Failure | None,
        total: int | None,
    ) -> web.Response:
        if verdict is not None and not verdict.allowed:
            limit = self._rate_limit
            if limit is not None and limit.empty_body:
                return web.Response(status=429)
            return refused(Refusal(429, "too_many_requests", verdict.message))
        if failure is not None:
            if failure.disconnect:
                await _disconnect(request)
            response = answered(failure.body, failure.status)
            response.headers.update(failure.headers)
            return response
        if request.headers.get("x-api-key") != self.api_key:
            return refused(answers.refusal_of_status(401))
        self._lifecycle.apply_due()
        return await self._endpoints.answer(request, total)

    async def _move_on(self) -> None:
        while True:
            self._lifecycle.apply_due()
            await asyncio.sleep(_TICK)

    def _sign(self, response: web.StreamResponse, verdict: Verdict | None) -> None:
        if response.prepared:
            return
        response.headers.setdefault("X-Api-Version", _VERSION)
        response.headers.setdefault("X-Request-Id", uuid.uuid4().hex)
        for name, value in (verdict.headers if verdict is not None else {}).items():
            response.headers.setdefault(name, value)


def _now() -> datetime:
    return datetime.now(UTC)


async def _disconnect(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
    # Losing its connection cancels this handler.
    await asyncio.get_running_loop().create_future()
