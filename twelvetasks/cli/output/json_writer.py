"""Items as JSON: one object a line, or one array of them all."""

from __future__ import annotations

import json
from typing import Any

import attrs

from twelvetasks.cli.output.columns import subset
from twelvetasks.cli.terminal import Console, is_terminal
from twelvetasks.conversion.as_sent import json_lines
from twelvetasks.conversion.convert import to_dict, to_json
from twelvetasks.values.display import terminal_json

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


@attrs.define
class JsonWriter:
    """A line for every item, or an array with an element a line; without its end that is no JSON.

    Items are written as the API sent them, or the chosen columns of them.
    """

    out: Console
    model: Any
    columns: tuple[str, ...] | None = None
    is_array: bool = False
    _before: str = attrs.field(default="[\n", init=False)

    def write(self, items: tuple[Any, ...]) -> None:
        """Write a line for each."""
        if self.columns is None:
            lines = json_lines(items)
        else:
            chosen = (subset(self.model, item, self.columns) for item in items)
            lines = "".join(f"{_ENCODER.encode(one)}\n" for one in chosen)
        if self.is_array and items:
            # An element has no line break: in JSON strings they are escaped.
            elements = lines.removesuffix("\n").replace("\n", ",\n")
            lines, self._before = f"{self._before}{elements}", ",\n"
        write_json(self.out, lines)

    def finish(self) -> None:
        """Close the array; lines need no end."""
        if self.is_array:
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
