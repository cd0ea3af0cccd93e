"""How many tasks listings lose while the account changes, and what it costs not to lose them.

The account is the model that `tests/paging` proves the listing against: 20 pages of 50 tasks, eight
reads at once, served in random order. Changes are inserts, deletes, changes of status, and tasks
that come and go, in equal parts.

Then the requests of longer listings are counted, also of an earlier build if `BENCHMARK_BEFORE` is
the path of a checkout of it. They do not depend on the machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import fmean

import attrs

from tests.benchmarks import _drift_costs
from tests.benchmarks._processes import ROOT, environment
from tests.benchmarks._report import Report
from tests.paging.histories import Listed, Verdict, by_paging, judged, modes, naively
from twelvetasks import SortBy

HISTORIES = 100
TASKS = 1000
RATES = (0.0, 0.1, 0.5, 2.0)

LISTINGS: dict[str, Listed] = {
    "naive: page 1, then all others at once": naively,
    "twelvetasks": by_paging(exact=False),
    "twelvetasks, exact=True": by_paging(exact=True),
}


def main(report: Report) -> None:
    """Print what each listing lost in the same histories, and what it asked for."""
    histories = report.either(HISTORIES, 1)
    for sort_by in SortBy:
        rows = []
        for name, listed in LISTINGS.items():
            for rate in RATES:
                verdicts = [
                    judged(attrs.evolve(mode, rate=rate), seed, listed, TASKS)
                    for mode in modes(sort_by)
                    for seed in range(histories)
                ]
                rows.append((name, rate, *_figures(verdicts)))
        report.table(
            f"sort_by={sort_by}, {len(modes(sort_by)) * histories} histories a row",
            ("listing", "changes/request", "short lists", "lost", "repeated", "requests/page"),
            rows,
        )
    _tell_costs(report, report.either(HISTORIES, 1))


def _tell_costs(report: Report, histories: int) -> None:
    builds = {"this build": ROOT}
    if before := os.environ.get("BENCHMARK_BEFORE"):
        builds["the build before"] = Path(before)
    found = {build: _costs(folder, histories) for build, folder in builds.items()}
    pages = -(-_drift_costs.TASKS // 50)
    report.table(
        f"Requests a page of {pages} pages, by changes for each request, and requests for "
        f"{_drift_costs.BURST_TASKS // 50} pages with {_drift_costs.UPLOADS:,} uploads at once; "
        f"{histories} histories each",
        (
            "listing",
            "by",
            *(f"{rate:g}" if rate else "quiet" for rate in _drift_costs.RATES),
            *(f"burst, {most} at once" for most in _drift_costs.AT_ONCE),
        ),
        [
            (listing, build, *_cells(costs[listing], pages))
            for listing in found["this build"]
            for build, costs in found.items()
        ],
    )


def _costs(folder: Path, histories: int) -> dict[str, list[list[int | None]]]:
    """Count in another process, with the client and the model of a checkout."""
    ended = subprocess.run(
        [sys.executable, _drift_costs.__file__, str(histories)],
        check=True,
        cwd=folder,
        env=environment() | {"PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
    )
    found: dict[str, list[list[int | None]]] = json.loads(ended.stdout)
    return found


def _cells(runs: list[list[int | None]], pages: int) -> list[str]:
    rates = len(_drift_costs.RATES)
    cells = [f"{fmean(_listed(run)) / pages:.2f}" for run in runs[:rates]]
    for run in runs[rates:]:
        refused = sum(one is None for one in run) / len(run)
        cells.append(f"{fmean(_listed(run)):.0f}" + f" ({refused:.0%} refused)" * (refused > 0))
    return cells + ["-"] * (rates + len(_drift_costs.AT_ONCE) - len(cells))


def _listed(run: list[int | None]) -> list[int]:
    return [one for one in run if one is not None] or [0]


def _figures(verdicts: list[Verdict]) -> tuple[object, ...]:
    short = sum(verdict.lost > 0 for verdict in verdicts) / len(verdicts)
    requests = sum(verdict.requests for verdict in verdicts)
    return (
        f"{short:.1%}",
        sum(verdict.lost for verdict in verdicts),
        sum(verdict.repeated for verdict in verdicts),
        f"{requests / sum(verdict.pages for verdict in verdicts):.2f}",
    )
