"""The states that a watch need not deliver: those it has delivered, and those it began with. Pure.

Only the states from some time on are kept: what is older is not read again. Of each task it is the
newest, so that an older one, which a lagging database may show, is not taken for a change.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from twelvetasks.values.checkpoint import State


class Delivered:
    """The newest state of each task that need not be delivered again."""

    def __init__(self, states: Iterable[State] = ()) -> None:
        self._newest: dict[str, tuple[datetime, set[str]]] = {}
        self._whatever: dict[str, datetime] = {}
        """Tasks whose time alone is known, from a checkpoint that has no states."""
        for id, key, status in states:  # noqa: A001
            self.add(id, key, status)

    def __len__(self) -> int:
        return len(self._newest)

    @property
    def states(self) -> frozenset[State]:
        """All of them. A task has several of one time if its status changed within it."""
        return frozenset(
            (id, key, status)
            for id, (key, statuses) in self._newest.items()  # noqa: A001
            for status in statuses
        )

    def ids_at(self, key: datetime | None) -> frozenset[str]:
        """Return the ids of the tasks whose newest state has exactly this time."""
        ids = {id: own for id, (own, _) in self._newest.items()} | self._whatever  # noqa: A001
        return frozenset(id for id, own in ids.items() if own == key)  # noqa: A001

    def holds(self, id: str, key: datetime, status: str | None) -> bool:  # noqa: A002
        """Whether this state, or a newer one of the same task, is among them."""
        if id in self._whatever and key <= self._whatever[id]:
            return True
        if id not in self._newest:
            return False
        own, statuses = self._newest[id]
        return key < own or (key == own and (status or "") in statuses)

    def add(self, id: str, key: datetime, status: str | None) -> None:  # noqa: A002
        """Add a state."""
        if id not in self._newest or self._newest[id][0] < key:
            self._newest[id] = (key, set())
        if self._newest[id][0] == key:
            self._newest[id][1].add(status or "")

    def add_whatever(self, ids: Iterable[str], key: datetime) -> None:
        """Add any states that these tasks had at this time."""
        self._whatever |= dict.fromkeys(ids, key)

    def forget_before(self, key: datetime) -> None:
        """Forget the states that are older than this."""
        old = [id for id, (own, _) in self._newest.items() if own < key]  # noqa: A001
        for id in old:  # noqa: A001
            del self._newest[id]
        self._whatever = {id: own for id, own in self._whatever.items() if own >= key}  # noqa: A001
