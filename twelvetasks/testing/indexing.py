"""How an uploaded task gets from `pending` to `ready`: step by step, or by the platform's clock.

Nothing here runs by itself: what is due is applied when the account is next asked for something.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

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
        """Let a task that is pending now be ready in so many seconds."""
        with self._lock:
            self._moving[task_id] = (self._clock(), timedelta(seconds=seconds), 0)

    def stop(self, task_id: str) -> None:
        """Leave a task where it is from now on."""
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
