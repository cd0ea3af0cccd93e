"""Signs of change: what answers show, at no cost, of whether the account changed between them.

Every page reports how many items match. Between two reads side by side that report the same number,
with no other number reported around them and no item in both, the seam is taken as quiet: certain
if items only came or only went, and very probable if changes could cancel out. Pure.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from twelvetasks.paging.links import Edge, Link

__all__ = ["Totals"]

CALM = 16
"""Answers without a sign of change after which pages are again read side by side."""

NEIGHBOURS = 8
"""Answers before and after those of a seam in which a sign of change makes it loud, too."""


class Totals:
    """The totals of all answers, in the order of their arrival."""

    def __init__(self, *, trusted: bool = True) -> None:
        self.trusted = trusted
        """Whether equal totals are to count for anything; if not, only reads that touch do."""
        self.answers: int = 0
        """How many have arrived."""
        self.latest: int | None = None
        """The total of the newest answer."""
        self.movement: int = 0
        """By how much the total has gone up and down so far, added up."""
        self._changes: deque[int] = deque(maxlen=256)

    @property
    def changed(self) -> bool:
        """Whether there has been any sign of change."""
        return bool(self._changes)

    @property
    def is_calm(self) -> bool:
        """Whether there has been no sign of change of late."""
        return self.trusted and (not self._changes or self.answers - self._changes[-1] >= CALM)

    def note(self, total: int) -> int:
        """Take in the total of an answer that has just arrived, and give its number."""
        self.answers += 1
        if self.latest is not None and self.latest != total:
            self.movement += abs(total - self.latest)
            self._changes.append(self.answers)
        self.latest = total
        return self.answers

    def is_quiet(self, left: Edge, right: Link[Any]) -> bool:
        """Whether nothing seems to have changed between two reads that lie side by side."""
        if (
            not self.trusted
            or left.answer is None
            or right.edge is None
            or right.edge.answer is None
        ):
            return False
        if right.read.start != left.rank or left.total != right.edge.total:
            return False
        first, last = sorted((left.answer, right.edge.answer))
        return not any(first - NEIGHBOURS < change <= last + NEIGHBOURS for change in self._changes)

    def note_overlap(self, left: Edge, right: Link[Any]) -> None:
        """Take it as a sign of change if two reads overlap that were to lie side by side."""
        if right.edge is not None and right.read.start == left.rank and right.edge.answer:
            self._changes.append(max(left.answer or 0, right.edge.answer))
