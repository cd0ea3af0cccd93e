"""How much memory a client takes at most, while accounts grow from a thousand tasks to a million.

Each size is a process of its own. The memory that counts is what the process had at its peak above
what it had before its first page.
"""

from __future__ import annotations

from tests.benchmarks import _peers
from tests.benchmarks._plots import lines
from tests.benchmarks._processes import platforms
from tests.benchmarks._report import Report
from tests.benchmarks._server import Account

LARGEST = {
    _peers.ITERATED: 1_000_000,
    _peers.EXACT: 1_000_000,
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
    with report.plot("memory") as axes:
        lines(axes, sizes, above, "peak above the base, MiB")
        axes.set_yscale("symlog", linthresh=1)
        axes.set_ylim(bottom=0)
        axes.set_yticks([0, 1, 10, 100, 1000], ["0", "1", "10", "100", "1000"])
