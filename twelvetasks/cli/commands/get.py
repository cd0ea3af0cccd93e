"""`get`: tasks, or other items, by their ids, with all their fields."""

from __future__ import annotations

import click
from cloup import option_group

from twelvetasks.cli.command import command
from twelvetasks.cli.connection import Connection, connected
from twelvetasks.cli.kinds import kind_option, query_of, scope_option
from twelvetasks.cli.option_types import as_task_id
from twelvetasks.cli.options import FILTERS, OUTPUT, columns_option, format_option, wide_option
from twelvetasks.cli.output.formats import FORMATS, chosen_format, item_writer
from twelvetasks.cli.output.json_writer import write_item
from twelvetasks.cli.output.output_file import Target
from twelvetasks.session import TaskSession


@command(
    "get",
    examples="""
        twelvetasks get --demo $(twelvetasks list --demo -n 1 --format ids)
          All fields of the newest task.
        twelvetasks list --demo -n 3 --format ids | xargs twelvetasks get --demo
          The newest three, one JSON object a line.
    """,
)
@click.argument("task_ids", metavar="ID...", nargs=-1, required=True, type=as_task_id)
@option_group(FILTERS, kind_option, scope_option)
@option_group(
    OUTPUT,
    format_option(
        [name for name in FORMATS if name != "parquet"],
        "for one task JSON, indented in a terminal; else table in a terminal, jsonl in a pipe",
    ),
    columns_option,
    wide_option,
)
@connected()
def get_task(
    connection: Connection,
    task_ids: tuple[str, ...],
    *,
    kind: str,
    index_id: str | None,
    layout: str | None,
    columns: tuple[str, ...] | None,
    wide: bool,
) -> None:
    """Print tasks, or other items, by their IDs, with all their fields.

    The first ID that does not exist ends the command with code 1, after the tasks before it.
    """
    chosen = tuple(dict.fromkeys(task_ids))
    query = query_of(kind, {"index_id": index_id})

    async def get_them(session: TaskSession) -> None:
        listing = session.list(query)
        if len(chosen) == 1 and layout is None and columns is None:
            write_item(await listing.retrieve(chosen[0]))
            return
        model = query.resource.item
        writer = item_writer(
            chosen_format(layout), Target(), model=model, columns=columns, wide=wide
        )
        for item_id in chosen:
            writer.write((await listing.retrieve(item_id),))
        writer.finish()

    connection.run(get_them)
