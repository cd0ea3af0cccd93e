"""What the command costs: the CPU of `list` for each task, and of `--version` beside Python's own.

The command is a process of its own. What it takes for a page of tasks is taken off what it takes
for the whole account, so that its start is not counted.
"""

from __future__ import annotations

import resource
import subprocess
import sys

from tests.benchmarks import _peers
from tests.benchmarks._processes import ROOT, environment, platforms
from tests.benchmarks._report import Report
from tests.benchmarks._server import Account

FORMATS = ("jsonl", "csv")


def main(report: Report) -> None:
    """Print microseconds for each task, and milliseconds for the version."""
    tasks, rounds = report.either((50_000, 5), (100, 1))
    used: dict[str, list[float]] = {name: [] for name in (_peers.ITERATED, *FORMATS)}
    with platforms(Account(tasks), Account(50)) as served:
        for _ in range(rounds):
            used[_peers.ITERATED] += served.measure(_peers.ITERATED, concurrency=8).cpu
            for name in FORMATS:
                whole, start = (
                    _cpu("-m", "twelvetasks", "list", "--format", name, "--base-url", url)
                    for url in served.urls
                )
                used[name].append(whole - start)
    best = {name: min(found) / tasks * 1e6 for name, found in used.items()}
    ours = best[_peers.ITERATED]
    report.table(
        f"CPU of the command for {tasks:,} tasks, pages of 50, no latency, {rounds} rounds",
        ("way", "best µs/task", f"against {_peers.ITERATED}"),
        [
            (name if name == _peers.ITERATED else f"list --format {name}", *_cells(cost, ours))
            for name, cost in best.items()
        ],
    )
    for name in FORMATS:
        figure = f"CPU per task: list --format {name}, against {_peers.ITERATED}"
        report.judge(figure, best[name] / ours, at_most=1.6)
    starts = report.either(20, 1)
    ways = {"python -c pass": ("-c", "pass"), "--version": ("-m", "twelvetasks", "--version")}
    taken = {name: min(_cpu(*way) for _ in range(starts + 1)) for name, way in ways.items()}
    python = taken["python -c pass"]
    report.table(
        f"CPU of a start, best of {starts}",
        ("command", "ms", "against python -c pass"),
        [(name, *_cells(1000 * cost, 1000 * python)) for name, cost in taken.items()],
    )
    figure = "CPU of twelvetasks --version, against python -c pass"
    report.judge(figure, taken["--version"] / python, at_most=4)


def _cells(cost: float, unit: float) -> tuple[str, str]:
    return f"{cost:.2f}", f"{cost / unit:.2f}"


def _cpu(*arguments: str) -> float:
    """Run Python, and return the seconds of CPU that it took, of user and system."""
    before = _children()
    subprocess.run(
        [sys.executable, *arguments],
        check=True,
        cwd=ROOT,
        env=environment() | {"TWELVE_LABS_API_KEY": _peers.API_KEY, "PYTHONDONTWRITEBYTECODE": ""},
        stdout=subprocess.DEVNULL,
    )
    return _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
