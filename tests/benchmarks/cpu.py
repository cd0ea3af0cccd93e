"""How much CPU a client takes for each task, while no request waits for anything.

Each client is a process of its own, the platform another, whose CPU is not counted. The rounds of
all are interleaved, and the best of each counts: it is the one that was disturbed least.
"""

from __future__ import annotations

from tests.benchmarks import _peers
from tests.benchmarks._plots import bars
from tests.benchmarks._processes import platforms
from tests.benchmarks._report import Report
from tests.benchmarks._server import Account


def main(report: Report) -> None:
    """Print microseconds of CPU for each task, and their ratios."""
    tasks, rounds = report.either((50_000, 5), (100, 1))
    used: dict[str, list[float]] = {peer: [] for peer in _peers.COMPARED}
    with platforms(Account(tasks)) as served:
        for _ in range(rounds):
            for peer in _peers.COMPARED:
                used[peer] += served.measure(peer).cpu
        # The SDK as it comes asks for pages of ten.
        by_tens = served.measure(_peers.SDK, page_limit=10).cpu
    best = {peer: min(found) / tasks * 1e6 for peer, found in used.items()}
    best_by_tens = min(by_tens) / tasks * 1e6
    worst = {peer: max(found) / tasks * 1e6 for peer, found in used.items()}
    ours, floor = best[_peers.ITERATED], best[_peers.FLOOR_OF_JSON]
    rows = [
        (peer, f"{cost:.2f}", f"{worst:.2f}", f"{cost / ours:.2f}", f"{cost / floor:.2f}")
        for peer, cost, worst in [
            *((peer, cost, worst[peer]) for peer, cost in best.items()),
            (f"{_peers.SDK}, page_limit=10", best_by_tens, best_by_tens),
        ]
    ]
    report.table(
        f"Client CPU for {tasks:,} tasks, pages of 50, no latency, {rounds} rounds",
        ("client", "best µs/task", "worst", f"against {_peers.ITERATED}", "against floor + orjson"),
        rows,
    )
    sdk = best[_peers.SDK] / ours
    as_it_comes = best_by_tens / ours
    report.judge(
        "CPU per task: the official SDK's as it comes, against ours", as_it_comes, at_least=40
    )
    report.judge(
        "CPU per task: the official SDK's with pages of 50, against ours", sdk, at_least=45
    )
    report.judge("CPU per task, against floor + orjson.loads", ours / floor, at_most=1.8)
    ratio = best[_peers.AWAITED] / best[_peers.ITERATED]
    figure = f"CPU per task: {_peers.AWAITED}, against {_peers.ITERATED}"
    report.judge(figure, ratio, at_most=1.15)
    with report.plot("cpu", height=4.0) as axes:
        bars(axes, best, "client CPU per task, µs")
