"""Tables in Markdown, for terminals and for the README alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def print_table(title: str, heading: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table: the first column to the left, the others to the right."""
    written = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(heading, *written, strict=True)]
    print(f"\n{title}\n")
    print(_line(heading, widths))
    print(_line([width * "-" for width in widths], widths))
    for row in written:
        print(_line(row, widths))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return " | ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)])
