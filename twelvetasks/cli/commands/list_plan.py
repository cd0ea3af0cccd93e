"""The plan of a listing: what to request, where to write it, and what is written already."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from twelvetasks.cli.commands.list_resume import as_json, check_same, ids_in, with_times_of
from twelvetasks.cli.kinds import TASKS, query_of
from twelvetasks.cli.options import PERIOD, in_time
from twelvetasks.cli.output.formats import (
    COMPRESSED,
    OF_ROWS,
    RESUMABLE,
    chosen_format,
    item_writer,
)
from twelvetasks.cli.output.output_file import (
    OutputFile,
    Part,
    Target,
    kept_part,
    part_of,
    unusable,
)
from twelvetasks.cli.output.progress import listing_progress
from twelvetasks.cli.terminal import is_terminal
from twelvetasks.streams.streams import PageStream
from twelvetasks.values.models import Page, SortBy
from twelvetasks.values.query import ListQuery


class ListingPlan:
    """What to write, where, and which part of it exists already.

    It refuses conflicting options with click.UsageError before it touches a file or sends a
    request.
    """

    def __init__(
        self,
        account: Mapping[str, Any],
        *,
        kind: str,
        layout: str | None,
        columns: tuple[str, ...] | None,
        wide: bool,
        spreadsheet: bool,
        output: Path | None,
        resume: bool,
        **filters: Any,
    ) -> None:
        self.layout: str = chosen_format(layout, output)
        self.columns = columns
        self.wide = wide
        self.spreadsheet = spreadsheet
        self.output = output
        if self.layout == "parquet" and output is None and is_terminal(sys.stdout):
            raise click.UsageError("Parquet is not for a terminal: give --output, or redirect it")
        if spreadsheet and self.layout != "csv":
            raise click.UsageError("--spreadsheet is for --format csv")
        obstacle = self._obstacle(filters["sort_by"])
        self.resumable: bool = obstacle is None
        self.part: Part | None = None
        if resume:
            if output is None:
                raise click.UsageError("--resume needs --output, whose part it continues")
            if obstacle is not None:
                raise click.UsageError(obstacle)
            self.part = kept_part(output)
        if self.part is not None:
            filters = with_times_of(filters, self.part)
        asked = as_json({**filters, "format": self.layout, "columns": columns, **account})
        del asked["page_limit"], asked["exact"]
        if kind != TASKS:
            asked["kind"] = kind
        self.asked = asked
        """All options that the result depends on, as JSON values by their flags."""
        if self.part is not None and output is not None:
            check_same(asked, self.part, output)
        chosen = in_time(filters)
        self.options: dict[str, Any] = {
            name: chosen.pop(name) for name in (*PERIOD, "max_items", "exact")
        }
        """Arguments of `TaskSession.list` beside the query."""
        query = query_of(kind, chosen)
        self.model: type[Any] = query.resource.item
        is_of_rows = self.layout in OF_ROWS
        self.query: ListQuery[Any] = OF_ROWS[self.layout](query) if is_of_rows else query

    def _obstacle(self, sort_by: str) -> str | None:
        """Say why such a listing cannot be resumed; None if it can be."""
        if self.layout not in RESUMABLE:
            return (
                f"--format {self.layout} cannot be resumed, because nothing can be appended to it: "
                f"{' and '.join(RESUMABLE)} can"
            )
        if self.spreadsheet:
            return "--spreadsheet cannot be resumed, because it changes what the cells hold"
        if self.output is not None and self.output.suffix.lower() == COMPRESSED:
            return f"A {COMPRESSED} file cannot be resumed, because nothing can be appended to it"
        if sort_by == SortBy.UPDATED_AT and self.columns is not None and "id" not in self.columns:
            return (
                "--sort-by updated_at can be resumed only with id among the --columns: an update "
                "moves a task, and its id tells that it is there already"
            )
        return None

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments for the session: everything that is not written already."""
        arguments = dict(self.options)
        if self.part is not None:
            arguments["resume"] = self.part.checkpoint
            if self._by_update:
                # Some of the tasks to come are written already, so more have to be requested.
                arguments["max_items"] = None
            elif arguments["max_items"] is not None:
                arguments["max_items"] -= self.part.tasks
        return arguments

    @property
    def _by_update(self) -> bool:
        return self.query.sort_key.changes

    def target(self) -> Target:
        """Open the output."""
        if self.output is None:
            return Target()
        return OutputFile(self.output, self.asked if self.resumable else None, self.part)

    async def write(
        self, pages: PageStream[Page[Any]], target: Target, *, progress: bool | None
    ) -> None:
        """Write page after page, and show the progress if it does not mix with the tasks."""
        writer = item_writer(
            self.layout,
            target,
            model=self.model,
            columns=self.columns,
            sort_by=SortBy(self.query.sort_key.name),
            wide=self.wide,
            begun=self.part is not None,
            spreadsheet=self.spreadsheet,
        )
        done = 0 if self.part is None else self.part.tasks
        most = self.options["max_items"]
        known = self._known(target)
        with listing_progress(target.console, asked=progress, done=done) as show:
            async for page in pages:
                new = page.items
                if known:
                    new = tuple(item for item in new if item.id not in known)
                wanted = new if most is None else new[: most - done]
                writer.write(wanted)
                done += len(wanted)
                target.keep(pages.checkpoint, done)
                show(done, self._expected(pages, done))
                if len(wanted) < len(new):
                    break
            writer.finish()

    def _known(self, target: Target) -> frozenset[str]:
        """Return the ids that a resumed listing may meet again: an update moves a task."""
        if self.part is None or not isinstance(target, OutputFile) or not self._by_update:
            return frozenset()
        try:
            ids = ids_in(target.written_before(), self.layout)
        except ValueError:
            ids = []
        if len(ids) != self.part.tasks:
            raise unusable(f"{part_of(target.path)} does not hold the tasks of its checkpoint")
        return frozenset(ids)

    def _expected(self, pages: PageStream[Page[Any]], done: int) -> int | None:
        """Return how many tasks there will be; None if only reading tells."""
        if any(map(self.options.get, PERIOD)):
            return None
        most = self.options["max_items"]
        total = pages.total_results or 0
        return max(total if most is None else min(total, most), done)
