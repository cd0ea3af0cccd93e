"""Exactly once, in order, where a platform does what databases do.

Each world relaxes an assumption of the model: see `World`. `--histories N` sets how many listings
are played in each.
"""

from __future__ import annotations

import re
from random import Random
from typing import Any

import attrs
import pytest

from tests.paging.histories import Setting, Verdict, by_paging, judged, modes
from tests.paging.model import Account
from tests.paging.worlds import World, WorldAccount
from twelvetasks import SortBy, TwelveTasksError
from twelvetasks.paging.page_checks import KeyedPage
from twelvetasks.paging.reads import Read

# Tests that go the same ways more slowly are measured; here it would take three times as long.
pytestmark = pytest.mark.no_cover

Row = tuple[World, str, tuple[float, ...]]

ANY_RATE = (0.0, 0.05, 0.1, 0.3, 0.5, 1.0, 1.5, 2.0)

WORLDS: dict[str, Row] = {
    "ties-by-page-limit-and-no-change": (World(ties="limit"), "everything", (0.0,)),
    "ties-by-read-and-no-change": (World(ties="read"), "everything", (0.0,)),
    "ties-by-page-limit": (World(ties="limit"), "everything", ANY_RATE),
    "ties-by-read-and-updates": (World(ties="read"), "updates", ANY_RATE),
    "count-and-page-apart": (World(torn=0.3), "everything", (0.3,)),
    "count-and-page-apart-and-inserts": (World(torn=0.3), "inserts", (0.3,)),
    "one-change-between-count-and-page": (World(torn=1.0), "everything", (0.1, 0.3)),
    "swaps": (World(), "swaps", (0.02, 0.05, 0.1)),
    "bulk-updates": (World(), "bulk", (0.05, 0.1, 0.3)),
    "bursts": (World(), "bursts", (0.1,)),
}

AFTER_THE_OTHERS = {"one-change-between-count-and-page", "bulk-updates"}
"""Worlds that seldom show what the others do not: a fifth as many histories, but each night."""

EXACT = (SortBy.CREATED_AT, True)
BY_UPDATE = (SortBy.UPDATED_AT, False)
DEFAULT = (SortBy.CREATED_AT, False)


def play(
    row: Row,
    listed: tuple[SortBy, bool],
    histories: int,
    size: int | None = None,
    sort_option: str | None = None,
) -> tuple[list[Verdict], int]:
    """Play histories spread over the modes; give the verdicts, and how many listings raised."""
    world, mix, rates = row
    sort_by, exact = listed

    def opened(random: Random, count: int, setting: Setting) -> Account:
        return WorldAccount(world, random, count, setting)

    verdicts: list[Verdict] = []
    errors = 0
    settings = [mode for mode in modes(sort_by) if sort_option in (None, mode.sort_option)]
    for seed in range(histories):
        setting = attrs.evolve(
            settings[seed % len(settings)], rate=Random(seed).choice(rates), mix=mix
        )
        try:
            verdicts.append(judged(setting, seed, by_paging(exact=exact), size, opened))
        except TwelveTasksError:
            errors += 1
    return verdicts, errors


def a_fifth_by_day(histories: int) -> int:
    """Return how many histories to play of what the nightly session plays in full."""
    return histories if histories > 1000 else histories // 5


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("listed", [EXACT, BY_UPDATE], ids=["exact", "updated_at"])
def test_nothing_is_lost_repeated_or_out_of_order(
    world: str, listed: tuple[SortBy, bool], histories: int
) -> None:
    if world in AFTER_THE_OTHERS:
        histories = a_fifth_by_day(histories)
    verdicts, errors = play(WORLDS[world], listed, histories)
    assert [verdict for verdict in verdicts if not verdict.is_right] == []
    assert errors * 500 <= histories


REPLICAS: Row = (World(replicas=2, behind=20), "everything", (0.1, 0.3))


def test_exact_loses_nothing_where_replicas_are_behind(histories: int) -> None:
    verdicts, errors = play(REPLICAS, EXACT, histories)
    assert sum(verdict.lost for verdict in verdicts) == 0
    assert errors * 100 <= histories


@pytest.mark.parametrize(("exact", "most"), [(True, 10), (False, 30)])
def test_by_update_few_are_short_where_replicas_are_behind(
    exact: bool, most: int, histories: int
) -> None:
    """`most` of 1,000: without `exact`, listings rely on stamps and on the order of answers."""
    histories = a_fifth_by_day(histories)
    verdicts, errors = play(REPLICAS, (SortBy.UPDATED_AT, exact), histories)
    assert sum(verdict.lost > 0 for verdict in verdicts) * 1000 <= most * max(histories, 200)
    assert errors * 500 <= max(histories, 500)


