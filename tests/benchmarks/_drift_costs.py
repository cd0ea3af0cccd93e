"""How many requests a listing of the model's account costs: `python _drift_costs.py HISTORIES`.

It is run in a checkout, and prints JSON. It uses only what earlier commits have, too, so that an
earlier build lists the same accounts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from random import Random
from typing import Any

import attrs

from tests.paging.histories import Setting, by_paging, modes
from tests.paging.model import Account
from twelvetasks import SortBy, TwelveTasksError

TASKS = 4990
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
        super().__init__(random, count, ties=1, query=setting.query)

    def read(self, read: Any) -> Any:
        self._reads_left -= 1
        if not self._reads_left:
            for _ in range(UPLOADS):
                self.insert()
        return super().read(read)


def _steady(random: Random, setting: Setting) -> Account:
    return Account(random, TASKS, ties=1, query=setting.query)


def _bursting(random: Random, setting: Setting) -> Account:
    return Bursting(random, BURST_TASKS, setting)


def requests(
    opened: Callable[[Random, Setting], Account], setting: Setting, histories: int, *, exact: bool
) -> list[int | None]:
    """List each account to the end; give the numbers of requests, None for a listing refused."""
    found: list[int | None] = []
    for seed in range(histories):
        random = Random(seed)
        try:
            _, report = by_paging(exact=exact)(opened(random, setting), random, setting)
        except TwelveTasksError:
            found.append(None)
        else:
            found.append(report.requests)
    return found


def costs(histories: int) -> dict[str, list[list[int | None]]]:
    """Give, for each listing, the requests at each rate, and those with a burst of uploads."""
    found: dict[str, list[list[int | None]]] = {}
    for name, (sort_by, exact) in LISTINGS.items():
        for setting in modes(sort_by):
            if setting.filtered or setting.ties > 1:
                continue
            runs = [(_steady, attrs.evolve(setting, rate=rate)) for rate in RATES]
            if setting.sort_option == "desc":
                # Oldest first, what was uploaded is listed, too.
                runs += [(_bursting, attrs.evolve(setting, concurrency=most)) for most in AT_ONCE]
            found[f"{name}, {setting.sort_option}"] = [
                requests(opened, one, histories, exact=exact) for opened, one in runs
            ]
    return found


if __name__ == "__main__":
    print(json.dumps(costs(int(sys.argv[1]))))
