"""A model of the platform: an account with atomic reads that changes between them.

It knows nothing of HTTP and of asyncio; `tests/paging` drives `ListingProgress` against it. Ties in
a sort key keep their order between reads, `created_at` never changes, and `updated_at` never goes
back: the assumptions that the README names.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from random import Random
from typing import Any

import attrs

from twelvetasks import (
    ListQuery,
    PageInfo,
    Resource,
    SortKey,
    Task,
    TaskQuery,
    TaskStatus,
)
from twelvetasks.paging.page_checks import KeyedPage, check_page
from twelvetasks.paging.reads import Read

EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
STATUSES = tuple(TaskStatus)

Row = dict[str, Any]
"""An item that never becomes a model."""

RUNS = Resource[Row](
    path="analyze/tasks",
    item=Row,
    noun="runs",
    id_of=itemgetter("task_id"),
    sort_keys=(SortKey(name="created_at", read=itemgetter("created_at")),),
)
"""A list without sort parameters: newest first, whatever is asked for."""


@attrs.frozen(kw_only=True, repr=False)
class RunQuery(ListQuery[Row]):
    resource = RUNS

    status: tuple[str, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(tuple)
    )


@attrs.frozen(eq=False)
class Item:
    """One item in one state: its keys are whole numbers, small ones where ties are wanted."""

    id: str
    born: int
    created: int
    updated: int
    status: TaskStatus
    _shown: dict[type, Any] = attrs.field(factory=dict, init=False)

    def shown(self, query: ListQuery[Any]) -> Any:
        """Give it as the platform shows it; made once."""
        if (shown := self._shown.get(type(query))) is None:
            if isinstance(query, TaskQuery):
                shown = self.task()
            else:
                shown = self.row() if isinstance(query, RunQuery) else self.model(query)
            self._shown[type(query)] = shown
        return shown

    def changed(self, status: TaskStatus, now: int) -> Item:
        return Item(self.id, self.born, self.created, now, status)

    def model(self, query: ListQuery[Any]) -> Any:
        """Give it as an item of a list of its own."""
        item = query.resource.item
        times = {"created_at": self.created, "updated_at": self.updated}
        names = {field.name for field in attrs.fields(item)}
        shown = {name: EPOCH + timedelta(seconds=times[name]) for name in times if name in names}
        return item(id=self.id, status=self.status, **shown)

    def row(self) -> Row:
        return {"task_id": self.id, "created_at": EPOCH + timedelta(seconds=self.created)}

    def task(self) -> Task:
        return Task(
            id=self.id,
            created_at=EPOCH + timedelta(seconds=self.created),
            updated_at=EPOCH + timedelta(seconds=self.updated),
            status=self.status,
        )


class Account:
    """Tasks that come, go and change, and pages of them at one instant."""

    def __init__(self, random: Random, count: int, *, ties: int, query: ListQuery[Any]) -> None:
        self._random = random
        self._ties = max(ties, 1)
        self._query = query
        stamp = query.stamp
        self._stamp = None if stamp is None or stamp.identity == query.identity else stamp
        self._read_key = query.sort_key.read
        self._statuses = getattr(query, "status")  # noqa: B009 - each query here has it
        self._by_update = query.sort_key.changes
        self._ascending = query.ascending
        self._born = 0
        self._at_once = 0
        self._now = 0
        self.items: dict[str, Item] = {}
        self._view: list[Item] = []
        self.throughout: set[str] = set()
        """Ids that have matched since `watch()`; what a listing must not lose."""
        self._begin(count)

    def _begin(self, count: int) -> None:
        """Insert so many items at first: those of one of a few beginnings, which are kept."""
        number = self._random.randrange(BEGINNINGS)
        key = (type(self), self._kind, self._ties, count, number)
        if key not in _begun:
            random, self._random = self._random, Random(number)
            for _ in range(count):
                self.insert()
            self._random = random
            _begun[key] = (list(self.items.values()), self._now, self._at_once)
            self.items, self._view = {}, []
        items, self._now, self._at_once = _begun[key]
        self._born = count
        self.items = {item.id: item for item in items}
        self._view = sorted(filter(self._matches, items), key=self._sort_key)

    @property
    def _kind(self) -> object:
        """What decides, beside chance, how items begin."""
        return None

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
        self._move(item, item.changed(status or self._any_status(), self.tick()))

    def _move(self, item: Item, changed: Item) -> None:
        self._leave(item, for_good=False)
        self.items[item.id] = changed
        self._enter(changed)
        if not self._matches(changed):
            self._lost(changed)

    def pass_through(self) -> None:
        """A task that comes and goes between two reads."""
        self.delete(self.insert())

    def burst(self) -> None:
        """Many uploads at once."""
        for _ in range(self._random.choice((20, 60, 200))):
            self.insert()

    def swap(self) -> None:
        """One goes and another comes: the total never changes."""
        self.delete()
        self.insert()

    def update_many(self) -> None:
        """Many are updated by one statement, and so at one time."""
        many = self._random.sample(list(self.items), min(len(self.items), 30))
        now = self.tick()
        for id_ in many:
            item = self.items[id_]
            self._move(item, item.changed(item.status, now))

    def _any_status(self) -> TaskStatus:
        return self._random.choice(STATUSES)

    # What a listing of it sees

    def watch(self) -> None:
        self.throughout = {item.id for item in self._view}

    @property
    def ids(self) -> list[str]:
        """The listing as it is now."""
        return [item.id for item in self._ordered()]

    def read(self, read: Read) -> KeyedPage[Any]:
        total = len(self._view)
        start, end = min(read.start, total), min(read.end, total)
        query = self.query_of(read)
        if query is not self._query:
            shown = heapq.nlargest(end, self._view, key=lambda item: (item.updated, item.born))
        elif self._ascending:
            shown = self._view[start:end]
        else:
            shown = self._view[total - end : total - start][::-1]
        page = query.resource.page(
            data=tuple(item.shown(query) for item in shown),
            page_info=PageInfo(
                page=read.page,
                limit_per_page=read.page_limit,
                total_page=-(-total // read.page_limit),
                total_results=total,
            ),
        )
        return check_page(KeyedPage.of(page, query), query, read)

    def query_of(self, read: Read) -> ListQuery[Any]:
        """Give what a read asks: a page of the listing, or a stamp of it."""
        return self._stamp if read.stamp and self._stamp is not None else self._query

    def key_of(self, item: Any) -> datetime:
        key = self._read_key(item)
        assert key is not None
        return key

    def _ordered(self) -> list[Item]:
        return self._view if self._ascending else self._view[::-1]

    def _sort_key(self, item: Item) -> tuple[int, int]:
        return (item.updated if self._by_update else item.created, item.born)

    def _matches(self, item: Item) -> bool:
        return self._statuses is None or item.status in self._statuses

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


BEGINNINGS = 16
"""How many different accounts of one size histories begin with."""

_begun: dict[tuple[object, ...], tuple[list[Item], int, int]] = {}

Change = Callable[[Account], Any]

MIXES: dict[str, tuple[Change, ...]] = {
    "inserts": (Account.insert,),
    "deletes": (Account.delete,),
    "updates": (Account.change_status,),
    "swaps": (Account.swap,),
    "bulk": (Account.update_many, Account.insert, Account.delete),
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
