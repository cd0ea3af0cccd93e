"""Items as CSV: a heading and a row for each, quoted as RFC 4180 says, with lines ended as here."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Any

import attrs

from twelvetasks.cli.output.columns import texts_of
from twelvetasks.cli.terminal import Console, is_terminal
from twelvetasks.values.display import printable

_BYTE_ORDER_MARK = "\ufeff"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The first characters of a formula, in either width, for some spreadsheet."""

_UNSURE = "\r|^'"
"""What is quoted beside what `csv` quotes: a carriage return, which ends a row and which Python
before 3.13 does not quote, and a first apostrophe, which DuckDB may take for a quote. For
spreadsheets an apostrophe marks text, and stays as it is."""

_QUOTED = re.compile("[\"'\r]")
"""What may have to be quoted, beside commas and line breaks."""

_NUMBER = re.compile(r"\d+(\.\d*)?(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)


def _as_text(cell: str, column: str) -> str:
    """Mark a cell as text if a spreadsheet would compute it, or take an id for a number."""
    is_id = column.endswith("id") and _NUMBER.fullmatch(cell)
    return f"'{cell}" if is_id or cell.lstrip(" \n").startswith(_FORMULA) else cell


@attrs.define
class CsvWriter:
    """Rows of chosen columns. A part that was written earlier has the heading already."""

    out: Console
    model: Any
    columns: tuple[str, ...]
    begun: bool = False
    spreadsheet: bool = False
    """Whether a spreadsheet may open it: UTF-8 is marked, and no cell is a formula."""

    def write(self, items: tuple[Any, ...]) -> None:
        """Write a row for each."""
        names = self.columns
        cells = [texts_of(self.model, items, name) for name in names]
        if self.spreadsheet:
            cells = [
                [_as_text(str(cell), name) for cell in column]
                for name, column in zip(names, cells, strict=True)
            ]
            if not self.begun:
                self.out.file.write(_BYTE_ORDER_MARK)
        rows: list[Sequence[Any]] = list(zip(*cells, strict=True))
        if not self.begun:
            rows.insert(0, names)
            self.begun = True
        unsure = "\r" if self.spreadsheet else _UNSURE
        if is_terminal(self.out.file):
            shown = [[printable(str(cell)) for cell in row] for row in rows]
            self.out.out(_lines(shown, unsure), end="", highlight=False)
        else:
            self.out.file.write(_lines(rows, unsure))
            self.out.file.flush()

    def finish(self) -> None:
        """Write the heading of no rows, if there were none."""
        if not self.begun:
            self.write(())


def _lines(rows: Sequence[Sequence[Any]], unsure: str) -> str:
    return _unquoted_lines(rows) or _quoted_lines(rows, unsure)


def _unquoted_lines(rows: Sequence[Sequence[Any]]) -> str | None:
    """Write rows of several cells that need no quotes, as on most pages, in half the time of `csv`.

    None if some do, or if there are no rows.
    """
    columns = [
        column if {str}.issuperset(map(type, column)) else list(map(str, column))
        for column in zip(*rows, strict=True)
    ]
    lines = list(map(",".join, zip(*columns, strict=True)))
    written = "\n".join([*lines, ""])
    breaks = written.count("\n"), written.count(",")
    is_plain = breaks == (len(rows), len(rows) * (len(columns) - 1)) and len(columns) > 1
    return written if is_plain and not _QUOTED.search(written) else None


def _quoted_lines(rows: Sequence[Sequence[Any]], unsure: str = _UNSURE) -> str:
    text = io.StringIO()
    plain = csv.writer(text, lineterminator="\n")
    quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in rows:
        (quoted if any(re.search(unsure, str(cell)) for cell in row) else plain).writerow(row)
    return text.getvalue()
