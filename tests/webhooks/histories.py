"""Histories: one account whose changes are told by webhooks, and one reader of the joined stream.

The watch, the receiver and the signatures are the real ones; time is virtual, and the account is
the model that watches are tested with. A webhook may be lost, doubled, late, or earlier than its
change shows, which puts them out of order, too. Requests fail, readers give up waiting and restart.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from itertools import pairwise
from random import Random
from typing import Any, Protocol, cast

import attrs

from tests.watching.histories import FAILURES
from tests.watching.model import Account, Item, State, state_of
from tests.webhooks.signing import NOW, SECRET, body_of, signed
from tests.webhooks.virtual import run
from twelvetasks import (
    Checkpoint,
    NotFoundError,
    Task,
    TaskChange,
    TaskPage,
    TaskQuery,
    TaskStatus,
    TaskWatch,
    WebhookError,
)
from twelvetasks.paging.reads import Read
from twelvetasks.streams.requests import Requests
from twelvetasks.watching.lookups import Lookup
from twelvetasks.watching.plan import WatchPlan
from twelvetasks.webhooks import Event, Receiver, TaskFailed, TaskReady

FINAL = (TaskStatus.READY, TaskStatus.FAILED)
UNDER_WAY = tuple(status for status in TaskStatus if status not in FINAL)

INTERVALS = (30.0, 60.0)
"""The shortest and the longest interval of a watch: far more than a webhook may take."""

AT_ONCE = 8.0
"""Seconds in which a change comes that a webhook tells of: a poll apart, and two polls' reads."""


@attrs.frozen(kw_only=True)
class Setting:
    """What a history is made of: parts of all webhooks, requests or waits, and seconds."""

    lost: float = 0.0
    doubled: float = 0.0
    late: float = 0.0
    """The longest that a webhook is on its way."""
    lag: float = 0.0
    """The longest that the listing does not show a change after its webhook has been sent."""
    failing: float = 0.0
    restarting: float = 0.0
    deleting: float = 0.0
    ties: int = 1
    tasks: int = 12
    pace: float = 3.0
    """The longest between two changes."""


@attrs.frozen(kw_only=True)
class Verdict:
    """What a stream did wrong: every number has to be 0."""

    lost: int
    """Final states of tasks that still exist, and were not delivered."""
    repeated: int
    disordered: int
    invented: int
    tardy: int
    """Changes that a webhook told of, with a reader waiting, and that did not come at once."""

    @property
    def is_right(self) -> bool:
        return not any(attrs.astuple(self))


class Stream(Protocol):
    """What the joined stream and the naive one have in common."""

    @property
    def polls(self) -> int: ...
    @property
    def checkpoint(self) -> Checkpoint: ...
    async def __anext__(self) -> TaskChange: ...
    async def aclose(self) -> None: ...


