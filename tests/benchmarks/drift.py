"""How many tasks listings lose while the account changes, and what it costs not to lose them.

The account is the model that `tests/paging` proves the listing against: 20 pages of 50 tasks, eight
reads at once, served in random order. Changes are inserts, deletes, changes of status, and tasks
that come and go, in equal parts.
"""

from __future__ import annotations

import attrs

from tests.benchmarks._report import Report
from tests.paging.histories import Listed, Verdict, by_paging, judged, modes, naively
from twelvetasks import SortBy

HISTORIES = 100
TASKS = 1000
RATES = (0.0, 0.1, 0.5, 2.0)

LISTINGS: dict[str, Listed] = {
    "naive: page 1, then all others at once": naively,
    "twelvetasks": by_paging(exact=False),
    "twelvetasks, exact=True": by_paging(exact=True),
}


def main(report: Report) -> None:
    """Print what each listing lost in the same histories, and what it asked for."""
    histories = report.either(HISTORIES, 1)
    for sort_by in SortBy:
        rows = []
        for name, listed in LISTINGS.items():
            for rate in RATES:
                verdicts = [
                    judged(attrs.evolve(mode, rate=rate), seed, listed, TASKS)
                    for mode in modes(sort_by)
                    for seed in range(histories)
                ]
                rows.append((name, rate, *_figures(verdicts)))
        report.table(
            f"sort_by={sort_by}, {len(modes(sort_by)) * histories} histories a row",
            ("listing", "changes/request", "short lists", "lost", "repeated", "requests/page"),
            rows,
        )


def _figures(verdicts: list[Verdict]) -> tuple[object, ...]:
    short = sum(verdict.lost > 0 for verdict in verdicts) / len(verdicts)
    requests = sum(verdict.requests for verdict in verdicts)
    return (
        f"{short:.1%}",
        sum(verdict.lost for verdict in verdicts),
        sum(verdict.repeated for verdict in verdicts),
        f"{requests / sum(verdict.pages for verdict in verdicts):.2f}",
    )
