"""One attempt over real sockets: what is sent, and what each answer becomes."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
import pickle
import re
import socket
import traceback
from importlib import metadata
from importlib.metadata import PackageNotFoundError

import pytest
import stamina
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from stamina.instrumentation import RetryDetails
from yarl import URL

from tests.transport.raw import (
    EMPTY_PAGE,
    KEY,
    Behaviour,
    answer,
    count,
    failure,
    failure_in,
    raw,
    resetting_after,
    saying,
    silent_after,
    within,
)
from twelvetasks import (
    AuthenticationError,
    RequestTimeoutError,
    ResponseError,
    TaskSession,
    TransportError,
    TwelveTasksError,
)
from twelvetasks.testing import FakePlatform
from twelvetasks.values.version import VERSION


def attempts(number: int) -> None:
    stamina.set_testing(True, attempts=number)


class TestARequest:
    async def test_it_asks_for_json_with_the_key_in_its_header_and_nowhere_else(self) -> None:
        async with raw(answer(body=EMPTY_PAGE)) as server:
            assert await count(server.base_url) == 0
        line, *headers = server.heard[0].decode().strip().split("\r\n")
        assert line.startswith("GET /v1.3/tasks?page=1&page_limit=1")
        assert f"x-api-key: {KEY}" in headers
        assert "Accept: application/json" in headers
        assert server.heard[0].decode().count(KEY) == 1

    async def test_it_says_which_client_it_comes_from(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def no_metadata(name: str) -> str:
            raise PackageNotFoundError(name)

        async with raw(answer(body=EMPTY_PAGE)) as server:
            await count(server.base_url)
            monkeypatch.setattr(metadata, "version", no_metadata)
            await count(server.base_url)
        assert b"\r\nUser-Agent: twelvetasks/" in server.heard[0]
        line = f"\r\nUser-Agent: twelvetasks/{VERSION}\r\n"
        assert line.encode() in server.heard[1]

    async def test_it_keeps_no_cookie_that_it_is_given(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        cookie = {"Set-Cookie": "a=b; Path=/"}
        platform.fail(status=500, headers=cookie)
        assert await session.tasks().count() == 230
        assert all("Cookie" not in request.headers for request in platform.requests)

    async def test_a_connection_is_used_again(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        for _ in range(3):
            await session.tasks().count()
        assert platform.open_connections == 1

    async def test_a_compressed_page_is_read(self) -> None:
        page = answer("200 OK", "Content-Encoding: gzip", body=gzip.compress(EMPTY_PAGE))
        async with raw(page) as server:
            assert await count(server.base_url) == 0


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_a_redirect_is_refused_and_the_other_host_hears_nothing(
        self, status: int
    ) -> None:
        async with raw(answer(body=EMPTY_PAGE)) as other:
            elsewhere = other.base_url.with_host("localhost") / "tasks"
            async with raw(answer(f"{status} Moved", f"Location: {elsewhere}")) as server:
                error = await failure(server.base_url)
        assert type(error) is ResponseError
        assert error.status == status
        assert f"answered {status} to localhost, which is not followed" in str(error)
        assert len(server.heard) == 1
        assert (other.connections, other.heard) == (0, [])

    async def test_a_platform_that_sends_on_to_another_is_not_followed(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        async with FakePlatform.demo(3, api_key=platform.api_key) as other:
            location = {"Location": str(other.base_url / "tasks")}
            platform.respond(lambda _: web.Response(status=307, headers=location))
            with pytest.raises(ResponseError, match="which is not followed"):
                await session.tasks()
            assert other.requests == []
            assert other.open_connections == 0
        assert len(platform.requests) == 1

    async def test_a_redirect_to_the_same_host_is_refused_as_well(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        platform.respond(lambda _: web.Response(status=302, headers={"Location": "/v1.3/tasks"}))
        error = await failure_in(session)
        assert "answered 302, which is not followed" in str(error)
        assert len(platform.requests) == 1

    async def test_the_host_of_a_redirect_is_shown_in_its_ascii_form(self) -> None:
        # As the bytes of UTF-8 that are on the wire.
        location = "https://\u0430pi.tw\u0435lvelabs.io/v1.3".encode().decode("latin-1")
        async with raw(answer("302 Found", f"Location: {location}")) as server:
            error = await failure(server.base_url)
        assert "answered 302 to xn--pi-6kc.xn--twlvelabs-h0h.io," in str(error)

    @pytest.mark.parametrize(
        "location",
        ["", "http://[::1", "http://h:99999999/", "\xff\xfe", "http://xn--\xff/", "//", "a" * 8000],
    )
    async def test_a_redirect_to_nowhere_is_refused_all_the_same(self, location: str) -> None:
        async with raw(answer("302 Found", f"Location: {location}")) as server:
            error = await failure(server.base_url)
        assert type(error) is ResponseError
        assert (error.status, len(server.heard)) == (302, 1)

    @pytest.mark.parametrize("status", ["101 Switching Protocols", "204 No Content", "206 Part"])
    async def test_a_success_that_is_no_page_is_refused(self, status: str) -> None:
        async with raw(answer(status)) as server:
            error = await failure(server.base_url)
        assert type(error) is ResponseError
        assert f"answered {status[:3]} instead of 200" in str(error)


class TestNoConnection:
    async def test_a_refused_connection_is_a_transport_error(self) -> None:
        with socket.socket() as unheard:
            unheard.bind(("127.0.0.1", 0))
            port = unheard.getsockname()[1]
            error = await failure(URL(f"http://127.0.0.1:{port}"))
        assert type(error) is TransportError
        assert (error.status, error.page) == (None, 1)
        assert "Check the network and the session's `base_url`" in str(error)

    async def test_a_name_that_nobody_has_is_a_transport_error(self) -> None:
        error = await failure(URL("https://nobody.invalid/v1.3"))
        assert isinstance(error, TransportError)
        assert error.status is None

    async def test_an_address_that_aiohttp_refuses_is_a_transport_error(self) -> None:
        error = await failure(URL("https://1.2.3.4.5"))
        assert type(error) is TransportError

    async def test_tls_to_a_plain_port_is_a_transport_error(self, platform: FakePlatform) -> None:
        error = await failure(platform.base_url.with_scheme("https"))
        assert type(error) is TransportError
        assert "SSL" in str(error)
        assert platform.requests == []


class TestTimeouts:
    @pytest.mark.parametrize(
        "said",
        [
            b"",
            b"HTTP/1.1 20",
            answer(length=100),
            answer("401 Unauthorized", length=100, body=b"{"),
        ],
        ids=["nothing", "half a line", "no body", "half a refusal"],
    )
    async def test_a_server_that_falls_silent_is_a_timeout(self, said: bytes) -> None:
        async with raw(silent_after(said)) as server:
            # Long enough for a busy machine to connect.
            error = await failure(server.base_url, within_seconds=0.2)
        assert type(error) is RequestTimeoutError
        assert "no answer within 0.2 seconds. Raise the session's `timeout`" in str(error)
        assert len(server.heard) == 5

    async def test_a_body_that_trickles_in_for_ever_is_a_timeout(self) -> None:
        attempts(1)

        async def trickle(writer: asyncio.StreamWriter) -> None:
            writer.write(answer("200 OK", "X-Request-Id: req-7", length=1000))
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)

        async with raw(trickle) as server:
            error = await failure(server.base_url, within_seconds=0.2)
        assert type(error) is RequestTimeoutError
        assert (error.status, error.request_id, error.page) == (200, "req-7", 1)

    async def test_the_platform_may_be_the_one_who_waits_in_vain(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        platform.fail(status=408, times=5)
        error = await failure_in(session)
        assert type(error) is RequestTimeoutError
        assert (error.status, len(platform.requests)) == (408, 5)

    async def test_a_wait_that_it_asks_for_then_is_told_with_the_time_of_its_end(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        platform.fail(status=408, headers={"Retry-After": "3600"})
        error = await failure_in(session)
        assert type(error) is RequestTimeoutError
        assert error.retry_after == pytest.approx(3600, abs=1)
        assert pickle.loads(pickle.dumps(error)).retry_after == error.retry_after
        assert re.search(r"asks to wait 3600 seconds, until .* UTC", error.advice)
        assert len(platform.requests) == 1


WHOLE_ANSWERS = [
    answer("200 OK", "X-Request-Id: r", "Set-Cookie: a=b", body=EMPTY_PAGE),
    answer("200 OK", "Content-Encoding: gzip", body=gzip.compress(EMPTY_PAGE, mtime=0)),
    answer("302 Found", "Location: https://other.example:443/x"),
    answer("429 Slow", "Retry-After: 30"),
    answer("400 No", "Transfer-Encoding: chunked", body=b'7\r\n{"a":1}\r\n0\r\n\r\n'),
]


DAMAGES = st.tuples(st.integers(0, 150), st.integers(0, 20), st.binary(max_size=4))
"""At a place in an answer, so many bytes removed and these inserted."""


class TestBrokenAnswers:
    @pytest.mark.parametrize(
        "said",
        [
            b"",
            b"SSH-2.0-OpenSSH_9.6\r\n",
            b"\x15\x03\x01\x00\x02\x02\x50",
            b"HTTP/1.1 abc OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Le",
            answer("200 OK", "Content-Length: many"),
            answer("200 OK", "Content-Length: -1"),
            answer("200 OK", "X Y: z", body=EMPTY_PAGE),
            answer("200 OK", "X: " + "a" * 100_000, body=EMPTY_PAGE),
            answer(body=EMPTY_PAGE[:-1], length=len(EMPTY_PAGE)),
            answer("200 OK", "Transfer-Encoding: chunked", body=b"5\r\nab"),
            answer("200 OK", "Transfer-Encoding: chunked", body=b"zz\r\nab"),
            answer("200 OK", "Content-Encoding: gzip", body=EMPTY_PAGE),
            answer("200 OK", "Content-Encoding: deflate", body=b"\xff" + EMPTY_PAGE),
        ],
        ids=[
            "nothing",
            "another protocol",
            "a TLS alert",
            "no status",
            "half a head",
            "no length",
            "a negative length",
            "a bad header",
            "a long header",
            "half a body",
            "half a chunk",
            "no chunk",
            "no gzip",
            "no deflate",
        ],
    )
    async def test_bytes_that_are_no_whole_answer_are_a_transport_error_and_tried_again(
        self, said: bytes
    ) -> None:
        attempts(2)
        async with raw(said) as server:
            error = await failure(server.base_url)
        assert type(error) is TransportError
        assert "the connection failed: " in str(error)
        assert "400" not in str(error)
        assert len(server.heard) == 2

    async def test_a_connection_reset_within_the_body_is_a_transport_error(self) -> None:
        text = answer("200 OK", "X-Request-Id: req-7", length=100, body=b"{")
        async with raw(resetting_after(text)) as server:
            error = await failure(server.base_url)
        assert type(error) is TransportError
        assert len(server.heard) == 5

    async def test_half_a_body_still_tells_status_and_request_id(self) -> None:
        async with raw(answer("200 OK", "X-Request-Id: req-7", length=100, body=b"{")) as server:
            error = await failure(server.base_url)
        assert type(error) is TransportError
        assert "the body was cut short or is garbled" in str(error)
        assert (error.status, error.request_id, error.page) == (200, "req-7", 1)

    @pytest.mark.parametrize(
        "text",
        [
            answer("401 Unauthorized", length=100, body=b'{"code": "api'),
            answer("401 Unauthorized", "Content-Encoding: gzip", body=b'{"code": "api"}'),
        ],
        ids=["cut", "garbled"],
    )
    async def test_a_refusal_is_a_refusal_even_if_its_words_are_lost(self, text: bytes) -> None:
        async with raw(text) as server:
            error = await failure(server.base_url)
        assert type(error) is AuthenticationError
        assert error.reason == "401 Unauthorized"
        assert len(server.heard) == 1

    @pytest.mark.parametrize("request_id", ["\xff\xfe", "a\tb", "ü" * 100])
    async def test_a_request_id_that_no_terminal_can_show_is_made_showable(
        self, request_id: str
    ) -> None:
        async with raw(answer("400 No", f"X-Request-Id: {request_id}")) as server:
            error = await failure(server.base_url)
        assert error.request_id
        assert str(error).isprintable()
        str(error).encode()

    @settings(deadline=None)
    @given(st.sampled_from(WHOLE_ANSWERS), st.lists(DAMAGES, max_size=3))
    def test_no_bytes_whatever_raise_anything_but_errors_of_ours(
        self, text: bytes, damages: list[tuple[int, int, bytes]]
    ) -> None:
        attempts(1)
        for place, removed, inserted in damages:
            text = text[:place] + inserted + text[place + removed :]

        async def ask() -> TwelveTasksError | None:
            async with raw(text) as server:
                try:
                    await count(server.base_url)
                except TwelveTasksError as error:
                    return error
            return None

        error = asyncio.run(ask())
        assert error is None or (str(error).isprintable() and error.__context__ is None)


ECHOES = {
    "in a refusal's code": answer("400 No", body=b'{"code": "%b"}' % KEY.encode()),
    "in a refusal's message": answer("400 No", body=b'{"message": "%b"}' % KEY.encode()),
    "in a refusal's reason": answer(f"400 {KEY}"),
    "in the request id": answer("400 No", f"X-Request-Id: {KEY}"),
    "in the host of a redirect": answer("302 Found", f"Location: https://{KEY}.example/"),
    "in the path of a redirect": answer("302 Found", f"Location: https://h.example/{KEY}"),
    "in a page": answer(body=b'{"data": "%b", "page_info": {}}' % KEY.encode()),
    "in what is no page": answer(body=KEY.encode()),
    "in what is no HTTP": f"GET / HTTP/1.1\r\nx-api-key: {KEY}\r\n\r\n".encode(),
    "in a status line": f"HTTP/1.1 {KEY}\r\n\r\n".encode(),
    "in half an answer": f"HTTP/1.1 200 OK\r\nX: {KEY}\r\n".encode(),
    "in half a body": answer("200 OK", f"X-Request-Id: {KEY}", length=100, body=KEY.encode()),
}
"""What a server may do with the key that it was sent."""


class TestTheKeyIsNotSeen:
    @pytest.mark.parametrize("text", ECHOES.values(), ids=ECHOES)
    async def test_in_the_error_if_a_server_sends_it_back(self, text: bytes) -> None:
        async with raw(text) as server:
            error = await failure(server.base_url)
        shown = f"{error} {error!r} {error.args} {vars(error)}"
        assert KEY.lower() not in shown.lower()

    @pytest.mark.parametrize("text", [*ECHOES.values(), b""], ids=[*ECHOES, "nowhere"])
    async def test_in_the_traceback_even_if_it_shows_locals(self, text: bytes) -> None:
        async with raw(text) as server:
            error = await failure(server.base_url)
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        ours = [frame for frame in shown.stack if "twelvetasks" in frame.filename]
        assert ours
        assert KEY not in "".join(str(frame.locals) for frame in ours)
        assert "x-api-key" not in "".join(shown.format())

    @pytest.mark.parametrize(
        "behaviour",
        [
            saying(b""),
            saying(b"garbage\r\n"),
            saying(answer("500 No")),
            saying(answer(length=100)),
            silent_after(b""),
        ],
        ids=["disconnected", "garbage", "a refusal", "half a body", "a timeout"],
    )
    async def test_in_anything_of_aiohttps_that_an_error_might_hold(
        self, behaviour: Behaviour
    ) -> None:
        attempts(2)
        async with raw(behaviour) as server:
            error = await failure(server.base_url, within_seconds=0.2)
        assert error.__cause__ is None
        assert error.__context__ is None
        trace = error.__traceback__
        while trace is not None:
            for held in trace.tb_frame.f_locals.values():
                assert not type(held).__module__.startswith("aiohttp"), trace.tb_frame
            trace = trace.tb_next

    async def test_in_what_a_retry_logs(
        self, caplog: pytest.LogCaptureFixture, retries: list[RetryDetails]
    ) -> None:
        caplog.set_level(logging.DEBUG)
        text = answer("503 Busy", body=b'{"code": "busy", "message": "not for %b"}' % KEY.encode())
        async with raw(text) as server:
            await failure(server.base_url)
        records = [record for record in caplog.records if record.name == "stamina"]
        assert [record.getMessage() for record in records] == ["stamina.retry_scheduled"] * 4
        assert [vars(record)["stamina.retry_num"] for record in records] == [1, 2, 3, 4]
        for record in records:
            assert record.levelno == logging.WARNING
            cause = vars(record)["stamina.caused_by"]
            assert cause == "ServerError('503 busy: not for ***')"
            assert vars(record)["stamina.args"] == ()
            assert vars(record)["stamina.kwargs"] == {}
        logged = repr([vars(record) for record in caplog.records]) + repr(retries)
        assert KEY not in logged
        assert "x-api-key" not in logged

    async def test_in_what_anything_else_logs_even_in_debug_mode(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        loop = asyncio.get_running_loop()
        caplog.set_level(logging.DEBUG)
        loop.set_debug(True)
        # Every step counts as slow, and asyncio logs the tasks and handles of slow steps.
        loop.slow_callback_duration = 0.0
        for text in (b"", answer("500 No"), answer(body=EMPTY_PAGE), *ECHOES.values()):
            async with raw(text) as server, contextlib.AsyncExitStack() as stack:
                session = TaskSession(KEY, base_url=server.base_url, timeout=20.0)
                await stack.enter_async_context(session)
                with contextlib.suppress(TwelveTasksError):
                    await within(session.tasks().count())
        loop.set_debug(False)
        assert caplog.records
        logged = caplog.text + repr([vars(record) for record in caplog.records])
        assert KEY not in logged
        assert "x-api-key" not in logged
