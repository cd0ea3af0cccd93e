"""The options of a listing beside its query: how many items, and how exactly."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar, get_args

import attrs

from twelvetasks.paging.period import Period
from twelvetasks.values.checkpoint import Checkpoint
from twelvetasks.values.checks import as_checkpoint, check_resume, flag, refuse, whole
from twelvetasks.values.query import ListQuery
from twelvetasks.values.timestamps import utc_timestamp

ItemT = TypeVar("ItemT")

OnMalformed = Literal["raise", "skip"]
"""What to do with an item that cannot be read: raise its error, or only count it in the report."""


def _known_choice(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or value not in get_args(OnMalformed):
        refuse(field.name, value, "must be 'raise' or 'skip'")


def _period(options: ListingOptions[ItemT]) -> Period[ItemT] | None:
    if options.since is None and options.until is None:
        return None
    return Period(query=options.query, since=options.since, until=options.until)


@attrs.frozen(kw_only=True)
class ListingOptions(Generic[ItemT]):
    """What a listing yields. Raises InvalidArgumentError for a value out of range."""

    query: ListQuery[ItemT]
    max_items: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(whole(least=0))
    )
    exact: bool = attrs.field(default=False, validator=flag)
    resume: Checkpoint | None = attrs.field(default=None, converter=as_checkpoint)
    on_malformed: OnMalformed = attrs.field(default="raise", validator=_known_choice)
    since: datetime | None = None
    until: datetime | None = None
    period: Period[ItemT] | None = attrs.field(
        default=attrs.Factory(_period, takes_self=True), init=False, eq=False
    )

    def __attrs_post_init__(self) -> None:
        check_resume(self.resume, self.query)

    @property
    def most_to_read(self) -> int | None:
        """How many items to read for `max_items`; None for all, or if only reading them tells."""
        return self.max_items if self.period is None or self.period.comes_first else None

    @property
    def last_key(self) -> datetime | None:
        """The sort key after which no item is wanted; None if that is not known."""
        return None if self.period is None else self.period.last_key

    def __str__(self) -> str:
        words = [str(self.query)]
        if self.max_items is not None:
            words.append(f"max_items={self.max_items}")
        for name, moment in (("since", self.since), ("until", self.until)):
            if moment is not None:
                words.append(f"{name}={utc_timestamp(moment)}")
        if self.exact:
            words.append("exact")
        if self.resume is not None:
            words.append("resumed")
        return ", ".join(words)
