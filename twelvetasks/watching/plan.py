"""`WatchPlan` and `TaskChange`: what a watch delivers, and how often it polls."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

import attrs

from twelvetasks.values.checkpoint import Checkpoint
from twelvetasks.values.checks import (
    any_seconds,
    as_checkpoint,
    aware_moment,
    check_resume,
    flag,
    positive_seconds,
    refuse,
)
from twelvetasks.values.models import SortBy, SortOption
from twelvetasks.values.query import ListQuery, SortedQuery
from twelvetasks.values.tasks import TASKS, Task
from twelvetasks.watching.keeping import CheckpointStore, as_store

ItemT = TypeVar("ItemT")


@attrs.frozen
class ItemChange(Generic[ItemT]):
    """The difference between two polls of one item.

    An item that changes twice between two polls shows only its newest state: that is one change.
    """

    before: ItemT | None
    """The item when it was last seen; None if it is new, or if this watch had not seen it yet."""
    after: ItemT | None
    """The item as it is now; None if it has been deleted."""

    @property
    def item(self) -> ItemT:
        """The item as far as it is known: `after`, or `before` if it has been deleted."""
        item = self.after if self.after is not None else self.before
        if item is None:
            raise AssertionError("a change is one of an item")
        return item


@attrs.frozen
class TaskChange(ItemChange[Task]):
    """The difference between two observations of one task.

    A task that changes twice between two polls shows only its newest state: that is one change.
    """

    before: Task | None
    """The task when it was last seen; None if it is new, or if this watch had not seen it yet."""
    after: Task | None
    """The task as it is now; None if it has been deleted."""

    @property
    def task(self) -> Task:
        """`after`, or `before` if the task has been deleted."""
        return self.item


def _can_be_watched(_: object, field: attrs.Attribute[Any], query: ListQuery[Any]) -> None:
    if not isinstance(query, SortedQuery) or not query.resource.can_be_watched:
        refuse(field.name, query, "a watch needs a list that is sorted by updated_at")


def _without_a_time(_: object, __: object, query: Any) -> None:
    if getattr(query, "updated_at", None) is not None:
        refuse("updated_at", query.updated_at, "must be left out of a watch: use `since`")


@attrs.frozen(kw_only=True)
class WatchPlan:
    """What a watch delivers, and how often it polls.

    Raises InvalidArgumentError, which names the parameter and its value.
    """

    query: Any = attrs.field(validator=[_can_be_watched, _without_a_time])
    """The filters. Its order is ignored: a watch has an order of its own."""
    since: datetime | None = attrs.field(
        default=None, validator=attrs.validators.optional(aware_moment)
    )
    """Deliver updates from this time on; None for updates from now on."""
    resume: Checkpoint | None = attrs.field(default=None, converter=as_checkpoint)
    """Resume from this checkpoint instead."""
    checkpoint_file: CheckpointStore | None = attrs.field(default=None, converter=as_store)
    """Resume from what is stored here, if anything is, and store each checkpoint here."""
    deletions: bool = attrs.field(default=False, validator=flag)
    """Whether to deliver deletions, too, which requires listing every task."""
    min_interval: float = attrs.field(default=5.0, validator=positive_seconds)
    """Seconds between two polls after a change."""
    max_interval: float = attrs.field(default=60.0, validator=positive_seconds)
    """Longest seconds between two polls while nothing changes."""

    lateness: float = attrs.field(default=5.0, validator=any_seconds)
    """Seconds by which an update may become visible after one with a later `updated_at`."""

    def __attrs_post_init__(self) -> None:
        if self.max_interval < self.min_interval:
            refuse("max_interval", self.max_interval, "must be at least min_interval")
        if self.resume is None:
            return
        if self.checkpoint_file is not None:
            refuse("resume", self.resume, "cannot be given with `checkpoint_file`")
        if self.since is not None:
            refuse("since", self.since, "cannot be given with `resume`")
        check_resume(self.resume, self)

    def resumed(self, place: Checkpoint) -> WatchPlan:
        """Return the same plan, to continue from what its `checkpoint_file` held."""
        return attrs.evolve(self, since=None, resume=place, checkpoint_file=None)

    @property
    def identity(self) -> str:
        """Distinguishes this watch's checkpoints from those of listings and other watches."""
        # Only the list of tasks has none: its checkpoints were stored before there were others.
        path = [] if self.query.resource is TASKS else [self.query.path]
        filters = (f"{name}={value}" for name, value in self.query.filters)
        return "&".join(["watch", *path, *filters])

    @property
    def by_update(self) -> Any:
        """The listing whose first pages a poll reads.

        It has no status filter: a task that no longer matches must still be seen.
        """
        return attrs.evolve(self._every, sort_by=SortBy.UPDATED_AT, sort_option=SortOption.DESC)

    @property
    def by_creation(self) -> Any:
        """The listing of every task, in an order that updates do not change."""
        return attrs.evolve(
            self._every,
            sort_by=SortBy.CREATED_AT,
            sort_option=SortOption.DESC,
            page_limit=self.query.resource.max_page_limit,
        )

    @property
    def _every(self) -> Any:
        """The query without its filter for the status, if it has one."""
        has_one = getattr(self.query, "status", None) is not None
        cleared: dict[str, Any] = {"status": None} if has_one else {}
        return attrs.evolve(self.query, **cleared)

    def change(self, before: Any, after: Any) -> Any:
        """Make a change of the list's own kind."""
        kind: type[Any] = TaskChange if self.query.resource.item is Task else ItemChange
        return kind(before, after)

    def admits(self, item: Any) -> bool:
        """Whether an item that was fetched individually matches all filters but the status.

        False if there is a filter that an item alone cannot decide.
        """
        return all(
            name == "status" or (name == "index_id" and getattr(item, name, None) == value)
            for name, value in self.query.filters
        )

    def matches(self, change: ItemChange[Any]) -> bool:
        """Whether the task was, or is, in one of the requested states."""
        statuses = getattr(self.query, "status", None)
        states = (change.before, change.after)
        status_of = self.query.resource.status_of
        return statuses is None or any(
            status_of(item) in statuses for item in states if item is not None
        )
