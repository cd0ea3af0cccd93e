"""What a watch promises its reader, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.watching.opening import LONG, Opened, begun, opened, take
from tests.webhooks.signing import body_of
from twelvetasks import (
    AuthenticationError,
    BadRequestError,
    Checkpoint,
    ResponseError,
    SessionClosedError,
    TaskWatch,
)
from twelvetasks.testing import FakePlatform
from twelvetasks.webhooks import read_event


@pytest.fixture
async def account(platform: FakePlatform) -> AsyncIterator[Opened]:
    async with opened(platform) as session:
        yield session


async def test_changes_come_oldest_first_with_what_was_before(
    platform: FakePlatform, account: Opened
) -> None:
    watch = await begun(account.watch())
    new = platform.add(status="pending")["_id"]
    (change,) = await take(watch, 1)
    assert change.before is None
    assert change.after is change.task
    assert (change.task.id, change.task.status) == (new, "pending")

    other = platform.add(status="queued")["_id"]
    platform.update(new, status="indexing")
    first, second = await take(watch, 2)
    assert (first.task.id, first.before) == (other, None)
    assert second.before == change.after
    assert second.after is not None
    assert second.after.status == "indexing"


async def test_what_is_there_already_is_no_change(platform: FakePlatform, account: Opened) -> None:
    watch = account.watch()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(watch), 0.05)
    assert watch.polls > 0


async def test_a_watch_can_begin_in_the_past(platform: FakePlatform, account: Opened) -> None:
    everything = platform.tasks(sort_by="updated_at", sort_option="asc")
    changes = await take(account.watch(since=datetime(2001, 1, 1, tzinfo=UTC)), len(everything))
    assert [change.task.id for change in changes] == [task["_id"] for task in everything]


async def test_a_quiet_poll_is_one_small_request(platform: FakePlatform, account: Opened) -> None:
    watch = account.watch(status="ready", index_id="62a0906d47f5678267ec10a6")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(watch), 0.1)
    await watch.aclose()
    assert len(platform.requests) - watch.polls in (0, 1)
    for request in platform.requests:
        assert request.page == 1
        assert request.page_limit is not None
        assert request.page_limit <= 10
        assert request.query["sort_by"] == "updated_at"
        assert request.query["sort_option"] == "desc"
        assert request.query["index_id"] == "62a0906d47f5678267ec10a6"
        assert "status" not in request.query


async def test_a_burst_is_read_to_its_end(platform: FakePlatform, account: Opened) -> None:
    watch = await begun(account.watch())
    new = [platform.add()["_id"] for _ in range(300)]
    assert [change.task.id for change in await take(watch, 300)] == new


async def test_nothing_is_fetched_while_the_reader_is_busy(
    platform: FakePlatform, account: Opened
) -> None:
    watch = await begun(account.watch())
    platform.add()
    await take(watch, 1)
    requests = len(platform.requests)
    await asyncio.sleep(0.05)
    assert len(platform.requests) == requests


async def test_a_status_filter_follows_a_task_in_and_out(
    platform: FakePlatform, account: Opened
) -> None:
    watch = await begun(account.watch(status=["indexing", "failed"]))
    task = platform.add(status="queued")["_id"]
    platform.add(status="ready")
    platform.update(task, status="indexing")
    (entered,) = await take(watch, 1)
    assert entered.task.status == "indexing"
    platform.update(task, status="ready")
    (left,) = await take(watch, 1)
    assert left.before == entered.after
    assert left.task.status == "ready"


async def test_deletions_are_delivered_if_asked_for(
    platform: FakePlatform, account: Opened
) -> None:
    watch = await begun(account.watch(deletions=True))
    doomed = [platform.tasks()[place] for place in (3, 150, 229)]
    for task in doomed:
        platform.delete(task["_id"])
    changes = await take(watch, 3)
    assert {change.task.id for change in changes} == {task["_id"] for task in doomed}
    assert all(change.after is None and change.before for change in changes)
    confirmed = [request.path.rpartition("/")[2] for request in platform.requests]
    assert all(confirmed.count(task["_id"]) == 1 for task in doomed)
    known = platform.tasks()[200]["_id"]
    platform.update(known, status="failed")
    (change,) = await take(watch, 1)
    assert change.before is not None
    assert change.before.id == known


async def test_what_is_committed_late_is_delivered_across_a_restart(
    platform: FakePlatform, account: Opened
) -> None:
    watch = await begun(account.watch())
    newest = platform.add(status="ready")
    await take(watch, 1)
    stamp = datetime.fromisoformat(newest["updated_at"])
    for seconds in (1, 2):
        late = platform.add(status="ready", updated_at=stamp - timedelta(seconds=seconds))
        (change,) = await take(watch, 1)
        assert change.task.id == late["_id"]
        stored = str(watch.checkpoint)
        await watch.aclose()
        watch = account.watch(resume=stored)
        await quiet(watch)


async def quiet(watch: TaskWatch) -> None:
    """Let some polls show nothing."""
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(watch), 0.05)


async def test_an_announced_task_that_no_poll_shows_is_fetched_by_itself(
    platform: FakePlatform, account: Opened
) -> None:
    watch = await begun(account.watch(lateness=0))
    first, *_ = [platform.add(status="ready") for _ in range(30)]
    assert len(await take(watch, 30)) == 30
    await quiet(watch)
    stamp = datetime.fromisoformat(first["updated_at"])
    late = platform.add(status="ready", updated_at=stamp)
    await quiet(watch)
    watch.announce(read_event(body_of(task=late["_id"])))
    (change,) = await take(watch, 1)
    assert change.task.id == late["_id"]


async def test_wait_for_loses_nothing(platform: FakePlatform, account: Opened) -> None:
    """Each wait ends at another moment: during a rest, a request, or a long read of a burst."""
    watch = await begun(account.watch())
    expected: list[str] = []
    seen: list[str] = []
    platform.before_each(lambda platform, _: expected.append(platform.add()["_id"]))
    async with asyncio.timeout(LONG):
        for wait in range(300):
            if wait == 100:
                expected += [platform.add()["_id"] for _ in range(200)]
            with contextlib.suppress(TimeoutError):
                change = await asyncio.wait_for(anext(watch), wait % 7 / 2000)
                seen.append(change.task.id)
        while len(seen) < 600:
            seen.append((await anext(watch)).task.id)
    assert seen == expected[: len(seen)]


async def test_a_watch_goes_on_from_a_stored_checkpoint_in_another_session(
    platform: FakePlatform,
) -> None:
    expected: list[str] = []
    seen: list[str] = []
    stored = None
    for round_ in range(5):
        async with opened(platform) as session:
            watch = session.watch(status="ready", resume=stored)
            if stored is None:
                await begun(watch)
            new = [platform.add()["_id"] for _ in range(30)]
            expected += new
            platform.add(status="failed")
            # The last ones are left for the next session.
            for change in await take(watch, len(expected) - len(seen) - 7):
                seen.append(change.task.id)
                stored = str(watch.checkpoint)
        assert seen == expected[: 30 * round_ + 23]
    assert Checkpoint.parse(stored or "").query == "watch&status=ready"


async def test_passing_errors_are_outlived_and_logged_without_the_key(
    platform: FakePlatform, account: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    watch = await begun(account.watch())
    for status in (500, 503, 429):
        body = {"code": "no", "message": f"not with {platform.api_key}"}
        platform.fail(status=status, times=12, body=body)
    platform.fail(disconnect=True, times=20)
    new = [platform.add()["_id"] for _ in range(60)]
    with caplog.at_level(logging.WARNING, logger="twelvetasks.watch"):
        assert [change.task.id for change in await take(watch, 60)] == new
    logged = [record for record in caplog.records if record.name == "twelvetasks.watch"]
    assert all(record.levelno == logging.WARNING for record in logged)
    said = "\n".join(record.getMessage() for record in logged)
    assert "continues in" in said
    assert "ServerError" in said
    assert platform.api_key not in said


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AuthenticationError), (403, AuthenticationError), (400, BadRequestError)],
)
async def test_an_error_that_stays_ends_the_watch_with_its_checkpoint(
    platform: FakePlatform, account: Opened, status: int, kind: type[BadRequestError]
) -> None:
    watch = await begun(account.watch())
    new = platform.add()["_id"]
    await take(watch, 1)
    platform.fail(status=status)
    with pytest.raises(kind) as caught:
        await take(watch, 1)
    assert caught.value.checkpoint == watch.checkpoint
    assert watch.checkpoint.ids == {new}
    requests = len(platform.requests)
    with pytest.raises(kind):
        await take(watch, 1)
    assert len(platform.requests) == requests
    later = platform.add()["_id"]
    (change,) = await take(account.watch(resume=caught.value.checkpoint), 1)
    assert change.task.id == later


async def test_nonsense_is_asked_for_again_and_then_is_an_error(
    platform: FakePlatform, account: Opened
) -> None:
    watch = await begun(account.watch())
    platform.fail(status=200, body=b"<html>", times=2)
    new = platform.add()["_id"]
    (change,) = await take(watch, 1)
    assert change.task.id == new
    platform.fail(status=200, body=b"<html>", times=3)
    with pytest.raises(ResponseError):
        await take(watch, 1)


async def test_closing_the_session_ends_a_watch_that_rests(account: Opened) -> None:
    watch = account.watch(interval=3600)
    waiting = asyncio.ensure_future(anext(watch))
    while watch.polls < 1:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    await account.aclose()
    with pytest.raises(SessionClosedError):
        await asyncio.wait_for(waiting, LONG)
    with pytest.raises(SessionClosedError):
        await anext(watch)
    with pytest.raises(SessionClosedError):
        await anext(account.watch())


async def test_closing_the_session_ends_a_watch_that_reads(
    platform: FakePlatform, account: Opened
) -> None:
    hold = platform.hold()
    watch = account.watch()
    waiting = asyncio.ensure_future(anext(watch))
    await hold.until_arrived()
    await account.aclose()
    with pytest.raises(SessionClosedError):
        await asyncio.wait_for(waiting, LONG)


async def until_only(before: set[asyncio.Task[object]]) -> None:
    async with asyncio.timeout(LONG):
        while asyncio.all_tasks() - before:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("way", ["break", "aclose", "cancel and drop"])
async def test_leaving_a_watch_leaves_nothing_running(
    fake_platform: FakePlatform, way: str
) -> None:
    """The platform runs in a thread of its own: every task of this loop is the client's."""
    async with opened(fake_platform) as account:
        before = asyncio.all_tasks()
        watch = await begun(account.watch())
        if way == "break":
            fake_platform.add()
            async for _change in watch:
                break
            assert asyncio.all_tasks() <= before
            return
        hold = fake_platform.hold()
        waiting = asyncio.ensure_future(anext(watch))
        await hold.until_arrived()
        assert asyncio.all_tasks() > before
        waiting.cancel()
        await asyncio.wait([waiting])
        if way == "aclose":
            await watch.aclose()
            assert asyncio.all_tasks() <= before
        del watch, waiting
        gc.collect()
        await until_only(before)


