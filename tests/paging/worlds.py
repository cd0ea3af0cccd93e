"""Worlds less kind than the model: accounts as databases serve them.

`World` relaxes one assumption or several: a platform counts and finds at two instants, orders ties
as its plan pleases, shows a change later than another with a later stamp, and reads from replicas.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import deque
from random import Random
from typing import Any

import attrs

from tests.paging.histories import Setting, let_it_change
from tests.paging.model import Account, Item
from twelvetasks import PageInfo
from twelvetasks.paging.page_checks import KeyedPage, check_page
from twelvetasks.paging.reads import Read


@attrs.frozen(kw_only=True)
class World:
    """What a platform does that the model does not."""

    torn: float = 0.0
    """Changes between the count and the page of one answer, on average."""
    ties: str = "stable"
    """What the order of equal keys depends on: nothing (``stable``), the page ``limit``, or the
    whole ``read``."""
    replicas: int = 1
    """How many databases serve the reads."""
    behind: int = 0
    """By how many changes a replica may be behind the first."""
    late: int = 0
    """By how much a new item's key may be older than the newest."""


class WorldAccount(Account):
    """An account in such a world."""

    def __init__(self, world: World, random: Random, count: int, setting: Setting) -> None:
        self.world = world
        self._setting = setting
        self._past: deque[list[Item]] = deque(maxlen=world.behind + 1)
        super().__init__(random, count, ties=setting.ties, query=setting.query)

    def tick(self) -> int:
        now = super().tick()
        return max(now - self._random.randint(0, self.world.late), 0) if self.world.late else now

    def read(self, read: Read) -> KeyedPage[Any]:
        total = len(self._view)
        if self.world.torn and self._setting.rate:
            torn = attrs.evolve(self._setting, rate=self.world.torn)
            let_it_change(self, self._random, torn)
        listed = self._ordered_for(read)
        query = self.query_of(read)
        page = query.resource.page(
            data=tuple(item.shown(query) for item in listed),
            page_info=PageInfo(
                page=read.page,
                limit_per_page=read.page_limit,
                total_page=-(-total // read.page_limit),
                total_results=total,
            ),
        )
        return check_page(KeyedPage.of(page, query), query, read)

    @property
    def _kind(self) -> object:
        return self.world.late

    def _ordered_for(self, read: Read) -> list[Item]:
        view = self._seen()
        if self.query_of(read) is not self._query:
            return heapq.nlargest(read.end, view, key=lambda item: (item.updated, item.born))
        listed = view if self._ascending else view[::-1]
        start, end = min(read.start, len(view)), min(read.end, len(view))
        if self.world.ties == "stable" or start == end:
            return listed[start:end]
        # Only ties of what the page holds can be in it.
        first, last = self._time_of(listed[start]), self._time_of(listed[end - 1])
        low, high = start, end
        while low and self._time_of(listed[low - 1]) == first:
            low -= 1
        while high < len(listed) and self._time_of(listed[high]) == last:
            high += 1
        tied = listed[low:high]
        plan = str(read.page_limit) + (f" {read.page}" if self.world.ties == "read" else "")

        def tie(item: Item) -> str:
            return hashlib.md5(f"{item.id} {plan}".encode()).hexdigest()

        tied.sort(key=tie)
        tied.sort(key=self._time_of, reverse=not self._ascending)
        return tied[start - low : end - low]

    def _time_of(self, item: Item) -> int:
        return self._sort_key(item)[0]

    def _seen(self) -> list[Item]:
        """Give the listing as the replica that serves this read has it."""
        if self.world.replicas == 1:
            return self._view
        self._past.append(list(self._view))
        if self._random.random() * self.world.replicas < 1:
            return self._past[-1]
        return self._past[self._random.randrange(len(self._past))]
