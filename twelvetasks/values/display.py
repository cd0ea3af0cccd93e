"""How values are displayed: `repr`, small HTML tables for notebooks, plain text.

It works on any attrs value and imports no model. Text that another machine sent is made printable
before a terminal, a log or a notebook shows it; the HTML has no style, script or link.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import pairwise
from typing import Any

import attrs

from twelvetasks.values.timestamps import format_timestamp

LONGEST_EXCERPT = 500
"""Characters that errors, logs and notebooks show of one text that another machine sent."""

_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Joiners, fillers and variation selectors: Python calls them printable, and Unicode's
DerivedCoreProperties.txt Default_Ignorable_Code_Point."""

_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def brief_repr(value: Any, *, last: tuple[str, ...] = ()) -> str:
    """Show an attrs value without the fields that are None or empty.

    The fields named `last` come after all others, in that order.
    """
    fields = dict(_known_fields(value))
    fields |= {name: fields.pop(name) for name in last if name in fields}
    shown = (f"{name}={_python_text(held)}" for name, held in fields.items())
    return f"{type(value).__name__}({', '.join(shown)})"


def fields_html(value: Any) -> str:
    """Show an attrs value as a table of two columns: its fields, nested ones as ``a.b``."""
    return _html(None, _flattened(value))


def table_html(values: Iterable[Any], *, caption: str) -> str:
    """Show attrs values as a table: a row for each, a column for each field that one has."""
    rows = [dict(_flattened(value)) for value in values]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return _html(columns, ([row.get(name) for name in columns] for row in rows), caption=caption)


def printable(text: str) -> str:
    """Replace each control, bidirectional or zero-width character: it could hide text.

    White space becomes a space, anything else U+FFFD, so the length stays the same.
    """
    if _is_shown(text):
        return text
    return "".join(
        each if _is_shown(each) else " " if each.isspace() else "\N{REPLACEMENT CHARACTER}"
        for each in text
    )


def excerpt(text: str, longest: int = LONGEST_EXCERPT) -> str:
    """Quote another machine's text in an error or a log: one printable line, shortened."""
    line = " ".join(printable(text).split())
    return f"{line[:longest]}..." if len(line) > longest else line


def terminal_json(text: str) -> str:
    """Escape, in JSON text, what a terminal would obey, reorder or hide. Its values stay the same.

    Such characters occur inside strings only, where JSON has an escape for each of them.
    """
    if _is_shown(text):
        return text
    return "".join(each if _is_shown(each) or each == "\n" else _json_escape(each) for each in text)


def duration_text(seconds: float) -> str:
    """Write a duration in its two largest units, and below ten seconds with a tenth."""
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    for (unit, size), (smaller, smaller_size) in pairwise(_UNITS):
        whole, more = divmod(round(seconds / smaller_size), size // smaller_size)
        if whole:
            return f"{whole}{unit} {more}{smaller}" if more else f"{whole}{unit}"
    return f"{round(seconds)}s"


def wait_text(seconds: float) -> str:
    """Write a wait that begins now with the time at which it ends, in UTC."""
    try:
        end = datetime.now(UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return f"{seconds:.0f} seconds"
    return f"{seconds:.0f} seconds, until {end:%Y-%m-%d %H:%M:%S} UTC"


def minute_text(moment: datetime | None) -> str:
    """Write a time in UTC up to its minute; nothing for None."""
    return second_text(moment)[:16]


def second_text(moment: datetime | None) -> str:
    """Write a time in UTC up to its second; nothing for None."""
    return moment.astimezone(UTC).isoformat(" ", "seconds")[:19] if moment else ""


def _is_shown(text: str) -> bool:
    """Return whether all of a text can be seen, and stays in its place."""
    return text.isprintable() and (text.isascii() or not _INVISIBLE.search(text))


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _known_fields(value: Any) -> Iterator[tuple[str, Any]]:
    for field in attrs.fields(type(value)):
        held = getattr(value, field.name)
        if field.repr and held is not None and not (isinstance(held, Mapping | tuple) and not held):
            yield field.name, held


def _flattened(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, held in _known_fields(value):
        if attrs.has(type(held)):
            yield from _flattened(held, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", held


def _python_text(value: Any) -> str:
    if isinstance(value, datetime):
        return format_timestamp(value)
    if isinstance(value, Enum):
        return repr(value.value)
    if isinstance(value, tuple):
        return f"({', '.join(map(_python_text, value))}{',' * (len(value) == 1)})"
    return repr(value)


def _html(
    columns: Iterable[str] | None, rows: Iterable[Iterable[Any]], *, caption: str = ""
) -> str:
    from html import escape  # noqa: PLC0415 - slow to import, and only notebooks need it

    def row(cells: Iterable[Any], tag: str) -> str:
        shown = (f"<{tag}>{escape(_plain_text(cell))}</{tag}>" for cell in cells)
        return f"<tr>{''.join(shown)}</tr>"

    return "".join(
        (
            "<table>",
            f"<caption>{escape(excerpt(caption))}</caption>" if caption else "",
            "" if columns is None else f"<thead>{row(columns, 'th')}</thead>",
            f"<tbody>{''.join(row(cells, 'td') for cells in rows)}</tbody></table>",
        )
    )


def _plain_text(value: Any) -> str:
    if value is None:
        return ""
    return format_timestamp(value) if isinstance(value, datetime) else excerpt(str(value))
