"""How long it takes to make a page of 50 tasks out of its bytes, and what that is for a client.

Each way is timed in one process. The whole client is measured beside them, as the benchmark `cpu`
does, and the last two columns say what its CPU for a page would be if it went that way.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
import orjson
from cattrs import Converter
from cattrs.preconf.msgspec import make_converter as make_msgspec_converter
from cattrs.preconf.orjson import make_converter as make_orjson_converter

from tests.benchmarks import _peers
from tests.benchmarks._plain_models import PlainPage, PlainTask
from tests.benchmarks._plots import bars
from tests.benchmarks._processes import platforms
from tests.benchmarks._report import Report
from tests.benchmarks._server import Account
from twelvetasks.conversion.convert import converters, read_json
from twelvetasks.conversion.converters import make_general_converter
from twelvetasks.testing import FakePlatform
from twelvetasks.values.tasks import TaskPage

OURS = "twelvetasks, read_json"
FAST_HOOKS = "msgspec to dicts, our fast hooks in cattrs"
GENERAL = "msgspec to dicts, our general hooks in cattrs"
GENERAL_ORJSON = "orjson to dicts, our general hooks in cattrs"
PLAIN_MSGSPEC = "cattrs.preconf.msgspec, plain models"
PLAIN = "cattrs.preconf.orjson, plain models"
LOADS = "orjson.loads"
BY_HAND = "orjson.loads, constructors by hand"


def main(report: Report) -> None:
    """Print microseconds for each page, and their ratios."""
    rounds, repeats = report.either((50, 50), (2, 2))
    body = page_body()
    plain, plain_msgspec = make_orjson_converter(), make_msgspec_converter()
    fast: Converter = converters().fast
    general: Converter = make_general_converter(detailed=False)
    ways: dict[str, Callable[[], object]] = {
        OURS: lambda: read_json(body, TaskPage),
        FAST_HOOKS: lambda: fast.structure(msgspec.json.decode(body), TaskPage),
        GENERAL: lambda: general.structure(msgspec.json.decode(body), TaskPage),
        GENERAL_ORJSON: lambda: general.structure(orjson.loads(body), TaskPage),
        PLAIN_MSGSPEC: lambda: plain_msgspec.loads(body, PlainPage),
        PLAIN: lambda: plain.loads(body, PlainPage),
        LOADS: lambda: orjson.loads(body),
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
    client = client_cpu(report)
    report.table(
        f"Structuring a page of 50 tasks, {len(body):,} bytes, best of {rounds} rounds",
        ("way", "µs/page", "against orjson.loads", "whole client, µs/page", "against ours"),
        [
            (
                name,
                f"{cost:.1f}",
                f"{cost / best[LOADS]:.2f}",
                f"{client - best[OURS] + cost:.0f}",
                f"{(client - best[OURS] + cost) / client:.2f}",
            )
            for name, cost in best.items()
        ],
    )
    report.judge("structuring a page, against orjson.loads", best[OURS] / best[LOADS], at_most=2.2)
    report.judge("structuring a page, against plain cattrs", best[OURS] / best[PLAIN], at_most=0.52)
    with report.plot("structure", height=2.6) as axes:
        bars(axes, best, "structuring a page of 50 tasks, µs")


def client_cpu(report: Report) -> float:
    """Measure microseconds of CPU that the whole client takes for a page of 50 tasks."""
    tasks, rounds = report.either((50_000, 5), (100, 1))
    with platforms(Account(tasks)) as served:
        used = [min(served.measure(_peers.ITERATED).cpu) for _ in range(rounds)]
    return min(used) / tasks * 50 * 1e6


def page_body() -> bytes:
    """Give the first page of the demo's 50,000 tasks, or what it would be."""
    info = {"limit_per_page": 50, "page": 1, "total_page": 1, "total_results": 50}
    return orjson.dumps({"data": FakePlatform.demo(50).tasks(), "page_info": info})
