"""How much memory a client takes at most, while accounts grow from a thousand tasks to a million.

Each size is a process of its own. The memory that counts is what the process had at its peak above
what it had before its first page. Beside that: what a task takes in a list, as Python counts it,
and what a listing by `updated_at`, which has to remember all ids, takes for each.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from typing import Any

import orjson

from tests.benchmarks import _peers
from tests.benchmarks._plots import lines
from tests.benchmarks._processes import platforms
from tests.benchmarks._report import Report
from tests.benchmarks._server import Account
from twelvetasks.conversion.convert import read_json
from twelvetasks.testing import FakePlatform
from twelvetasks.values.tasks import TaskPage

LARGEST = {
    _peers.ITERATED: 1_000_000,
    _peers.EXACT: 1_000_000,
    _peers.BY_UPDATE: 1_000_000,
    _peers.AWAITED: 100_000,
    _peers.SDK: 100_000,
    _peers.GATHERED: 1_000_000,
    _peers.SEMAPHORE: 100_000,
}
"""Up to how many tasks a client is measured: the rest would take minutes, or more of the same."""

MEBI = 1024
"""KiB."""


def main(report: Report) -> None:
    """Print the peak of each client for each size."""
    sizes = report.either((1_000, 10_000, 100_000, 1_000_000), (50, 500))
    above: dict[str, list[float]] = {peer: [] for peer in LARGEST}
    peaks: dict[str, list[float]] = {peer: [] for peer in LARGEST}
    with platforms(*map(Account, sizes)) as served:
        for account, size in enumerate(sizes):
            for peer, largest in LARGEST.items():
                if size <= largest:
                    found = served.measure(peer, account=account)
                    above[peer].append((found.peak - found.base) / MEBI)
                    peaks[peer].append(found.peak / MEBI)
    report.table(
        "Peak of resident memory above that before the listing, MiB",
        ("client", *(f"{size:,} tasks" for size in sizes)),
        [
            (peer, *(f"{mebi:.1f}" for mebi in grown), *("" for _ in sizes[len(grown) :]))
            for peer, grown in above.items()
        ],
    )
    for peer in (_peers.ITERATED, _peers.EXACT):
        report.judge(
            f"peak memory of {sizes[-1]:,} tasks above that of {sizes[0]:,}: {peer}",
            peaks[peer][-1] - peaks[peer][0],
            at_most=16,
            unit="MiB",
        )
    remembered = (peaks[_peers.BY_UPDATE][-1] - peaks[_peers.BY_UPDATE][0]) * MEBI * 1024
    figure = f"memory for each of {sizes[-1]:,} tasks: {_peers.BY_UPDATE}"
    report.judge(figure, remembered / sizes[-1], at_most=32, unit="bytes")
    _judge_lists(report)
    with report.plot("memory") as axes:
        lines(axes, sizes, above, "peak above the base, MiB")
        axes.set_yscale("symlog", linthresh=1)
        axes.set_ylim(bottom=0)
        axes.set_yticks([0, 1, 10, 100, 1000], ["0", "1", "10", "100", "1000"])


def _judge_lists(report: Report) -> None:
    """Print what a task takes in a list, and as the dicts that orjson makes."""
    bodies = _bodies(report.either(50_000, 100))
    dicts = _held(orjson.loads(body)["data"] for body in bodies)
    ours = _held(read_json(body, TaskPage).tasks for body in bodies)
    count = 50 * len(bodies)
    report.table(
        f"Memory of a list of {count:,} tasks",
        ("list", "bytes/task", "against dicts"),
        [
            ("of Task", f"{ours / count:.0f}", f"{ours / dicts:.2f}"),
            ("of the dicts of orjson.loads", f"{dicts / count:.0f}", "1.00"),
        ],
    )
    figure = f"memory of a list of {count:,} tasks, against the dicts of orjson.loads"
    report.judge(figure, ours / dicts, at_most=0.6)


def _bodies(count: int) -> list[bytes]:
    tasks = FakePlatform.demo(count).tasks()
    info = {"page": 1, "limit_per_page": 50, "total_page": 1, "total_results": 50}
    return [
        orjson.dumps({"data": tasks[first : first + 50], "page_info": info})
        for first in range(0, count, 50)
    ]


def _held(pages: Iterable[Iterable[Any]]) -> int:
    """Count the bytes of a list of all items of pages that are made one after the other."""
    tracemalloc.start()
    try:
        items = [item for page in pages for item in page]
        held, _ = tracemalloc.get_traced_memory()
        del items
    finally:
        tracemalloc.stop()
    return held
