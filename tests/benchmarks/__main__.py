"""`python -m tests.benchmarks [NAME ...]`: run benchmarks, and print each one's tables.

Each prints what was taken in this one run, and the last table holds every figure against its
target; none of them is a test. Without names all are run, and tables and plots are written to
`tests/benchmarks/results`.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from tests.benchmarks._report import Report, surroundings

NAMES = (
    "cpu",
    "parts",
    "frames",
    "structure",
    "wall",
    "first",
    "memory",
    "flood",
    "scale",
    "fairness",
    "ratelimit",
    "refusals",
    "imports",
    "command",
    "drift",
    "upload",
)
"""In the order in which they are run."""

RESULTS = Path(__file__).parent / "results"


def run(names: list[str], report: Report) -> None:
    """Run the benchmarks named, or all of them."""
    report.say("# Benchmarks")
    report.say(surroundings())
    for name in names or NAMES:
        report.say(f"## {name}")
        importlib.import_module(f"tests.benchmarks.{name}").main(report)
    if summary := report.summary():
        report.say("## Summary")
        report.say(summary)
    report.write()


def main() -> None:
    """Read the command line, and do what it says."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="tiny runs that measure nothing")
    parser.add_argument("--results", type=Path, help="write tables and plots to this folder")
    said = parser.parse_args()
    if unknown := [name for name in said.names if name not in NAMES]:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}")
    whole = not said.names and not said.quick
    folder = said.results or (RESULTS if whole else None)
    run(said.names, Report(folder=folder, quick=said.quick))


if __name__ == "__main__":
    main()
