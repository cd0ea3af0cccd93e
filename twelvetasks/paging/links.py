"""Edges and links: what two page reads must share to be joined."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import attrs

from twelvetasks.paging.reads import Read, are_too_many_to_straddle, last_of, straddling
from twelvetasks.values.models import TaskPage

__all__ = ["Edge", "Link"]

Order = Callable[[datetime, datetime], bool]
"""Whether a sort key comes strictly before another in the listing's order."""


@attrs.define(eq=False, kw_only=True)
class Edge:
    """Where a read ends, and how the search for what follows it goes."""

    key: datetime
    """The sort key of the last task."""
    ids: frozenset[str]
    """The tasks of the read that have this key."""
    rank: int
    """The rank after the last task, at the instant of the read."""
    total: int
    """How many tasks matched at that instant."""
    answer: int | None
    """Which answer it was, counted from 1; None for an edge that a checkpoint remembers."""
    target: int | None = None
    """The rank at which to look for the edge next; None before the first miss."""
    _step: int = attrs.field(default=2, init=False)
    _missed: int = attrs.field(default=0, init=False)
    _turned: bool = attrs.field(default=False, init=False)

    @property
    def is_wide(self) -> bool:
        """Whether more tasks share the key than one read can be sure to straddle."""
        return self._turned or are_too_many_to_straddle(len(self.ids))

    @property
    def at_end(self) -> bool:
        """Whether nothing lay behind it."""
        return self.rank >= self.total

    def begun_beyond(self, rank: int) -> None:
        """Note that a read which began at `rank` does not reach back to the edge: step back."""
        self._turned |= self._missed < 0
        self._widen(again=self._missed > 0)
        self._missed = 1
        self.target = rank - self._step

    def ended_before(self, rank: int) -> None:
        """Note that a read which ended at `rank` does not reach as far as the edge: step on."""
        again = self._missed < 0
        self._turned |= self._missed > 0
        self._widen(again=again)
        self._missed = -1
        self.target = rank - 1 + (self._step if again else 0)

    def _widen(self, *, again: bool) -> None:
        self._step = self._step * 2 if again else max(self._step // 2, 2)

    def bridge(self, total: int) -> Read:
        """Give the read that most probably straddles the edge, among `total` tasks now."""
        before = self.rank - 1 - len(self.ids)
        target = before - abs(total - self.total) if self.target is None else self.target
        if self.at_end and self.target is None and (tail := last_of(total)).start <= before:
            return tail
        beyond = self.rank if self.target is None and self.rank < total else None
        return straddling(max(min(target, total - 1), 0), beyond=beyond)


@attrs.define(eq=False)
class Link:
    """One read of the chain and, once it has arrived, what it holds."""

    read: Read
    seeks: Edge | None = None
    """The edge that it is to straddle; None if it is to lie beside what is before it."""
    asked: bool = False
    attempts: int = 0
    failed: bool = False
    joined: bool = False
    """Whether it is known that nothing is missing between it and what is before it."""
    is_noted: bool = False
    """Whether the edge before it has learned from it that it begins too late: once, when new."""
    page: TaskPage | None = None
    keys: list[datetime] = attrs.field(factory=list)
    """The sort keys of its tasks, in order."""
    edge: Edge | None = None
    """Where it ends; None until it has arrived, and if it holds no task."""

    def arrive(self, page: TaskPage, keys: list[datetime], answer: int) -> None:
        """Take in what the read holds."""
        self.page, self.keys = page, keys
        if keys:
            last, first = keys[-1], len(keys) - 1
            while first and keys[first - 1] == last:
                first -= 1
            self.edge = Edge(
                key=last,
                ids=frozenset(task.id for task in page.tasks[first:]),
                rank=self.read.start + len(keys),
                total=page.page_info.total_results,
                answer=answer,
            )

    @property
    def content(self) -> tuple[TaskPage, list[datetime]]:
        """What a read that has arrived holds: its page, and the sort keys of the tasks."""
        if self.page is None:
            raise AssertionError("the read has not arrived")
        return self.page, self.keys

    @property
    def is_bridge(self) -> bool:
        """Whether it was planned to straddle an edge."""
        return self.seeks is not None

    @property
    def holds_one_key_only(self) -> bool:
        """Whether so many tasks share one sort key that hardly a read holds them all."""
        return self.keys[0] == self.keys[-1] and are_too_many_to_straddle(len(self.keys))

    def begins_with(self, ids: frozenset[str]) -> bool:
        """Whether one of the tasks that share its first sort key is among these."""
        tasks = self.page.tasks if self.page is not None else ()
        return any(
            task.id in ids
            for task, key in zip(tasks, self.keys, strict=True)
            if key == self.keys[0]
        )
