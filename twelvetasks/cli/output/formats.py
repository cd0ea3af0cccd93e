"""The output formats: their names, the endings of their files, and the writer of each.

A writer gets every page and, if all went well, the end: what a complete result ends with is never
written after a failure, so that no program takes a part for the whole.
"""

from __future__ import annotations

import re
import sys
from pathlib import PurePath
from typing import Any

import attrs
import click

from twelvetasks.cli.output.columns import columns_of
from twelvetasks.cli.output.csv_writer import CsvWriter
from twelvetasks.cli.output.json_writer import JsonWriter
from twelvetasks.cli.output.output_file import Target
from twelvetasks.cli.output.parquet_writer import ParquetWriter
from twelvetasks.cli.output.table_writer import TableWriter
from twelvetasks.cli.terminal import Console, is_terminal
from twelvetasks.conversion.as_sent import as_sent
from twelvetasks.conversion.row_queries import as_rows
from twelvetasks.values.display import excerpt, printable
from twelvetasks.values.models import SortBy
from twelvetasks.values.tasks import Task

FORMATS = ("table", "jsonl", "json", "csv", "parquet", "ids")

RESUMABLE = ("jsonl", "csv")
"""The formats to which more items can be appended."""

ENDINGS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".parquet": "parquet",
    ".txt": "table",
    ".ids": "ids",
}
"""The format that the ending of a file name means."""

OF_ROWS = dict.fromkeys(("jsonl", "json", "csv", "ids"), as_sent) | {"parquet": as_rows}
"""What makes a query one of rows, for the formats whose writers take these instead of models."""

COMPRESSED = ".gz"


_ONE_ARGUMENT = re.compile(r"""[^\s\0'"\\-][^\s\0'"\\]*""")
"""What xargs passes on as it is, and no command takes for a flag."""


@attrs.frozen
class IdWriter:
    """The ids of the items, one a line, for `xargs`."""

    out: Console

    def write(self, items: tuple[Any, ...]) -> None:
        """Write a line for each.

        Raises click.ClickException at an id that `xargs` would pass on as two ids or as a flag.
        """
        in_terminal = is_terminal(self.out.file)
        for item in items:
            if not in_terminal and not _ONE_ARGUMENT.fullmatch(item.id):
                raise click.ClickException(
                    f"The id {excerpt(repr(item.id))} cannot stand on a line of ids, because xargs "
                    "would pass on something else: use --format jsonl"
                )
            self.out.file.write(f"{printable(item.id) if in_terminal else item.id}\n")
        self.out.file.flush()

    def finish(self) -> None:
        """Write nothing: lines need no footer."""


Writer = CsvWriter | IdWriter | JsonWriter | ParquetWriter | TableWriter
"""Each writes items as they come, and what a complete result ends with."""


def chosen_format(asked: str | None, output: PurePath | None = None) -> str:
    """Return the format: the one asked for, else that of the file name, else that for the output.

    A file name without an ending means JSON Lines.

    Raises click.UsageError for a file name with an unknown ending.
    """
    if asked is not None:
        return asked
    if output is None:
        return "table" if is_terminal(sys.stdout) else "jsonl"
    ending = output.suffix.lower()
    if ending == COMPRESSED:
        ending = PurePath(output.stem).suffix.lower()
    if not ending:
        return "jsonl"
    if ending not in ENDINGS:
        raise click.UsageError(
            f"The name {output.name!r} does not tell the format: give it one of the endings "
            f"{', '.join(ENDINGS)}, or give --format"
        )
    return ENDINGS[ending]


def item_writer(
    layout: str,
    target: Target,
    *,
    model: Any = Task,
    columns: tuple[str, ...] | None = None,
    sort_by: SortBy = SortBy.UPDATED_AT,
    wide: bool = False,
    begun: bool = False,
    spreadsheet: bool = False,
) -> Writer:
    """Return the writer of a format. `begun` says that an earlier run has written a part."""
    out = target.console
    match layout:
        case "jsonl" | "json":
            return JsonWriter(out, model, columns, is_array=layout == "json")
        case "csv":
            flat = columns or columns_of(model).flat
            return CsvWriter(out, model, flat, begun=begun, spreadsheet=spreadsheet)
        case "parquet":
            return ParquetWriter(target.binary, model, columns)
        case "ids":
            return IdWriter(out)
    return TableWriter(out, model, sort_by, columns, wide=wide)
