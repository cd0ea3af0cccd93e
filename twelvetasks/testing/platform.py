"""`FakePlatform`: the endpoints over the account, served by aiohttp.web on a real socket.

A read is atomic: between the last scripted action and the encoded body nothing is awaited. It
shares no code with the client, whose judge it is.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import math
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, Self

import attrs
import msgspec
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy, MultiDict
from yarl import URL

from twelvetasks.testing import answers
from twelvetasks.testing.account import Account
from twelvetasks.testing.answers import Refusal
from twelvetasks.testing.connections import Connections
from twelvetasks.testing.demo import demo_tasks
from twelvetasks.testing.indexing import FINAL, Indexing, following
from twelvetasks.testing.limits import RateLimit, RateWindow, Verdict
from twelvetasks.testing.parameters import (
    DateFilter,
    ParameterError,
    Selection,
    pairs,
    select,
)
from twelvetasks.testing.script import Failure, Hold, Script
from twelvetasks.testing.uploads import MAX_FILESIZE, RecordedUpload, read_form
from twelvetasks.testing.webhooks import FakeWebhook, RecordedDelivery, Webhooks

Action = Callable[["FakePlatform", web.Request], Awaitable[None] | None]
Responder = Callable[
    [web.Request], web.StreamResponse | Awaitable[web.StreamResponse | None] | None
]

_VERSION = "1.3.0"
_PREFIX = "/v1.3"

_ACCEPTING = 4
"""Turns of the event loop that it takes to accept a connection."""

_TICK = 0.01
"""Seconds between two looks at what is due, while there is somebody to be told of it."""


@attrs.frozen(kw_only=True)
class RecordedRequest:
    """A request as the platform saw it."""

    number: int
    """1 for the first request since the platform was made, in order of arrival."""
    method: str
    """``GET``, ``POST`` or ``DELETE``."""
    path: str
    """Its path, the version included."""
    query: MultiDict[str]
    """Its query, in which a name may come several times."""
    headers: CIMultiDictProxy[str] = attrs.field(repr=False)
    """Its headers, the API key included."""
    page: int | None
    """The page of a `GET /tasks`, 1 where it is not given; None where there is none to speak of."""
    page_limit: int | None
    """The page limit of a `GET /tasks`, 10 where it is not given."""
    started: float
    """When it arrived, on `time.monotonic`, in seconds."""
    status: int | None = None
    """The status of the answer; None while there is none, or if the connection went away first."""
    ended: float | None = None
    """When its answer was ready to be sent, or was given up; None while it is in flight."""


class FakePlatform:
    """An in-process TwelveLabs, as far as video indexing tasks go.

    It serves `GET` and `POST /v1.3/tasks`, `GET` and `DELETE /v1.3/tasks/{id}` on a loopback
    socket. Use it with `async with` in the running event loop, or with
    `with platform.run_in_thread()` from synchronous code::

        async with (
            FakePlatform.demo(1000) as platform,
            TaskSession(platform.api_key, base_url=platform.base_url) as session,
        ):
            failed = await session.tasks(status="failed")

    - `tasks`: what the account holds at first, as JSON objects. What a task lacks of `_id`,
      `created_at`, `updated_at`, `status` and `index_id` is filled in.
    - `rate_limit`: None for no limit.
    - `latency`: seconds before a request is answered, or a function of the request.
    - `clock`: the time of the account and of the rate limit; the system's by default.
    - `past_end`: whether a page past the end is empty or refused with status 400.
    - `empty_total_page`: `total_page` where nothing matches.
    - `date_filter`: whether the filters `created_at` and `updated_at` let pass everything since
      the time or only what is of the same day (UTC).
    - `index_ids`: the indexes that take uploads; None for any.
    - `max_filesize`: bytes of a video above which an upload is refused.
    - `indexing_time`: seconds of the clock in which an uploaded task goes from `pending` over
      `validating`, `queued` and `indexing` to `ready`; None leaves that to `advance` and `finish`.
    - `host`, `port`: where it listens; port 0 is any free one.

    A video that is uploaded is counted and digested while it arrives, and not kept: see `uploads`.
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
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._clock = clock or _now
        self._account = Account(self._clock)
        self._account.load(tasks)
        self.api_key = api_key
        self.latency = latency
        self.past_end: Literal["empty", "error"] = past_end
        self.empty_total_page: Literal[0, 1] = empty_total_page
        self.date_filter: DateFilter = date_filter
        self.index_ids = index_ids
        self.max_filesize = max_filesize
        self.indexing_time = indexing_time
        self.rate_limit = rate_limit
        self.uploads: list[RecordedUpload] = []
        """Every upload that became a task, by the time of its last byte; may be cleared."""
        self.requests: list[RecordedRequest] = []
        """Every request so far, by arrival; may be cleared."""
        self._host = host
        self._port = port
        self._indexing = Indexing(self._clock)
        self._streamed: set[str] = set()
        self._webhooks = Webhooks(self._clock)
        self._script = Script()
        self._actions: list[Action] = []
        self._responders: list[Responder] = []
        self._connections = Connections()
        self._recording = threading.Lock()
        self._number = 0
        self._in_flight = 0
        self._most_in_flight = 0
        self._broken_script: Exception | None = None
        self._running: _Running | None = None

    @classmethod
    def demo(cls, count: int = 1000, *, seed: int = 0, **options: Any) -> Self:
        """Return a platform with `count` realistic tasks, the same for the same count and seed.

        `options` are those of the class.
        """
        return cls(demo_tasks(count, seed=seed), **options)

    @property
    def base_url(self) -> URL:
        """Where it serves, with the version; raises `RuntimeError` while it does not."""
        if self._running is None:
            raise RuntimeError("the platform is not running: use `async with` or run_in_thread()")
        return URL.build(scheme="http", host=self._host, port=self._running.port, path=_PREFIX)

    @property
    def rate_limit(self) -> RateLimit | None:
        """The limit on requests; assigning one opens a fresh window."""
        return self._rate_limit

    @rate_limit.setter
    def rate_limit(self, limit: RateLimit | None) -> None:
        self._rate_limit = limit
        self._window = None if limit is None else RateWindow(limit, self._clock)

    @property
    def deliveries(self) -> list[RecordedDelivery]:
        """Every attempt to deliver a webhook so far, by its end; may be cleared."""
        return self._webhooks.deliveries

    @property
    def open_connections(self) -> int:
        """How many TCP connections are open to it now."""
        return len(self._connections)

    @property
    def in_flight(self) -> int:
        """How many requests have arrived and are not answered yet."""
        return self._in_flight

    @property
    def most_in_flight(self) -> int:
        """The most requests that were in flight at once."""
        return self._most_in_flight

    async def start(self) -> None:
        """Serve in the running event loop.

        For where there is no block to put into an ``async with``::

            platform = FakePlatform.demo(10)
            await platform.start()
            try:
                print(platform.base_url)
            finally:
                await platform.stop()

        Raises `RuntimeError` if it serves already.
        """
        if self._running is not None:
            raise RuntimeError("the platform is running already")
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._serve)
        runner = web.AppRunner(
            application, access_log=None, handler_cancellation=True, shutdown_timeout=1.0
        )
        await runner.setup()
        server = runner.server
        if server is None:  # pragma: no cover
            raise RuntimeError("aiohttp did not set up a server")
        try:
            listener = await asyncio.get_running_loop().create_server(
                lambda: self._connections.watched(server()), self._host, self._port
            )
        except OSError:
            await runner.cleanup()
            raise
        self._running = _Running(
            loop=asyncio.get_running_loop(),
            listener=listener,
            runner=runner,
            server=server,
            port=listener.sockets[0].getsockname()[1],
        )
        self._webhooks.start()
        if self._webhooks.receivers:
            self._webhooks.run(self._move_on())

    async def stop(self) -> None:
        """Close every connection and drop what is in flight; the account and the record remain.

        Raises what an action of `before_each`, a handler of `respond` or a function of `latency`
        has raised, so that a mistake in a test's own script does not pass for a failing platform.
        """
        running, self._running = self._running, None
        if running is not None:
            if running.loop is not asyncio.get_running_loop():
                self._running = running
                raise RuntimeError("the platform must be stopped in the event loop that started it")
            await _stop_accepting(running.listener)
            await self._webhooks.stop()
            self._script.release_all()
            await self._drop_connections(running)
            await running.runner.cleanup()
            # A connection that was just being accepted comes to light only now.
            await self._drop_connections(running)
            await running.listener.wait_closed()
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
        """Serve from a thread with an event loop of its own; leaving stops it and joins it."""
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

        Without `created_at` it is the newest; with one it takes its place in the order. Its
        `updated_at` is now, its `status` is `ready`. Times may be `datetime`s. The field `hls`
        shows only when the task is retrieved alone. Raises `ValueError` if its `_id` is taken.
        """
        task = self._account.add(fields)
        self._webhooks.tell(task)
        return task

    def update(self, id: str, **fields: Any) -> dict[str, Any]:  # noqa: A002
        """Set fields of a task and return it; its `updated_at` becomes now unless it is given.

        No two changes write the same time, and none goes back. Raises `KeyError` for an unknown id.
        """
        return self._update(id, fields)

    def delete(self, id: str) -> None:  # noqa: A002
        """Remove a task, whatever its status; raises `KeyError` for an unknown id."""
        self._account.delete(id)

    def advance(self, id: str) -> dict[str, Any]:  # noqa: A002
        """Move a task to its next status and return it.

        The order is `pending`, `validating`, `queued`, `indexing`, `ready`. A task that is ready
        shows its `video_id` and, unless it was uploaded without, its stream. From now on it moves
        by such calls alone. Raises `KeyError` for an unknown id, `ValueError` if the task is at
        its end.
        """
        return self._move(id, following(self._fields(id).get("status")))

    def finish(
        self,
        id: str,  # noqa: A002
        *,
        status: Literal["ready", "failed"] = "ready",
    ) -> dict[str, Any]:
        """Move a task to its end and return it; raises `KeyError` for an unknown id."""
        if status not in FINAL:
            raise ValueError(f"a task ends ready or failed, not {status!r}")
        return self._move(id, status)

    def add_webhook(
        self, url: str | URL, secret: str, *, retries: Iterable[float] = (0.05, 0.1, 0.2)
    ) -> FakeWebhook:
        """Tell this address of each task that becomes `ready` or `failed` while the platform runs.

        It is told by a POST that is signed with `secret`, and again `retries` seconds after an
        answer other than 2xx or none. No two attempts are signed in the same second. `deliveries`
        records each; `FakeWebhook.disturb` loses, doubles or delays some. With a webhook, tasks
        move on by `indexing_time` as soon as they are due.
        """
        first = not self._webhooks.receivers
        webhook = self._webhooks.add(str(url), secret, retries)
        if first and self._running is not None:
            self._running.loop.call_soon_threadsafe(lambda: self._webhooks.run(self._move_on()))
        return webhook

    def tasks(self, **filters: Any) -> list[dict[str, Any]]:
        """Return every task that matches, in order, as a list would show it.

        Takes the parameters of the endpoint except `page` and `page_limit`; `status` may be a
        list and times may be `datetime`s. Raises `ValueError` for what the endpoint refuses.
        """
        self._apply_what_is_due()
        selection = select(pairs(filters), dates=self.date_filter)
        return [record.fields for record in self._account.every(selection)]

    def before_each(self, action: Action) -> None:
        """Call `action` before each request is answered, at the instant of the read."""
        self._actions.append(action)

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
        """Let the next `times` requests fail, or those for one `page` of a listing.

        `body` None is the platform's own error body for the status (empty for 429), a mapping is
        sent as JSON. `disconnect` aborts the connection instead of an answer; many clients, aiohttp
        among them, repeat a GET once on their own when a kept-alive connection is lost, so plan
        one more. Raises `ValueError` if `times` is less than 1.
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
        """Let `handler` answer whatever it likes, before limit, failures and endpoints.

        The first handler that returns a response wins; None leaves the request to the next.
        """
        self._responders.append(handler)

    def hold(self, page: int | None = None) -> Hold:
        """Keep the requests from now on, or those for one `page` of a listing, until released."""
        return self._script.hold(page)

    async def _drop_connections(self, running: _Running) -> None:
        """Abort every connection and wait for its task, for a second at most."""
        deadline = time.monotonic() + 1.0
        while (running.server.connections or self._connections) and time.monotonic() < deadline:
            self._connections.abort()
            await asyncio.sleep(0)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        recorded = self._arrived(request)
        verdict = None if self._window is None else self._window.take()
        failure, holds = self._script.claim(recorded.page)
        status = None
        try:
            latency = self.latency(request) if callable(self.latency) else self.latency
            if latency > 0:
                await asyncio.sleep(latency)
            for hold in holds:
                await hold.pass_through()
            response = await self._scripted(request)
            if response is None:
                response = await self._answer(request, verdict, failure)
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
            self._ended(attrs.evolve(recorded, status=status, ended=time.monotonic()))

    async def _scripted(self, request: web.Request) -> web.StreamResponse | None:
        for action in tuple(self._actions):
            called = action(self, request)
            if inspect.isawaitable(called):
                await called
        for responder in tuple(self._responders):
            returned = responder(request)
            response = await returned if inspect.isawaitable(returned) else returned
            if response is not None:
                return response
        return None

    async def _answer(
        self, request: web.Request, verdict: Verdict | None, failure: Failure | None
    ) -> web.Response:
        if verdict is not None and not verdict.allowed:
            limit = self._rate_limit
            if limit is not None and limit.empty_body:
                return web.Response(status=429)
            return _refused(Refusal(429, "too_many_requests", verdict.message))
        if failure is not None:
            if failure.disconnect:
                await _disconnect(request)
            response = _json(failure.body, failure.status)
            response.headers.update(failure.headers)
            return response
        if request.headers.get("x-api-key") != self.api_key:
            return _refused(answers.refusal_of_status(401))
        self._apply_what_is_due()
        if request.method == "POST" and request.path == f"{_PREFIX}/tasks":
            return await self._create(request)
        return self._routed(request)

    def _routed(self, request: web.Request) -> web.Response:
        method, path = request.method, request.path
        if path == f"{_PREFIX}/tasks":
            if method == "GET":
                return self._list(request)
            return _refused(answers.no_such_method(method, path), Allow="GET, POST")
        task_id = path.removeprefix(f"{_PREFIX}/tasks/")
        if task_id in {path, ""} or "/" in task_id:
            return _refused(answers.no_such_endpoint(path))
        if method == "GET":
            return self._retrieve(task_id)
        if method == "DELETE":
            return self._delete(task_id)
        return _refused(answers.no_such_method(method, path), Allow="DELETE, GET")

    async def _create(self, request: web.Request) -> web.Response:
        try:
            form = await read_form(request, max_filesize=self.max_filesize)
        except ParameterError as error:
            return _refused(answers.wrong_parameter(error))
        if self.index_ids is not None and form.index_id not in self.index_ids:
            return _refused(answers.no_such_index(form.index_id))
        fields: dict[str, Any] = {"index_id": form.index_id, "status": "pending"}
        if form.file is not None:
            fields["system_metadata"] = {"filename": form.file.filename}
        task_id = self._account.add(fields)["_id"]
        upload = RecordedUpload(
            task_id=task_id, video_id=_video_id(task_id), **attrs.asdict(form, recurse=False)
        )
        with self._recording:
            self.uploads.append(upload)
        if upload.enable_video_stream:
            self._streamed.add(task_id)
        if self.indexing_time is not None:
            self._indexing.start(task_id, self.indexing_time)
        return _json(answers.created_body(task_id, upload.video_id), 201)

    def _fields(self, task_id: str) -> dict[str, Any]:
        record = self._account.get(task_id)
        if record is None:
            raise KeyError(task_id)
        return record.all_fields

    def _move(self, task_id: str, status: str) -> dict[str, Any]:
        self._indexing.stop(task_id)
        return self._reach(task_id, status)

    def _reach(self, task_id: str, status: str) -> dict[str, Any]:
        changed: dict[str, Any] = {"status": status}
        if status == "ready":
            fields = self._fields(task_id)
            changed["video_id"] = fields.get("video_id") or _video_id(task_id)
            if task_id in self._streamed:
                changed["hls"] = _stream(fields["index_id"], changed["video_id"])
        return self._update(task_id, changed)

    def _update(self, task_id: str, changed: Mapping[str, Any]) -> dict[str, Any]:
        before = self._account.get(task_id)
        task = self._account.update(task_id, changed)
        if before is not None and before.fields.get("status") != task["status"]:
            self._webhooks.tell(task)
        return task

    async def _move_on(self) -> None:
        while True:
            self._apply_what_is_due()
            await asyncio.sleep(_TICK)

    def _apply_what_is_due(self) -> None:
        for task_id, status in self._indexing.due():
            # It may have been deleted.
            with suppress(KeyError):
                self._reach(task_id, status)

    def _list(self, request: web.Request) -> web.Response:
        try:
            selection = select(request.query.items(), dates=self.date_filter)
        except ParameterError as error:
            return _refused(answers.wrong_parameter(error))
        page = self._account.page(selection)
        total_page = math.ceil(page.total / selection.page_limit) or self.empty_total_page
        if self.past_end == "error" and selection.page > max(total_page, 1):
            return _refused(answers.no_such_page(selection.page, total_page))
        return _json(answers.page_body(page, selection, total_page))

    def _retrieve(self, task_id: str) -> web.Response:
        record = self._account.get(task_id)
        return _refused(answers.no_such_task(task_id)) if record is None else _json(record.whole)

    def _delete(self, task_id: str) -> web.Response:
        record = self._account.get(task_id)
        if record is None:
            return _refused(answers.no_such_task(task_id))
        if not record.deletable:
            return _refused(answers.not_deletable())
        try:
            self._account.delete(task_id)
        except KeyError:  # Another thread was quicker.
            return _refused(answers.no_such_task(task_id))
        return web.Response(status=204)

    def _arrived(self, request: web.Request) -> RecordedRequest:
        selection = _listed(request)
        self._in_flight += 1
        self._most_in_flight = max(self._most_in_flight, self._in_flight)
        self._number += 1
        recorded = RecordedRequest(
            number=self._number,
            method=request.method,
            path=request.path,
            query=MultiDict(request.query),
            headers=CIMultiDictProxy(CIMultiDict(request.headers)),
            page=None if selection is None else selection.page,
            page_limit=None if selection is None else selection.page_limit,
            started=time.monotonic(),
        )
        with self._recording:
            self.requests.append(recorded)
        return recorded

    def _ended(self, recorded: RecordedRequest) -> None:
        self._in_flight -= 1
        with self._recording:
            for place in range(len(self.requests) - 1, -1, -1):
                if self.requests[place].number == recorded.number:
                    self.requests[place] = recorded
                    break

    def _sign(self, response: web.StreamResponse, verdict: Verdict | None) -> None:
        if response.prepared:
            return
        response.headers.setdefault("X-Api-Version", _VERSION)
        response.headers.setdefault("X-Request-Id", uuid.uuid4().hex)
        for name, value in (verdict.headers if verdict is not None else {}).items():
            response.headers.setdefault(name, value)


