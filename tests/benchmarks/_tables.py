"""Tables in Markdown, for terminals and for the README alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Give a table: the first column to the left, the others to the right."""
    written = [[str(cell) for cell in row] for row in rows]
    widths = [max(3, *map(len, column)) for column in zip(heading, *written, strict=True)]
    rules = [
        width * "-" if not place else (width - 1) * "-" + ":" for place, width in enumerate(widths)
    ]
    return "\n".join(_line(row, widths) for row in (heading, rules, *written))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    columns = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
    return f"| {' | '.join(columns)} |"
