"""How items move from their first status to their last: with the clock, and with which fields.

Nothing here runs by itself: steps that are due are applied when the list is next read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from twelvetasks.testing.kinds import ANALYSIS_ERROR, Kind, analysis_result


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


def fields_at_the_end(
    kind: Kind, fields: Mapping[str, Any], status: str, now: str
) -> dict[str, Any]:
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
