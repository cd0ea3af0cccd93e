"""What data frames cost beside the shortest code by hand: CPU and memory.

Each peer is a process of its own. The rounds of all are interleaved, and the best of each counts.
`fairness` measures how long they hold the event loop.
"""

from __future__ import annotations

from tests.benchmarks import _peers
from tests.benchmarks._processes import Platforms, platforms
from tests.benchmarks._report import Report
from tests.benchmarks._server import Account

BY_HAND = {
    _peers.TO_ARROW: _peers.ARROW_BY_HAND,
    _peers.ARROW_BATCHES: _peers.ARROW_BY_HAND,
    _peers.TO_POLARS: _peers.POLARS_BY_HAND,
    _peers.PARQUET: _peers.PARQUET_BY_HAND,
}
"""Each data frame, and the same by hand."""

COMPARED = (_peers.ITERATED, *BY_HAND, *dict.fromkeys(BY_HAND.values()), _peers.FLOOR_OF_JSON)

MEBI = 1024
"""KiB."""


def main(report: Report) -> None:
    """Print what each takes."""
    small, large = report.either((50_000, 1_000_000), (100, 500))
    with platforms(Account(small), Account(large)) as served:
        _cpu(report, served, small)
        _memory(report, served, large)


def _cpu(report: Report, served: Platforms, tasks: int) -> None:
    rounds = report.either(6, 1)
    used: dict[str, list[float]] = {peer: [] for peer in COMPARED}
    for _ in range(rounds):
        for peer in COMPARED:
            used[peer] += served.measure(peer).cpu
    best = {peer: min(found) / tasks * 1e6 for peer, found in used.items()}
    floor = best[_peers.FLOOR_OF_JSON]
    report.table(
        f"Client CPU for {tasks:,} tasks, pages of 50, no latency, {rounds} rounds",
        ("client", "best µs/task", "worst", "against the same by hand", "against floor + orjson"),
        [
            (
                peer,
                f"{cost:.2f}",
                f"{max(used[peer]) / tasks * 1e6:.2f}",
                f"{cost / best[BY_HAND[peer]]:.2f}" if peer in BY_HAND else "",
                f"{cost / floor:.2f}",
            )
            for peer, cost in best.items()
        ],
    )
    for peer, by_hand in BY_HAND.items():
        ratio = best[peer] / best[by_hand]
        report.judge(f"CPU per task: {peer}, against {by_hand}", ratio, at_most=0.70)
    ratio = best[_peers.TO_ARROW] / best[_peers.ITERATED]
    report.judge(f"CPU per task: {_peers.TO_ARROW}, against async for", ratio, at_most=0.80)


def _memory(report: Report, served: Platforms, tasks: int) -> None:
    rows = []
    for peer in (_peers.TO_ARROW, _peers.ARROW_BY_HAND):
        found = served.measure(peer, account=1)
        grown, held = (found.peak - found.base) / MEBI, found.held / MEBI / 1024
        rows.append((peer, f"{grown:.0f}", f"{held:.0f}", f"{grown / held:.2f}"))
        if peer == _peers.TO_ARROW:
            figure = f"peak memory of {tasks:,} tasks, against the table: {peer}"
            report.judge(figure, grown / held, at_most=1.3)
    report.table(
        f"Peak of resident memory above that before the listing, {tasks:,} tasks",
        ("client", "peak, MiB", "the table itself, MiB", "ratio"),
        rows,
    )
