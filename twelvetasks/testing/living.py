"""Tasks that live: they are uploaded, indexed, touched and deleted while a platform serves.

An upload is in the list of indexed assets, too, and what is under way in other lists ends.

Everything that happened since the last look is applied at the next one, by the platform's clock,
so that a platform without requests does no work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from random import Random
from typing import Any

from twelvetasks.testing.demo import INDEX_IDS
from twelvetasks.testing.lists import FakeList

_MOST_AT_ONCE = 1000
"""Changes that one look applies at most; after a long pause the rest never happened."""


class Living:
    """Changes the tasks of a platform a number of times a minute, and lets other items end."""

    def __init__(
        self,
        lists: Iterable[FakeList],
        clock: Callable[[], datetime],
        *,
        changes_per_minute: float,
        indexing_time: float,
        seed: int,
    ) -> None:
        tasks, assets, *others = lists
        self._tasks, self._assets = tasks, assets
        self._clock = clock
        self._pause = timedelta(minutes=1) / changes_per_minute if changes_per_minute else None
        self._indexing_time = indexing_time
        self._random = Random(seed)  # noqa: S311
        self._next = clock()
        self._known: list[str] = []
        for task in tasks.items():
            if task["status"] in tasks.kind.final:
                self._known.append(task["_id"])
            else:
                # Each is somewhere on its way: they do not all end in the same second.
                tasks.begin(task["_id"], seconds=self._some_time())
        for items in (assets, *others):
            if items.kind.steps:
                items.live(self._some_time)

    def apply_due(self) -> None:
        """Make the changes that are due by the clock."""
        if self._pause is None:
            return
        now = self._clock()
        for _ in range(_MOST_AT_ONCE):
            if self._next > now:
                return
            self._next += self._pause
            self._change()
        self._next = now + self._pause

    def _some_time(self) -> float:
        return self._indexing_time * self._random.uniform(0.2, 1)

    def _change(self) -> None:
        chance = self._random.random()
        if chance < 0.6 or not self._known:
            self._upload()
            return
        place = self._random.randrange(len(self._known))
        # A test may have deleted it.
        with suppress(KeyError):
            if chance < 0.8:
                self._tasks.update(self._known[place])
            else:
                self._tasks.delete(self._known.pop(place))

    def _upload(self) -> None:
        number = self._random.randrange(10_000)
        metadata = {
            "filename": f"upload_{number:04d}.mp4",
            "duration": self._random.randint(4, 3600),
            "width": 1920,
            "height": 1080,
        }
        index_id = self._random.choice(INDEX_IDS)
        task_id = self._begin(self._tasks, index_id=index_id, system_metadata=metadata)
        self._known.append(task_id)
        if self._assets.loaded:
            asset = {"_id": task_id, "asset_id": task_id[::-1], "index_id": index_id}
            self._begin(self._assets, **asset, system_metadata=metadata)

    def _begin(self, items: FakeList, **fields: Any) -> str:
        item_id = str(items.add(status=items.kind.steps[0], **fields)["_id"])
        items.begin(item_id, seconds=self._indexing_time)
        return item_id
