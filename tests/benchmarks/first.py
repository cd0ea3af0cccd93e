"""How long it takes to the first task, beside a single request for the same page."""

from __future__ import annotations

from statistics import median

from tests.benchmarks import _peers
from tests.benchmarks._plots import bars
from tests.benchmarks._processes import platforms
from tests.benchmarks._report import Report
from tests.benchmarks._server import Account

PEERS = (
    _peers.ITERATED,
    _peers.EXACT,
    _peers.SDK,
    _peers.GATHERED,
    _peers.SEMAPHORE,
    _peers.SINGLE,
)
LATENCIES = (0.05, 0.0)


def main(report: Report) -> None:
    """Print milliseconds to the first task, with latency and without."""
    pages, rounds, repeats = report.either((100, 2, 9), (3, 1, 1))
    for latency in report.either(LATENCIES, LATENCIES[:1]):
        taken: dict[str, list[float]] = {peer: [] for peer in PEERS}
        with platforms(Account(50 * pages, latency=latency)) as served:
            for _ in range(rounds):
                for peer in PEERS:
                    taken[peer] += served.measure(peer, want="first", repeats=repeats).wall
        typical = {peer: median(found) for peer, found in taken.items()}
        single = typical[_peers.SINGLE]
        report.table(
            f"Time to the first of {pages} pages' tasks, {latency * 1000:g} ms for each request",
            ("client", "median ms", "against a single request"),
            [
                (peer, f"{1000 * took:.2f}", f"{took / single:.2f}")
                for peer, took in typical.items()
            ],
        )
        if latency:
            figure = "time to the first task, against a single request"
            report.judge(figure, typical[_peers.ITERATED] / single, at_most=1.1)
            with report.plot("first", height=2.8) as axes:
                bars(
                    axes,
                    {peer: 1000 * took for peer, took in typical.items()},
                    "milliseconds to the first task",
                )
