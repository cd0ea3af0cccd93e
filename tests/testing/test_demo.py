"""The demo tasks: real to look at, and the same every time."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timedelta

from twelvetasks.testing import FakePlatform


def test_the_same_count_and_seed_give_the_same_tasks() -> None:
    assert FakePlatform.demo(200).tasks() == FakePlatform.demo(200).tasks()
    assert FakePlatform.demo(200).tasks() != FakePlatform.demo(200, seed=1).tasks()
    assert FakePlatform.demo(0).tasks() == []


def test_they_look_like_an_account_in_use() -> None:
    tasks = FakePlatform.demo().tasks()
    assert len({task["_id"] for task in tasks}) == len(tasks) == 1000
    assert all(re.fullmatch("[0-9a-f]{24}", task["_id"]) for task in tasks)
    indexes = Counter(task["index_id"] for task in tasks)
    assert indexes["62a0906d47f5678267ec10a6"] > 100
    assert len(indexes) >= 3
    created = [datetime.fromisoformat(task["created_at"]) for task in tasks]
    assert created[0] - created[-1] > timedelta(days=90)
    assert 0 < len(created) - len(set(created)) < 200
    for task in tasks:
        took = datetime.fromisoformat(task["updated_at"]) - datetime.fromisoformat(
            task["created_at"]
        )
        assert timedelta(0) < took < timedelta(hours=1)
        assert ("video_id" in task) == (task["status"] == "ready")
    assert 0 < sum(task.get("video_id") == task["_id"] for task in tasks) < 600
    assert 0 < sum("estimated_time" in task for task in tasks) < 300


def test_any_hundred_shows_every_status() -> None:
    statuses = Counter(task["status"] for task in FakePlatform.demo(100).tasks())
    assert statuses["ready"] == 90
    assert set(statuses) == {
        "ready", "uploading", "validating", "pending", "queued", "indexing", "failed",
    }  # fmt: skip


def test_metadata_is_sometimes_missing_or_null() -> None:
    tasks = FakePlatform.demo().tasks()
    with_metadata = [metadata for task in tasks if (metadata := task["system_metadata"])]
    assert 900 < len(with_metadata) < 1000
    for name in ("filename", "duration", "width", "height"):
        missing = sum(metadata[name] is None for metadata in with_metadata)
        assert 0 < missing < 100


def test_times_come_in_all_the_spellings_seen() -> None:
    shapes = Counter(
        re.sub(r"\d", "0", task["created_at"].partition("T")[2])
        for task in FakePlatform.demo().tasks()
    )
    assert shapes.keys() == {"00:00:00.000Z", "00:00:00.00Z", "00:00:00Z", "00:00:00.000000+00:00"}
    assert shapes["00:00:00.000Z"] > 900
