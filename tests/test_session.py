"""`TaskSession`: where its key comes from, what it refuses, and what is left when it is closed."""

from __future__ import annotations

import asyncio
import copy
import gc
import gzip
import inspect
import pickle
import traceback
import warnings
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from tests.conftest import until_no_connection
from twelvetasks import (
    AuthenticationError,
    InvalidArgumentError,
    SessionClosedError,
    TaskSession,
    TwelveTasksError,
)
from twelvetasks.testing import FakePlatform

KEY = "tlk_0SECRET1"

T = TypeVar("T")


def within(wait: Awaitable[T]) -> Awaitable[T]:
    """Bound a wait that is over at once unless something is wrong."""
    return asyncio.wait_for(wait, 20)


def compressed_page(_: web.Request) -> web.Response:
    body = (
        b'{"data": [], "page_info":'
        b' {"limit_per_page": 1, "page": 1, "total_page": 7, "total_results": 7}}'
    )
    return web.Response(body=gzip.compress(body), headers={"Content-Encoding": "gzip"})


@pytest.fixture
def environment_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWELVE_LABS_API_KEY", "tlk_environment")


class TestKey:
    async def test_it_is_the_argument(self, platform: FakePlatform, environment_key: None) -> None:
        async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
            await session.tasks().count()
        assert platform.requests[0].headers["x-api-key"] == platform.api_key

    async def test_else_it_is_the_environments(
        self, platform: FakePlatform, environment_key: None
    ) -> None:
        platform.api_key = "tlk_environment"
        async with TaskSession(base_url=platform.base_url) as session:
            await session.tasks().count()
        assert platform.requests[0].headers["x-api-key"] == "tlk_environment"

    def test_else_there_is_an_error_that_says_both(self) -> None:
        with pytest.raises(AuthenticationError, match=r"api_key=.* TWELVE_LABS_API_KEY"):
            TaskSession()

    def test_an_empty_one_is_none(
        self, monkeypatch: pytest.MonkeyPatch, environment_key: None
    ) -> None:
        with pytest.raises(AuthenticationError, match="there is no API key"):
            TaskSession("")
        monkeypatch.setenv("TWELVE_LABS_API_KEY", "")
        with pytest.raises(AuthenticationError, match="there is no API key"):
            TaskSession()

    @pytest.mark.parametrize("key", [f"{KEY}\n", f" {KEY}", f"{KEY}\r\nx-other: 1", f"{KEY}\0ü"])
    def test_one_with_a_sign_that_no_key_has_is_refused_and_not_shown(self, key: str) -> None:
        with pytest.raises(AuthenticationError, match="perhaps a space or a line break") as caught:
            TaskSession(key)
        assert KEY not in str(caught.value) + repr(caught.value)

    @pytest.mark.parametrize("key", [KEY.encode(), 7, [KEY]])
    def test_what_is_no_string_is_refused_and_not_shown(self, key: Any) -> None:
        with pytest.raises(AuthenticationError, match="must be a string, not") as caught:
            TaskSession(key)
        assert KEY not in str(caught.value) + repr(caught.value)


