"""Options that several commands share: which tasks, in which order, printed how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from twelvetasks.cli.command import Decorator, combined, option
from twelvetasks.cli.option_types import (
    Moment,
    as_moment,
    as_seconds,
    as_statuses,
    complete_statuses,
)
from twelvetasks.cli.output.columns import as_columns, complete_columns
from twelvetasks.values.models import SortBy, SortOption
from twelvetasks.values.tasks import TaskStatus

FILTERS, ORDER, OUTPUT = "Which tasks", "In which order", "Output"

PERIOD = ("since", "until")
"""The options, also of `TaskSession.list`, that say when the tasks were created."""

watch_options: Decorator = combined(
    option("--index-id ID", help="Only the tasks of this index."),
    option(
        "--status",
        multiple=True,
        callback=as_statuses,
        shell_complete=complete_statuses,
        metavar=f"[{'|'.join(TaskStatus)}]",
        help="Only tasks with this status; several are --status queued,indexing.",
    ),
    option("--filename NAME", help="Only the video with this file name."),
    option(
        "--duration DURATION",
        type=as_seconds,
        help="Only videos of this length: 12.5 (seconds), 90s, 1h30m.",
    ),
    option("--width PIXELS", type=int, help="Only videos of this width."),
    option("--height PIXELS", type=int, help="Only videos of this height."),
    option(
        "--created-at TIME",
        type=as_moment,
        help="Only tasks created on this date at or after this time, as the platform reads it: "
        "2024-05-01T00:00:00Z, 2024-05-01 (UTC), or a time ago: 36h, 2d.",
    ),
)

filters: Decorator = combined(
    watch_options,
    option(
        "--updated-at TIME",
        type=as_moment,
        help="Only tasks updated on this date at or after this time.",
    ),
)

period: Decorator = combined(
    option(
        "--since TIME",
        type=as_moment,
        help="Only tasks created at or after this time: reads from the newest down to it.",
    ),
    option("--until TIME", type=as_moment, help="Only tasks created before this time."),
)

order: Decorator = combined(
    option(
        "--sort-by",
        type=click.Choice([field.value for field in SortBy]),
        default=SortBy.CREATED_AT.value,
        help="Sort field.",
    ),
    option(
        "--sort-option",
        type=click.Choice([direction.value for direction in SortOption]),
        default=SortOption.DESC.value,
        help="Newest first (desc) or oldest first (asc).",
    ),
)

columns_option: Decorator = option(
    "--columns NAMES",
    multiple=True,
    callback=as_columns,
    shell_complete=complete_columns,
    help="Only these fields: --columns id,status,filename.",
)

exact_option: Decorator = option(
    "--exact", is_flag=True, help="Prove that no task is missed while the account changes."
)

wide_option: Decorator = option(
    "--wide", is_flag=True, help="Show all columns of a table, even in a narrow terminal."
)


def format_option(formats: Sequence[str], default: str) -> Decorator:
    """Declare `--format`; `default` says which format is used without it."""
    said = f"Output format.  [default: {default}]"
    return option("--format", "layout", type=click.Choice(formats), help=said)


layout_option: Decorator = format_option(["table", "jsonl"], "table in a terminal, else jsonl")


progress_option: Decorator = option(
    "--progress/--no-progress",
    " /-q",
    "progress",
    default=None,
    every=True,
    help="Show the progress in a terminal, or not (-q).  [default: if it takes long]",
)


def in_time(choices: Mapping[str, Any]) -> dict[str, Any]:
    """Replace each `Moment` by its time."""
    return {
        name: chosen.at if isinstance(chosen, Moment) else chosen
        for name, chosen in choices.items()
    }