@pytest.mark.parametrize("sort_option", ["desc", "asc"])
def test_by_update_an_answer_older_than_one_before_is_read_again(sort_option: str) -> None:
    outdated = 0
    mode = next(mode for mode in modes(SortBy.UPDATED_AT) if mode.sort_option == sort_option)
    for seed in range(60):
        random = Random(seed)
        setting = attrs.evolve(mode, rate=0.0, concurrency=1)
        account = LaggingAccount(random, 120, setting, outdated=seed % 6 + 1)
        account.watch()
        items, report = by_paging(exact=True)(account, random, setting)
        assert account.throughout <= {item.id for item in items}
        outdated += report.requests > seed % 6
    assert outdated > 30


def test_what_is_committed_late_is_met(histories: int) -> None:
    row: Row = (World(late=3), "everything", ANY_RATE)
    for listed, sort_option in ((EXACT, "desc"), (BY_UPDATE, "desc"), (BY_UPDATE, "asc")):
        verdicts, errors = play(row, listed, histories // 3, sort_option=sort_option)
        assert sum(verdict.lost for verdict in verdicts) + errors == 0


@pytest.mark.parametrize("ties", ["stable", "limit", "read"])
@pytest.mark.parametrize("listed", [EXACT, BY_UPDATE], ids=["exact", "updated_at"])
def test_more_equal_times_than_a_page_straddles_are_listed_whole_or_refused(
    listed: tuple[SortBy, bool], ties: str
) -> None:
    sort_by, exact = listed
    refused: list[str] = []
    for seed in range(24):
        mode = modes(sort_by)[seed % 2 * 4]
        setting = attrs.evolve(mode, rate=0.0)
        account = CrowdedAccount(World(ties=ties), Random(seed), 160 + seed, setting)
        account.watch()
        try:
            items, _ = by_paging(exact=exact)(account, Random(seed), setting)
        except TwelveTasksError as error:
            refused.append(str(error))
        else:
            assert account.throughout == {item.id for item in items}
    assert (refused == []) == (ties == "stable")
    told = re.compile(f"have the same {sort_by}.*differently.*another sort_by")
    assert all(map(told.search, refused))


@pytest.mark.parametrize("mix", ["inserts", "everything"])
def test_by_update_an_account_with_many_changes_a_second_is_listed(mix: str) -> None:
    """More tasks change in five seconds than a page holds, so that no read spans all of them."""
    mode = next(mode for mode in modes(SortBy.UPDATED_AT) if mode.sort_option == "desc")
    for seed in range(12):
        setting = attrs.evolve(mode, rate=(0.3, 1.0, 2.0)[seed % 3], mix=mix)
        account = BusyAccount(World(), Random(seed), 500, setting)
        account.watch()
        items, _ = by_paging(exact=False)(account, Random(seed), setting)
        assert account.throughout <= {item.id for item in items}


@pytest.mark.parametrize("listed", [EXACT, BY_UPDATE], ids=["exact", "updated_at"])
def test_a_time_that_is_edited_may_hide_a_task(listed: tuple[SortBy, bool]) -> None:
    """What no listing can notice: the guide says so."""
    sort_by, exact = listed
    mode = next(mode for mode in modes(sort_by) if mode.sort_option == "asc")
    setting = attrs.evolve(mode, rate=0.0, concurrency=1)
    account = EditedAccount(World(), Random(0), 120, setting)
    account.watch()
    items, _ = by_paging(exact=exact)(account, Random(0), setting)
    assert account.throughout - {item.id for item in items} == {account.edited.id}


def test_exact_loses_nothing_in_all_these_worlds_at_once(histories: int) -> None:
    histories = a_fifth_by_day(histories)
    row: Row = (World(torn=0.3, ties="read", late=3), "everything", (0.1, 0.3))
    verdicts, errors = play(row, EXACT, histories)
    assert sum(verdict.lost for verdict in verdicts) == 0
    assert errors * 500 <= histories


@pytest.mark.parametrize("mix", ["everything", "swaps"])
def test_a_long_default_listing_is_short_once_in_a_thousand_at_most(
    mix: str, histories: int
) -> None:
    row: Row = (World(), mix, (0.0, 0.02, 0.05, 0.1))
    verdicts, errors = play(row, DEFAULT, max(histories // 8, 8), 2600)
    assert sum(verdict.lost > 0 for verdict in verdicts) * 1000 <= len(verdicts)
    assert errors == 0


def test_a_short_default_listing_newest_first_notices_swaps(histories: int) -> None:
    row: Row = (World(), "swaps", (0.02, 0.05, 0.1))
    verdicts, errors = play(row, DEFAULT, histories, sort_option="desc")
    assert sum(verdict.lost > 0 for verdict in verdicts) * 1000 <= len(verdicts)
    assert errors == 0


@pytest.mark.parametrize(
    ("listed", "sort_option", "most"),
    [
        (EXACT, "desc", 1.23),
        (EXACT, "asc", 1.23),
        (BY_UPDATE, "desc", 1.05),
        (BY_UPDATE, "asc", 1.05),
        (DEFAULT, "desc", 1.04),
        (DEFAULT, "asc", 1.04),
    ],
)
def test_a_quiet_account_of_a_hundred_pages_costs_few_requests_more(
    listed: tuple[SortBy, bool], sort_option: str, most: float
) -> None:
    sort_by, exact = listed
    mode = next(
        mode
        for mode in modes(sort_by)
        if mode.sort_option == sort_option and mode.ties == 1 and not mode.filtered
    )
    verdicts = [judged(mode, seed, by_paging(exact=exact), 4990) for seed in range(10)]
    assert sum(one.requests for one in verdicts) <= most * sum(one.pages for one in verdicts)


@pytest.mark.parametrize("listed", [BY_UPDATE, DEFAULT], ids=["updated_at", "default"])
def test_oldest_first_changes_cost_little(listed: tuple[SortBy, bool]) -> None:
    mode = next(mode for mode in modes(listed[0]) if mode.sort_option == "asc")
    changing = attrs.evolve(mode, rate=0.03)
    verdicts = [judged(changing, seed, by_paging(exact=False), 4990) for seed in range(10)]
    assert not any(verdict.lost for verdict in verdicts)
    assert sum(one.requests for one in verdicts) <= 1.3 * sum(one.pages for one in verdicts)


@pytest.mark.parametrize("ties", [1, 9])
def test_oldest_first_deletions_that_come_with_uploads_hide_no_task(ties: int) -> None:
    mode = next(
        mode
        for mode in modes(SortBy.CREATED_AT)
        if mode.sort_option == "asc" and not mode.filtered and (mode.ties == 1) == (ties == 1)
    )
    swapping = attrs.evolve(mode, rate=0.1, mix="swaps")
    verdicts = [judged(swapping, seed, by_paging(exact=False)) for seed in range(200)]
    assert not any(verdict.lost for verdict in verdicts)


@pytest.mark.parametrize(("exact", "most"), [(False, 30), (True, 31)])
@pytest.mark.parametrize("uploads", [1000, 5000])
def test_a_burst_of_uploads_is_stepped_over_in_few_requests(
    uploads: int, exact: bool, most: int
) -> None:
    mode = next(mode for mode in modes(SortBy.CREATED_AT) if mode.sort_option == "desc")
    requests: list[int] = []
    for seed in range(20):
        random = Random(seed)
        setting = attrs.evolve(mode, rate=0.0)
        account = BurstingAccount(random, 1000, setting, after=random.randrange(2, 15), of=uploads)
        account.watch()
        items, report = by_paging(exact=exact)(account, random, setting)
        assert account.throughout <= {item.id for item in items}
        requests.append(report.requests)
    assert sum(requests) / len(requests) <= most


class LaggingAccount(WorldAccount):
    """An account that answers one read from a replica that lags, and updates a task at each."""

    def __init__(self, random: Random, count: int, setting: Setting, *, outdated: int) -> None:
        super().__init__(World(), random, count, setting)
        self._outdated = outdated
        self._reads = 0
        self._lagging = list(self._view)
        for _ in range(5):
            self.change_status()

    def read(self, read: Read) -> KeyedPage[Any]:
        self._reads += 1
        current = self._view
        if self._reads == self._outdated:
            self._view = self._lagging
        page = super().read(read)
        self._view = current
        if self._reads < 6:
            self.change_status()
        return page


class BusyAccount(WorldAccount):
    """An account with 200 changes a second."""

    def tick(self) -> Any:
        return super().tick() / 100


class CrowdedAccount(WorldAccount):
    """An account in which many tasks have one time, and the others a time each."""

    def tick(self) -> int:
        number = len(self.items)
        return 2000 if 50 <= number < 110 else number + (3000 if number >= 110 else 0)


class EditedAccount(WorldAccount):
    """An account in which the last task gets the times of the first, after one read."""

    def read(self, read: Read) -> KeyedPage[Any]:
        page = super().read(read)
        last = self.items["t000120"]
        self.edited = attrs.evolve(last, created=0, updated=0, born=0)
        self._move(last, self.edited)
        return page


class BurstingAccount(WorldAccount):
    """An account to which many tasks are uploaded at once, after so many reads."""

    def __init__(
        self, random: Random, count: int, setting: Setting, *, after: int, of: int
    ) -> None:
        super().__init__(World(), random, count, setting)
        self._reads_left = after
        self._uploads = of

    def read(self, read: Read) -> KeyedPage[Any]:
        self._reads_left -= 1
        if not self._reads_left:
            for _ in range(self._uploads):
                self.insert()
        return super().read(read)
