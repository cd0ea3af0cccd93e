"""How long it takes to make a page of 50 tasks out of its bytes, all in one process."""

from __future__ import annotations

import time
from collections.abc import Callable

import orjson
from cattrs.preconf.orjson import make_converter

from tests.benchmarks._plain_models import PlainPage, PlainTask
from tests.benchmarks._plots import bars
from tests.benchmarks._report import Report
from twelvetasks.conversion.convert import read_json
from twelvetasks.testing import FakePlatform
from twelvetasks.values.models import TaskPage

OURS = "twelvetasks, read_json"
LOADS = "orjson.loads"
PLAIN = "cattrs.preconf.orjson, plain models"
BY_HAND = "orjson.loads, constructors by hand"


def main(report: Report) -> None:
    """Print microseconds for each page, and their ratios."""
    rounds, repeats = report.either((25, 200), (2, 2))
    body = page_body()
    plain = make_converter()
    ways: dict[str, Callable[[], object]] = {
        OURS: lambda: read_json(body, TaskPage),
        LOADS: lambda: orjson.loads(body),
        PLAIN: lambda: plain.loads(body, PlainPage),
        BY_HAND: lambda: [PlainTask.of(task) for task in orjson.loads(body)["data"]],
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.perf_counter()
            for _ in range(repeats):
                way()
            taken[name].append((time.perf_counter() - began) / repeats * 1e6)
    best = {name: min(found) for name, found in taken.items()}
    report.table(
        f"Structuring a page of 50 tasks, {len(body):,} bytes, best of {rounds} rounds",
        ("way", "µs/page", "against orjson.loads", "against plain cattrs"),
        [
            (name, f"{cost:.1f}", f"{cost / best[LOADS]:.2f}", f"{cost / best[PLAIN]:.2f}")
            for name, cost in best.items()
        ],
    )
    report.judge("structuring a page, against orjson.loads", best[OURS] / best[LOADS], at_most=2.2)
    report.judge("structuring a page, against plain cattrs", best[OURS] / best[PLAIN], at_most=0.52)
    with report.plot("structure", height=2.2) as axes:
        bars(axes, best, "structuring a page of 50 tasks, µs")


def page_body() -> bytes:
    """Give the first page of the demo's 50,000 tasks, or what it would be."""
    info = {"limit_per_page": 50, "page": 1, "total_page": 1, "total_results": 50}
    return orjson.dumps({"data": FakePlatform.demo(50).tasks(), "page_info": info})
