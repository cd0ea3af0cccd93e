"""Realistic demo tasks, the same for the same count and seed.

They are generated newest first, one at a time, so that a million of them never exist as
dictionaries at once. Statuses are shuffled per hundred tasks: each hundred has all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from twelvetasks.testing.kinds import ANALYSIS_ERROR, analysis_result, hls_stream

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
_FAILURES = ("video_file_broken", "video_duration_too_short", "video_resolution_too_low")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001
_SECOND = timedelta(seconds=1)


def demo_tasks(
    count: int, *, seed: int = 0, newest: datetime | None = None
) -> Iterator[dict[str, Any]]:
    """Yield `count` tasks as the JSON objects of the platform, newest first.

    The first was created at about `newest`, by default on 2025-06-30.
    """
    random = Random(seed)  # noqa: S311
    uniform = random.random
    mean_gap = _SPAN / max(count, 1)
    machine = f"{random.getrandbits(40):010x}"
    created = _NEWEST if newest is None else newest.astimezone(UTC).replace(tzinfo=None)
    latest = None if newest is None else created
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
        updated = created + _indexing_time(uniform())
        task: dict[str, Any] = {
            "_id": f"{origin}{counter:06x}",
            "created_at": _written(created, number),
            "updated_at": _written(updated if latest is None else min(updated, latest), number + 3),
            "status": status,
            "index_id": INDEX_IDS[int(uniform() * uniform() * len(INDEX_IDS))],
        }
        if status == "failed":
            task["error_reason"] = _FAILURES[number % len(_FAILURES)]
        if status == "ready":
            task["video_id"] = f"{origin}{counter | 0x800000:06x}" if number % 3 else task["_id"]
        if status == "indexing" or number % 9 == 0:
            task["estimated_time"] = _written(created + timedelta(minutes=11), 0)
        # Present from the beginning: version 0.4.11 of the official SDK reads no task without it.
        known = status not in _BEFORE_INDEXING and number % 41 != 5
        task["system_metadata"] = _metadata(uniform, number, status) if known else {}
        if status == "ready" and number % 10 < 2:
            task["hls"] = _hls(task, number)
        yield task


def demo_items(
    count: int, *, seed: int = 0, newest: datetime | None = None
) -> Mapping[str, Iterable[dict[str, Any]]]:
    """Return the items of the other lists, as many as there are tasks, by the name of the list.

    Each video has an item in every list.
    """
    making: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "indexed_assets": _indexed_asset,
        "embedding_tasks": _embedding_task,
        "older_embedding_tasks": _embedding_task,
        "analysis_tasks": _analysis_task,
        "analysis_batches": _analysis_batch,
        "assets": _asset,
    }
    lists: dict[str, Iterable[dict[str, Any]]] = {
        name: map(make, demo_tasks(count, seed=seed, newest=newest))
        for name, make in making.items()
    }
    indexes = ({"_id": one, "index_name": f"index {n}"} for n, one in enumerate(INDEX_IDS, 1))
    return lists | {"indexes": indexes}


def _indexed_asset(task: dict[str, Any]) -> dict[str, Any]:
    status = task["status"]
    asset = {name: task[name] for name in ("_id", "created_at", "updated_at", "index_id")}
    asset["asset_id"] = task["_id"][::-1]
    asset["status"] = "pending" if status == "uploading" else status
    if status == "ready":
        asset["indexed_at"] = task["updated_at"]
    if task["system_metadata"]:
        asset["system_metadata"] = task["system_metadata"] | {"fps": 25, "size": 20_000_000}
    return asset


def _embedding_task(task: dict[str, Any]) -> dict[str, Any]:
    item = {name: task[name] for name in ("_id", "created_at", "updated_at")}
    item["status"] = _simple(task["status"])
    if item["status"] == "failed":
        item["error"] = {"message": "The media could not be read."}
    return item


def _analysis_task(task: dict[str, Any]) -> dict[str, Any]:
    item = {
        "task_id": task["_id"],
        "created_at": task["created_at"],
        "status": _simple(task["status"]),
        "video_source": {"type": "asset_id", "asset_id": task["_id"][::-1]},
        "request_params": {"analysis_mode": "general", "prompt": "What happens?"},
    }
    if item["status"] == "ready":
        item["completed_at"] = task["updated_at"]
        item["result"] = analysis_result(task["_id"])
    elif item["status"] == "failed":
        item["completed_at"] = task["updated_at"]
        item["error"] = ANALYSIS_ERROR
    return item


def _analysis_batch(task: dict[str, Any]) -> dict[str, Any]:
    status = {"ready": "completed", "failed": "expired"}.get(task["status"], "processing")
    item = {"batch_id": task["_id"], "created_at": task["created_at"], "status": status}
    if status != "processing":
        item[f"{status}_at"] = task["updated_at"]
    return item


def _asset(task: dict[str, Any]) -> dict[str, Any]:
    filename = task.get("system_metadata", {}).get("filename") or "video.mp4"
    asset = {"_id": task["_id"][::-1], "created_at": task["created_at"], "filename": filename}
    return asset | {"status": _simple(task["status"])}


def _simple(status: str) -> str:
    return status if status in {"ready", "failed"} else "processing"


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
    stream = hls_stream(task["index_id"], task["video_id"]) | {"updated_at": task["updated_at"]}
    return stream | ({"status": "PROCESSING"} if number % 50 == 1 else {})


def _written(moment: datetime, variant: int) -> str:
    """Write a UTC time as the platform mostly does, or in one of the ways it sometimes does."""
    if variant % 25 != 12:
        return moment.isoformat(timespec="milliseconds") + "Z"
    if variant % 3 == 0:
        return moment.isoformat(timespec="seconds") + "Z"
    if variant % 3 == 1:
        return moment.isoformat(timespec="milliseconds")[:-1] + "Z"
    return (moment + timedelta(hours=9)).isoformat(timespec="microseconds") + "+09:00"
