"""Values of other libraries and of subclasses: the right request, or an error that names them."""

from __future__ import annotations

import asyncio
import enum
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest import mock

import aiohttp
import numpy as np
import pandas as pd
import pytest

from twelvetasks import InvalidArgumentError, Range, TaskQuery, TaskSession
from twelvetasks.testing import FakePlatform


class Name(str, enum.Enum):  # noqa: UP042 - a StrEnum is sent by its content anyway
    INDEX = "62a0906d47f5678267ec10a6"
    FILE = "café.mp4"
    READY = "ready"
    ASC = "asc"
    TASK = "62a17bf847f5678267ec10cc"
    KEY = "tlk_of_an_enum"


class Width(enum.IntEnum):
    HD = 1920


class Renamed(str):
    """As a member of an enum, it shows itself as something else."""

    __slots__ = ()

    def __str__(self) -> str:
        return "another name"


class Page(int, enum.Enum):
    SECOND = 2


class Moment(datetime):
    def isoformat(self, *_: Any, **__: Any) -> str:
        return "not RFC 3339"


def params(**filters: Any) -> dict[str, str]:
    return dict(TaskQuery(**filters).params())


@pytest.mark.parametrize(
    ("name", "value", "sent"),
    [
        ("index_id", Name.INDEX, Name.INDEX.value),
        ("filename", Name.FILE, Name.FILE.value),
        ("status", Name.READY, "ready"),
        ("status", [Name.READY], "ready"),
        ("sort_option", Name.ASC, "asc"),
        ("index_id", np.str_("abc"), "abc"),
        ("duration", np.float64(10.5), "10.5"),
        ("duration", np.float64(1e-7), "0.0000001"),
        ("width", Width.HD, "1920"),
        ("page_limit", Width(1920) // 100, "19"),
        ("page_limit", Page.SECOND, "2"),
        (
            "created_at",
            pd.Timestamp("2022-06-09T04:50:00.879123456Z"),
            "2022-06-09T04:50:00.879123Z",
        ),
        (
            "created_at",
            pd.Timestamp("2022-06-09T06:50", tz="Europe/Berlin"),
            "2022-06-09T04:50:00Z",
        ),
        ("created_at", Moment(2022, 6, 9, tzinfo=UTC), "2022-06-09T00:00:00Z"),
    ],
)
def test_it_is_sent_by_its_content(name: str, value: object, sent: str) -> None:
    assert params(**{name: value})[name] == sent


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("created_at", pd.NaT),
        ("updated_at", pd.Timestamp("2022-06-09")),
        ("created_at", np.datetime64("2022-06-09")),
        ("duration", np.float64("nan")),
        pytest.param("duration", 10**400, id="duration-huge"),
        ("duration", np.float32(10.5)),
        ("duration", Decimal("10.5")),
        ("duration", Fraction(21, 2)),
        ("duration", pd.NA),
        ("width", np.int64(1920)),
        ("width", Decimal(1920)),
        ("width", np.bool_(1)),
        ("page_limit", np.int64(5)),
        ("index_id", np.bytes_(b"abc")),
    ],
)
def test_what_cannot_be_sent_is_refused_by_the_name_of_its_parameter(name: str, value: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        TaskQuery(**{name: value})
    assert caught.value.parameter == name


async def test_ids_uploads_and_keys_are_sent_by_their_content() -> None:
    async with FakePlatform.demo(10, api_key=Name.KEY.value) as platform:
        platform.add(_id=Name.TASK.value, status="ready", index_id=Name.INDEX.value)
        async with TaskSession(Name.KEY, base_url=platform.base_url) as session:
            assert (await session.task(Name.TASK)).id == Name.TASK.value
            found = await session.tasks(index_id=Name.INDEX)
            assert Name.TASK.value in [task.id for task in found]
            made = await session.create(
                index_id=Name.INDEX, video_url=np.str_("https://example.com/video.mp4")
            )
            assert (await session.task(made)).index_id == Name.INDEX.value
            await session.delete(Name.TASK)


@pytest.mark.parametrize("name", ["client_session", "gate", "telemetry", "retry", "trace_configs"])
@pytest.mark.parametrize("value", [object(), "text", 5, TaskSession])
def test_an_object_of_another_class_is_refused_when_the_session_is_made(
    name: str, value: object
) -> None:
    arguments: dict[str, Any] = {name: value}
    with pytest.raises(InvalidArgumentError) as caught:
        TaskSession("key", **arguments)
    assert caught.value.parameter == name


def test_a_mock_of_an_aiohttp_session_is_refused_when_the_session_is_made() -> None:
    with pytest.raises(InvalidArgumentError, match=r"must be an aiohttp\.ClientSession") as caught:
        TaskSession("key", client_session=mock.MagicMock(spec=aiohttp.ClientSession))
    assert caught.value.parameter == "client_session"


async def test_numbers_of_pages_and_of_tasks_are_sent_by_their_content() -> None:
    async with (
        FakePlatform.demo(10) as platform,
        TaskSession(platform.api_key, base_url=platform.base_url) as session,
    ):
        page = await session.tasks(page_limit=Page.SECOND).page(Page.SECOND)
        assert [task.id for task in page.tasks] == [task["_id"] for task in platform.tasks()[2:4]]
        assert len(await session.tasks(max_items=Page.SECOND)) == Page.SECOND.value


async def test_files_are_found_by_the_content_of_their_names(tmp_path: Path) -> None:
    video, checkpoint = tmp_path / "video.mp4", tmp_path / "checkpoint"
    video.write_bytes(b"video")
    async with (
        FakePlatform.demo(10) as platform,
        TaskSession(platform.api_key, base_url=platform.base_url) as session,
    ):
        made = await session.create(index_id=Name.INDEX, video_file=Renamed(video))
        stored = next(task for task in platform.tasks() if task["_id"] == made.id)
        assert stored["system_metadata"]["filename"] == "video.mp4"
        watch = session.watch(checkpoint_file=Renamed(checkpoint), min_interval=0.01)
        async with asyncio.timeout(20), watch:
            while not checkpoint.exists():
                with suppress(TimeoutError):
                    await asyncio.wait_for(anext(watch), 0.05)


@pytest.mark.parametrize("value", [10**400, -(10**400)], ids=["huge", "negative"])
def test_a_number_that_no_float_holds_is_refused_by_the_name_of_its_parameter(value: int) -> None:
    with pytest.raises(InvalidArgumentError, match="timeout="):
        TaskSession("key", timeout=value)
    with pytest.raises(InvalidArgumentError, match="gte="):
        Range(gte=value)


@pytest.mark.parametrize("value", [np.array([1, 2]), pd.NA, pd.Series([1]), 5, None, "drop"])
async def test_a_choice_is_refused_by_the_name_of_its_parameter(value: Any) -> None:
    async with TaskSession("key") as session:
        with pytest.raises(InvalidArgumentError, match="on_malformed="):
            session.tasks(on_malformed=value)
