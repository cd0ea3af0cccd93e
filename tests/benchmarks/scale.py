"""Whether a task costs the same in a short listing and in one of a million.

Short listings are repeated in one session until they, too, have read many tasks. Rounds go through
all sizes in turn, and the best of each counts.
"""

from __future__ import annotations

from tests.benchmarks import _peers
from tests.benchmarks._plots import lines
from tests.benchmarks._processes import platforms
from tests.benchmarks._report import Report
from tests.benchmarks._server import Account

PEERS = (_peers.ITERATED, _peers.EXACT)


def main(report: Report) -> None:
    """Print microseconds of CPU for each task, for each size."""
    sizes = report.either((1_000, 10_000, 100_000, 1_000_000), (50, 500))
    together, rounds = report.either((100_000, 2), (500, 1))
    used: dict[str, list[float]] = {}
    with platforms(*map(Account, sizes)) as served:
        for peer in PEERS:
            best = [float("inf") for _ in sizes]
            for _ in range(rounds):
                for account, size in enumerate(sizes):
                    repeats = max(1, together // size)
                    cpu = served.measure(peer, account=account, repeats=repeats).cpu
                    # The mean of what one process did: what is rare, such as a collection, counts.
                    best[account] = min(best[account], sum(cpu) / len(cpu) / size * 1e6)
            used[peer] = best
    report.table(
        f"Client CPU, best of {rounds} rounds, µs per task",
        ("client", *(f"{size:,} tasks" for size in sizes), "most against least"),
        [
            (peer, *(f"{cost:.2f}" for cost in costs), f"{max(costs) / min(costs):.3f}")
            for peer, costs in used.items()
        ],
    )
    for peer, costs in used.items():
        figure = (
            f"CPU per task from {sizes[0]:,} to {sizes[-1]:,} tasks, most against least: {peer}"
        )
        report.judge(figure, max(costs) / min(costs), at_most=1.1)
    with report.plot("scale", height=2.8) as axes:
        lines(axes, sizes, used, "client CPU per task, µs")
        axes.set_ylim(bottom=0)
