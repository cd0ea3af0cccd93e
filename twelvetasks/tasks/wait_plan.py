"""How to wait: the arguments of `wait` and `wait_all`, checked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import attrs

from twelvetasks.tasks.polling import Polling
from twelvetasks.values.checks import positive_seconds, refuse
from twelvetasks.values.models import Task
from twelvetasks.values.query import ListQuery

ItemT = TypeVar("ItemT")

OnItemChange = Callable[[ItemT], Awaitable[None] | None]
"""Called, or awaited, with each item when it is first seen and whenever its status changes.

What is awaited runs as a task: it continues when an `anext` is cancelled, and closing the wait
cancels it.
"""


OnChange = OnItemChange[Task]
"""The same for tasks."""


def _checked_callback(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if not callable(value):
        refuse(field.name, value, "must be a function that takes an item")


def _default_policy(polling: Polling | None) -> Polling:
    return Polling() if polling is None else polling


def _checked_policy(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, Polling):
        refuse(field.name, value, "must be a Polling")


def _has_ends(_: object, field: attrs.Attribute[Any], query: ListQuery[Any]) -> None:
    if not query.resource.ended:
        refuse(field.name, query, "its resource names no final status, so a wait would not end")


@attrs.frozen(kw_only=True)
class WaitPlan(Generic[ItemT]):
    """How to wait. Raises InvalidArgumentError for a value out of range."""

    timeout: float = attrs.field(validator=positive_seconds)
    """Seconds, from the first poll."""
    polling: Polling = attrs.field(
        default=None, converter=_default_policy, validator=_checked_policy
    )
    on_change: OnItemChange[ItemT] | None = attrs.field(
        default=None, validator=attrs.validators.optional(_checked_callback)
    )
    query: ListQuery[ItemT] = attrs.field(validator=_has_ends)
    """The list of what is waited for, with any filters."""