class TestTheKeyIsNotSeen:
    @pytest.mark.parametrize(
        "show",
        [
            repr,
            str,
            lambda session: repr(vars(session)),
            lambda session: repr(vars(session._requests)),
            lambda session: repr(vars(session._requests.transport)),
            lambda session: repr(inspect.getmembers(session)),
            lambda session: repr(session.tasks()),
            lambda session: repr(aiter(session.tasks())),
        ],
    )
    def test_by_looking_at_the_session(self, show: Callable[[TaskSession], str]) -> None:
        assert KEY not in show(TaskSession(KEY))

    @pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
    def test_in_a_duplicate_of_the_session(
        self, duplicate: Callable[[TaskSession], object]
    ) -> None:
        with pytest.raises(TypeError, match="cannot be pickled"):
            duplicate(TaskSession(KEY))

    def test_in_a_duplicate_of_what_the_session_is_made_of(self) -> None:
        session = TaskSession(KEY)
        for part in (session.tasks(), session._requests, session._requests.transport):
            with pytest.raises(TypeError, match="cannot be pickled"):
                pickle.dumps(part)

    @pytest.mark.parametrize(
        "make",
        [
            lambda: TaskSession(KEY, base_url="http://api.twelvelabs.io"),
            lambda: TaskSession(KEY, concurrency=0),
            lambda: TaskSession(KEY, timeout=0),
            lambda: TaskSession(f"{KEY} "),
            lambda: TaskSession(cast("str", KEY.encode())),
            lambda: TaskSession(cast("str", [KEY])),
            lambda: TaskSession("", base_url=f"https://:{KEY}@h:bad"),
            lambda: TaskSession("k", base_url=cast("str", f"https://u:{KEY}@h".encode())),
            lambda: TaskSession(KEY).tasks(page_limit=0),
        ],
    )
    def test_in_a_traceback_that_shows_locals(self, make: Callable[[], object]) -> None:
        with pytest.raises(TwelveTasksError) as caught:
            make()
        # The first frame is this test's own.
        ours = caught.value.__traceback__
        assert ours is not None
        shown = traceback.TracebackException(
            type(caught.value), caught.value, ours.tb_next, capture_locals=True
        )
        assert KEY not in "".join(shown.format())

    def test_in_the_error_about_a_base_url_that_holds_it(self) -> None:
        for base_url in (f"https://{KEY}@h/", f"https://u:{KEY}@h/", f"https://h/?api_key={KEY}"):
            with pytest.raises(InvalidArgumentError, match="base_url=") as caught:
                TaskSession(KEY, base_url=base_url)
            assert KEY not in str(caught.value) + repr(caught.value)

    @pytest.mark.parametrize(
        "address",
        [
            "https://u:SECRET@h:bad/v1.3",
            "https://u:SECRET?more@h/",
            "https://u:SECRET#more@h/",
            "https://h:bad/?token=SECRET",
            "https://h:bad/#SECRET",
            "https://h/v1.3#SECRET",
            "https://a..b/?token=SECRET",
            "https:/u:SECRET@h/",
            "https//u:SECRET@h/",
            "u:SECRET@h/v1.3",
            "//u:SECRET@h/v1.3",
            "h/v1.3?token=SECRET",
            "http://[SECRET",
        ],
    )
    def test_in_an_address_that_is_refused(self, address: str) -> None:
        with pytest.raises(InvalidArgumentError, match="base_url=") as caught:
            TaskSession(KEY, base_url=address)
        error = caught.value
        ours = error.__traceback__
        assert ours is not None
        shown = traceback.TracebackException(type(error), error, ours.tb_next, capture_locals=True)
        assert "SECRET" not in "".join(shown.format()) + repr(error) + repr(vars(error))


class TestArguments:
    def test_the_defaults_are_the_platform_and_eight_requests_at_once(self) -> None:
        session = TaskSession(KEY)
        assert session.base_url == URL("https://api.twelvelabs.io/v1.3")
        assert session.concurrency == 8
        assert not session.closed
        assert repr(session) == "<TaskSession https://api.twelvelabs.io/v1.3, concurrency=8>"

    @pytest.mark.parametrize(
        "base_url",
        [
            "https://api.twelvelabs.io/v1.3/",
            URL("https://proxy.example:8443/twelve"),
            "https://1.2.3.4",
            "https://[2001:db8::1]/v1.3",
            "https://☃.example",
            "http://localhost:8000",
            "http://LOCALHOST",
            "http://127.0.0.1:1/v1.3",
            "http://127.8.9.10",
            "http://[::1]:8000",
        ],
    )
    def test_https_anywhere_and_http_on_this_machine_are_accepted(
        self, base_url: str | URL
    ) -> None:
        assert TaskSession(KEY, base_url=base_url).base_url == URL(base_url)

    @pytest.mark.parametrize(
        "base_url",
        [
            "http://api.twelvelabs.io/v1.3",
            "http://10.0.0.1",
            "http://0.0.0.0",
            "http://[::]",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "http://127.1",
            "http://2130706433",
        ],
    )
    def test_http_to_another_machine_is_refused(self, base_url: str) -> None:
        with pytest.raises(InvalidArgumentError, match=r"base_url=.*must be https"):
            TaskSession(KEY, base_url=base_url)

    @pytest.mark.parametrize(
        "base_url",
        [
            "",
            "api.twelvelabs.io/v1.3",
            "//api.twelvelabs.io/v1.3",
            "/v1.3",
            "https:///v1.3",
            "ftp://api.twelvelabs.io",
            "file:///etc/passwd",
            "https://h/v1.3?page=2",
            "https://h/v1.3#top",
            "https://user@h",
            "https://user:password@h",
            "https://:password@h",
            "https://h:99999",
            "https://[::1",
            "https://.",
            "https://a..b",
            f"https://{'a' * 64}.example",
            b"https://h",
            7,
        ],
    )
    def test_what_is_no_plain_address_is_refused(self, base_url: Any) -> None:
        with pytest.raises(InvalidArgumentError, match=r"base_url=.*must"):
            TaskSession(KEY, base_url=base_url)

    @pytest.mark.parametrize("concurrency", [0, -1, 1.5, True, "8", None])
    def test_a_concurrency_that_is_no_positive_whole_number_is_refused(
        self, concurrency: Any
    ) -> None:
        with pytest.raises(InvalidArgumentError, match="concurrency="):
            TaskSession(KEY, concurrency=concurrency)

    @pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), True, "60", None])
    def test_a_timeout_that_is_no_positive_finite_number_is_refused(self, timeout: Any) -> None:
        with pytest.raises(InvalidArgumentError, match="timeout="):
            TaskSession(KEY, timeout=timeout)

    @pytest.mark.parametrize("max_items", [-1, 1.5, True, "8"])
    def test_a_limit_of_items_that_is_no_whole_number_is_refused(self, max_items: Any) -> None:
        with pytest.raises(InvalidArgumentError, match="max_items="):
            TaskSession(KEY).tasks(max_items=max_items)

    async def test_no_more_requests_than_the_concurrency_are_under_way(
        self, platform: FakePlatform
    ) -> None:
        platform.latency = 0.005
        async with TaskSession(
            platform.api_key, base_url=platform.base_url, concurrency=3
        ) as session:
            await asyncio.gather(*(session.tasks(page_limit=10).count() for _ in range(12)))
            await session.tasks(page_limit=10)
        assert platform.most_in_flight == 3


