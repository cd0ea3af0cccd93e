"""Hypothesis chooses the changes, the errors and the restarts; it shrinks, too.

Pages hold at most nine tasks here, so that few changes suffice to tear them apart and a failure
shrinks to a history that can be read.
"""

from __future__ import annotations

from random import Random

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from tests.watching.histories import FAILURES, History, Setting
from tests.watching.model import Item
from twelvetasks import TaskQuery, TaskStatus
from twelvetasks.values.tasks import TASKS
from twelvetasks.watching import progress as watching

STATUSES = st.sampled_from([TaskStatus.READY, TaskStatus.FAILED])
PLACES = st.integers(0, 20)


class WatchMachine(RuleBasedStateMachine):
    """One watch, with everything that can happen around it."""

    @initialize(
        begins=st.sampled_from(["now", "between", "early"]),
        ties=st.sampled_from([1, 3, 12]),
        filtered=st.booleans(),
        deletions=st.booleans(),
        seed=st.integers(0, 3),
        count=st.integers(0, 12),
    )
    def begin(
        self, begins: str, ties: int, filtered: bool, deletions: bool, seed: int, count: int
    ) -> None:
        setting = Setting(begins=begins, ties=ties, filtered=filtered, deletions=deletions)
        self.history = History(setting, Random(seed), count=count)

    def item(self, place: int) -> Item | None:
        items = list(self.history.account.items.values())
        return items[place % len(items)] if items else None

    @rule(status=STATUSES, times=st.integers(1, 4))
    def insert(self, status: TaskStatus, times: int) -> None:
        for _ in range(times):
            self.history.account.insert(status)

    @rule(place=PLACES)
    def delete(self, place: int) -> None:
        self.history.account.delete(self.item(place))

    @rule(place=PLACES, status=STATUSES)
    def change_status(self, place: int, status: TaskStatus) -> None:
        self.history.account.change_status(self.item(place), status)

    @rule()
    def request(self) -> None:
        if self.history.has_nothing_to_read():
            self.history.request()

    @rule(kind=st.sampled_from(FAILURES))
    def fail(self, kind: type[Exception]) -> None:
        if self.history.has_nothing_to_read():
            self.history.watcher.next_read()
            self.history.watcher.fail(kind("it fails"))  # type: ignore[arg-type]

    @rule(place=PLACES, status=STATUSES)
    def announce(self, place: int, status: TaskStatus) -> None:
        """A webhook tells of a task, rightly or not: it must change nothing."""
        item = self.item(place)
        self.history.watcher.announce("gone" if item is None else item.state.id, status)

    @rule(most=st.integers(0, 3))
    def read_changes(self, most: int) -> None:
        self.history.read_changes(len(self.history.delivered) + most)

    @rule()
    def restart(self) -> None:
        self.history.restart()

    def teardown(self) -> None:
        if hasattr(self, "history"):
            assert self.history.settle().is_right


def test_whatever_happens_each_change_is_delivered_once_and_in_order(
    monkeypatch: pytest.MonkeyPatch, histories: int
) -> None:
    monkeypatch.setattr(TaskQuery, "resource", attrs.evolve(TASKS, max_page_limit=9))
    monkeypatch.setattr(watching, "HEAD", 2)
    run_state_machine_as_test(
        WatchMachine,
        settings=settings(
            max_examples=histories // 2, stateful_step_count=40, deadline=None, database=None
        ),
    )
