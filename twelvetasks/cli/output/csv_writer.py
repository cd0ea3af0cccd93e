"""Items as CSV: a heading and a row for each, quoted as RFC 4180 says, with lines ended as here."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from typing import Any

import attrs

from twelvetasks.cli.output.columns import text_of
from twelvetasks.cli.terminal import Console, is_terminal, printable

__all__ = ["CsvWriter"]


_BYTE_ORDER_MARK = "\ufeff"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The first characters of a formula, in either width, for some spreadsheet."""

_NUMBER = re.compile(r"\d+(\.\d*)?(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)


def _as_text(cell: str, column: str) -> str:
    """Mark a cell as text if a spreadsheet would compute it, or take an id for a number."""
    is_id = column.endswith("id") and _NUMBER.fullmatch(cell)
    return f"'{cell}" if is_id or cell.lstrip(" \n").startswith(_FORMULA) else cell


@attrs.define
class CsvWriter:
    """Rows of chosen columns. A part that was written earlier has the heading already."""

    out: Console
    columns: tuple[str, ...]
    begun: bool = False
    spreadsheet: bool = False
    """Whether a spreadsheet may open it: UTF-8 is marked, and no cell is a formula."""

    def write(self, items: tuple[Any, ...]) -> None:
        """Write a row for each."""
        names = self.columns
        rows = [[text_of(item, name) for name in names] for item in items]
        if self.spreadsheet:
            rows = [[_as_text(cell, n) for cell, n in zip(row, names, strict=True)] for row in rows]
            if not self.begun:
                self.out.file.write(_BYTE_ORDER_MARK)
        self._put(rows if self.begun else [list(names), *rows])
        self.begun = True

    def finish(self) -> None:
        """Write the heading of no rows, if there were none."""
        if not self.begun:
            self.write(())

    def _put(self, rows: Iterable[Iterable[str]]) -> None:
        in_terminal = is_terminal(self.out.file)
        text = io.StringIO()
        plain = csv.writer(text, lineterminator="\n")
        quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
        for row in rows:
            cells = [printable(cell) for cell in row] if in_terminal else list(row)
            # Before Python 3.13 csv does not quote a lone carriage return, which ends a row.
            lines = quoted if any("\r" in cell for cell in cells) else plain
            lines.writerow(cells)
        if in_terminal:
            self.out.out(text.getvalue(), end="", highlight=False)
        else:
            self.out.file.write(text.getvalue())
            self.out.file.flush()
