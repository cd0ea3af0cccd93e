"""What a read may see of the account: all of it at once, or what real databases show instead.

A change that a read does not see yet is undone for that read: of each task, the version before its
first unseen change is shown. All choices come from one seeded generator.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from itertools import groupby
from random import Random
from typing import Generic, Literal, TypeVar

import attrs

RecordT = TypeVar("RecordT")

Reads = Literal["atomic", "torn"]
"""Whether the total and the page of one answer are of one instant."""
Ties = Literal["stable", "unstable"]
"""Whether items with equal sort keys keep their order between reads."""
Commits = Literal["ordered", "late"]
"""Whether changes become visible in the order of their times."""

_LATEST_COMMIT = 5
_LARGEST_LAG = 20


@attrs.frozen(kw_only=True)
class World:
    """Which guarantees of an ideal database hold; `FakePlatform` documents each."""

    reads: Reads = attrs.field(default="atomic", validator=attrs.validators.in_(("atomic", "torn")))
    replicas: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    ties: Ties = attrs.field(
        default="stable", validator=attrs.validators.in_(("stable", "unstable"))
    )
    commits: Commits = attrs.field(
        default="ordered", validator=attrs.validators.in_(("ordered", "late"))
    )
    seed: int = 0


@attrs.frozen
class _Change(Generic[RecordT]):
    id: str
    before: RecordT | None
    committed: int
    """The step at which it becomes visible."""


class Visibility(Generic[RecordT]):
    """Decides what each read sees; time passes in steps, one for each change and each read."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = Random(world.seed)  # noqa: S311
        self._immediate = world.replicas == 1 and world.commits == "ordered"
        self._step = 0
        self._replicas = [0] * world.replicas
        self._changes: list[_Change[RecordT]] = []

    def changed(self, id: str, before: RecordT | None) -> None:  # noqa: A002
        """Note a change of one item; `before` is None if it was added."""
        if self._immediate:
            return
        self._step += 1
        self._forget_what_is_seen()
        late = self._random.randint(0, _LATEST_COMMIT) if self._world.commits == "late" else 0
        # Changes of one item wait for each other, as row locks make them.
        earlier = [change.committed for change in self._changes if change.id == id]
        self._changes.append(_Change(id, before, max([self._step + late, *earlier])))

    def unseen(self) -> dict[str, RecordT | None]:
        """Begin a read: return what it sees instead of each item with unseen changes.

        None stands for an item that it does not see at all.
        """
        if self._immediate:
            return {}
        self._step += 1
        seen = self._step
        if self._world.replicas > 1:
            replica = self._random.randrange(len(self._replicas))
            # A replica itself never goes back in time; two replicas differ.
            least = max(self._replicas[replica], self._step - _LARGEST_LAG)
            seen = self._replicas[replica] = self._random.randint(least, self._step)
        before: dict[str, RecordT | None] = {}
        for change in self._changes:
            if change.committed > seen:
                before.setdefault(change.id, change.before)
        self._forget_what_is_seen()
        return before

    def _forget_what_is_seen(self) -> None:
        """Drop changes that every later read sees."""
        oldest = self._step
        if self._world.replicas > 1:
            oldest = max(min(self._replicas), self._step - _LARGEST_LAG)
        self._changes = [change for change in self._changes if change.committed > oldest]

    def ordered(
        self,
        records: Sequence[RecordT],
        *,
        key: Callable[[RecordT], int],
        name: Callable[[RecordT], str],
        plan: object,
    ) -> Sequence[RecordT]:
        """Return the records with their ties in the order of this query plan."""
        if self._world.ties == "stable":
            return records
        salt = f"{self._world.seed} {plan} ".encode()

        def place(record: RecordT) -> bytes:
            return hashlib.blake2b(salt + name(record).encode(), digest_size=8).digest()

        return [record for _, equal in groupby(records, key) for record in sorted(equal, key=place)]
