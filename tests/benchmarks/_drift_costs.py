"""How many requests a listing of the model's account costs: `python _drift_costs.py HISTORIES`.

It is run in a checkout, and prints JSON. It uses only what earlier commits have, too, so that the
same accounts can be listed by an earlier build.
"""

from __future__ import annotations

import json
import sys
from random import Random
from statistics import fmean
from typing import Any

import attrs

from tests.paging.histories import Setting, by_paging, modes
from tests.paging.model import Account
from twelvetasks import SortBy

TASKS = 4990
PAGES = 100

RATES = (0.0, 0.03, 0.1)
"""Changes of the account for each request."""

BURST_TASKS = 1000
UPLOADS = 1000
AT_ONCE = (1, 8)

LISTINGS = {
    "default": (SortBy.CREATED_AT, False),
    "exact=True": (SortBy.CREATED_AT, True),
    "sort_by=updated_at": (SortBy.UPDATED_AT, False),
}


class Bursting(Account):
    """An account to which many tasks are uploaded at once, after so many reads."""

    def __init__(self, random: Random, count: int, setting: Setting) -> None:
        self._reads_left = random.randrange(2, 15)
        super().__init__(random, count, ties=setting.ties, query=setting.query)

    def read(self, read: Any) -> Any:
        self._reads_left -= 1
        if not self._reads_left:
            for _ in range(UPLOADS):
                self.insert()
        return super().read(read)


def requests(account: Account, random: Random, setting: Setting, *, exact: bool) -> int:
    """List to the end, and give the number of requests."""
    _, report = by_paging(exact=exact)(account, random, setting)
    return report.requests


def costs(histories: int) -> dict[str, dict[str, list[float]]]:
    """Give, for each listing and direction, requests a page at each rate, and those of bursts."""
    found = {}
    for name, (sort_by, exact) in LISTINGS.items():
        for setting in modes(sort_by):
            if setting.filtered or setting.ties > 1:
                continue
            a_page = []
            for rate in RATES:
                changing = attrs.evolve(setting, rate=rate)
                counts = []
                for seed in range(histories):
                    random = Random(seed)
                    account = Account(random, TASKS, ties=1, query=setting.query)
                    counts.append(requests(account, random, changing, exact=exact))
                a_page.append(fmean(counts) / PAGES)
            bursts = []
            for at_once in AT_ONCE:
                narrow = attrs.evolve(setting, concurrency=at_once)
                counts = []
                for seed in range(histories):
                    random = Random(seed)
                    account = Bursting(random, BURST_TASKS, narrow)
                    counts.append(requests(account, random, narrow, exact=exact))
                bursts.append(fmean(counts))
            found[f"{name}, {setting.sort_option}"] = {"a_page": a_page, "bursts": bursts}
    return found


if __name__ == "__main__":
    print(json.dumps(costs(int(sys.argv[1]))))
