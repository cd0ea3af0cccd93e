"""A watch with a checkpoint file: killed at any moment, it misses nothing when started again."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.watching.opening import LONG, Opened, begun, opened, take
from twelvetasks import Checkpoint, CheckpointStore, InvalidArgumentError, TaskQuery
from twelvetasks.testing import FakePlatform

BOT = """
import asyncio, sys, twelvetasks

async def main():
    address, key, place, pause = sys.argv[1:]
    async with twelvetasks.TaskSession(key, base_url=address) as session:
        watching = session.watch(checkpoint_file=place, min_interval=0.01, max_interval=0.01)
        async with watching as watch:
            async for change in watch:
                print(change.task.id, flush=True)
                await asyncio.sleep(float(pause))

asyncio.run(main())
"""


@pytest.fixture
async def account(platform: FakePlatform) -> AsyncIterator[Opened]:
    async with opened(platform) as session:
        yield session


@asynccontextmanager
async def bot(
    platform: FakePlatform, place: Path, *, pause: float = 0
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start a program that watches; it is killed, as by a power cut, when the block ends."""
    arguments = (str(platform.base_url), platform.api_key, str(place), str(pause))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", BOT, *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(LONG):
            yield process
    finally:
        process.kill()
        assert await process.wait() == -signal.SIGKILL


async def said(process: asyncio.subprocess.Process, count: int) -> list[str]:
    assert process.stdout is not None
    return [(await process.stdout.readline()).decode().strip() for _ in range(count)]


async def until_kept(place: Path) -> None:
    async with asyncio.timeout(LONG):
        while not place.exists():  # noqa: ASYNC110, ASYNC240 - another process writes it
            await asyncio.sleep(0.001)


