"""`WatchPlan` and `TaskChange`: what a watch delivers, and how often it polls."""

from __future__ import annotations

from datetime import datetime

import attrs

from twelvetasks.values.checkpoint import Checkpoint
from twelvetasks.values.checks import (
    as_checkpoint,
    aware_moment,
    check_resume,
    flag,
    positive_seconds,
    refuse,
)
from twelvetasks.values.models import SortBy, SortOption, Task
from twelvetasks.values.tasks import TaskQuery

__all__ = ["TaskChange", "WatchPlan"]


@attrs.frozen
class TaskChange:
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
        task = self.after if self.after is not None else self.before
        if task is None:
            raise AssertionError("a change is one of a task")
        return task


def _without_a_time(_: object, __: object, query: TaskQuery) -> None:
    if query.updated_at is not None:
        refuse("updated_at", query.updated_at, "must be left out of a watch: use `since`")


@attrs.frozen(kw_only=True)
class WatchPlan:
    """What a watch delivers, and how often it polls.

    Raises InvalidArgumentError, which names the parameter and its value.
    """

    query: TaskQuery = attrs.field(validator=_without_a_time)
    """The filters. Its order is ignored: a watch has an order of its own."""
    since: datetime | None = attrs.field(
        default=None, validator=attrs.validators.optional(aware_moment)
    )
    """Deliver updates from this time on; None for updates from now on."""
    resume: Checkpoint | None = attrs.field(default=None, converter=as_checkpoint)
    """Resume from this checkpoint instead."""
    deletions: bool = attrs.field(default=False, validator=flag)
    """Whether to deliver deletions, too, which requires listing every task."""
    min_interval: float = attrs.field(default=5.0, validator=positive_seconds)
    """Seconds between two polls after a change."""
    max_interval: float = attrs.field(default=60.0, validator=positive_seconds)
    """Longest seconds between two polls while nothing changes."""

    def __attrs_post_init__(self) -> None:
        if self.max_interval < self.min_interval:
            refuse("max_interval", self.max_interval, "must be at least min_interval")
        if self.resume is None:
            return
        if self.since is not None:
            refuse("since", self.since, "cannot be given with `resume`")
        check_resume(self.resume, self)

    @property
    def identity(self) -> str:
        """Distinguishes this watch's checkpoints from those of listings and other watches."""
        return "&".join(["watch", *(f"{name}={value}" for name, value in self.query.filters)])

    @property
    def by_update(self) -> TaskQuery:
        """The listing whose first pages a poll reads.

        It has no status filter: a task that no longer matches must still be seen.
        """
        return attrs.evolve(
            self.query, status=None, sort_by=SortBy.UPDATED_AT, sort_option=SortOption.DESC
        )

    @property
    def by_creation(self) -> TaskQuery:
        """The listing of every task, in an order that updates do not change."""
        return attrs.evolve(
            self.query,
            status=None,
            sort_by=SortBy.CREATED_AT,
            sort_option=SortOption.DESC,
            page_limit=self.query.resource.max_page_limit,
        )

    def matches(self, change: TaskChange) -> bool:
        """Whether the task was, or is, in one of the requested states."""
        statuses = self.query.status
        states = (change.before, change.after)
        return statuses is None or any(task.status in statuses for task in states if task)
