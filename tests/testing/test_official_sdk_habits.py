"""What the README and the guide on migrating say that the official SDK does, tried on it.

If one of these fails after an update of the SDK, the sentences and the table have to be mended.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from twelvetasks.testing import FakePlatform

twelvelabs = pytest.importorskip("twelvelabs")

if TYPE_CHECKING:
    from twelvelabs import TwelveLabs


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePlatform]:
    monkeypatch.delenv("TWELVELABS_BASE_URL", raising=False)
    with FakePlatform.demo(200).run_in_thread() as platform:
        yield platform


@pytest.fixture
def sdk(served: FakePlatform) -> Iterator[TwelveLabs]:
    import httpx

    with httpx.Client(timeout=30, follow_redirects=True) as connection:
        yield twelvelabs.TwelveLabs(
            api_key=served.api_key, base_url=str(served.base_url), httpx_client=connection
        )


def test_it_asks_for_one_page_after_the_other_and_one_more(
    served: FakePlatform, sdk: TwelveLabs
) -> None:
    served.latency = 0.01
    assert len(list(sdk.tasks.list(page_limit=50))) == 200
    assert [request.page for request in served.requests] == [1, 2, 3, 4, 5]
    assert served.most_in_flight == 1


def test_it_misses_tasks_when_others_are_deleted_meanwhile(
    served: FakePlatform, sdk: TwelveLabs
) -> None:
    served.before_each(lambda platform, request: platform.delete(platform.tasks()[0]["_id"]))
    listed = {task.id for task in sdk.tasks.list(page_limit=50)}
    assert {task["_id"] for task in served.tasks()} - listed


def test_it_repeats_tasks_when_others_are_added_meanwhile(
    served: FakePlatform, sdk: TwelveLabs
) -> None:
    def one_comes(platform: FakePlatform, request: web.Request) -> None:
        platform.add()

    served.before_each(one_comes)
    listed = [task.id for task in sdk.tasks.list(page_limit=50)]
    assert len(listed) > len(set(listed))


async def test_its_listing_ends_in_silence_after_a_timeout(served: FakePlatform) -> None:
    import httpx

    async with httpx.AsyncClient(timeout=30) as connection:
        client = twelvelabs.AsyncTwelveLabs(
            api_key=served.api_key, base_url=str(served.base_url), httpx_client=connection
        )
        tasks = aiter(await client.tasks.list(page_limit=50))
        for _ in range(50):
            await anext(tasks)
        hold = served.hold(page=2)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(tasks), 0.1)
        hold.release()
        with pytest.raises(StopAsyncIteration):
            await anext(tasks)


def test_its_pages_do_not_say_how_many_tasks_there_are(sdk: TwelveLabs) -> None:
    page: Any = sdk.tasks.list(page_limit=1)
    assert {name for name in vars(page) if not name.startswith("_")} == {
        *("get_next", "has_next", "items", "response")
    }
    assert not hasattr(page.response, "data")


def test_its_uploads_tell_no_progress(sdk: TwelveLabs) -> None:
    parameters = inspect.signature(sdk.tasks.create).parameters
    assert not [name for name in parameters if "progress" in name or "callback" in name]


async def test_it_takes_no_async_source_for_an_upload(served: FakePlatform) -> None:
    import httpx

    async def video() -> AsyncIterator[bytes]:
        yield b"frames"

    async with httpx.AsyncClient(timeout=30) as connection:
        client = twelvelabs.AsyncTwelveLabs(
            api_key=served.api_key, base_url=str(served.base_url), httpx_client=connection
        )
        source: Any = video()
        with pytest.raises((AttributeError, TypeError)):
            await client.tasks.create(index_id="i", video_file=source)
    assert served.uploads == []


@pytest.mark.parametrize("status", [429, 503])
def test_it_tries_nothing_again_unless_told_to(
    served: FakePlatform, sdk: TwelveLabs, status: int
) -> None:
    from twelvelabs.core.api_error import ApiError

    served.fail(status=status)
    with pytest.raises(ApiError):
        list(sdk.tasks.list())
    assert len(served.requests) == 1


def test_it_follows_redirects_and_takes_the_key_along(
    served: FakePlatform, sdk: TwelveLabs
) -> None:
    with FakePlatform(api_key=served.api_key).run_in_thread() as elsewhere:
        target = str(elsewhere.base_url / "tasks")
        served.respond(lambda request: web.Response(status=307, headers={"Location": target}))
        assert list(sdk.tasks.list()) == []
        assert elsewhere.requests[0].headers["x-api-key"] == served.api_key


def test_it_follows_redirects_and_waits_ten_minutes_by_default() -> None:
    from twelvelabs.base_client import BaseClient

    assert inspect.signature(BaseClient.__init__).parameters["follow_redirects"].default is True
    assert "timeout is 600 seconds" in (BaseClient.__doc__ or "")


def test_its_wait_has_no_timeout_and_gives_back_what_failed(
    served: FakePlatform, sdk: TwelveLabs
) -> None:
    tasks: Any = sdk.tasks
    assert "timeout" not in inspect.signature(tasks.wait_for_done).parameters
    failed = served.tasks(status="failed")[0]["_id"]
    assert tasks.wait_for_done(failed).status == "failed"


def test_it_sends_filters_as_they_are(served: FakePlatform, sdk: TwelveLabs) -> None:
    from twelvelabs.core.api_error import ApiError

    with pytest.raises(ApiError):
        list(sdk.tasks.list(status="redy"))
    assert [request.status for request in served.requests] == [400]


def test_its_times_are_strings(served: FakePlatform, sdk: TwelveLabs) -> None:
    assert isinstance(next(iter(sdk.tasks.list())).created_at, str)
