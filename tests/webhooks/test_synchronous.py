"""Webhooks received by Flask and Django, which have no event loop, beside a watch that has one."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import aiohttp
import django
import flask
import pytest
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.urls import clear_url_caches, path
from django.views.decorators.csrf import csrf_exempt

from tests.watching.opening import opened
from tests.webhooks.signing import SECRET, body_of, signed
from tests.webhooks.test_joined import HOUR
from twelvetasks import InvalidArgumentError, TaskChange, TaskWatch, WebhookError
from twelvetasks.testing import FakePlatform
from twelvetasks.watching import announcements
from twelvetasks.webhooks import ANSWERS, Event, Receiver

PATH = "webhooks/"


def by_flask(receive: Callable[[bytes, str | None], Event]) -> Any:
    app = flask.Flask(__name__)

    @app.post(f"/{PATH}")
    def webhook() -> tuple[str, int]:
        try:
            receive(flask.request.get_data(), flask.request.headers.get("TL-Signature"))
        except WebhookError as error:
            return error.refusal, ANSWERS[error.refusal]
        return "ok", 200

    return app


urlpatterns: list[Any] = []


def by_django(receive: Callable[[bytes, str | None], Event]) -> Any:
    def webhook(request: Any) -> HttpResponse:
        try:
            receive(request.body, request.headers.get("TL-Signature"))
        except WebhookError as error:
            return HttpResponse(error.refusal.encode(), status=ANSWERS[error.refusal])
        return HttpResponse(b"ok")

    if not settings.configured:
        settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], LOGGING_CONFIG=None)
        django.setup()
    clear_url_caches()
    urlpatterns[:] = [path(PATH, csrf_exempt(webhook))]
    return WSGIHandler()


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *_: Any) -> None:  # noqa: A002 - its name there
        pass


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve a WSGI application by a thread of its own."""
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/{PATH}"
        finally:
            server.shutdown()
            thread.join()


async def post(url: str, body: bytes) -> tuple[int, str]:
    headers = {"TL-Signature": signed(body, SECRET, int(time.time()))}
    async with aiohttp.ClientSession() as http, http.post(url, data=body, headers=headers) as got:
        return got.status, await got.text()


def in_a_loop_of_its_own(receiver: Receiver) -> Callable[[bytes, str | None], Event]:
    return lambda body, signature: asyncio.run(receiver.receive(body, signature))


async def resting(watch: TaskWatch) -> asyncio.Future[TaskChange]:
    """Let a watch poll once and rest."""
    reading = asyncio.ensure_future(anext(watch))
    while watch.polls < 1:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    return reading


@pytest.mark.parametrize("make_app", [by_flask, by_django])
@pytest.mark.parametrize("loop", ["none", "other"])
async def test_a_watch_in_another_thread_polls_at_once_and_goes_on(
    platform: FakePlatform, monkeypatch: pytest.MonkeyPatch, make_app: Any, loop: str
) -> None:
    monkeypatch.setattr(announcements, "APART", 0.02)
    receiver = Receiver(SECRET)
    task_id = platform.add(status="indexing")["_id"]
    app = make_app(receiver.receive_sync if loop == "none" else in_a_loop_of_its_own(receiver))
    with served(app) as url:
        async with (
            asyncio.timeout(20),
            opened(platform) as account,
            account.watch(interval=HOUR, webhooks=receiver) as watch,
        ):
            for number, status in enumerate(("ready", "failed", "ready")):
                reading = await resting(watch)
                platform.update(task_id, status=status)
                assert await post(url, body_of(f"whe_{number}", task_id, status)) == (200, "ok")
                change = await reading
                assert (change.task.id, change.task.status) == (task_id, status)


@pytest.mark.parametrize("make_app", [by_flask, by_django])
async def test_a_refused_webhook_is_answered_as_by_the_handlers(make_app: Any) -> None:
    with served(make_app(Receiver(SECRET).receive_sync)) as url:
        assert await post(url, body_of()) == (503, "unheard")
        assert await post(url, b"{}") == (400, "malformed")


def test_many_threads_hand_an_event_over_once() -> None:
    seen: list[str] = []
    at_once = threading.Barrier(8)
    answers: list[str] = []

    def on_event(event: Event) -> None:
        time.sleep(0.01)
        seen.append(event.id)

    receiver = Receiver(SECRET, on_event)
    body = body_of()
    signature = signed(body, SECRET, int(time.time()))

    def receive() -> None:
        at_once.wait()
        try:
            answers.append(receiver.receive_sync(body, signature).id)
        except WebhookError as error:
            answers.append(error.refusal)

    threads = [threading.Thread(target=receive) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == ["whe_1"]
    assert answers.count("whe_1") == 1
    assert set(answers) <= {"whe_1", "busy", "replayed"}
    assert len(answers) == 8


def test_receive_sync_refuses_an_async_function_and_does_not_count_the_event() -> None:
    handed: list[Event] = []

    async def on_event(event: Event) -> None:
        handed.append(event)

    body = body_of()
    signature = signed(body, SECRET, int(time.time()))
    # An object that returns a coroutine cannot be recognised before it is called.
    for function in (on_event, lambda event: on_event(event)):
        receiver = Receiver(SECRET, function)
        with pytest.raises(InvalidArgumentError, match=r"on_event.*plain function") as refused:
            receiver.receive_sync(body, signature)
        assert refused.value.parameter == "on_event"
        assert asyncio.run(receiver.receive(body, signature)).id == "whe_1"
    assert len(handed) == 2
