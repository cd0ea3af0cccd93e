"""Answers that are well formed and cannot be true."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from twelvetasks import ResponseError, TaskSession
from twelvetasks.testing import FakePlatform

Body = dict[str, Any]


def info(**fields: Any) -> Callable[[Body], None]:
    return lambda body: body["page_info"].update(fields)


def data(change: Callable[[list[Any]], Any]) -> Callable[[Body], None]:
    def apply(body: Body) -> None:
        change(body["data"])

    return apply


LIES: dict[str, tuple[Callable[[Body], None], str]] = {
    "another page": (info(page=1), "$.page_info"),
    "another page limit": (info(limit_per_page=10), "$.page_info"),
    "too many pages": (info(total_page=10**9), "$.page_info"),
    "no pages": (info(total_page=0), "$.page_info"),
    "a task twice": (data(lambda tasks: tasks.__setitem__(1, tasks[0])), "$.data"),
    "a task too many": (data(lambda tasks: tasks.append(tasks[-1] | {"_id": "x"})), "$.data"),
    "the wrong order": (data(lambda tasks: tasks.reverse()), "$.data"),
}


def lying(
    platform: FakePlatform,
    request: web.Request,
    lie: Callable[[Body], None],
    only: str | None = None,
) -> web.Response | None:
    """Give the second page, of any size or only of one, with its lie; None for any other."""
    if request.query["page"] != "2" or request.query["page_limit"] != (
        only or request.query["page_limit"]
    ):
        return None
    limit = int(request.query["page_limit"])
    body = {
        "data": platform.tasks()[limit : 2 * limit],
        "page_info": {
            "page": 2,
            "limit_per_page": limit,
            "total_page": -(-230 // limit),
            "total_results": 230,
        },
    }
    lie(body)
    return web.json_response(body, headers={"X-Request-Id": "r-77"})


async def lied_to(session: TaskSession, platform: FakePlatform, lie: Callable[[Body], None]) -> Any:
    """List exactly while page 2 tells a lie; give the error and how many tasks came before it."""
    pages = [page async for page in session.tasks().pages()]

    platform.respond(lambda request: lying(platform, request, lie))
    async with session.tasks(exact=True) as stream:
        for task in pages[0].tasks:
            assert await anext(stream) == task
        with pytest.raises(ResponseError) as caught:
            await anext(stream)
    return caught.value


@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_is_told_with_its_page_path_and_request(
    platform: FakePlatform, session: TaskSession, lie: str
) -> None:
    change, path = LIES[lie]
    error = await lied_to(session, platform, change)
    assert (error.page, error.json_path, error.request_id) == (2, path, "r-77")
    assert error.checkpoint is not None


@pytest.mark.parametrize(
    "lie",
    [
        data(lambda tasks: tasks.clear()),
        data(lambda tasks: tasks.pop()),
        info(total_results=60, total_page=2),
    ],
    ids=["no tasks", "a task too few", "a total too small"],
)
@pytest.mark.parametrize("exact", [False, True])
async def test_what_a_page_that_contradicts_its_total_does_not_hold_is_read_elsewhere(
    platform: FakePlatform, session: TaskSession, lie: Callable[[Body], None], exact: bool
) -> None:
    """The platform may count and find at different instants, each time it is asked for a page."""

    platform.respond(lambda request: lying(platform, request, lie, only="50"))
    listed = [task.id for task in await session.tasks(exact=exact)]
    assert listed == [task["_id"] for task in platform.tasks()]


async def test_a_page_torn_once_is_read_again(platform: FakePlatform, session: TaskSession) -> None:
    """The platform may count and find at different instants."""
    info = {"page": 3, "limit_per_page": 50, "total_page": 5, "total_results": 230}
    torn = {"data": [], "page_info": info}
    platform.fail(status=200, page=3, body=torn)
    assert [task.id for task in await session.tasks()] == [task["_id"] for task in platform.tasks()]


async def test_the_same_page_for_ever_is_refused(platform: FakePlatform) -> None:
    def same(request: web.Request) -> web.Response:
        tasks = [{"_id": f"t{n}", "created_at": "2024-01-01T00:00:00Z"} for n in range(50)]
        page_info = {
            "page": int(request.query["page"]),
            "limit_per_page": 50,
            "total_page": 4,
            "total_results": 200,
        }
        return web.json_response({"data": tasks, "page_info": page_info})

    platform.respond(same)
    async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
        with pytest.raises(ResponseError, match="50 different tasks"):
            await session.tasks()
    assert len(platform.requests) < 200


async def test_tasks_without_times_are_listed_all_the_same() -> None:
    tasks = [{"_id": f"t{number}", "created_at": None} for number in range(120)]
    async with (
        FakePlatform(tasks) as platform,
        TaskSession(platform.api_key, base_url=platform.base_url) as session,
    ):
        for exact in (False, True):
            listed = await session.tasks(exact=exact)
            assert [task.id for task in listed] == [task["_id"] for task in platform.tasks()]