class TestLife:
    def test_a_session_can_be_made_before_there_is_an_event_loop(self) -> None:
        with FakePlatform.demo(3).run_in_thread() as platform:
            session = TaskSession(platform.api_key, base_url=platform.base_url)

            async def use() -> int:
                async with session:
                    return await session.tasks().count()

            assert asyncio.run(use()) == 3

    def test_a_session_that_serves_one_event_loop_says_so_to_another(self) -> None:
        with (
            FakePlatform.demo(3).run_in_thread() as platform,
            asyncio.Runner() as one,
            asyncio.Runner() as other,
        ):
            session = TaskSession(platform.api_key, base_url=platform.base_url)

            async def use() -> int:
                return await session.tasks().count()

            assert one.run(use()) == 3
            with pytest.raises(SessionClosedError, match="in each event loop"):
                other.run(use())
            one.run(session.aclose())

    async def test_making_and_leaving_a_session_connects_to_nothing(
        self, platform: FakePlatform
    ) -> None:
        async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
            session.tasks()
        assert platform.requests == []

    async def test_closing_leaves_no_connection_and_no_warning(
        self, platform: FakePlatform
    ) -> None:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            session = TaskSession(platform.api_key, base_url=platform.base_url)
            await session.tasks()
            assert platform.open_connections > 0
            await session.aclose()
            await until_no_connection(platform)
            del session
            gc.collect()
        assert warned == []

    async def test_leaving_by_an_exception_closes_it_as_well(self, platform: FakePlatform) -> None:
        session = TaskSession(platform.api_key, base_url=platform.base_url)
        with pytest.raises(InvalidArgumentError):
            async with session:
                await session.tasks(page_limit=await session.tasks().count())
        assert session.closed
        await until_no_connection(platform)

    async def test_a_closed_session_says_that_it_is_closed(self, session: TaskSession) -> None:
        listing = session.tasks()
        await session.aclose()
        assert session.closed
        assert repr(session).endswith(", closed>")
        with pytest.raises(SessionClosedError, match="Make a new TaskSession"):
            await session.__aenter__()
        for use in (listing.count(), listing.first(), listing, anext(listing.pages())):
            with pytest.raises(SessionClosedError, match=r"the session (is|was) closed"):
                await use

    async def test_closing_again_does_no_harm(self, platform: FakePlatform) -> None:
        session = TaskSession(platform.api_key, base_url=platform.base_url)
        await session.tasks().count()
        await session.aclose()
        await session.aclose()
        assert session.closed

    async def test_closing_from_many_places_at_once_does_no_harm(
        self, platform: FakePlatform
    ) -> None:
        hold = platform.hold()
        session = TaskSession(platform.api_key, base_url=platform.base_url)
        reader = asyncio.create_task(session.tasks().count())
        await within(hold.until_arrived())
        closings = []
        for _ in range(5):
            closings.append(asyncio.create_task(session.aclose()))
            # One step of the loop further, so that each meets another stage of the first.
            await asyncio.sleep(0)
        await within(asyncio.gather(*closings, session.aclose(), session.aclose()))
        assert reader.done()
        assert isinstance(reader.exception(), SessionClosedError)
        await until_no_connection(platform)


