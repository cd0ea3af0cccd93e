"""How much of a rate limit a listing uses, and how often it runs into it.

The platform allows so many requests in a minute, counted from the first of them, and says in its
headers what is left. Listings follow each other for two minutes and more. What could have been sent
is the limit for each minute between the first request of the first window and that of the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.benchmarks import _peers
from tests.benchmarks._plots import COLOURS, TARGET
from tests.benchmarks._processes import Platforms, platforms
from tests.benchmarks._report import Report
from tests.benchmarks._server import Account

PEERS = (_peers.ITERATED, _peers.GATHERED)
WINDOW = 60.0
"""Seconds; what the platform's limit is for."""

Asked = Sequence[tuple[float, int | None]]
"""When each request came, in seconds, and how it was answered."""


def main(report: Report) -> None:
    """Print the share of the limit that was used, and what was refused."""
    per_minute, seconds, tasks = report.either((600, 130.0, 50_000), (4, 0.5, 500))
    rows, asked, ended = [], {}, 0
    for peer in PEERS:
        with platforms(Account(tasks, per_minute=per_minute)) as served:
            measured = served.measure(peer, seconds=seconds)
        asked[peer] = answered(served)
        ended += peer == _peers.ITERATED and measured.failure is not None
        ended_by = (measured.failure or "").partition(", url")[0].partition(". ")[0]
        rows.append((peer, *_shown(asked[peer], per_minute), len(measured.wall), ended_by))
    report.table(
        f"Listing {tasks // 50:,} pages, for {seconds:g} s; {per_minute} requests a minute allowed",
        ("client", "answered", "share of the limit", "refused (429)", "whole listings", "ended by"),
        rows,
    )
    ours = asked[_peers.ITERATED]
    report.judge(
        "share of the rate limit used", 100 * share(ours, per_minute), at_least=95, unit="%"
    )
    refused = sum(status == 429 for _, status in ours)
    report.judge("answers of 429 under the rate limit", refused, at_most=1, unit="")
    report.judge("listings that the rate limit ended", ended, at_most=0, unit="")
    with report.plot("ratelimit", height=2.8) as axes:
        for peer, requests in asked.items():
            times = [at for at, status in requests if status == 200]
            counts = range(1, len(times) + 1)
            axes.step(times, counts, where="post", color=COLOURS[peer], label=peer)
        starts = windows(ours)
        allowed = [per_minute * number for number in range(1, len(starts) + 1)]
        axes.step(starts, allowed, where="post", color=TARGET, linestyle="--", label="allowed")
        axes.set_xlabel("seconds since the first request")
        axes.set_ylabel("requests answered")
        axes.grid(color="#e5e7eb")
        axes.legend(frameon=False, fontsize=9)


def answered(served: Platforms) -> Asked:
    """Give what was asked and answered, in seconds since the first request."""
    requests = [(at, status) for at, status in served.requests[0] if status is not None]
    return [(at - requests[0][0], status) for at, status in requests]


def windows(requests: Iterable[tuple[float, int | None]]) -> list[float]:
    """Give when each window of the platform's limit began: with a request after the one before."""
    starts: list[float] = []
    for at, _ in requests:
        if not starts or at >= starts[-1] + WINDOW:
            starts.append(at)
    return starts


def share(requests: Asked, per_minute: int) -> float:
    """Give how much was answered of what could have been, while whole windows passed."""
    starts = windows(requests)
    if len(starts) < 2:
        return sum(status == 200 for _, status in requests) / per_minute
    whole = starts[-1] - starts[0]
    done = sum(status == 200 for at, status in requests if at < starts[-1])
    return done / (per_minute * whole / WINDOW)


def _shown(requests: Asked, per_minute: int) -> tuple[object, ...]:
    refused = sum(status == 429 for _, status in requests)
    return len(requests) - refused, f"{share(requests, per_minute):.1%}", refused
