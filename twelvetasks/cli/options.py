"""Options that several commands share: which tasks, in which order, printed how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from twelvetasks.cli.command import Decorator, combined, option
from twelvetasks.cli.option_types import Moment, as_moment, as_seconds
from twelvetasks.values.models import SortBy, SortOption, TaskStatus

FILTERS, ORDER, OUTPUT = "Which tasks", "In which order", "Output"

watch_options: Decorator = combined(
    option("--index-id", metavar="ID", group=FILTERS, help="Only the tasks of this index."),
    option(
        "--status",
        multiple=True,
        type=click.Choice([status.value for status in TaskStatus]),
        group=FILTERS,
        help="Only tasks in this state; repeat it for several.",
    ),
    option("--filename", metavar="NAME", group=FILTERS, help="Only the video with this file name."),
    option(
        "--duration",
        type=as_seconds,
        metavar="DURATION",
        group=FILTERS,
        help="Only videos that last so long: 12.5 (seconds), 90s, 1h30m.",
    ),
    option("--width", type=int, metavar="PIXELS", group=FILTERS, help="Only videos of this width."),
    option(
        "--height", type=int, metavar="PIXELS", group=FILTERS, help="Only videos of this height."
    ),
    option(
        "--created-at",
        type=as_moment,
        metavar="TIME",
        group=FILTERS,
        help="Only tasks created on this date at or after this time, as the platform understands "
        "it: 2024-05-01T00:00:00Z, 2024-05-01 (UTC), or so long ago as 36h or 2d.",
    ),
)

filter_options: Decorator = combined(
    watch_options,
    option(
        "--updated-at",
        type=as_moment,
        metavar="TIME",
        group=FILTERS,
        help="Only tasks updated on this date at or after this time.",
    ),
)

order_options: Decorator = combined(
    option(
        "--sort-by",
        type=click.Choice([field.value for field in SortBy]),
        default=SortBy.CREATED_AT.value,
        show_default=True,
        group=ORDER,
        help="What to order by.",
    ),
    option(
        "--sort-option",
        type=click.Choice([direction.value for direction in SortOption]),
        default=SortOption.DESC.value,
        show_default=True,
        group=ORDER,
        help="Newest first (desc) or oldest first (asc).",
    ),
)

layout_option: Decorator = option(
    "--format",
    "layout",
    type=click.Choice(["table", "jsonl"]),
    group=OUTPUT,
    help="How to print them.  [default: table in a terminal, else jsonl]",
)

progress_option: Decorator = option(
    "--progress/--no-progress",
    "progress",
    default=None,
    group=OUTPUT,
    every=True,
    help="Whether a terminal shows how far it has come.  [default: if it takes long]",
)


def in_time(choices: Mapping[str, Any]) -> dict[str, Any]:
    """Put for each time that was written the one that it meant."""
    return {
        name: chosen.at if isinstance(chosen, Moment) else chosen
        for name, chosen in choices.items()
    }
