"""Items as JSON: one object a line, or one array of them all."""

from __future__ import annotations

import json
from typing import Any

import attrs

from twelvetasks.cli.output.columns import subset
from twelvetasks.cli.terminal import Console, is_terminal
from twelvetasks.conversion.convert import to_dict, to_json
from twelvetasks.values.display import terminal_json

__all__ = ["JsonArrayWriter", "JsonLinesWriter", "write_item", "write_json"]


def _object(item: Any, columns: tuple[str, ...] | None) -> str:
    """Write an item as the API sent it, or the chosen columns of it."""
    if columns is None:
        return to_json(item)
    chosen = subset(item, columns)
    return json.dumps(chosen, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


@attrs.frozen
class JsonLinesWriter:
    """A line for every item."""

    out: Console
    columns: tuple[str, ...] | None = None

    def write(self, items: tuple[Any, ...]) -> None:
        """Write a line for each."""
        write_json(self.out, "".join(f"{_object(item, self.columns)}\n" for item in items))

    def finish(self) -> None:
        """Write nothing: lines need no end."""


@attrs.define
class JsonArrayWriter:
    """An array with an element a line; without its end it is not JSON."""

    out: Console
    columns: tuple[str, ...] | None = None
    _before: str = attrs.field(default="[\n", init=False)

    def write(self, items: tuple[Any, ...]) -> None:
        """Write an element for each."""
        written = []
        for item in items:
            written.append(f"{self._before}{_object(item, self.columns)}")
            self._before = ",\n"
        write_json(self.out, "".join(written))

    def finish(self) -> None:
        """Close the array."""
        write_json(self.out, "[]\n" if self._before == "[\n" else "\n]\n")


def write_json(out: Console, text: str) -> None:
    """Write JSON; what a terminal would obey or hide is escaped if it goes to one."""
    if is_terminal(out.file):
        out.out(terminal_json(text), end="", highlight=False)
    else:
        out.file.write(text)
        out.file.flush()


def write_item(item: Any) -> None:
    """Write all of one item: indented in a terminal, else on one line."""
    out = Console()
    if is_terminal(out.file):
        text = json.dumps(to_dict(item), ensure_ascii=False, allow_nan=False, indent=2)
    else:
        text = to_json(item)
    write_json(out, f"{text}\n")
