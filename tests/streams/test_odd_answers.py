"""Answers that are odd: a default listing yields what the official SDK yields, in the same order.

The SDK itself is the judge, over the same socket. With ``exact=True`` what cannot be proven raises.
"""

from __future__ import annotations

import asyncio
import copy
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import twelvelabs
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from twelvetasks import Consistency, ResponseError, TaskListing, TaskSession, TaskStream, to_dict
from twelvetasks.testing import FakePlatform

Body = dict[str, Any]
Change = Callable[[Body], Any]


def account(count: int = 12) -> list[dict[str, Any]]:
    """Give tasks, the newest first."""
    newest = datetime(2025, 1, 1, tzinfo=UTC)
    times = [f"{newest - timedelta(seconds=number):%Y-%m-%dT%H:%M:%SZ}" for number in range(count)]
    return [
        {"_id": f"t{number:03}", "created_at": time, "updated_at": time}
        for number, time in enumerate(times)
    ]


def serve(platform: FakePlatform, tasks: list[Any], change: Change) -> None:
    """Answer with pages of these tasks, each changed."""

    def answer(request: web.Request) -> web.Response:
        page, limit = int(request.query["page"]), int(request.query.get("page_limit", 10))
        body = {
            "data": copy.deepcopy(tasks[(page - 1) * limit : page * limit]),
            "page_info": {
                "page": page,
                "limit_per_page": limit,
                "total_page": -(-len(tasks) // limit),
                "total_results": len(tasks),
            },
        }
        change(body)
        text = json.dumps(body).replace('"no number"', "1e999")
        return web.Response(text=text, headers={"X-Request-Id": "r-7"})

    platform.respond(answer)


async def by_the_sdk(platform: FakePlatform, page_limit: int = 50) -> list[str | None]:
    client = twelvelabs.AsyncTwelveLabs(api_key=platform.api_key, base_url=str(platform.base_url))
    pager = await client.tasks.list(page_limit=page_limit)
    try:
        return [task.id async for task in pager]
    finally:
        await client._client_wrapper.httpx_client.httpx_client.aclose()


async def collect(listing: TaskListing | TaskStream, ids: list[str]) -> None:
    """Add the ids of the tasks as they come, for they may end with an error."""
    async for task in listing:
        ids.append(task.id)  # noqa: PERF401


def info(**fields: Any) -> Change:
    return lambda body: body["page_info"].update(fields)


def nothing(_: Body) -> None:
    """Change nothing."""


def without(*names: str) -> Change:
    return lambda body: [body["page_info"].pop(name) for name in names]


def each(change: Callable[[Any], Any]) -> Change:
    def apply(body: Body) -> None:
        body["page_info"] = {name: change(value) for name, value in body["page_info"].items()}

    return apply


DERIVED: dict[str, Change] = {
    "nothing": nothing,
    "no limit_per_page": without("limit_per_page"),
    "another limit_per_page": info(limit_per_page=10),
    "no total_page": without("total_page"),
    "a total_page one too high": lambda body: info(total_page=body["page_info"]["total_page"] + 1)(
        body
    ),
    "a total_page of 0": info(total_page=0),
    "no page": without("page"),
    "strings": each(str),
    "floats": each(float),
    "floats in strings": each(lambda number: f"{number}.0"),
    "nulls beside the total": info(page=None, limit_per_page=None, total_page=None),
    "a total of 0": info(total_results=0),
    "half a character": lambda body: [task.update(note="\ud83d") for task in body["data"]],
}
"""What can be derived, so that it is proven all the same."""

UNPROVEN: dict[str, Change] = {
    "no total_results": without("total_results"),
    "no total at all": without("total_results", "total_page"),
    "a total one too high": lambda body: info(total_results=body["page_info"]["total_results"] + 1)(
        body
    ),
    "a total of null": info(total_results=None),
    "a total below 0": info(total_results=-1),
    "no page_info": lambda body: body.pop("page_info"),
    "page_info null": lambda body: body.update(page_info=None),
    "page_info empty": lambda body: body.update(page_info={}),
    "the wrong order": lambda body: body["data"].reverse(),
    "another page": info(page=7),
}
"""What proves nothing."""


@pytest.mark.parametrize("count", [12, 50, 120])
@pytest.mark.parametrize("oddity", [*DERIVED, *UNPROVEN])
async def test_a_default_listing_yields_what_the_official_sdk_yields(
    platform: FakePlatform,
    session: TaskSession,
    oddity: str,
    count: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    serve(platform, account(count), (DERIVED | UNPROVEN)[oddity])
    expected = await by_the_sdk(platform)
    assert len(expected) == count
    with caplog.at_level(logging.WARNING, "twelvetasks"):
        async with session.tasks() as stream:
            assert [task.id async for task in stream] == expected
    proven = oddity in DERIVED
    assert (stream.report.consistency is Consistency.UNPROVEN) != proven
    assert len([record for record in caplog.records if record.name == "twelvetasks"]) == (
        not proven
    )
    if oddity not in ("nothing", "half a character", "floats"):
        assert stream.report.oddities
    if oddity != "the wrong order":  # Each page of it is in the order of the other direction.
        assert len(await session.tasks(sort_option="asc")) == count
    assert len(await session.tasks(sort_by="updated_at")) == count
    assert len(await session.tasks(page_limit=7)) == count


@pytest.mark.parametrize("oddity", UNPROVEN)
async def test_an_exact_listing_refuses_what_proves_nothing(
    platform: FakePlatform, session: TaskSession, oddity: str
) -> None:
    serve(platform, account(), UNPROVEN[oddity])
    with pytest.raises(ResponseError) as caught:
        await session.tasks(exact=True)
    assert caught.value.page == 1
    assert caught.value.request_id in ("r-7", None)


@pytest.mark.parametrize("oddity", ["no page", "no total_page", "strings", "floats", "nothing"])
async def test_an_exact_listing_derives_what_is_missing(
    platform: FakePlatform, session: TaskSession, oddity: str
) -> None:
    serve(platform, account(), DERIVED[oddity])
    async with session.tasks(exact=True) as stream:
        assert len([task async for task in stream]) == 12
    assert stream.report.consistency is Consistency.EXACT


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["page", "limit_per_page", "total_page", "total_results"]),
        st.none()
        | st.integers(0, 300)
        | st.integers(0, 300).map(str)
        | st.integers(0, 9).map(float),
    ),
    st.sampled_from([0, 1, 12, 50, 51, 100, 130]),
)
def test_whatever_page_info_says(fields: Body, count: int) -> None:
    async def run() -> None:
        async with (
            FakePlatform([]) as platform,
            TaskSession(platform.api_key, base_url=platform.base_url) as session,
        ):
            serve(platform, account(count), info(**fields))
            expected = await by_the_sdk(platform)
            assert [task.id for task in await session.tasks()] == expected

    asyncio.run(run())


