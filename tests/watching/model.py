"""A model of the platform for watches: an account that remembers every state its tasks were in.

It knows nothing of HTTP and of asyncio. Its assumptions are those the README names: a read is
atomic, `updated_at` is another after every change of a task, several tasks may share one, and ties
keep their order between reads. Time never goes back, but where changes are committed `late`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import attrs

from twelvetasks import PageInfo, SortBy, Task, TaskPage, TaskQuery, TaskStatus
from twelvetasks.paging.reads import Read
from twelvetasks.watching.lookups import Lookup

EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
STATUSES = tuple(TaskStatus)


@attrs.frozen(cache_hash=True)
class State:
    """One state of one task."""

    id: str
    updated: int
    status: TaskStatus

    @property
    def key(self) -> datetime:
        return EPOCH + timedelta(seconds=self.updated)


@attrs.define(eq=False)
class Item:
    """One task: its keys are whole numbers, small ones where ties are wanted."""

    born: int
    created: int
    state: State
    _task: Task | None = attrs.field(default=None, init=False)
    _task_of: State | None = attrs.field(default=None, init=False)

    def task(self) -> Task:
        if self._task is None or self._task_of is not self.state:
            self._task_of = self.state
            self._task = Task(
                id=self.state.id,
                created_at=EPOCH + timedelta(seconds=self.created),
                updated_at=self.state.key,
                status=self.state.status,
            )
        return self._task


class Account:
    """Tasks that come, go and change, and pages of them at one instant."""

    def __init__(self, random: Random, count: int, *, ties: int, late: int = 0) -> None:
        self._random = random
        self._late = late
        self._ties = max(ties, 1)
        self._born = self._at_once = 0
        self.now = 0
        self.items: dict[str, Item] = {}
        self.ever: set[State] = set()
        """Every state that any task was ever in."""
        for _ in range(count):
            self.insert()

    def tick(self) -> int:
        """Give the time of a change; up to `ties` changes may share one."""
        self._at_once += 1
        if self._at_once > self._ties or self._random.random() < 0.9 / self._ties:
            self.now += 1
            self._at_once = 1
        return self.now

    def insert(self, status: TaskStatus | None = None) -> Item:
        now = self.tick()
        self._born += 1
        state = State(f"t{self._born:06}", self._stamp(now), status or self._any_status())
        item = self.items[state.id] = Item(self._born, now, state)
        self.ever.add(state)
        return item

    def _stamp(self, now: int, *, after: int = 0) -> int:
        """Give the time that a change gets: one that is committed late may be older than now."""
        oldest = max(now - self._late, after + 1)
        return self._random.randint(oldest, now) if self._late and oldest < now else now

    def delete(self, item: Item | None = None) -> None:
        if item is not None or self.items:
            del self.items[(item or self._any_item()).state.id]

    def change_status(self, item: Item | None = None, status: TaskStatus | None = None) -> None:
        if item is None and not self.items:
            return
        item = item or self._any_item()
        while (now := self.tick()) == item.state.updated:
            pass
        stamp = self._stamp(now, after=item.state.updated)
        item.state = State(item.state.id, stamp, status or self._any_status())
        self.ever.add(item.state)

    @property
    def states(self) -> set[State]:
        """The state of every task now."""
        return {item.state for item in self.items.values()}

    def read(self, query: TaskQuery, read: Read | Lookup) -> Any:
        if isinstance(read, Lookup):
            item = self.items.get(read.id)
            return None if item is None else item.task()
        by_update = query.sort_by is SortBy.UPDATED_AT
        ordered = sorted(
            self.items.values(),
            key=lambda item: (item.state.updated if by_update else item.created, item.born),
            reverse=True,
        )
        assert query.status is None
        assert query.sort_option == "desc"
        return TaskPage(
            data=tuple(item.task() for item in ordered[read.start : read.end]),
            page_info=PageInfo(
                page=read.page,
                limit_per_page=read.page_limit,
                total_page=-(-len(ordered) // read.page_limit),
                total_results=len(ordered),
            ),
        )

    def _any_item(self) -> Item:
        return self.items[self._random.choice(list(self.items))]

    def _any_status(self) -> TaskStatus:
        return self._random.choice(STATUSES)


def state_of(task: Task) -> State:
    assert task.updated_at is not None
    assert isinstance(task.status, TaskStatus)
    return State(task.id, round((task.updated_at - EPOCH).total_seconds()), task.status)
