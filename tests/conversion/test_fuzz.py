"""Any bytes at all, from the body to the tasks: only errors of ours come out.

`--histories N`, where N is above 1,000, tries five times as many bodies and as many listings: with
the 20,000 of the nightly session, 100,000 bodies. test_transport does the same for the bytes of a
whole answer, and test_faults for what happens to connections.
"""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import tracemalloc
from typing import Any

import pytest
import stamina
from aiohttp import web
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from twelvetasks import (
    Checkpoint,
    SortBy,
    SortOption,
    Task,
    TaskPage,
    TaskQuery,
    TaskSession,
    TwelveTasksError,
    to_dict,
    to_json,
)
from twelvetasks.conversion.convert import read_json
from twelvetasks.paging.options import ListingOptions
from twelvetasks.paging.page_checks import KeyedPage, check_page
from twelvetasks.paging.progress import ListingProgress
from twelvetasks.paging.reads import Read
from twelvetasks.testing import FakePlatform

MANY = settings(max_examples=5 * settings().max_examples, deadline=None)
WIRE = settings(
    max_examples=max(100, settings().max_examples // 100),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
LIMIT = 3
MOST_READS = 400


def real_page(number: int = 1) -> dict[str, Any]:
    """Give one page of three tasks out of seven, with every field that is known."""
    tasks = [
        {
            "_id": f"62a17bf847f5678267ec10{place:02x}",
            "created_at": f"2022-06-09T04:{59 - place:02}:00.879Z",
            "updated_at": f"2022-06-09T05:{59 - place:02}:57.256Z",
            "estimated_time": None,
            "status": "ready",
            "index_id": "62a0906d47f5678267ec10a6",
            "video_id": f"video-{place}",
            "system_metadata": {"filename": "a.mp4", "duration": 1.5, "width": 4, "height": 3},
            "hls": {"video_url": "u", "thumbnail_urls": ["t"], "status": "COMPLETE"},
        }
        for place in range((number - 1) * LIMIT, min(number * LIMIT, 7))
    ]
    info = {"page": number, "limit_per_page": LIMIT, "total_page": 3, "total_results": 7}
    return {"data": tasks, "page_info": info}


ODD_NUMBERS = st.sampled_from(
    [-1, 0, 1, 2, 3, 50, 51, 10**9, 2**31, 2**53, 2**63, 2**64, 1e300, -1e300, 0.5, -0.0, 1e-320]
)
ODD_TEXTS = st.sampled_from(
    [
        "",
        "\x00",
        "\ufffe",
        "\U0010ffff",
        "0001-01-01T00:00:00+23:59",
        "0001-01-01T00:00:00.000Z",
        "9999-12-31T23:59:60-00:01",
        "9999-12-31T23:59:59.999999999999-23:59",
        "2022-06-09t04:50:00z",
        "2022-02-30T04:50:00.000Z",
        "2022-06-09T24:00:00.000Z",
        "2022-06-09T04:50:00.87\u0669Z",
        "x" * 10_000,
    ]
)
SCALARS = st.none() | st.booleans() | ODD_NUMBERS | st.integers() | ODD_TEXTS | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["_id", "data", "x"]) | st.text(), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Give the path of every value inside a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, held in inner:
        found.append((*path, key))
        if isinstance(held, (dict, list)):
            found += places(held, (*path, key))
    return found


@st.composite
def mutated_pages(draw: st.DrawFn) -> Any:
    """Take a real page and put, drop, double or move a few of its values."""
    page: Any = real_page(draw(st.integers(1, 3)))
    for _ in range(draw(st.integers(1, 4))):
        paths = places(page)
        if not paths:
            break
        *way, key = draw(st.sampled_from(paths))
        holder = page
        for step in way:
            holder = holder[step]
        match draw(st.integers(0, 4)):
            case 0:
                holder[key] = draw(VALUES)
            case 1:
                del holder[key]
            case 2 if isinstance(holder, list):
                holder.insert(0, copy.deepcopy(holder[key]))
            case 3 if isinstance(holder, list):
                holder.reverse()
            case 4 if isinstance(holder, dict):
                holder[draw(st.text(max_size=5))] = draw(VALUES)
            case _:
                holder[key] = copy.deepcopy(draw(st.sampled_from([page, holder[key]])))
    return page


def encoded(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


@st.composite
def mutated_bytes(draw: st.DrawFn) -> bytes:
    """Take the bytes of a page and cut, overwrite or repeat some of them."""
    body = encoded(real_page(draw(st.integers(1, 3))))
    for _ in range(draw(st.integers(1, 3))):
        place, length = draw(st.integers(0, len(body))), draw(st.integers(0, 40))
        put = draw(
            st.binary(max_size=6)
            | st.sampled_from([b"[" * 2000, b'{"a":' * 2000, b"9" * 400, b"\\ud800", b"NaN"])
        )
        body = body[:place] + put + body[place + length :]
    return body


BODIES = st.binary(max_size=200) | mutated_bytes() | mutated_pages().map(encoded)
QUERIES = st.builds(
    TaskQuery,
    sort_by=st.sampled_from(SortBy),
    sort_option=st.sampled_from(SortOption),
    page_limit=st.just(LIMIT),
)


def told(error: TwelveTasksError) -> None:
    """Do with an error what a program may do: log it, store it, and not for a page on end."""
    assert 0 < len(str(error)) < 1000
    assert error.__context__ is None or error.__suppress_context__
    assert pickle.loads(pickle.dumps(error)).reason == error.reason


def used(page: TaskPage) -> None:
    """Do with a page what a user may do: show, compare, store, and write it again."""
    assert len(repr(page)) < 1_000_000
    assert str(page)
    assert hash(page) == hash(pickle.loads(pickle.dumps(page)))
    assert copy.deepcopy(page) == page
    assert json.loads(to_json(page)) == to_dict(page)
    for task in page.tasks:
        assert isinstance(task, Task)
        assert task.id is not None


@MANY
@given(BODIES)
@example(b"[" * 1000 + b"]" * 1000)
@example(encoded(real_page()).replace(b'"ready"', b"[" * 900 + b"]" * 900))
@example(encoded(real_page()).replace(b'"t"', b"[" * 900 + b"]" * 900))
@example(encoded(real_page()).replace(b'"_id"', b'"x":' + b"[" * 900 + b"]" * 900 + b',"_id"'))
def test_a_body_becomes_a_page_that_can_be_used_or_an_error_of_ours(body: bytes) -> None:
    try:
        page = read_json(body, TaskPage, page=1)
    except TwelveTasksError as error:
        told(error)
    else:
        used(page)


def listed(query: TaskQuery, bodies: list[bytes], *, exact: bool) -> list[Task]:
    """List as a session does, with these answers in place of a platform's; then real ones."""
    paging = ListingProgress(ListingOptions(query=query, exact=exact))
    tasks: list[Task] = []
    answers = iter(bodies)
    for _ in range(MOST_READS):
        while (taken := paging.take()) is not None:
            tasks += taken.items
        assert Checkpoint.parse(str(paging.checkpoint())) is not None
        if paging.finished:
            return tasks
        if paging.stuck is not None:
            raise paging.stuck
        read = paging.next_read(2)
        assert read is not None
        body = next(answers, None)
        page = read_json(encoded(answer_to(read)) if body is None else body, TaskPage)
        paging.receive(read, check_page(KeyedPage.of(page, query), query, read))
    raise AssertionError("the listing has no end")


def answer_to(read: Read) -> dict[str, Any]:
    """Answer a read out of seven tasks."""
    pages = [real_page(number) for number in (1, 2, 3)]
    tasks = [task for page in pages for task in page["data"]]
    info = {"page": read.page, "limit_per_page": read.page_limit, "total_results": len(tasks)}
    return {
        "data": tasks[read.start : read.end],
        "page_info": info | {"total_page": -(-len(tasks) // read.page_limit)},
    }


@given(QUERIES, st.lists(BODIES | st.integers(1, 3).map(real_page).map(encoded)), st.booleans())
def test_a_listing_of_any_answers_is_in_order_without_repeats_or_an_error_of_ours(
    query: TaskQuery, bodies: list[bytes], exact: bool
) -> None:
    try:
        tasks = listed(query, bodies, exact=exact)
    except TwelveTasksError as error:
        told(error)
    else:
        assert len({task.id for task in tasks}) == len(tasks)
        times = [task.created_at for task in tasks if task.created_at is not None]
        if query.sort_by is SortBy.CREATED_AT:
            assert times == sorted(times, reverse=query.sort_option is SortOption.DESC)


@given(QUERIES, st.integers(1, 3), st.data())
def test_a_page_that_is_trusted_is_of_the_size_and_in_the_order_that_were_asked_for(
    query: TaskQuery, number: int, data: st.DataObject
) -> None:
    read = Read(number, LIMIT)
    try:
        page = read_json(encoded(data.draw(mutated_pages())), TaskPage)
        oddities = check_page(KeyedPage.of(page, query), query, read).oddities
    except TwelveTasksError:
        return
    assert len(page.tasks) <= LIMIT
    # What is missing follows from the request, and the listing tells that it is.
    info = page.page_info
    missing = (
        "page_info has no page" in oddities,
        f"limit_per_page is None, not the {LIMIT} asked for" in oddities,
    )
    assert missing == (info.page is None, info.limit_per_page is None)
    assert (
        number if info.page is None else info.page,
        LIMIT if info.limit_per_page is None else info.limit_per_page,
    ) == (number, LIMIT)
    assert len({task.id for task in page.tasks}) == len(page.tasks)


@WIRE
@given(st.lists(BODIES, min_size=1, max_size=4), st.sampled_from([200, 200, 400, 401, 429, 500]))
def test_over_the_wire_too_only_errors_of_ours_come_out(bodies: list[bytes], status: int) -> None:
    stamina.set_testing(True, attempts=2)
    answers = iter(bodies)

    def answer(request: web.Request) -> web.Response | None:
        body = next(answers, None)
        return None if body is None else web.Response(body=body, status=status)

    async def ask() -> None:
        async with FakePlatform.demo(7) as platform:
            platform.respond(answer)
            async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
                try:
                    tasks = await session.tasks(page_limit=LIMIT)
                except TwelveTasksError as error:
                    told(error)
                else:
                    assert len({task.id for task in tasks}) == len(tasks)

    asyncio.run(asyncio.wait_for(ask(), 30))


@pytest.mark.parametrize(
    "filler", [b"[" * 900 + b"]" * 900, b'"' + b"a" * 100_000 + b'"', b"1" * 300, b"{}"]
)
def test_a_large_body_takes_memory_in_proportion_to_its_size(filler: bytes) -> None:
    body = encoded(real_page()).replace(b'"ready"', filler)
    body = body[:-1] + b',"more":[' + b",".join([b"[1]"] * 200_000) + b"]}"
    tracemalloc.start()
    try:
        with pytest.raises(TwelveTasksError):
            read_json(body + b"," + filler, TaskPage)
        with pytest.raises(TwelveTasksError):
            read_json(body[:-1] + b',"page_info":0}', TaskPage)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 * len(body)