async def test_pages_of_another_size_than_was_asked_for(
    platform: FakePlatform, session: TaskSession
) -> None:
    """A platform that gives ten a page, whatever is asked for."""
    tasks = account(34)

    def answer(request: web.Request) -> web.Response:
        page = int(request.query["page"])
        info = {"page": page, "limit_per_page": 10, "total_page": 4, "total_results": 34}
        return web.json_response({"data": tasks[(page - 1) * 10 : page * 10], "page_info": info})

    platform.respond(answer)
    assert [task.id for task in await session.tasks()] == await by_the_sdk(platform)


MALFORMED: dict[str, Any] = {
    "no id": {"created_at": "2025-01-01T00:00:00Z", "note": "x"},
    "an id that is a number": {"_id": 7},
    "a time that is none": {"_id": "t", "created_at": "yesterday"},
    "a list": ["_id"],
    "null": None,
    "a string": "t",
}


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("name", MALFORMED)
async def test_a_malformed_task_is_an_error_at_its_place(
    platform: FakePlatform, session: TaskSession, name: str, exact: bool
) -> None:
    tasks: list[Any] = account(120)
    tasks[37] = MALFORMED[name]
    serve(platform, tasks, nothing)
    seen: list[str] = []
    with pytest.raises(ResponseError) as caught:
        await collect(session.tasks(page_limit=10, exact=exact), seen)
    assert seen == [task["_id"] for task in tasks[:37]]
    assert caught.value.raw == MALFORMED[name]
    assert caught.value.request_id == "r-7"
    assert (caught.value.json_path or "").startswith("$.data[")
    assert caught.value.checkpoint is not None
    rest = await session.tasks(
        resume=caught.value.checkpoint, on_malformed="skip", page_limit=10, exact=exact
    )
    del tasks[37]
    assert seen + [task.id for task in rest] == [task["_id"] for task in tasks]


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("max_items", [None, 40])
async def test_a_page_that_is_found_unreadable_when_its_tasks_are_wanted_is_an_error_at_its_place(
    platform: FakePlatform, session: TaskSession, max_items: int | None, exact: bool
) -> None:
    tasks: list[Any] = account(120)
    tasks[37] |= {"note": "no number"}
    serve(platform, tasks, nothing)
    seen: list[str] = []
    async with session.tasks(page_limit=10, exact=exact, max_items=max_items) as stream:
        with pytest.raises(ResponseError, match="not JSON") as caught:
            await collect(stream, seen)
        assert not stream.exhausted
    assert caught.value.request_id == "r-7"
    assert caught.value.checkpoint is not None
    del tasks[37]["note"]
    rest = await session.tasks(resume=caught.value.checkpoint, page_limit=10, exact=exact)
    assert 0 < len(seen) <= 37
    assert seen + [task.id for task in rest] == [task["_id"] for task in tasks]


