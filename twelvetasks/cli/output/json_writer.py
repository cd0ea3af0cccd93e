"""Items as JSON: one object a line, or one array of them all."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import attrs

from twelvetasks.cli.output.columns import subset
from twelvetasks.cli.terminal import Console, is_terminal
from twelvetasks.conversion.as_sent import json_lines
from twelvetasks.conversion.convert import to_dict, to_json
from twelvetasks.values.display import terminal_json

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _lines(items: Iterable[Any], model: Any, columns: tuple[str, ...] | None) -> str:
    """Write items as the API sent them, or the chosen columns of them: an object a line."""
    if columns is None:
        return json_lines(items)
    return "".join(f"{_ENCODER.encode(subset(model, item, columns))}\n" for item in items)


@attrs.frozen
class JsonLinesWriter:
    """A line for every item."""

    out: Console
    model: Any
    columns: tuple[str, ...] | None = None

    def write(self, items: tuple[Any, ...]) -> None:
        """Write a line for each."""
        write_json(self.out, _lines(items, self.model, self.columns))

    def finish(self) -> None:
        """Write nothing: lines need no end."""


@attrs.define
class JsonArrayWriter:
    """An array with an element a line; without its end it is not JSON."""

    out: Console
    model: Any
    columns: tuple[str, ...] | None = None
    _before: str = attrs.field(default="[\n", init=False)

    def write(self, items: tuple[Any, ...]) -> None:
        """Write an element for each."""
        lines = _lines(items, self.model, self.columns)
        # An element has no line break: in JSON strings they are escaped.
        elements = lines.removesuffix("\n").replace("\n", ",\n")
        write_json(self.out, f"{self._before}{elements}" if items else "")
        self._before = ",\n" if items else self._before

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
