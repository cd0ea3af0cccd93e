"""Lookups: the requests of a watch for one task, beside its polls. Pure.

What a listing does not show may lag behind: a deletion is confirmed before it is delivered, and a
task that a webhook announced is fetched if no poll shows it.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

AT_ONCE = 10
"""Lookups between two polls."""


@attrs.frozen
class Lookup:
    """One request for one task."""

    id: str
    is_missing: bool
    """Whether the task seems to be deleted; else a webhook has announced it."""


class Lookups:
    """The lookups still to be made, the oldest first."""

    def __init__(self) -> None:
        self._due: dict[str, Lookup] = {}
        self._made = 0

    @property
    def next(self) -> Lookup | None:
        """The next one: the same until it is done. None if a poll is to be made first."""
        if self._made >= AT_ONCE:
            return None
        return next(iter(self._due.values()), None)

    @property
    def confirm_deletions(self) -> bool:
        """Whether a task that seems to be deleted is still to be looked up."""
        return any(one.is_missing for one in self._due.values())

    def add(self, ids: Iterable[str], *, is_missing: bool) -> None:
        """Look these tasks up."""
        for id in ids:  # noqa: A001
            if is_missing or id not in self._due:
                self._due[id] = Lookup(id, is_missing)

    def done(self, id: str) -> None:  # noqa: A002
        """Look this task up no more."""
        if self._due.pop(id, None) is not None:
            self._made += 1

    def note_poll(self) -> None:
        """Note that a poll has been made."""
        self._made = 0
