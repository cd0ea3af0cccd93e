"""How a task moves from `pending` to `ready`: step by step on demand, or with the clock.

Nothing here runs by itself: steps that are due are applied when the account is next read.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from twelvetasks.testing.account import Account

STEPS = ("pending", "validating", "queued", "indexing", "ready")
FINAL = frozenset(("ready", "failed"))


def following(status: object) -> str:
    """Return the status after this one; raises `ValueError` if there is none."""
    if status == "uploading":
        return STEPS[0]
    if status not in STEPS[:-1]:
        raise ValueError(f"a task with the status {status!r} does not move on")
    return STEPS[STEPS.index(status) + 1]


class Indexing:
    """The tasks that move on with the clock, each at its own pace; thread-safe."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._moving: dict[str, tuple[datetime, timedelta, int]] = {}

    def start(self, task_id: str, seconds: float) -> None:
        """Let a task that is pending now become ready after this many seconds."""
        with self._lock:
            self._moving[task_id] = (self._clock(), timedelta(seconds=seconds), 0)

    def stop(self, task_id: str) -> None:
        """Leave a task in its present status."""
        with self._lock:
            self._moving.pop(task_id, None)

    def due(self) -> list[tuple[str, str]]:
        """Return each step that is due and was not returned before: a task and its new status."""
        now = self._clock()
        steps = []
        with self._lock:
            for task_id, (started, duration, done) in tuple(self._moving.items()):
                reached = done
                while reached < len(STEPS) - 1 and now >= started + duration * (
                    (reached + 1) / (len(STEPS) - 1)
                ):
                    reached += 1
                    steps.append((task_id, STEPS[reached]))
                self._moving[task_id] = (started, duration, reached)
                if reached == len(STEPS) - 1:
                    del self._moving[task_id]
        return steps


class Lifecycle:
    """Changes the status of an account's tasks, and reports each change to `changed`."""

    def __init__(
        self,
        account: Account,
        clock: Callable[[], datetime],
        changed: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._account = account
        self._indexing = Indexing(clock)
        self._changed = changed
        self._streamed: set[str] = set()

    def begin(self, task_id: str, *, streamed: bool, seconds: float | None) -> None:
        """Take on an uploaded task; without `seconds` it waits to be moved."""
        if streamed:
            self._streamed.add(task_id)
        if seconds is not None:
            self._indexing.start(task_id, seconds)

    def advance(self, task_id: str) -> dict[str, Any]:
        """Move a task to its next status; raises `KeyError` or `ValueError` where it cannot."""
        return self.finish(task_id, following(self._fields(task_id).get("status")))

    def finish(self, task_id: str, status: str) -> dict[str, Any]:
        """Move a task to this status, and no further with the clock."""
        self._indexing.stop(task_id)
        return self._reach(task_id, status)

    def update(self, task_id: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Set fields of a task; raises `KeyError` for an unknown id."""
        before = self._account.get(task_id)
        task = self._account.update(task_id, fields)
        if before is not None and before.fields.get("status") != task["status"]:
            self._changed(task)
        return task

    def apply_due(self) -> None:
        """Apply every step that is due by the clock."""
        for task_id, status in self._indexing.due():
            # It may have been deleted.
            with suppress(KeyError):
                self._reach(task_id, status)

    @staticmethod
    def video_id(task_id: str) -> str:
        """Return the id of the video of a task, always the same for the same task."""
        return hashlib.sha256(task_id.encode()).hexdigest()[:24]

    def _reach(self, task_id: str, status: str) -> dict[str, Any]:
        changed: dict[str, Any] = {"status": status}
        if status == "ready":
            fields = self._fields(task_id)
            changed["video_id"] = fields.get("video_id") or self.video_id(task_id)
            if task_id in self._streamed:
                changed["hls"] = _stream(fields["index_id"], changed["video_id"])
        return self.update(task_id, changed)

    def _fields(self, task_id: str) -> dict[str, Any]:
        record = self._account.get(task_id)
        if record is None:
            raise KeyError(task_id)
        return record.all_fields


def _stream(index_id: str, video_id: str) -> dict[str, Any]:
    place = f"https://stream.example.com/{index_id}/{video_id}"
    return {
        "video_url": f"{place}/stream.m3u8",
        "thumbnail_urls": [f"{place}/thumbnails/1.jpg"],
        "status": "COMPLETE",
    }
