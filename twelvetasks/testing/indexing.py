"""How an item moves from its first status to its last: step by step on demand, or with the clock.

Nothing here runs by itself: steps that are due are applied when the list is next read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from twelvetasks.testing import instants
from twelvetasks.testing.items import Items
from twelvetasks.testing.kinds import ANALYSIS_ERROR, Kind, analysis_result, hls_stream

_BESIDE = {"pending": "validating", "validating": "queued"}
"""Statuses of tasks that the documentation names beside those seen on the platform."""


class Indexing:
    """The items that move on with the clock, each at its own pace; thread-safe."""

    def __init__(self, steps: Sequence[str], clock: Callable[[], datetime]) -> None:
        self._steps = steps
        self._clock = clock
        self._lock = threading.Lock()
        self._moving: dict[str, tuple[datetime, timedelta, int]] = {}

    def start(self, item_id: str, seconds: float, status: object = None) -> None:
        """Let an item take this many seconds from the first status to the last.

        One that has gone further already needs only the rest of them.
        """
        done = self._steps.index(status) if status in self._steps else 0
        duration = timedelta(seconds=seconds)
        started = self._clock() - duration * (done / max(len(self._steps) - 1, 1))
        with self._lock:
            self._moving[item_id] = (started, duration, done)

    def stop(self, item_id: str) -> None:
        """Leave an item in its present status."""
        with self._lock:
            self._moving.pop(item_id, None)

    def due(self) -> list[tuple[str, str]]:
        """Return each step that is due and was not returned before: an item and its new status."""
        now = self._clock()
        last = len(self._steps) - 1
        steps = []
        with self._lock:
            for item_id, (started, duration, done) in tuple(self._moving.items()):
                reached = done
                while reached < last and now >= started + duration * ((reached + 1) / last):
                    reached += 1
                    steps.append((item_id, self._steps[reached]))
                self._moving[item_id] = (started, duration, reached)
                if reached == last:
                    del self._moving[item_id]
        return steps


class Lifecycle:
    """Changes the status of a list's items, and reports each change to `changed`."""

    def __init__(
        self,
        kind: Kind,
        items: Items,
        clock: Callable[[], datetime],
        changed: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._kind = kind
        self._items = items
        self._clock = clock
        self._indexing = Indexing(kind.steps, clock)
        self._changed = changed
        self._streamed: set[str] = set()

    def begin(self, item_id: str, *, streamed: bool = False, seconds: float | None) -> None:
        """Take on a new item; without `seconds` it waits to be moved."""
        if streamed:
            self._streamed.add(item_id)
        if seconds is not None:
            self._indexing.start(item_id, seconds, self._fields(item_id).get("status"))

    def advance(self, item_id: str) -> dict[str, Any]:
        """Move an item to its next status; raises `KeyError` or `ValueError` where it cannot."""
        status = self._fields(item_id).get("status")
        steps = self._kind.steps
        following = dict(pairwise(steps))
        if "uploading" in following:
            following |= _BESIDE
        if status not in following:
            raise ValueError(f"an item with the status {status!r} does not move on")
        return self.finish(item_id, following[status])

    def finish(self, item_id: str, status: str) -> dict[str, Any]:
        """Move an item to this status, and no further with the clock."""
        self._indexing.stop(item_id)
        return self._reach(item_id, status)

    def update(self, item_id: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Set fields of an item; raises `KeyError` for an unknown id."""
        before = self._items.get(item_id)
        item = self._items.update(item_id, fields)
        if before is not None and before.fields.get("status") != item.get("status"):
            self._changed(item)
        return item

    def apply_due(self) -> None:
        """Apply every step that is due by the clock."""
        for item_id, status in self._indexing.due():
            # It may have been deleted.
            with suppress(KeyError):
                self._reach(item_id, status)

    def _reach(self, item_id: str, status: str) -> dict[str, Any]:
        fields = self._fields(item_id)
        changed: dict[str, Any] = {"status": status}
        if status in self._kind.final:
            now = instants.written(self._clock())
            changed |= _at_the_end(self._kind, fields, status, now)
        if status == "ready" and item_id in self._streamed:
            changed["hls"] = hls_stream(fields["index_id"], changed["video_id"])
        return self.update(item_id, changed)

    def _fields(self, item_id: str) -> dict[str, Any]:
        record = self._items.get(item_id)
        if record is None:
            raise KeyError(item_id)
        return record.all_fields


def _at_the_end(kind: Kind, fields: Mapping[str, Any], status: str, now: str) -> dict[str, Any]:
    """Return the fields that an item gets when it reaches its end."""
    match kind.name, status:
        case "tasks", "ready":
            return {"video_id": fields.get("video_id") or fields["_id"]}
        case "tasks", "failed":
            return {"error_reason": fields.get("error_reason", "The video could not be indexed.")}
        case "indexed_assets", "ready":
            return {"indexed_at": now}
        case "embedding_tasks", "failed":
            return {"error": {"message": "The media could not be read."}}
        case "analyze_tasks", "ready":
            return {"completed_at": now, "result": analysis_result(fields["task_id"])}
        case "analyze_tasks", "failed":
            return {"completed_at": now, "error": ANALYSIS_ERROR}
        case "analyze_batches", _:
            return {f"{status}_at": now}
    return {}