class TestClosingDuringRequests:
    async def test_it_ends_every_listing_at_the_place_it_had_reached(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        hold = platform.hold(page=4)
        seen: list[str] = []
        page_was_read = asyncio.Event()

        async def read() -> None:
            async for task in session.tasks():
                seen.append(task.id)
                if len(seen) == 50:
                    page_was_read.set()

        reader = asyncio.create_task(read())
        await within(page_was_read.wait())
        await within(hold.until_arrived())
        await within(session.aclose())
        with pytest.raises(SessionClosedError):
            await within(reader)
        assert 50 <= len(seen) <= 150
        assert seen == [task["_id"] for task in platform.tasks()[: len(seen)]]
        await until_no_connection(platform)

    async def test_it_waits_until_the_requests_have_ended(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        hold = platform.hold()
        readers = [asyncio.create_task(session.tasks().count()) for _ in range(3)]
        await within(hold.until_arrived(3))
        await within(session.aclose())
        assert all(reader.done() for reader in readers)
        for reader in readers:
            with pytest.raises(SessionClosedError, match="page 1: the session is closed"):
                await reader

    async def test_it_leaves_the_task_that_waits_for_a_request_uncancelled(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        hold = platform.hold()

        async def read() -> str:
            try:
                await session.tasks().count()
            except SessionClosedError:
                await asyncio.sleep(0)
            current = asyncio.current_task()
            assert current is not None
            return f"cancelled {current.cancelling()} times"

        reader = asyncio.create_task(read())
        await within(hold.until_arrived())
        await within(session.aclose())
        assert await within(reader) == "cancelled 0 times"

    async def test_it_ends_a_request_that_waits_for_its_turn(self, platform: FakePlatform) -> None:
        hold = platform.hold()
        async with TaskSession(
            platform.api_key, base_url=platform.base_url, concurrency=1
        ) as session:
            readers = [asyncio.create_task(session.tasks().count()) for _ in range(3)]
            await within(hold.until_arrived())
        for reader in readers:
            assert isinstance(reader.exception(), SessionClosedError)
        assert len(platform.requests) == 1

    async def test_it_ends_a_fetch_that_has_not_begun(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        asyncio.get_running_loop().set_task_factory(None)  # an eager fetch begins at once
        before = asyncio.all_tasks()
        stream = aiter(session.tasks())
        reader = asyncio.create_task(stream.asend(None))
        await asyncio.sleep(0)
        await session.aclose()
        assert asyncio.all_tasks() - before <= {reader}
        with pytest.raises(SessionClosedError):
            await reader
        assert platform.requests == []

    async def test_a_caller_who_gives_up_at_the_same_time_is_cancelled(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        hold = platform.hold()
        reader = asyncio.create_task(session.tasks().count())
        await within(hold.until_arrived())
        reader.cancel()
        await within(session.aclose())
        with pytest.raises(asyncio.CancelledError):
            await reader

    async def test_the_connection_is_closed_even_if_closing_is_cancelled(
        self, platform: FakePlatform
    ) -> None:
        hold = platform.hold()
        session = TaskSession(platform.api_key, base_url=platform.base_url)
        reader = asyncio.create_task(session.tasks().count())
        await within(hold.until_arrived())
        closing = asyncio.create_task(session.aclose())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await within(closing)
        with pytest.raises(SessionClosedError):
            await within(reader)
        assert session.closed
        await until_no_connection(platform)

    def test_pages_that_nobody_reads_any_more_complain_to_nobody(self) -> None:
        complaints: list[dict[str, Any]] = []

        async def read_one(platform: FakePlatform) -> object:
            asyncio.get_running_loop().set_exception_handler(
                lambda _, complaint: complaints.append(complaint)
            )
            hold = platform.hold(page=3)
            async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
                stream = aiter(session.tasks(page_limit=1))
                await within(anext(stream))
                await within(anext(stream))
                await within(hold.until_arrived())
            return stream

        with FakePlatform.demo(9).run_in_thread() as platform:
            outlives_its_loop = asyncio.run(read_one(platform))
        del outlives_its_loop
        gc.collect()
        assert complaints == []


class TestACallersClientSession:
    async def test_it_carries_the_requests_and_stays_open(self, platform: FakePlatform) -> None:
        async with aiohttp.ClientSession(headers={"X-Trace": "7"}) as client:
            async with TaskSession(
                platform.api_key, base_url=platform.base_url, client_session=client
            ) as session:
                assert len(await session.tasks()) == 230
            assert not client.closed
            assert session.closed
            async with client.get(platform.base_url / "tasks") as response:
                assert response.status == 401
        assert {request.headers["X-Trace"] for request in platform.requests} == {"7"}

    async def test_it_is_never_given_the_key(self, platform: FakePlatform) -> None:
        async with aiohttp.ClientSession() as client:
            async with TaskSession(
                platform.api_key, base_url=platform.base_url, client_session=client
            ) as session:
                await session.tasks().count()
            assert client.headers == {}
            assert platform.api_key not in repr(vars(client))

    async def test_its_own_ways_do_not_disturb_the_requests(self, platform: FakePlatform) -> None:
        async with aiohttp.ClientSession(
            base_url="https://elsewhere.example/",
            headers={
                "x-api-key": "tlk_other",
                "Accept": "text/html",
                "Authorization": "Basic YTpi",
            },
            cookies={"a": "b"},
            raise_for_status=True,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=1e-9),
        ) as client:
            async with TaskSession(
                platform.api_key, base_url=platform.base_url, client_session=client
            ) as session:
                assert await session.tasks().count() == 230
                platform.fail(status=404)
                with pytest.raises(TwelveTasksError, match="404 resource_not_exists"):
                    await session.tasks().count()
                platform.respond(compressed_page)
                assert await session.tasks().count() == 7
            assert client.headers["x-api-key"] == "tlk_other"
        sent = platform.requests[0].headers
        assert sent.getall("x-api-key") == [platform.api_key]
        assert sent.getall("Accept") == ["application/json"]

    async def test_its_own_login_does_not_disturb_the_requests(
        self, platform: FakePlatform
    ) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            client = aiohttp.ClientSession(auth=aiohttp.BasicAuth("a", "b"))
        async with (
            client,
            TaskSession(
                platform.api_key, base_url=platform.base_url, client_session=client
            ) as session,
        ):
            assert await session.tasks().count() == 230

    async def test_if_it_is_closed_the_error_says_which_of_the_two_sessions_is(
        self, platform: FakePlatform
    ) -> None:
        async with aiohttp.ClientSession() as client:
            session = TaskSession(
                platform.api_key, base_url=platform.base_url, client_session=client
            )
            await session.tasks().count()
        with pytest.raises(SessionClosedError, match=r"the `client_session` .* is closed"):
            await session.tasks().count()
        assert not session.closed

    async def test_if_it_is_closed_during_a_request_the_error_says_so_too(
        self, platform: FakePlatform
    ) -> None:
        hold = platform.hold()
        client = aiohttp.ClientSession()
        session = TaskSession(platform.api_key, base_url=platform.base_url, client_session=client)
        reader = asyncio.create_task(session.tasks().count())
        await within(hold.until_arrived())
        await client.close()
        with pytest.raises(SessionClosedError, match=r"the `client_session` .* is closed"):
            await within(reader)

    async def test_closing_the_task_session_waits_for_its_requests_all_the_same(
        self, platform: FakePlatform
    ) -> None:
        hold = platform.hold()
        async with aiohttp.ClientSession() as client:
            session = TaskSession(
                platform.api_key, base_url=platform.base_url, client_session=client
            )
            counting = asyncio.create_task(session.tasks().count())
            await within(hold.until_arrived())
            await session.aclose()
            assert counting.done()
            assert isinstance(counting.exception(), SessionClosedError)

    async def test_closing_the_task_session_ends_its_requests_all_the_same(
        self, platform: FakePlatform
    ) -> None:
        hold = platform.hold()
        async with aiohttp.ClientSession() as client:
            async with TaskSession(
                platform.api_key, base_url=platform.base_url, client_session=client
            ) as session:
                counting = asyncio.create_task(session.tasks().count())
                stream = aiter(session.tasks())
                reading = asyncio.create_task(stream.asend(None))
                await within(hold.until_arrived(2))
                assert platform.in_flight == 2
            assert counting.done()
            with pytest.raises(SessionClosedError):
                await counting
            with pytest.raises(SessionClosedError):
                await reading
            assert not client.closed
            await until_no_connection(platform)
