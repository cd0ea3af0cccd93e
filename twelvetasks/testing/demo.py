"""Realistic demo tasks, the same for the same count and seed.

They are generated newest first, one at a time, so that a million of them never exist as
dictionaries at once. Statuses are shuffled per hundred tasks: each hundred has all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

INDEX_IDS = (
    "62a0906d47f5678267ec10a6",
    "639963a1ce36463e0199c8c7",
    "64e8aa2f3c9d1b7a5f02e4d8",
    "65b3f0c9e7a14d2b8c6f9a31",
)

_NEWEST = datetime(2025, 6, 30, 17, 42, 11, 348000)  # noqa: DTZ001
_SPAN = timedelta(days=210).total_seconds()
_STATUS_DECK = (
    ["ready"] * 90
    + ["failed"] * 4
    + ["indexing"] * 2
    + ["uploading", "validating", "pending", "queued"]
)
_SUBJECTS = (
    "keynote", "interview", "match_highlights", "drone_harbour", "unboxing", "lecture", "trailer",
    "press_briefing", "cooking_ramen", "dashcam", "wedding", "city_timelapse", "product_demo",
)  # fmt: skip
_EXTENSIONS = ("mp4", "mp4", "mp4", "mov", "mkv", "webm")
_RESOLUTIONS = ((1920, 1080), (1920, 1080), (1280, 720), (3840, 2160), (1080, 1920), (854, 480))
_BEFORE_INDEXING = frozenset(("uploading", "pending"))
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001
_SECOND = timedelta(seconds=1)


def demo_tasks(count: int, *, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Yield `count` tasks as the JSON objects of the platform, newest first."""
    random = Random(seed)  # noqa: S311
    uniform = random.random
    mean_gap = _SPAN / max(count, 1)
    machine = f"{random.getrandbits(40):010x}"
    created = _NEWEST
    deck: list[str] = []
    for number in range(count):
        if not deck:
            deck = _STATUS_DECK.copy()
            random.shuffle(deck)
        status = deck.pop()
        # Tasks of one bulk upload share their creation time to the millisecond.
        if number % 20 not in {7, 8}:
            created -= timedelta(milliseconds=1 + int(uniform() * 2_000 * mean_gap))
        # An ObjectId opens with its second, goes on with its machine, and ends with a counter.
        origin = f"{(created - _EPOCH) // _SECOND:08x}{machine}"
        counter = (count - number) & 0x7FFFFF
        task: dict[str, Any] = {
            "_id": f"{origin}{counter:06x}",
            "created_at": _written(created, number),
            "updated_at": _written(created + _indexing_time(uniform()), number + 3),
            "status": status,
            "index_id": INDEX_IDS[int(uniform() * uniform() * len(INDEX_IDS))],
        }
        if status == "ready":
            task["video_id"] = f"{origin}{counter | 0x800000:06x}" if number % 3 else task["_id"]
        if status == "indexing" or number % 9 == 0:
            task["estimated_time"] = _written(created + timedelta(minutes=11), 0)
        if status not in _BEFORE_INDEXING and number % 41 != 5:
            task["system_metadata"] = _metadata(uniform, number, status)
        if status == "ready" and number % 10 < 2:
            task["hls"] = _hls(task, number)
        yield task


def _indexing_time(chance: float) -> timedelta:
    """Make most tasks take some minutes, and a few much longer, though less than an hour."""
    return timedelta(0, min(60 + 240 * (chance / (1 - chance)) ** 0.4, 3000 + chance * 500))


def _metadata(pick: Callable[[], float], number: int, status: str) -> dict[str, Any]:
    width, height = _RESOLUTIONS[int(pick() * len(_RESOLUTIONS))]
    subject = _SUBJECTS[int(pick() * len(_SUBJECTS))]
    extension = _EXTENSIONS[int(pick() * len(_EXTENSIONS))]
    metadata: dict[str, Any] = {
        "filename": f"{subject}_{int(pick() * 10_000):04d}.{extension}",
        "duration": round(4 + pick() ** 3 * 7_000, 2),
        "width": width,
        "height": height,
    }
    if status in {"validating", "queued"}:
        metadata |= {"duration": None, "width": None, "height": None}
    elif number % 37 == 11:
        metadata["filename"] = None
    return metadata


def _hls(task: dict[str, Any], number: int) -> dict[str, Any]:
    place = f"https://stream.example.com/{task['index_id']}/{task['video_id']}"
    return {
        "video_url": f"{place}/stream.m3u8",
        "thumbnail_urls": [f"{place}/thumbnails/1.jpg"],
        "status": "PROCESSING" if number % 50 == 1 else "COMPLETE",
        "updated_at": task["updated_at"],
    }


def _written(moment: datetime, variant: int) -> str:
    """Write a UTC time as the platform mostly does, or in one of the ways it sometimes does."""
    if variant % 25 != 12:
        return moment.isoformat(timespec="milliseconds") + "Z"
    if variant % 3 == 0:
        return moment.isoformat(timespec="seconds") + "Z"
    if variant % 3 == 1:
        return moment.isoformat(timespec="milliseconds")[:-1] + "Z"
    return (moment + timedelta(hours=9)).isoformat(timespec="microseconds") + "+09:00"
