"""Histories: one watch of a changing account, by `Watching` or the naive way, and what it lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import accumulate
from random import Random
from typing import Any, Protocol

import attrs

from tests.watching.model import EPOCH, Account, State, state_of
from twelvetasks import (
    BadRequestError,
    Checkpoint,
    RateLimitedError,
    RequestTimeoutError,
    ServerError,
    SortBy,
    TaskPage,
    TaskQuery,
    TaskStatus,
    TransportError,
    TwelveTasksError,
)
from twelvetasks.paging.reads import Read
from twelvetasks.values.timestamps import utc_timestamp
from twelvetasks.watching.lookups import Lookup
from twelvetasks.watching.plan import TaskChange, WatchPlan
from twelvetasks.watching.progress import Watching

CHANGES: tuple[Callable[[Account], object], ...] = (
    Account.insert,
    Account.insert,
    Account.delete,
    Account.delete,
    Account.change_status,
    Account.change_status,
    Account.change_status,
)

FAILURES = (TransportError, RequestTimeoutError, ServerError, RateLimitedError)

SETTLED = 40
"""Quiet polls after which every deletion must have been delivered; a change needs one or two."""


class Watcher(Protocol):
    """What `Watching` and the naive watch have in common."""

    polls: int

    @property
    def checkpoint(self) -> Checkpoint: ...
    def next_read(self) -> tuple[TaskQuery, Read | Lookup]: ...
    def receive(self, answer: Any, /) -> None: ...
    def fail(self, error: TwelveTasksError) -> object: ...
    def take(self) -> TaskChange | None: ...
    def announce(self, id: str, status: TaskStatus) -> None: ...  # noqa: A002


Make = Callable[[WatchPlan], Watcher]


@attrs.frozen(kw_only=True)
class Setting:
    """What a history is made of."""

    begins: str = "now"
    """``now``, ``between``, or ``early``: then everything is to be delivered."""
    ties: int = 1
    """How many tasks may share a time."""
    filtered: bool = False
    """Whether it is a watch of two statuses only."""
    deletions: bool = False
    restarts: bool = False
    late: int = 0
    """By how much the time of a change may be older than the newest."""
    rate: float = 0.0
    """Changes of the account for each request, on average."""
    failing: float = 0.0
    """The part of all requests that fails."""

    def plan(self, since: int | None, resume: str | None) -> WatchPlan:
        return WatchPlan(
            query=TaskQuery(status=["ready", "indexing"] if self.filtered else None),
            since=None if since is None or resume else State("", since, TaskStatus.READY).key,
            resume=resume,
            deletions=self.deletions,
            min_interval=1.0,
            max_interval=8.0,
        )

    def __str__(self) -> str:
        flags = ("filtered", "deletions", "restarts", "late")
        extras = [flag for flag in flags if getattr(self, flag)]
        return "-".join([self.begins, *extras])


@attrs.frozen(kw_only=True)
class Verdict:
    """What a watch did wrong: every number has to be 0."""

    lost: int
    """States that lasted for a whole poll, or at the end, and were not delivered."""
    repeated: int
    disordered: int
    invented: int
    """Changes of what never was, was there at the beginning, or is not asked for."""
    misjudged: int
    """Changes whose `before` is not what was delivered last."""
    unnoticed: int
    """Deletions that were not delivered though they can be known."""

    @property
    def is_right(self) -> bool:
        return not any(attrs.astuple(self))


class History:
    """One watch of one account that changes, and fails, at random."""

    def __init__(
        self, setting: Setting, random: Random, make: Make = Watching, *, count: int
    ) -> None:
        self.setting = setting
        self.random = random
        self.account = Account(random, count, ties=setting.ties, late=setting.late)
        self.refuses_beyond = random.random() < 0.5
        """Whether a page past the end is refused or empty."""
        self.requests = 0
        self.delivered: list[TaskChange] = []
        self.misjudged = 0
        self._make = make
        self._since = {"now": None, "early": 0, "between": self.account.now * 2 // 3}[
            setting.begins
        ]
        self._present = set[State]()
        """What was there when the watch began."""
        self._arriving = set[State]()
        """What was there, or came, while it began: both to deliver and to leave it is right."""
        self._begun = self._since is not None
        self._polled: set[State] | None = None
        """What has lasted since the poll under way began."""
        self._counted = False
        self._due = set[State]()
        self._shown = set[State]()
        """Every state that was delivered."""
        self._known = set[str]()
        """The tasks that the watch can know of."""
        self._last: dict[str, State] = {}
        """What was delivered last of each task, since the last restart."""
        self.watcher = make(setting.plan(self._since, None))
        self.stored = self.watcher.checkpoint

    # What happens

    def request(self) -> None:
        """Send the next read, and let it fail or be answered."""
        self.requests += 1
        query, read = self.watcher.next_read()
        if self.random.random() < self.setting.failing:
            self.watcher.fail(self.random.choice(FAILURES)("it fails at random"))
            return
        if isinstance(read, Lookup):
            self.watcher.receive(self.account.read(query, read))
            return
        if self.refuses_beyond and read.page > 1 and read.start >= len(self.account.items):
            self.watcher.fail(BadRequestError("there is no such page"))
            return
        self._note_read(query)
        polls = self.watcher.polls
        self.watcher.receive(self.account.read(query, read))
        if self.watcher.polls > polls:
            self._note_poll()

    def has_nothing_to_read(self) -> bool:
        """Whether the next change needs a request; if not, the next change is read."""
        before = len(self.delivered)
        self.read_changes(before + 1)
        return len(self.delivered) == before

    def change(self) -> None:
        """Make a random number of random changes: `rate` of them on average, and some bursts."""
        whole, fraction = divmod(self.setting.rate * 2 * self.random.random(), 1)
        changes = int(whole) + (self.random.random() < fraction)
        if self.setting.rate and self.random.random() < 0.02:
            changes += self.random.choice((9, 15, 60))
        for _ in range(changes):
            self.random.choice(CHANGES)(self.account)

    def read_changes(self, most: int | None = None) -> None:
        """Read changes; the checkpoint after the last is stored, as a program would."""
        if most is not None and len(self.delivered) >= most:
            return
        while (change := self.watcher.take()) is not None:
            self._note_change(change)
            if len(self.delivered) == most:
                break
        self.stored = self.watcher.checkpoint

    def restart(self) -> None:
        """Go on from what is stored, after some time."""
        self.watcher = self._make(self.setting.plan(self._since, str(self.stored)))
        self._polled, self._counted = None, False
        self._known, self._last = set(), {}
        # What was seen and not delivered may change before it is seen again.
        self._due &= self._shown
        if self.stored.key is None:
            self._begun = False
        for _ in range(self.random.choice((0, 1, 10, 80)) if self.setting.rate else 0):
            self.random.choice(CHANGES)(self.account)

    # What can be known of it

    def _note_read(self, query: TaskQuery) -> None:
        if query.sort_by is SortBy.CREATED_AT:
            self._counted = True
            return
        states = self.account.states
        if self._polled is None:
            self._polled = states
            if not self._begun:
                self._present, self._arriving = states, set()
        if not self._begun:
            self._arriving |= states
        self._polled = self._polled & states

    def _note_poll(self) -> None:
        lasting, self._polled = self._polled or set(), None
        if self._begun:
            expected = lasting - self._present - self._arriving
            self._due |= {state for state in expected if state.updated >= (self._since or 0)}
        self._begun = True
        if self._counted:
            self._known |= {state.id for state in lasting}

    def _note_change(self, change: TaskChange) -> None:
        self.delivered.append(change)
        id = change.task.id  # noqa: A001
        last = self._last.get(id)
        if change.before is not None:
            before = state_of(change.before)
            self.misjudged += before not in self.account.ever
            if change.after is not None:
                self.misjudged += before.updated >= state_of(change.after).updated
            self.misjudged += last is not None and before.updated < last.updated
        if last is not None and not self.setting.filtered:
            self.misjudged += change.before is None or state_of(change.before) != last
        if change.after is not None:
            self._last[id] = after = state_of(change.after)
            self._shown.add(after)
            self._known.add(id)

    def verdict(self) -> Verdict:
        """Judge the history once the account is quiet and everything has been polled."""
        statuses = self.setting.plan(None, None).query.status
        states = [state_of(change.after) for change in self.delivered if change.after]
        times = [state.updated for state in states]
        gone = [change.task.id for change in self.delivered if change.after is None]
        due = {state for state in self._due if statuses is None or state.status in statuses}
        counts = Counter(states)
        counts_gone = Counter(gone)
        return Verdict(
            lost=len(due - set(states)),
            repeated=sum(n - 1 for n in (*counts.values(), *counts_gone.values())),
            # What is committed late may be delivered late, but no later than that.
            disordered=sum(
                newest > state.updated + self.setting.late
                for newest, state in zip(accumulate(times, max), states, strict=True)
            ),
            invented=len(set(states) - self.account.ever)
            + len(set(states) & self._present)
            + sum(state.updated < (self._since or 0) for state in states)
            + len(set(gone) & self.account.items.keys())
            + (0 if self.setting.deletions else len(gone))
            + sum(not _is_asked_for(change, statuses) for change in self.delivered),
            misjudged=self.misjudged,
            unnoticed=len(self._known - self.account.items.keys() - set(gone))
            if self.setting.deletions and not self.setting.filtered
            else 0,
        )

    def settle(self) -> Verdict:
        """Let the account be quiet, and the network well, until everything has been delivered."""
        self.setting = attrs.evolve(self.setting, rate=0.0, failing=0.0)
        self.read_changes()
        quiet = self.watcher.polls + (SETTLED if self.setting.deletions else 2)
        for _ in range(2000):
            if self.watcher.polls >= quiet:
                break
            self.request()
            self.read_changes()
        assert self.watcher.polls >= quiet
        return self.verdict()


def _is_asked_for(change: TaskChange, statuses: Sequence[str] | None) -> bool:
    return statuses is None or any(
        task.status in statuses for task in (change.before, change.after) if task
    )


def played(setting: Setting, seed: int, make: Make = Watching) -> Verdict:
    """Play one history to its end."""
    random = Random(seed)
    history = History(setting, random, make, count=random.choice((0, 1, 5, 40, 120)))
    for _ in range(random.choice((5, 30, 60))):
        history.request()
        history.change()
        restarts = setting.restarts and random.random() < 0.15
        if restarts and random.random() < 0.5:
            history.read_changes(len(history.delivered) + random.randrange(5))
        elif not restarts:
            history.read_changes()
        if restarts:
            history.restart()
    return history.settle()


class NaiveWatch:
    """A watch as people write it: the first page now and then, and what is newer than the last."""

    def __init__(self, plan: WatchPlan) -> None:
        self.polls = 0
        self._query = plan.by_update
        self._name = plan.identity
        self._newest = plan.since if plan.resume is None else plan.resume.key
        self._changes: list[TaskChange] = []

    @property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint(query=self._name, key=self._newest)

    def next_read(self) -> tuple[TaskQuery, Read]:
        return self._query, Read(1, 50)

    def receive(self, page: TaskPage) -> None:
        self.polls += 1
        newest = self._newest or EPOCH
        for task in reversed(page.tasks):
            assert task.updated_at is not None
            if self._newest is not None and task.updated_at > newest:
                self._changes.append(TaskChange(None, task))
        if page.tasks:
            self._newest = page.tasks[0].updated_at

    def fail(self, error: TwelveTasksError) -> None:
        pass

    def announce(self, id: str, status: TaskStatus) -> None:  # noqa: A002
        pass

    def take(self) -> TaskChange | None:
        return self._changes.pop(0) if self._changes else None


def shown(change: TaskChange) -> str:
    """Write a change so that a failing history can be read."""
    before, after = (
        "-" if task is None else f"{task.status}@{utc_timestamp(task.updated_at or EPOCH)}"
        for task in (change.before, change.after)
    )
    return f"{change.task.id}: {before} -> {after}"