class History:
    """One account, its webhooks, and one reader; also what a watch needs of a session."""

    def __init__(self, setting: Setting, random: Random) -> None:
        self.setting = setting
        self.random = random
        self.account = Account(random, random.choice((0, 3, 30)), ties=setting.ties)
        self.closed = False
        self.closing = asyncio.Event()
        self.delivered: list[TaskChange] = []
        self.deaf: object = None
        self._present = self.account.states
        self._failed = setting.failing > 0
        self._loop = asyncio.get_running_loop()
        self._events = 0
        self._shown: dict[State, float] = {}
        self._told: dict[tuple[str, TaskStatus], float] = {}
        self._came: dict[State, float] = {}
        self._deliveries: set[asyncio.Task[None]] = set()
        self.receiver = self.new_receiver()

    def new_receiver(self) -> Receiver:
        return Receiver(SECRET, clock=lambda: NOW + self._loop.time())

    # What a watch needs of its session

    def enter(self, *, to_close: bool = False) -> None:
        assert to_close or asyncio.get_running_loop() is self._loop

    async def read_page(self, query: TaskQuery, read: Read) -> TaskPage:
        await asyncio.sleep(self.random.uniform(0.01, 0.3))
        if self.random.random() < self.setting.failing:
            raise self.random.choice(FAILURES)("it fails at random")
        page: TaskPage = self.account.read(query, read)
        await asyncio.sleep(self.random.uniform(0.01, 0.3))
        return page

    async def retrieve(self, query: TaskQuery, item_id: str) -> Task:
        await asyncio.sleep(self.random.uniform(0.01, 0.3))
        task: Task | None = self.account.read(query, Lookup(item_id, is_missing=False))
        if task is None:
            raise NotFoundError("there is no such task")
        return task

    def spawn(self, fetch: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return self._loop.create_task(fetch)

    # What happens to the account, and who is told

    async def live(self) -> None:
        """Let tasks come, move on and end, each once, and be deleted sometimes."""
        under_way = [
            self._show(self.account.insert(self._any(UNDER_WAY))) for _ in range(self.setting.tasks)
        ]
        while under_way:
            await asyncio.sleep(self.random.uniform(0, self.setting.pace))
            item = under_way[self.random.randrange(len(under_way))]
            chance = self.random.random()
            if chance < self.setting.deleting:
                self.account.delete(item)
                under_way.remove(item)
            elif chance < 0.6:
                under_way.remove(item)
                self._end(item)
            else:
                self.account.change_status(item, self._any(UNDER_WAY))
                self._show(item)
        await asyncio.sleep(self.setting.lag)
        if self._deliveries:
            await asyncio.wait(self._deliveries)

    def _end(self, item: Item) -> None:
        """Let a task end, perhaps some time after its webhook has been sent."""
        status = self._any(FINAL)
        copies = 1 + (self.random.random() < self.setting.doubled)
        self._events += 1
        body = body_of(f"whe_{self._events}", item.state.id, status.value)
        if self.random.random() >= self.setting.lost:
            for _ in range(copies):
                delivery = self._loop.create_task(self._deliver(item.state.id, status, body))
                self._deliveries.add(delivery)
        self._loop.call_later(self.random.uniform(0, self.setting.lag), self._move, item, status)

    def _move(self, item: Item, status: TaskStatus) -> None:
        self.account.change_status(item, status)
        self._show(item)

    def _show(self, item: Item) -> Item:
        self._shown[item.state] = self._loop.time()
        return item

    async def _deliver(self, task_id: str, status: TaskStatus, body: bytes) -> None:
        """Send one webhook, and again, signed anew, while it is not accepted."""
        for attempt in range(4):
            await asyncio.sleep(self.random.uniform(0, self.setting.late) + attempt)
            signature = signed(body, SECRET, NOW + int(self._loop.time()))
            with suppress(WebhookError):
                await self.receiver.receive(body, signature)
                self._told.setdefault((task_id, status), self._loop.time())
                return

    def _any(self, statuses: tuple[TaskStatus, ...]) -> TaskStatus:
        return self.random.choice(statuses)

    # Who reads

    async def read(self, make: Make) -> Verdict:
        """Read the stream, with pauses and restarts, until everything has been delivered."""
        stream = make(self, None)
        living: asyncio.Task[None] | None = None
        while living is None or not living.done():
            await self._step(stream)
            if living is None and stream.polls:
                # From here on the watch knows where it has begun.
                living = self._loop.create_task(self.live())
            if self.random.random() < self.setting.restarting:
                stored = str(stream.checkpoint)
                await stream.aclose()
                await asyncio.sleep(self.random.choice((0, 5, 90)))
                if self.random.random() < 0.5:
                    self.receiver = self.new_receiver()
                stream = make(self, stored)
        self.setting = attrs.evolve(self.setting, failing=0.0)
        quiet = stream.polls + 2
        while await self._step(stream) or stream.polls < quiet:
            pass
        await stream.aclose()
        await living
        return self._verdict()

    async def _step(self, stream: Stream) -> bool:
        """Wait for a change, as long as the reader has patience for; sometimes it is busy, too."""
        restless = self.setting.restarting > 0
        try:
            async with asyncio.timeout(self.random.uniform(0.1, 40) if restless else 200):
                change = await stream.__anext__()
        except TimeoutError:
            return False
        self.delivered.append(change)
        assert change.after is not None
        self._came.setdefault(state_of(change.after), self._loop.time())
        if restless:
            await asyncio.sleep(self.random.choice((0, 0, 3)))
        return True

    def _verdict(self) -> Verdict:
        states = [state_of(change.task) for change in self.delivered]
        ended = {item.state for item in self.account.items.values()} - self._present
        assert all(state.status in FINAL for state in ended)
        # Where readers are busy or requests fail, nobody promises a time.
        punctual = not (self.setting.restarting or self._failed)
        return Verdict(
            lost=len(ended - set(states)),
            repeated=sum(count - 1 for count in Counter(states).values()),
            disordered=sum(a.updated > b.updated for a, b in pairwise(states)),
            invented=len(set(states) - self.account.ever) + len(set(states) & self._present),
            tardy=sum(self._is_tardy(state) for state in ended) if punctual else 0,
        )

    def _is_tardy(self, state: State) -> bool:
        told = self._told.get((state.id, state.status))
        if told is None or state not in self._came:
            return False
        shown = self._shown[state]
        # It was looked for in vain since `told`; the looks are as far apart as that is long.
        lag = max(shown - told, 0.0)
        return self._came[state] > max(shown, told) + lag + AT_ONCE


Make = Callable[[History, str | None], Stream]


def plan(stored: str | None) -> WatchPlan:
    shortest, longest = INTERVALS
    return WatchPlan(query=TaskQuery(), resume=stored, min_interval=shortest, max_interval=longest)


def joined(history: History, stored: str | None) -> Stream:
    """Make the stream that joins webhooks and a watch."""
    return TaskWatch(cast("Requests", history), plan(stored), history.receiver)


def watch_alone(history: History, stored: str | None) -> Stream:
    """Make a stream to which no webhook comes, though they are accepted."""
    history.deaf = Deaf()
    history.receiver.attach(history.deaf)
    return TaskWatch(cast("Requests", history), plan(stored))


class Deaf:
    def announce(self, event: Event) -> None:
        pass


class NaiveJoin:
    """Both sources as people join them: what was delivered is remembered, and that is all."""

    def __init__(self, history: History, stored: str | None) -> None:
        self._watch = TaskWatch(cast("Requests", history), plan(stored))
        self._account = history.account
        self._told: list[TaskChange] = []
        self._woken = asyncio.Event()
        self._seen: set[State] = set()
        self._next: asyncio.Task[TaskChange] | None = None
        history.receiver.attach(self)

    @property
    def polls(self) -> int:
        return self._watch.polls

    @property
    def checkpoint(self) -> Checkpoint:
        return self._watch.checkpoint

    def announce(self, event: Event) -> None:
        assert isinstance(event, (TaskReady, TaskFailed))
        item = self._account.items.get(event.data.id)
        if item is not None and item.state.status in FINAL:
            self._told.append(TaskChange(None, item.task()))
            self._woken.set()

    async def __anext__(self) -> TaskChange:
        while True:
            change = await self._any()
            if state_of(change.task) not in self._seen:
                self._seen.add(state_of(change.task))
                return change

    async def _any(self) -> TaskChange:
        while not self._told:
            self._next = self._next or asyncio.ensure_future(self._watch.__anext__())
            self._woken.clear()
            woken = asyncio.ensure_future(self._woken.wait())
            try:
                await asyncio.wait({self._next, woken}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                woken.cancel()
            if self._next.done():
                change, self._next = self._next.result(), None
                return change
        return self._told.pop(0)

    async def aclose(self) -> None:
        if self._next is not None:
            self._next.cancel()
            await asyncio.wait([self._next])
        await self._watch.aclose()


def played(setting: Setting, seed: int, make: Make = joined) -> Verdict:
    """Play one history to its end."""

    async def play() -> Verdict:
        return await History(setting, Random(seed)).read(make)

    return run(play())
