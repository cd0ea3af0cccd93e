"""What a run of the benchmarks says: tables, plots, and each figure beside its target.

Tables are Markdown, printed as they come. What is written, and where, is decided by the command.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tests.benchmarks._tables import table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

T = TypeVar("T")

COMPARED = (
    "twelvetasks",
    "twelvelabs",
    "aiohttp",
    "attrs",
    "cattrs",
    "orjson",
    "httpx",
    "pydantic",
)


class Report:
    """Collects what the benchmarks have found.

    `folder`: where tables and plots are written; None for nowhere. `quick`: whether all is to be so
    small that it takes seconds; its figures mean nothing.
    """

    def __init__(self, *, folder: Path | None = None, quick: bool = False) -> None:
        self.folder = folder
        self.quick = quick
        self.texts: list[str] = []
        self._judged: list[tuple[str, str, str, str]] = []
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def either(self, usual: T, quick: T) -> T:
        """Give what is for this kind of run."""
        return quick if self.quick else usual

    def say(self, text: str) -> None:
        """Print a paragraph, and keep it."""
        print(f"{text}\n", flush=True)
        self.texts.append(text)

    def table(self, title: str, heading: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print a table below its title, and keep it."""
        self.say(title)
        self.say(table(heading, rows))

    def judge(
        self,
        figure: str,
        measured: float,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
        unit: str = "times",
    ) -> None:
        """Hold a figure against its target, for the summary."""
        targets = []
        if at_most is not None:
            targets.append(f"at most {at_most:g}{_spaced(unit)}")
        if at_least is not None:
            targets.append(f"at least {at_least:g}{_spaced(unit)}")
        met = (at_most is None or measured <= at_most) and (
            at_least is None or measured >= at_least
        )
        shown = f"{measured:.3g}" if abs(measured) < 100 else f"{measured:.0f}"
        judged = (figure, " and ".join(targets), f"{shown}{_spaced(unit)}")
        self._judged.append((*judged, "yes" if met else "**no**"))

    @contextmanager
    def plot(self, name: str, *, height: float = 3.2) -> Iterator[Axes]:
        """Draw on the axes given; the picture is written as `name`.png."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8.0, height), dpi=110, layout="constrained", facecolor="white")
        axes = figure.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_axisbelow(True)
        yield axes
        if self.folder is not None:
            figure.savefig(self.folder / f"{name}.png", metadata={"Software": None})
            self.texts.append(f"![{name}]({name}.png)")

    def summary(self) -> str:
        """Give the table of all that has a target; nothing if nothing has."""
        if not self._judged:
            return ""
        return table(("figure", "target", "measured", "met"), self._judged)

    def write(self, name: str = "results.md") -> None:
        """Write down all that was said."""
        if self.folder is not None:
            (self.folder / name).write_text("\n\n".join(self.texts) + "\n", "utf-8")


def _spaced(unit: str) -> str:
    return f" {unit}" if unit.isalpha() else unit


def surroundings() -> str:
    """Say what was run, on which machine, with which versions."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in COMPARED)
    machine = f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    command = shlex.join(["python", "-m", "tests.benchmarks", *sys.argv[1:]])
    return f"`{command}`, {datetime.now(UTC):%Y-%m-%d}. {machine}. {python}, {versions}."


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"
