"""The period in which the items of a listing were created: which are in it, and where it is over.

The platform has a filter of this kind, but its meaning is not established, so items are chosen by
the `created_at` that they show. Pure.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

import attrs

from twelvetasks.values.checkpoint import Checkpoint
from twelvetasks.values.checks import aware_moment, refuse
from twelvetasks.values.query import ListQuery
from twelvetasks.values.resources import SortKey
from twelvetasks.values.timestamps import parse_timestamp

ItemT = TypeVar("ItemT")


def _time_of_creation(period: Period[ItemT]) -> SortKey[ItemT]:
    keys = {key.name: key for key in period.query.resource.sort_keys}
    if "created_at" not in keys:
        name = "until" if period.since is None else "since"
        refuse(name, getattr(period, name), "the list does not tell when its items were created")
    return keys["created_at"]


@attrs.frozen(kw_only=True)
class Period(Generic[ItemT]):
    """From `since` on and before `until`; None is open. Raises InvalidArgumentError for no period.

    An item without a time of creation counts as in it: nothing tells that it is not.
    """

    query: ListQuery[ItemT]
    since: datetime | None = attrs.field(validator=attrs.validators.optional(aware_moment))
    until: datetime | None = attrs.field(validator=attrs.validators.optional(aware_moment))
    _created: SortKey[ItemT] = attrs.field(
        default=attrs.Factory(_time_of_creation, takes_self=True), init=False
    )

    def __attrs_post_init__(self) -> None:
        if self.since is not None and self.until is not None and self.since >= self.until:
            refuse("since", self.since, f"must be before `until`, which is {self.until}")

    @property
    def _is_one_stretch(self) -> bool:
        """Whether the listing is in the order of creation."""
        return self.query.sort_key is self._created

    @property
    def _begins(self) -> datetime | None:
        return self.since if self.query.ascending else self.until

    @property
    def last_key(self) -> datetime | None:
        """The sort key after which no item is in it; None if there is none."""
        ends = self.until if self.query.ascending else self.since
        return ends if self._is_one_stretch else None

    @property
    def comes_first(self) -> bool:
        """Whether the listing begins with it, so that its first items are those of the listing."""
        return self._is_one_stretch and self._begins is None

    @property
    def can_be_found(self) -> bool:
        """Whether items come before it in the listing that need not be read."""
        return self._is_one_stretch and self._begins is not None

    def is_to_come(self, item: ItemT) -> bool:
        """Whether an item, and all before it in the order, come before the place where it begins.

        An item of the very moment does not: to cross all of one moment, a listing begins before.
        """
        at, begins = self._at(item), self._begins
        return at is not None and begins is not None and self.query.precedes(at, begins)

    def place(self, rank: int) -> Checkpoint:
        """Return the place where it begins, which was last seen at a rank."""
        return attrs.evolve(Checkpoint.start(self.query), key=self._begins, rank=rank)

    def holds(self, item: ItemT) -> bool:
        """Whether an item was created in it."""
        at = self._at(item)
        if at is None:
            return True
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)

    def is_over(self, item: ItemT) -> bool:
        """Whether an item, and all that follow it in the order, were created outside of it."""
        at = self._at(item)
        if at is None or not self._is_one_stretch:
            return False
        if self.query.ascending:
            return self.until is not None and at >= self.until
        return self.since is not None and at < self.since

    def _at(self, item: ItemT) -> datetime | None:
        at: Any = self._created.read(item)
        return parse_timestamp(at) if isinstance(at, str) else at
