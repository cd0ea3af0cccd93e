"""How long the event loop keeps others waiting while a listing runs at full speed.

A heartbeat beats every millisecond in the client's loop and notes how late it is. Some of that is
the machine's doing: it lets another process run, as it does to the floor. How much CPU the client
has used since the beat before tells at most how much of a pause is its own.
"""

from __future__ import annotations

from tests.benchmarks import _peers
from tests.benchmarks._plots import bars, target
from tests.benchmarks._processes import platforms
from tests.benchmarks._report import Report
from tests.benchmarks._server import Account

LONGEST = 5.0
"""Milliseconds."""


JUDGED = (_peers.ITERATED, _peers.AWAITED, _peers.TO_ARROW, _peers.TO_PANDAS)


def main(report: Report) -> None:
    """Print each client's longest pauses."""
    tasks, rounds = report.either((50_000, 3), (500, 1))
    rows, own = [], {}
    with platforms(Account(tasks)) as served:
        for peer in _peers.COMPARED:
            times = 1 if peer == _peers.SDK else rounds  # Its one listing has the most beats.
            runs = [served.measure(peer, heartbeat=True) for _ in range(times)]
            late = sorted(1000 * pause for run in runs for pause in run.late)
            busy = [1000 * pause for run in runs for pause in run.busy]
            collecting = 1000 * max(run.collecting for run in runs)
            own[peer] = max(busy)
            often = late[int(len(late) * 0.999)]
            shown = (late[-1], max(busy), often, collecting)
            rows.append((peer, *(f"{pause:.2f}" for pause in shown), len(late)))
            if peer in JUDGED:
                figure = f"longest pause of the event loop: {peer}"
                report.judge(figure, late[-1], at_most=LONGEST, unit="ms")
    report.table(
        f"Pauses of the event loop while {tasks:,} tasks are listed, in ms, {rounds} rounds",
        ("client", "longest", "longest own", "99.9 % are below", "longest gc", "beats"),
        rows,
    )
    with report.plot("fairness") as axes:
        bars(axes, own, "longest pause of the event loop by the client's own work, ms")
        target(axes, LONGEST, "target: 5 ms")
