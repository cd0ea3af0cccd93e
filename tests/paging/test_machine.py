"""Hypothesis chooses the changes, which read is served, and which answer arrives; it shrinks, too.

Pages hold at most nine tasks here, so that few changes suffice to tear them apart and a failure
shrinks to a history that can be read.
"""

from __future__ import annotations

from random import Random
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.paging.histories import Setting, disorder
from tests.paging.model import Account, Item, RunQuery
from twelvetasks import Checkpoint, SortBy, SortOption, TaskQuery, TaskStatus
from twelvetasks.paging.options import ListingOptions
from twelvetasks.paging.page_checks import KeyedPage
from twelvetasks.paging.progress import ListingProgress
from twelvetasks.paging.reads import Read

STATUSES = st.sampled_from([TaskStatus.READY, TaskStatus.FAILED])
PLACES = st.integers(0, 40)


class ListingMachine(RuleBasedStateMachine):
    """One listing, with everything that can happen around it."""

    @initialize(
        sort_by=st.sampled_from(SortBy),
        sort_option=st.sampled_from(SortOption),
        is_fixed=st.booleans(),
        filtered=st.booleans(),
        ties=st.integers(1, 3),
        count=st.integers(0, 40),
        page_limit=st.integers(1, 9),
        seed=st.integers(0, 3),
    )
    def begin(
        self,
        sort_by: SortBy,
        sort_option: SortOption,
        is_fixed: bool,
        filtered: bool,
        ties: int,
        count: int,
        page_limit: int,
        seed: int,
    ) -> None:
        self.setting = Setting(
            sort_by=SortBy.CREATED_AT if is_fixed else sort_by,
            sort_option=SortOption.DESC if is_fixed else sort_option,
            is_fixed=is_fixed,
            filtered=filtered,
            ties=ties,
        )
        self.query = self.setting.query_of(page_limit)
        self.account = Account(Random(seed), count, ties=ties, query=self.query)
        self.account.watch()
        self.progress = ListingProgress(ListingOptions(query=self.query, exact=True))
        self.asked: list[Read] = []
        self.served: list[tuple[Read, KeyedPage[Any]]] = []
        self.newest: tuple[Any, ...] = ()
        self.items: list[Any] = []
        self.resumed = False

    # The account

    def item(self, place: int) -> Item | None:
        items = list(self.account.items.values())
        return items[place % len(items)] if items else None

    @rule(status=STATUSES)
    def insert(self, status: TaskStatus) -> None:
        self.account.insert(status)

    @rule(place=PLACES)
    def delete(self, place: int) -> None:
        self.account.delete(self.item(place))

    @rule(place=PLACES, status=STATUSES)
    def change_status(self, place: int, status: TaskStatus) -> None:
        self.account.change_status(self.item(place), status)

    # The network

    @precondition(lambda self: len(self.asked) + len(self.served) < 4)
    @rule()
    def ask(self) -> None:
        if (read := self.progress.next_read(4)) is not None:
            self.asked.append(read)

    @precondition(lambda self: self.asked)
    @rule(place=PLACES)
    def serve(self, place: int) -> None:
        read = self.asked.pop(place % len(self.asked))
        self.served.append((read, self.account.read(read)))

    @precondition(lambda self: self.served)
    @rule(place=PLACES)
    def deliver(self, place: int) -> None:
        self.progress.receive(*self.served.pop(place % len(self.served)))

    # The reader

    @rule()
    def take(self) -> None:
        page = self.progress.take()
        self.newest = page.items if page is not None else ()
        self.items += self.newest

    @rule(unread=st.integers(0, 2))
    def stop_and_resume(self, unread: int) -> None:
        """Stop before the last tasks of the newest page, and go on from the stored checkpoint."""
        unread = min(unread, len(self.newest))
        del self.items[len(self.items) - unread :]
        stored = str(self.progress.checkpoint(unread))
        self.progress = ListingProgress(
            ListingOptions(query=self.query, exact=True, resume=Checkpoint.parse(stored))
        )
        self.asked, self.served, self.newest = [], [], ()
        self.resumed = True

    def teardown(self) -> None:
        if not hasattr(self, "progress"):
            return
        for _ in range(2000):
            if self.progress.finished:
                break
            assert self.progress.stuck is None
            self.take()
            while len(self.asked) + len(self.served) < 4:
                before = len(self.asked)
                self.ask()
                if len(self.asked) == before:
                    break
            while self.asked:
                self.serve(0)
            if self.served:
                self.deliver(0)
        assert self.progress.finished
        ids = list(map(self.query.resource.id_of, self.items))
        assert self.account.throughout <= set(ids)
        if self.setting.sort_by is SortBy.CREATED_AT or not self.resumed:
            assert len(ids) == len(set(ids))
            assert not disorder(list(map(self.account.key_of, self.items)), self.setting)


def test_whatever_happens_nothing_is_lost_repeated_or_disordered(
    monkeypatch: pytest.MonkeyPatch, histories: int
) -> None:
    for query in (TaskQuery, RunQuery):
        small = attrs.evolve(query.resource, max_page_limit=9)
        monkeypatch.setattr(query, "resource", small)
    run_state_machine_as_test(
        ListingMachine,
        settings=settings(
            max_examples=histories // 2, stateful_step_count=40, deadline=None, database=None
        ),
    )
