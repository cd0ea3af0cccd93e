"""Options that several commands share: which tasks, in which order, printed how."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from twelvetasks.cli.values import as_timestamp
from twelvetasks.models import SortBy, SortOption, TaskStatus

F = TypeVar("F", bound=Callable[..., Any])


def combined(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Make one decorator of several options, which `--help` shows in this order."""

    def decorate(command: F) -> F:
        return functools.reduce(lambda decorated, option: option(decorated), options[::-1], command)

    return decorate


watch_options = combined(
    click.option("--index-id", metavar="ID", help="Only the tasks of this index."),
    click.option(
        "--status",
        multiple=True,
        type=click.Choice([status.value for status in TaskStatus]),
        help="Only tasks in this state; repeat it for several.",
    ),
    click.option("--filename", metavar="NAME", help="Only the video with this file name."),
    click.option("--duration", type=float, metavar="SECONDS", help="Only videos of this duration."),
    click.option("--width", type=int, metavar="PIXELS", help="Only videos of this width."),
    click.option("--height", type=int, metavar="PIXELS", help="Only videos of this height."),
    click.option(
        "--created-at",
        type=as_timestamp,
        metavar="TIME",
        help="Only tasks created on this date at or after this time, as 2024-05-01T00:00:00Z.",
    ),
)


filter_options = combined(
    watch_options,
    click.option(
        "--updated-at",
        type=as_timestamp,
        metavar="TIME",
        help="Only tasks updated on this date at or after this time.",
    ),
)


order_options = combined(
    click.option(
        "--sort-by",
        type=click.Choice([field.value for field in SortBy]),
        default=SortBy.CREATED_AT.value,
        show_default=True,
        help="What to order by.",
    ),
    click.option(
        "--sort-option",
        type=click.Choice([direction.value for direction in SortOption]),
        default=SortOption.DESC.value,
        show_default=True,
        help="Newest first (desc) or oldest first (asc).",
    ),
)


layout_option = click.option(
    "--format",
    "layout",
    type=click.Choice(["table", "jsonl"]),
    help="How to print them.  [default: table in a terminal, else jsonl]",
)
