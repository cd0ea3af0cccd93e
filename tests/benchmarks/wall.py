"""How long a listing takes when each request takes 50 ms, however fast the client is.

The ideal reads page 1, and then as many pages at once as it may: `latency * (1 + ceil(99 / 16))`.
"""

from __future__ import annotations

import math
from statistics import median

from tests.benchmarks import _peers
from tests.benchmarks._plots import bars, target
from tests.benchmarks._processes import platforms
from tests.benchmarks._report import Report
from tests.benchmarks._server import Account

CONCURRENCY = 16
PEERS = tuple(peer for peer in _peers.COMPARED if peer != _peers.FLOOR_OF_JSON)


def main(report: Report) -> None:
    """Print seconds for a listing, and their ratios to the ideal."""
    latency, pages, rounds, repeats = report.either((0.05, 100, 3, 3), (0.001, 5, 1, 1))
    ideal = latency * (1 + math.ceil((pages - 1) / CONCURRENCY))
    taken: dict[str, list[float]] = {peer: [] for peer in PEERS}
    with platforms(Account(50 * pages, latency=latency)) as served:
        for _ in range(rounds):
            for peer in PEERS:
                times = 1 if peer == _peers.SDK else repeats
                taken[peer] += served.measure(peer, repeats=times, concurrency=CONCURRENCY).wall
    typical = {peer: median(found) for peer, found in taken.items()}
    report.table(
        f"Listing {pages} pages, {latency * 1000:g} ms for each request, "
        f"at most {CONCURRENCY} at once; ideal {ideal * 1000:.0f} ms",
        ("client", "median ms", "best ms", "against the ideal"),
        [
            (peer, f"{1000 * took:.0f}", f"{1000 * min(taken[peer]):.0f}", f"{took / ideal:.2f}")
            for peer, took in typical.items()
        ],
    )
    judged = {
        _peers.ITERATED: 1.1,
        _peers.AWAITED: 1.1,
        _peers.EXACT: 1.25,
        _peers.TO_ARROW: 1.05,
    }
    for peer, most in judged.items():
        figure = f"time for {pages} pages, against the ideal: {peer}"
        report.judge(figure, typical[peer] / ideal, at_most=most)
    with report.plot("wall") as axes:
        bars(axes, typical, f"seconds for {pages} pages, {latency * 1000:g} ms for each request")
        target(axes, ideal, f"ideal: {ideal:g} s")
