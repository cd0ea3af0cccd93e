"""A model of the platform: an account with atomic reads that changes between them.

It knows nothing of HTTP and of asyncio; `tests/paging` drives `Paging` against it directly. Ties in
a sort key keep their order between reads, `created_at` never changes, and `updated_at` never goes
back: the assumptions that the README names.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import attrs

from twelvetasks import PageInfo, SortBy, SortOption, Task, TaskPage, TaskQuery, TaskStatus
from twelvetasks.paging.reads import Read

EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
STATUSES = tuple(TaskStatus)


@attrs.define(eq=False)
class Item:
    """One task: its keys are whole numbers, small ones where ties are wanted."""

    id: str
    born: int
    created: int
    updated: int
    status: TaskStatus
    _task: Task | None = None

    def task(self) -> Task:
        """Give it as the platform shows it; made anew only after a change."""
        if self._task is None:
            self._task = self._shown()
        return self._task

    def change(self, status: TaskStatus, now: int) -> None:
        self.status, self.updated, self._task = status, now, None

    def _shown(self) -> Task:
        return Task(
            id=self.id,
            created_at=EPOCH + timedelta(seconds=self.created),
            updated_at=EPOCH + timedelta(seconds=self.updated),
            status=self.status,
        )


class Account:
    """Tasks that come, go and change, and pages of them at one instant."""

    def __init__(self, random: Random, count: int, *, ties: int, query: TaskQuery) -> None:
        self._random = random
        self._ties = max(ties, 1)
        self._query = query
        self._by_update = query.sort_by is SortBy.UPDATED_AT
        self._ascending = query.sort_option is SortOption.ASC
        self._born = 0
        self._at_once = 0
        self._now = 0
        self.items: dict[str, Item] = {}
        self._view: list[Item] = []
        self.throughout: set[str] = set()
        """Ids that have matched since `watch()`; what a listing must not lose."""
        for _ in range(count):
            self.insert()

    # What an account does

    def tick(self) -> int:
        """Give the time of a change; up to `ties` changes may share one."""
        self._at_once += 1
        if self._at_once > self._ties or self._random.random() < 0.4:
            self._now += 1
            self._at_once = 1
        return self._now

    def insert(self, status: TaskStatus | None = None) -> Item:
        now = self.tick()
        self._born += 1
        item = Item(f"t{self._born:06}", self._born, now, now, status or self._any_status())
        self.items[item.id] = item
        self._enter(item)
        return item

    def delete(self, item: Item | None = None) -> None:
        if item is None and not self.items:
            return
        item = item or self.items[self._random.choice(list(self.items))]
        self._leave(item)
        del self.items[item.id]

    def change_status(self, item: Item | None = None, status: TaskStatus | None = None) -> None:
        if item is None and not self.items:
            return
        item = item or self.items[self._random.choice(list(self.items))]
        self._leave(item, for_good=False)
        item.change(status or self._any_status(), self.tick())
        self._enter(item)
        if not self._matches(item):
            self._lost(item)

    def pass_through(self) -> None:
        """A task that comes and goes between two reads."""
        self.delete(self.insert())

    def burst(self) -> None:
        """Many uploads at once."""
        for _ in range(self._random.choice((20, 60, 200))):
            self.insert()

    def _any_status(self) -> TaskStatus:
        return self._random.choice(STATUSES)

    # What a listing of it sees

    def watch(self) -> None:
        self.throughout = {item.id for item in self._view}

    @property
    def ids(self) -> list[str]:
        """The listing as it is now."""
        return [item.id for item in self._ordered()]

    def read(self, read: Read) -> TaskPage:
        total = len(self._view)
        start, end = min(read.start, total), min(read.end, total)
        if self._ascending:
            shown = self._view[start:end]
        else:
            shown = self._view[total - end : total - start][::-1]
        return TaskPage(
            data=tuple(item.task() for item in shown),
            page_info=PageInfo(
                page=read.page,
                limit_per_page=read.page_limit,
                total_page=-(-total // read.page_limit),
                total_results=total,
            ),
        )

    def key_of(self, task: Task) -> datetime:
        key = task.updated_at if self._by_update else task.created_at
        assert key is not None
        return key

    def _ordered(self) -> list[Item]:
        return self._view if self._ascending else self._view[::-1]

    def _sort_key(self, item: Item) -> tuple[int, int]:
        return (item.updated if self._by_update else item.created, item.born)

    def _matches(self, item: Item) -> bool:
        return self._query.status is None or item.status in self._query.status

    def _enter(self, item: Item) -> None:
        if self._matches(item):
            insort(self._view, item, key=self._sort_key)

    def _leave(self, item: Item, *, for_good: bool = True) -> None:
        place = bisect_left(self._view, self._sort_key(item), key=self._sort_key)
        if place < len(self._view) and self._view[place] is item:
            del self._view[place]
        if for_good:
            self._lost(item)

    def _lost(self, item: Item) -> None:
        self.throughout.discard(item.id)


Change = Callable[[Account], Any]

MIXES: dict[str, tuple[Change, ...]] = {
    "inserts": (Account.insert,),
    "deletes": (Account.delete,),
    "bursts": (Account.burst, Account.insert, Account.delete),
    "everything": (
        Account.insert,
        Account.insert,
        Account.delete,
        Account.delete,
        Account.change_status,
        Account.change_status,
        Account.pass_through,
    ),
}