async def test_malformed_tasks_can_be_passed_over_and_are_counted(
    platform: FakePlatform, session: TaskSession
) -> None:
    tasks: list[Any] = account(120)
    tasks[70] = {"_id": 7}
    serve(platform, tasks, nothing)
    async with session.tasks(on_malformed="skip") as stream:
        seen = [task.id async for task in stream]
    assert seen == [task["_id"] for at, task in enumerate(tasks) if at != 70]
    assert stream.report.malformed == 1
    async with session.tasks(on_malformed="skip").pages() as pages:
        sizes = [len(page.tasks) async for page in pages]
    assert sizes == [50, 49, 20]
    assert pages.report.malformed == 1


async def test_a_page_gives_the_tasks_before_a_malformed_one(
    platform: FakePlatform, session: TaskSession
) -> None:
    tasks: list[Any] = account(120)
    tasks[70] = {"_id": 7}
    serve(platform, tasks, nothing)
    async with session.tasks().pages() as pages:
        assert len((await anext(pages)).tasks) == 50
        assert len((await anext(pages)).tasks) == 20
        for _ in range(2):
            with pytest.raises(ResponseError) as caught:
                await anext(pages)
            assert caught.value.raw == {"_id": 7}


async def test_a_malformed_task_hides_neither_the_key_nor_shows_it(
    platform: FakePlatform, session: TaskSession
) -> None:
    serve(platform, account(), lambda body: body["data"].insert(3, {"_id": [platform.api_key]}))
    with pytest.raises(ResponseError) as caught:
        await session.tasks()
    assert caught.value.raw == {"_id": ["***"]}
    assert platform.api_key not in str(caught.value)


async def test_what_came_instead_of_a_number_is_given_back(
    platform: FakePlatform, session: TaskSession
) -> None:
    sent = {"page": "1", "limit_per_page": 50.0, "total_page": [1], "total_results": 12}
    serve(platform, account(), info(**sent))
    page = await anext(session.tasks().pages())
    assert (page.page_info.page, page.page_info.total_page) == (1, None)
    assert to_dict(page)["page_info"] == sent


async def test_numbers_in_strings_are_numbers(platform: FakePlatform, session: TaskSession) -> None:
    metadata = {"filename": "7", "duration": "12.5", "width": "640"}
    serve(
        platform, account(), lambda body: [t.update(system_metadata=metadata) for t in body["data"]]
    )
    task = (await session.tasks())[0]
    assert task.system_metadata is not None
    assert (task.system_metadata.duration, task.system_metadata.width) == (12.5, 640)
    assert task.system_metadata.filename == "7"
    assert to_dict(task)["system_metadata"] == metadata


async def test_a_count_needs_a_total(platform: FakePlatform, session: TaskSession) -> None:
    serve(platform, account(), without("total_results"))
    with pytest.raises(ResponseError, match="does not say how many") as caught:
        await session.tasks().count()
    assert caught.value.json_path == "$.page_info.total_results"


async def test_a_count_may_be_text(platform: FakePlatform, session: TaskSession) -> None:
    serve(platform, account(), each(str))
    assert await session.tasks().count() == 12


async def test_the_same_page_for_ever_ends_with_an_error(
    platform: FakePlatform, session: TaskSession
) -> None:
    tasks = account()
    platform.respond(lambda _: web.json_response({"data": tasks}))
    seen: list[str] = []
    with pytest.raises(ResponseError, match="repeats itself"):
        await collect(session.tasks(), seen)
    assert seen == [task["_id"] for task in tasks]
    assert len(platform.requests) < 10


async def test_an_item_that_a_page_holds_twice_is_given_once(
    platform: FakePlatform, session: TaskSession
) -> None:
    def repeat_the_second(body: Body) -> None:
        body["data"][2:2] = body["data"][1:2]

    tasks = account(3)
    serve(platform, tasks, repeat_the_second)
    for sort_by in ("created_at", "updated_at"):
        assert [task.id for task in await session.tasks(sort_by=sort_by)] == [
            "t000",
            "t001",
            "t002",
        ]


async def test_a_page_that_failed_is_asked_for_again_where_pages_are_odd() -> None:
    """Page 2 says that it is page 1; page 3, which was under way by then, came without a body."""
    tasks, bodiless = account(7), [3]

    def without_body(request: web.Request) -> web.Response | None:
        if int(request.query["page"]) not in bodiless:
            return None
        bodiless.clear()
        return web.Response(body=b"")

    def change(body: Body) -> None:
        body["page_info"]["page"] = min(body["page_info"]["page"], 1)

    async with FakePlatform() as platform:
        platform.respond(without_body)
        serve(platform, tasks, change)
        async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
            listed = await session.tasks(page_limit=3)
    assert [task.id for task in listed] == [task["_id"] for task in tasks]
    assert not bodiless
