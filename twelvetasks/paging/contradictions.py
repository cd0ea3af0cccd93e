"""Totals that contradict their pages: how many in a row, before they are an error. Pure."""

from __future__ import annotations

from typing import Any

from twelvetasks.paging.links import Link
from twelvetasks.paging.page_checks import contradiction
from twelvetasks.paging.patience import OTHER_CALLS
from twelvetasks.paging.totals import Totals
from twelvetasks.values.errors import ResponseError
from twelvetasks.values.query import ListQuery

ATTEMPTS = 3
"""Answers in a row that hold less than their total says, and the same, before it is an error."""

MOST = 16
"""Answers in a row that hold less than the same total says, wherever they are, before it is one."""

UNSEEN = 8
"""Items that may come and go between two answers without changing the total."""


class Contradictions:
    """The answers, one after the other, that hold less than their own total says.

    Once is nothing: the platform may count at one instant and find at another.
    """

    def __init__(self, query: ListQuery[Any], totals: Totals) -> None:
        self._query = query
        self._totals = totals
        self._claim: tuple[int, int, list[str]] = (-1, -1, [])
        self._same_claims = self._same_totals = 0
        self._first: Link[Any]

    def note(self, link: Link[Any]) -> ResponseError | None:
        """Take in an answer; give the error of the first if the platform keeps to its total."""
        if not link.is_contradicted:
            return None
        self._totals.note_sign()
        page = link.content
        claim = (link.read.start + len(page.ids), page.total, page.ids[-1:])
        self._same_claims = self._same_claims + 1 if claim == self._claim else 1
        if page.total != self._claim[1] or not self._same_totals:
            self._same_totals, self._first = 0, link
        elif link.read.start < self._first.read.start:
            self._first = link
        self._same_totals += 1
        self._claim = claim
        if self._same_claims < ATTEMPTS and self._same_totals < MOST:
            return None
        return contradiction(self._first.content, self._query, self._first.read)

    def forget(self) -> None:
        """Count from zero again: the listing has made progress."""
        self._same_totals = 0

    def of_count(self, count: int, total: int, *, relied_on_ties: bool) -> ResponseError | None:
        """Return the error of a listing that ends further short than unseen changes explain."""
        # Items that share a key may hide each other: then only what totals tell of explains it.
        unseen = 0 if relied_on_ties else UNSEEN * self._totals.answers
        if total - count <= self._totals.movement + unseen:
            return None
        noun, key = self._query.resource.noun, self._query.sort_key.name
        advice = "The platform repeats itself; try again later"
        if relied_on_ties:
            advice = (
                f"More {noun} have the same {key} than a page can hold, and the platform seems to "
                f"order them differently in each answer: {OTHER_CALLS}"
            )
        return ResponseError(
            f"all pages together hold {count} different {noun}, which total_results of {total} "
            "contradicts",
            advice=advice,
        )