def test_a_watch_may_outlive_its_loop(fake_platform: FakePlatform) -> None:
    """What `asyncio.run` leaves behind must not raise when it is collected later."""

    async def begin() -> TaskWatch:
        async with opened(fake_platform) as account:
            watch = await begun(account.watch())
            hold = fake_platform.hold()
            waiting = asyncio.ensure_future(anext(watch))
            await hold.until_arrived()
            waiting.cancel()
            await asyncio.wait([waiting])
            return watch

    watch = asyncio.run(begin())
    del watch
    gc.collect()


async def test_a_watch_keeps_the_protocol_of_an_async_generator(
    platform: FakePlatform, account: Opened
) -> None:
    watch = account.watch(width=1920)
    assert isinstance(watch, AsyncGenerator)
    assert aiter(watch) is watch
    assert watch.query.width == 1920
    waiting = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="already running"):
        await anext(watch)
    with pytest.raises(RuntimeError, match="already running"):
        await watch.aclose()
    waiting.cancel()
    await asyncio.wait([waiting])
    async with watch as same:
        assert same is watch
    with pytest.raises(StopAsyncIteration):
        await anext(watch)
    await watch.aclose()

    error = ValueError("stop")
    for thrown in ((error, None), (ValueError, None), (ValueError, error)):
        other = account.watch()
        with pytest.raises(ValueError):  # noqa: PT011 - the very error thrown
            await other.athrow(*thrown)
        with pytest.raises(StopAsyncIteration):
            await anext(other)
