"""Totals: what the number that each answer reports shows of changes.

It costs nothing, and it is a hint, never a proof. A short listing that need not be exact takes it:
between two pages side by side that report the same total, with no other total reported around them
and no item in both, nothing is taken to have changed. That is certain if items only came or only
went, and very probable if changes could cancel out. Pure.
"""

from __future__ import annotations

import math
from typing import Any

import attrs

from twelvetasks.paging.links import NEAR, Edge, Link

CALM = 8
"""Answers without a sign of change after which pages may be read side by side again."""

NEIGHBOURS = 8
"""Answers before and after those of a seam in which a sign of change makes it loud, too."""


@attrs.define
class Calm:
    """How long a list has been quiet: what one listing of a session leaves to the next."""

    answers: float = math.inf
    """Answers since the last sign of change; infinite before the first sign."""


class Totals:
    """The totals of all answers, in the order of their arrival.

    `lasting` is shared with the listings of the same list before and after this one.
    """

    def __init__(self, lasting: Calm | None = None) -> None:
        self._lasting = lasting or Calm()
        self.calm_before: float = self._lasting.answers
        """How many answers had come since the last sign of change when the listing began."""
        self.trusted: bool = False
        """Whether equal totals are to count for anything."""
        self.answers: int = 0
        """How many have arrived."""
        self.latest: int | None = None
        """The total of the newest answer."""
        self.movement: int = 0
        """By how much the total has gone up and down so far, added up."""
        self.jumped: int = 0
        """The moment at which it last changed by more than a read is wide."""
        self._before_jump = 0
        self._signs: list[int] = []

    @property
    def changed(self) -> bool:
        """Whether there has been any sign of change."""
        return bool(self._signs)

    @property
    def calm(self) -> int:
        """How many answers have come since the last sign of change."""
        return self.answers - (self._signs[-1] if self._signs else 0)

    @property
    def are_quiet(self) -> bool:
        """Whether pages may be read side by side because totals are trusted, and stay the same."""
        return self.trusted and (not self._signs or self.calm >= CALM)

    def note(self, total: int, moment: int, asked: int) -> None:
        """Take in the total of an answer that has just arrived, and when it was asked for."""
        self.answers += 1
        self._lasting.answers += 1
        if self.latest is not None and self.latest != total:
            if abs(total - self.latest) > NEAR:
                if asked <= self.jumped and abs(total - self._before_jump) <= NEAR:
                    # It was asked for before the jump was seen, and shows what was before.
                    if total != self._before_jump:
                        self.note_sign()
                    return
                self.jumped, self._before_jump = moment, self.latest
            self.movement += abs(total - self.latest)
            self.note_sign()
        self.latest = total

    def note_sign(self) -> None:
        """Take it as a sign of change that reads or stamps contradict each other."""
        self._signs.append(self.answers)
        del self._signs[:-256]
        self._lasting.answers = 0

    def note_overlap(self, left: Edge, right: Link[Any]) -> None:
        """Take it as a sign of change that two reads overlap that were to lie side by side."""
        self._signs.append(max(left.arrival, right.arrival))

    def show_quiet(self, left: Edge, right: Link[Any]) -> bool:
        """Whether nothing seems to have changed between two reads that lie side by side."""
        if not self.trusted or left.total != right.content.total:
            return False
        first, last = sorted((left.arrival, right.arrival))
        return not any(first - NEIGHBOURS < sign <= last + NEIGHBOURS for sign in self._signs)
