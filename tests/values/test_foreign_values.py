"""Values of other libraries and of subclasses: the right request, or an error that names them."""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest

from twelvetasks import InvalidArgumentError, TaskQuery, TaskSession
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
