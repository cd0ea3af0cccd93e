"""How long the imports of a program that lists tasks take in a fresh interpreter, beside aiohttp's.

`import twelvetasks` alone imports nothing, so the class that a program begins with is imported.
"""

from __future__ import annotations

import subprocess
import sys
from statistics import median

from tests.benchmarks._plots import bars
from tests.benchmarks._processes import ROOT, environment
from tests.benchmarks._report import Report

MODULES = {
    "twelvetasks": "from twelvetasks import TaskSession",
    "aiohttp": "import aiohttp",
    "twelvelabs": "from twelvelabs import AsyncTwelveLabs",
}

_TIMED = """
import time
began = time.process_time()
{imports}
print(time.process_time() - began)
"""


def main(report: Report) -> None:
    """Print milliseconds of CPU for each import; the interpreter's own start is not counted."""
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
    report.judge("import, against aiohttp alone", ratio, at_most=1.25)
    with report.plot("imports", height=1.8) as axes:
        bars(axes, typical, "CPU of an import, ms")


def _time_to_import(module: str) -> float:
    ended = subprocess.run(
        [sys.executable, "-c", _TIMED.format(imports=MODULES[module])],
        check=True,
        cwd=ROOT,
        # Whoever imports it twice has it compiled.
        env=environment() | {"PYTHONDONTWRITEBYTECODE": ""},
        stdout=subprocess.PIPE,
    )
    return float(ended.stdout)