async def test_what_changes_after_a_kill_in_its_first_second_is_delivered(
    platform: FakePlatform, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    async with bot(platform, place):
        await until_kept(place)
    changed = [platform.add()["_id"] for _ in range(3)]
    async with bot(platform, place) as process:
        assert await said(process, 3) == changed


async def test_a_kill_during_a_change_repeats_that_one_and_misses_none(
    platform: FakePlatform, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    async with bot(platform, place, pause=60) as process:
        await until_kept(place)
        changed = [platform.add()["_id"] for _ in range(3)]
        assert await said(process, 1) == changed[:1]
    async with bot(platform, place) as process:
        assert await said(process, 3) == changed


async def test_a_kill_between_changes_neither_repeats_nor_misses_any(
    platform: FakePlatform, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    changed: list[str] = []
    for number in range(4):
        async with bot(platform, place) as process:
            if number == 0:
                await until_kept(place)
            changed.append(platform.add()["_id"])
            before = len(platform.requests)
            assert await said(process, 1) == changed[-1:]
            while len(platform.requests) < before + 3:  # noqa: ASYNC110 - the next poll: it is kept
                await asyncio.sleep(0.001)


async def test_kills_at_any_moment_lose_nothing(platform: FakePlatform, tmp_path: Path) -> None:
    place, changed, seen = tmp_path / "place", list[str](), list[str]()
    async with bot(platform, place):
        await until_kept(place)
    for number in range(6):
        async with bot(platform, place, pause=0.005) as process:
            changed += [platform.add()["_id"] for _ in range(5)]
            seen += await said(process, 1 + number % 3)
            await asyncio.sleep(0.004 * number)
        assert process.stdout is not None
        seen += (await process.stdout.read()).decode().split()
        assert Checkpoint.parse(place.read_text()).key is not None
    async with bot(platform, place) as process:
        while changed[-1] not in seen:
            seen += await said(process, 1)
    assert sorted(set(seen)) == sorted(changed)
    # Each kill repeats the change that was being handled, and no other.
    assert len(seen) <= len(changed) + 6
    assert list(dict.fromkeys(seen)) == changed


class TestFile:
    async def test_it_is_for_this_user_alone_and_keeps_its_mode(
        self, account: Opened, platform: FakePlatform, tmp_path: Path
    ) -> None:
        place = tmp_path / "place"
        watch = await begun(account.watch(checkpoint_file=place))
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
        place.chmod(0o640)
        platform.add()
        await take(watch, 1)
        await watch.aclose()
        async with account.watch(checkpoint_file=str(place)) as watch:
            await take(watch, 1)
        assert stat.S_IMODE(place.stat().st_mode) == 0o640
        assert list(tmp_path.iterdir()) == [place]  # noqa: ASYNC240

    async def test_a_link_stays_a_link(self, account: Opened, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(tmp_path / "place")
        watch = await begun(account.watch(checkpoint_file=tmp_path / "link"))
        await watch.aclose()
        assert (tmp_path / "link").is_symlink()
        assert Checkpoint.parse((tmp_path / "place").read_text()) == watch.checkpoint

    @pytest.mark.parametrize("emptied", ["", "\n", "\0" * 100])
    async def test_an_emptied_file_is_logged_and_counts_as_none(
        self,
        account: Opened,
        platform: FakePlatform,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
        emptied: str,
    ) -> None:
        place = tmp_path / "place"
        place.write_text(emptied)
        with caplog.at_level(logging.WARNING, "twelvetasks.watch"):
            watch = await begun(account.watch(checkpoint_file=place))
        assert f"{place} is empty: the watch starts again" in caplog.text
        new = platform.add()["_id"]
        assert [change.task.id for change in await take(watch, 1)] == [new]
        await watch.aclose()

    @pytest.mark.parametrize(
        ("content", "fault"),
        [
            ("[theirs]\n", "does not hold the checkpoint of a watch"),
            (f"{Checkpoint.start(TaskQuery())}", "belongs to another listing or watch"),
            ('{"version":1,"query":"wa', "does not hold the checkpoint of a watch"),
        ],
        ids=["foreign", "of a listing", "cut"],
    )
    async def test_any_other_content_is_refused_before_any_request_and_kept(
        self, account: Opened, platform: FakePlatform, tmp_path: Path, content: str, fault: str
    ) -> None:
        place = tmp_path / "place"
        place.write_text(content)
        watch = account.watch(checkpoint_file=place)
        for _ in range(2):
            with pytest.raises(InvalidArgumentError, match=fault) as refused:
                await anext(watch)
            assert refused.value.parameter == "checkpoint_file"
            assert refused.value.value == str(place)
        async with watch:
            pass
        assert place.read_text() == content
        assert platform.requests == []

    async def test_a_place_that_cannot_be_written_is_refused_before_any_request(
        self, account: Opened, platform: FakePlatform, tmp_path: Path
    ) -> None:
        for place, fault in ((tmp_path, "not a folder"), (tmp_path / "no" / "place", "exists")):
            with pytest.raises(InvalidArgumentError, match=fault):
                await anext(account.watch(checkpoint_file=place))
        assert platform.requests == []

    @pytest.mark.parametrize("wrong", [3, "", b"place", "a\0b", 3.5], ids=repr)
    async def test_what_is_no_place_is_refused(self, account: Opened, wrong: object) -> None:
        with pytest.raises(InvalidArgumentError, match="checkpoint_file="):
            account.watch(checkpoint_file=wrong)

    async def test_it_cannot_be_given_with_resume(self, account: Opened, tmp_path: Path) -> None:
        stored = str(account.watch().checkpoint)
        with pytest.raises(InvalidArgumentError, match="cannot be given with `checkpoint_file`"):
            account.watch(resume=stored, checkpoint_file=tmp_path / "place")

    async def test_since_is_where_the_first_run_begins(
        self, account: Opened, platform: FakePlatform, tmp_path: Path
    ) -> None:
        everything = platform.tasks(sort_by="updated_at", sort_option="asc")
        place, since = tmp_path / "place", datetime(2001, 1, 1, tzinfo=UTC)
        for begin in (0, 2):
            async with account.watch(checkpoint_file=place, since=since) as watch:
                changes = await take(watch, 2)
            ids = [task["_id"] for task in everything[begin : begin + 2]]
            assert [change.task.id for change in changes] == ids


class Store:
    """A store in memory, whose calls can be made slow, or to fail."""

    def __init__(self) -> None:
        self.kept: str | None = None
        self.failure: Exception | None = None
        self.pause = 0.0

    async def load(self) -> str | None:
        await asyncio.sleep(self.pause)
        return self.kept

    async def save(self, checkpoint: str, /) -> None:
        await asyncio.sleep(self.pause)
        if self.failure is not None:
            raise self.failure
        self.kept = checkpoint


class SyncStore:
    """The same without async."""

    def __init__(self) -> None:
        self.kept: str | None = None

    def load(self) -> str | None:
        return self.kept

    def save(self, checkpoint: str, /) -> None:
        self.kept = checkpoint


class TestStore:
    @pytest.mark.parametrize("kind", [Store, SyncStore])
    async def test_a_change_is_kept_once_the_next_is_asked_for(
        self, account: Opened, platform: FakePlatform, kind: type[Store | SyncStore]
    ) -> None:
        store = kind()
        as_store: CheckpointStore = store
        watch = await begun(account.watch(checkpoint_file=as_store))
        before = store.kept
        new = [platform.add()["_id"] for _ in range(2)]
        await take(watch, 1)
        assert store.kept == before
        first = str(watch.checkpoint)
        await take(watch, 1)
        assert store.kept == first
        await watch.aclose()
        assert store.kept == first

        async with account.watch(checkpoint_file=as_store) as again:
            assert [change.task.id for change in await take(again, 1)] == new[1:]
        assert store.kept == str(again.checkpoint)
        assert first != store.kept

    async def test_a_change_whose_handling_fails_is_delivered_again(
        self, account: Opened, platform: FakePlatform
    ) -> None:
        store = Store()
        await (await begun(account.watch(checkpoint_file=store))).aclose()
        new = platform.add()["_id"]
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):  # noqa: PT012 - in the block of the watch
                async with account.watch(checkpoint_file=store) as watch:
                    assert [change.task.id for change in await take(watch, 1)] == [new]
                    raise ZeroDivisionError

    async def test_a_cancelled_wait_loses_nothing(
        self, account: Opened, platform: FakePlatform
    ) -> None:
        store = Store()
        store.pause = 0.01
        watch = account.watch(checkpoint_file=store)
        new: list[str] = []
        seen: list[str] = []
        async with asyncio.timeout(LONG), watch:
            while len(seen) < 5:
                if len(new) < 5 and watch.polls:
                    new.append(platform.add()["_id"])
                try:
                    async with asyncio.timeout(0.004):
                        seen.append((await anext(watch)).task.id)
                except TimeoutError:
                    continue
        assert seen == new
        assert store.kept == str(watch.checkpoint)

    async def test_what_it_raises_ends_the_watch_as_it_is(
        self, account: Opened, platform: FakePlatform
    ) -> None:
        store = Store()
        watch = await begun(account.watch(checkpoint_file=store))
        platform.add()
        await take(watch, 1)
        store.failure = OSError(28, "No space left on device")
        for _ in range(2):
            with pytest.raises(OSError, match="No space left") as failed:
                await anext(watch)
            assert failed.value is store.failure
        store.failure = None
        await watch.aclose()

    async def test_what_is_no_text_is_refused(self, account: Opened) -> None:
        store = Store()
        store.kept = json.loads("{}")
        with pytest.raises(InvalidArgumentError, match="must return a str or None, not dict"):
            await anext(account.watch(checkpoint_file=store))