@attrs.frozen(kw_only=True, eq=False)
class _Running:
    loop: asyncio.AbstractEventLoop
    listener: asyncio.Server
    runner: web.AppRunner
    server: web.Server
    port: int


def _video_id(task_id: str) -> str:
    """Return the id of the video of a task, always the same for the same task."""
    return hashlib.sha256(task_id.encode()).hexdigest()[:24]


def _stream(index_id: str, video_id: str) -> dict[str, Any]:
    place = f"https://stream.example.com/{index_id}/{video_id}"
    return {
        "video_url": f"{place}/stream.m3u8",
        "thumbnail_urls": [f"{place}/thumbnails/1.jpg"],
        "status": "COMPLETE",
    }


def _now() -> datetime:
    return datetime.now(UTC)


def _listed(request: web.Request) -> Selection | None:
    """Read the page of a list request, whatever else is wrong with it."""
    if request.method != "GET" or request.path != f"{_PREFIX}/tasks":
        return None
    try:
        return select(
            (name, value) for name, value in request.query.items() if name in {"page", "page_limit"}
        )
    except ParameterError:
        return None


async def _disconnect(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
    # Losing its connection cancels this handler.
    await asyncio.get_running_loop().create_future()


def _json(body: bytes, status: int = 200) -> web.Response:
    if not body:
        return web.Response(status=status)
    return web.Response(body=body, status=status, content_type="application/json")


def _refused(refusal: Refusal, **headers: str) -> web.Response:
    response = _json(refusal.body, refusal.status)
    response.headers.update(headers)
    return response


async def _stop_accepting(listener: asyncio.Server) -> None:
    """Close the listener, but first let what it is just accepting become a connection.

    A server that is closed leaves such a connection open and says nothing of it.
    """
    loop = asyncio.get_running_loop()
    for waiting in listener.sockets:
        loop.remove_reader(waiting.fileno())
    for _ in range(_ACCEPTING):
        await asyncio.sleep(0)
    listener.close()
