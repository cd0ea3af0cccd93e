"""The way to the platform: proxies, hosts that are not there, connectors of the caller."""

from __future__ import annotations

import asyncio
import pickle
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.transport.houses import Authority, secured
from tests.transport.raw import KEY, answer, raw, until
from twelvetasks import InvalidArgumentError, Polling, RetryPolicy, TaskSession, TransportError
from twelvetasks.testing import FakePlatform

PLATFORM = "https://api.twelvelabs.invalid/v1.3"
QUICK = RetryPolicy(attempts=3, wait_initial=0.01, wait_jitter=0)
POLLING = Polling(first=0.01)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


async def failure(**options: Any) -> TransportError:
    async with TaskSession(KEY, base_url=PLATFORM, retry=QUICK, **options) as session:
        with pytest.raises(TransportError) as caught:
            await session.tasks().count()
    return caught.value


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
async def test_the_proxy_of_the_environment_is_asked(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async with raw(answer("502 Bad Gateway")) as proxy:
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        error = await failure()
    assert "the proxy answered 502" in error.reason
    assert not error.reached
    assert len(proxy.heard) == 3
    assert proxy.heard[0].startswith(b"CONNECT api.twelvelabs.invalid:443 ")
    assert KEY.encode() not in b"".join(proxy.heard)


async def test_a_proxy_that_is_given_is_asked_with_its_password_which_is_shown_nowhere() -> None:
    async with raw(answer("407 Proxy Authentication Required")) as proxy:
        error = await failure(proxy=f"http://anna:s3cret@127.0.0.1:{proxy.port}")
    assert "the proxy answered 407" in error.reason
    assert "user and password" in error.advice
    assert "s3cret" not in str(error)
    assert len(proxy.heard) == 1
    assert b"Proxy-Authorization: Basic " in proxy.heard[0]


async def test_a_host_that_needs_no_proxy_gets_none_and_is_named_if_it_cannot_be_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with raw(answer("502 Bad Gateway")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", ".twelvelabs.invalid")
        error = await failure()
    assert proxy.heard == []
    assert not error.reached


@pytest.mark.parametrize(
    "proxy", ["", "proxy", "socks5://h", "ftp://h:1", "http://", 7, "http://h:99999"]
)
def test_what_is_no_proxy_is_refused(proxy: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="proxy="):
        TaskSession(KEY, proxy=proxy)


async def test_whatever_a_connector_of_the_caller_raises_is_typed_and_retried() -> None:
    class Broken(aiohttp.TCPConnector):
        tries = 0

        async def connect(self, *_: Any, **__: Any) -> Any:
            self.tries += 1
            raise RuntimeError("no route")

    connector = Broken()
    async with aiohttp.ClientSession(connector=connector) as client:
        error = await failure(client_session=client)
    assert "RuntimeError: no route" in error.reason
    assert connector.tries == 3


async def test_uploads_leave_places_for_short_requests() -> None:
    arrived = asyncio.Event()

    async def behave(writer: asyncio.StreamWriter) -> None:
        if b"POST" in server.heard[-1]:
            await arrived.wait()
        body = b'{"data": [], "page_info": {"page": 1, "total_page": 1, "total_results": 0}}'
        writer.write(answer(body=body))
        await writer.drain()

    async def endless() -> AsyncGenerator[bytes, None]:
        while True:
            yield b"v" * 1000
            await asyncio.sleep(0.01)

    async with (
        raw(behave) as server,
        TaskSession(KEY, base_url=server.base_url, concurrency=2) as session,
    ):
        uploads = [
            asyncio.create_task(session.create(index_id="i", video_file=endless(), filename="v"))
            for _ in range(3)
        ]
        await until(lambda: len(server.heard) == 2)
        assert await asyncio.wait_for(session.tasks().count(), 10) == 0
        assert len(server.heard) == 3
        for upload in uploads:
            upload.cancel()
        await asyncio.gather(*uploads, return_exceptions=True)


async def _watched(session: TaskSession) -> None:
    async with session.watch(min_interval=0.01, max_interval=0.01) as watch:
        await anext(watch)


async def _waited(session: TaskSession) -> None:
    await session.wait("a", timeout=60, polling=POLLING)


async def _all_waited(session: TaskSession) -> None:
    async with session.wait_all(["a", "b"], timeout=60, polling=POLLING) as waiting:
        await anext(waiting)


@pytest.mark.parametrize("use", [_watched, _waited, _all_waited])
class TestWhatCannotHeal:
    """It ends a watch or a wait at once, with its own error."""

    @staticmethod
    async def ended(
        use: Callable[[TaskSession], Awaitable[None]], base_url: str | URL, **options: Any
    ) -> TransportError:
        async with TaskSession(KEY, base_url=base_url, retry=QUICK, **options) as session:
            with pytest.raises(TransportError) as caught:
                await asyncio.wait_for(use(session), 20)
        assert not isinstance(caught.value, TimeoutError)
        assert caught.value.lasting
        assert pickle.loads(pickle.dumps(caught.value)).lasting
        return caught.value

    @pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden", "407 Login"])
    async def test_a_proxy_that_refuses_the_tunnel(
        self, use: Callable[[TaskSession], Awaitable[None]], status: str
    ) -> None:
        async with raw(answer(status)) as proxy:
            error = await self.ended(use, PLATFORM, proxy=f"http://127.0.0.1:{proxy.port}")
        assert f"the proxy answered {status[:3]}" in error.reason
        assert len(proxy.heard) == 1

    async def test_a_proxy_that_refuses_a_request_in_the_clear(
        self, use: Callable[[TaskSession], Awaitable[None]]
    ) -> None:
        async with raw(answer("407 Login")) as proxy:
            address = f"http://127.0.0.1:{proxy.port}"
            error = await self.ended(use, "http://127.0.0.1:9/v1.3", proxy=address)
        assert "the proxy answered 407" in error.reason
        assert len(proxy.heard) == 1

    async def test_a_certificate_of_an_unknown_authority(
        self,
        use: Callable[[TaskSession], Awaitable[None]],
        platform: FakePlatform,
        tmp_path: Path,
    ) -> None:
        async with secured(platform.base_url, Authority(tmp_path)) as base_url:
            error = await self.ended(use, base_url)
        assert "certificate is not trusted" in error.reason

    async def test_a_host_that_there_is_not(
        self, use: Callable[[TaskSession], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(aiohttp.TCPConnector, "_resolve_host", _unknown_host)
        error = await self.ended(use, PLATFORM)
        assert "'api.twelvelabs.invalid' cannot be found" in error.reason


async def _unknown_host(*_: Any, **__: Any) -> Any:
    """Fail as a resolver does that is told that there is no such name."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


async def test_a_host_that_has_answered_is_looked_up_again(
    platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[bool] = []

    async def resolved(*arguments: Any, **_: Any) -> Any:
        looked_up.append(True)
        return await (_unknown_host() if 1 < len(looked_up) < 4 else resolve(*arguments))

    resolve = aiohttp.TCPConnector._resolve_host
    monkeypatch.setattr(aiohttp.TCPConnector, "_resolve_host", resolved)
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as client,
        TaskSession(
            platform.api_key, base_url=platform.base_url, retry=QUICK, client_session=client
        ) as session,
    ):
        assert await session.tasks().count() == 230
        assert await session.tasks().count() == 230
    assert len(looked_up) == 4


@pytest.mark.parametrize("status", ["408 Request Timeout", "429 Slow", "503 Full"])
async def test_what_a_proxy_may_answer_to_one_request_alone_is_not_lasting(status: str) -> None:
    async with raw(answer(status)) as proxy:
        error = await failure(proxy=f"http://127.0.0.1:{proxy.port}")
    assert not error.lasting
    assert len(proxy.heard) == 3
