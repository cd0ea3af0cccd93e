"""A key that a callable returns: asked for each request, renewed when refused, never shown."""

from __future__ import annotations

import asyncio
import itertools
import logging
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from tests.transport.raw import answer, raw, silent_after, until, within
from twelvetasks import (
    AuthenticationError,
    RetryPolicy,
    SessionClosedError,
    TaskSession,
    TwelveTasksError,
)
from twelvetasks.testing import FakePlatform

KEYS = ["tlk_0FIRSTKEY", "tlk_0SECONDKEY", "tlk_0THIRDKEY"]


def sent(platform: FakePlatform) -> list[str]:
    return [request.headers["x-api-key"] for request in platform.requests]


def session_of(platform: FakePlatform, api_key: Any, **options: Any) -> TaskSession:
    return TaskSession(api_key, base_url=platform.base_url, **options)


async def failure(session: TaskSession) -> TwelveTasksError:
    with pytest.raises(TwelveTasksError) as caught:
        await within(session.tasks().count())
    return caught.value


def shown(error: BaseException) -> str:
    """Show an error with all locals below this test's own frame."""
    ours = error.__traceback__
    assert ours is not None
    told = traceback.TracebackException(type(error), error, ours.tb_next, capture_locals=True)
    return "".join(told.format()) + repr(error) + repr(vars(error))


async def asynchronous() -> str:
    await asyncio.sleep(0)
    return KEYS[0]


@pytest.mark.parametrize("callable_", [lambda: KEYS[0], asynchronous], ids=["sync", "async"])
async def test_it_is_asked_for_each_request(
    platform: FakePlatform, callable_: Callable[[], Any]
) -> None:
    asked = itertools.count()

    def counted() -> Any:
        next(asked)
        return callable_()

    platform.api_key = KEYS[0]
    async with session_of(platform, counted) as session:
        assert next(asked) == 0
        await session.tasks().count()
        await session.tasks().count()
    assert next(asked) == 3
    assert sent(platform) == [KEYS[0]] * 2


async def test_a_new_key_counts_at_once_in_a_long_watch(platform: FakePlatform) -> None:
    current = platform.api_key = KEYS[0]
    async with (
        session_of(platform, lambda: current) as session,
        session.watch(min_interval=0.01, max_interval=0.01) as watch,
    ):
        change = asyncio.create_task(anext(watch))
        await until(lambda: len(platform.requests) > 2)
        current = platform.api_key = KEYS[1]
        platform.update(platform.tasks()[0]["_id"], status="failed")
        assert (await within(change)).task.status == "failed"
    assert set(sent(platform)) == set(KEYS[:2])


async def test_a_key_that_is_refused_is_asked_for_again(platform: FakePlatform) -> None:
    keys = itertools.chain(KEYS[:1], itertools.repeat(KEYS[1]))
    platform.api_key = KEYS[1]
    async with session_of(platform, lambda: next(keys)) as session:
        assert await session.tasks().count() == 230
    assert len(platform.requests) == 2
    assert platform.requests[0].status == 401


async def test_a_creation_that_was_refused_for_its_key_is_sent_again(
    platform: FakePlatform,
) -> None:
    current = KEYS[0]
    platform.api_key = KEYS[1]

    def ask() -> str:
        nonlocal current
        given, current = current, KEYS[1]
        return given

    async with session_of(platform, ask) as session:
        made = await session.create(index_id="i", video_url="https://example.com/v.mp4")
    assert made.id
    assert [request.status for request in platform.requests] == [401, 201]


@pytest.mark.parametrize("attempts", [1, 6])
async def test_the_same_key_again_is_not_sent_again(platform: FakePlatform, attempts: int) -> None:
    retry = RetryPolicy(attempts=attempts)
    async with session_of(platform, lambda: KEYS[0], retry=retry) as session:
        error = await failure(session)
    assert isinstance(error, AuthenticationError)
    assert error.status == 401
    assert len(platform.requests) == 1


async def test_one_renewal_is_enough_for_a_request(platform: FakePlatform) -> None:
    numbers = itertools.count()
    async with session_of(platform, lambda: f"tlk_0{next(numbers):08}") as session:
        assert (await failure(session)).status == 401
    assert len(platform.requests) == 2


async def test_without_retries_a_refusal_is_final(platform: FakePlatform) -> None:
    keys = itertools.cycle(KEYS)
    once = RetryPolicy(attempts=1)
    async with session_of(platform, lambda: next(keys), retry=once) as session:
        assert (await failure(session)).status == 401
    assert len(platform.requests) == 1


