"""How long `import twelvetasks` takes in a fresh interpreter, beside aiohttp alone."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

from tests.benchmarks._plots import bars
from tests.benchmarks._processes import ROOT, environment
from tests.benchmarks._report import Report

MODULES = ("twelvetasks", "aiohttp", "twelvelabs")

_TIMED = """
import time
began = time.perf_counter()
import {module}
print(time.perf_counter() - began)
"""


def main(report: Report) -> None:
    """Print milliseconds for each import; the interpreter's own start is not counted."""
    rounds = report.either(25, 1)
    taken: dict[str, list[float]] = {module: [] for module in MODULES}
    for module in MODULES:
        _time_to_import(module)  # It may have to be compiled first.
    for _ in range(rounds):
        for module, found in taken.items():
            found.append(1000 * _time_to_import(module))
    typical = {module: median(found) for module, found in taken.items()}
    report.table(
        f"Importing, {rounds} rounds",
        ("module", "median ms", "best ms", "against aiohttp"),
        [
            (
                module,
                f"{took:.0f}",
                f"{min(taken[module]):.0f}",
                f"{took / typical['aiohttp']:.2f}",
            )
            for module, took in typical.items()
        ],
    )
    ratio = typical["twelvetasks"] / typical["aiohttp"]
    report.judge("import, against aiohttp alone", ratio, at_most=1.5)
    with report.plot("imports", height=1.8) as axes:
        bars(axes, typical, "import, ms")


def _time_to_import(module: str) -> float:
    ended = subprocess.run(
        [sys.executable, "-c", _TIMED.format(module=module)],
        check=True,
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
    )
    return float(ended.stdout)