def raising(error: Exception) -> Callable[[], str]:
    def ask() -> str:
        raise error

    return ask


async def broken() -> str:
    await asyncio.sleep(0)
    raise LookupError("no such secret")


@pytest.mark.parametrize(
    ("ask", "fault"),
    [
        (raising(LookupError("no such secret")), "raised LookupError"),
        (raising(TimeoutError("vault")), "raised TimeoutError"),
        (broken, "raised LookupError"),
        (lambda: None, "this is of type NoneType"),
        (lambda: KEYS[0].encode(), "this is of type bytes"),
        (lambda: 7, "this is of type int"),
        (lambda: lambda: KEYS[0], "this is of type function"),
        (lambda: "", "there is no API key"),
        (lambda: f"{KEYS[0]}\n", "has a character that no key has"),
        (lambda: f"a\r\nx-admin: {KEYS[0]}", "has a character that no key has"),
        (lambda one: one, "raised TypeError"),
    ],
)
async def test_a_callable_that_gives_no_key_is_named_and_nothing_is_sent(
    platform: FakePlatform, ask: Any, fault: str
) -> None:
    async with session_of(platform, ask) as session:
        error = await failure(session)
        assert isinstance(error, AuthenticationError)
        assert error.reason.startswith("the callable passed as `api_key` ")
        assert fault in error.reason
        assert KEYS[0] not in shown(error)
        with pytest.raises(AuthenticationError, match="`api_key`"):
            await session.create(index_id="i", video_url="https://example.com/v.mp4")
    assert not platform.requests


async def test_the_error_of_the_callable_is_the_cause(platform: FakePlatform) -> None:
    fault = LookupError("no such secret")
    async with session_of(platform, raising(fault)) as session:
        assert (await failure(session)).__cause__ is fault


async def test_a_callable_that_never_returns_is_named(platform: FakePlatform) -> None:
    async def never() -> str:
        await asyncio.Event().wait()
        return KEYS[0]

    async with session_of(platform, never, timeout=0.05) as session:
        error = await failure(session)
    assert error.reason == "the callable passed as `api_key` gave no key within 0.05 seconds"


async def test_closing_the_session_ends_a_callable_that_is_under_way(
    platform: FakePlatform,
) -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    async def never() -> str:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return KEYS[0]

    session = session_of(platform, never)
    count = asyncio.create_task(session.tasks().count())
    await within(asked.wait())
    await within(session.aclose())
    assert ended.is_set()
    with pytest.raises(SessionClosedError):
        await count


@pytest.mark.parametrize("key", [str, 7, b"k", ["k"], object()])
def test_what_is_neither_a_key_nor_a_callable_is_refused(key: Any) -> None:
    with pytest.raises(AuthenticationError, match=r"api_key must be a string, not .* callable"):
        TaskSession(key)


@pytest.mark.parametrize("variable", ["TWELVELABS_API_KEY", "TWELVELABS_APIKEY"])
def test_a_variable_of_another_spelling_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """The official SDK's README has TWELVELABS_API_KEY in its examples."""
    monkeypatch.delenv("TWELVE_LABS_API_KEY", raising=False)
    monkeypatch.setenv(variable, KEYS[0])
    with pytest.raises(AuthenticationError, match=rf"{variable} is set, .* TWELVE_LABS") as caught:
        TaskSession()
    assert KEYS[0] not in shown(caught.value)
    with pytest.raises(AuthenticationError) as caught:
        TaskSession("")
    assert variable not in str(caught.value)


async def test_no_key_that_was_given_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    """Not even if the platform sends an older one back."""
    caplog.set_level(logging.DEBUG)
    keys = iter(KEYS)

    async def echo(writer: asyncio.StreamWriter) -> None:
        words = " ".join(KEYS[: len(server.heard)]).upper()
        body = f'{{"code": "c", "message": "{words}"}}'.encode()
        writer.write(answer("400 Bad Request", body=body))

    async with raw(echo) as server:
        session = TaskSession(lambda: next(keys), base_url=server.base_url)
        async with session:
            await failure(session)
            error = await failure(session)
    text = shown(error) + repr(vars(session)) + repr(session._requests.transport.client.__dict__)
    assert "*** ***" in str(error)
    assert not any(key.lower() in (text + caplog.text).lower() for key in KEYS)


async def test_a_redirect_takes_no_key_along() -> None:
    async with raw(silent_after(b"")) as other:
        location = f"Location: {other.base_url}"
        async with (
            raw(answer("307 Temporary Redirect", location)) as server,
            TaskSession(lambda: KEYS[0], base_url=server.base_url) as session,
        ):
            await failure(session)
    assert other.heard == []
