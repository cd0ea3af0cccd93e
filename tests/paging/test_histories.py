"""Exactly once, in order: listings of accounts that change between any two reads.

`--histories N` sets how many are played in each mode: 1,000 unless told, 20,000 in the nightly
session. The naive listing is played too and has to be caught: a check that cannot fail proves
nothing.
"""

from __future__ import annotations

from random import Random

import attrs
import pytest

from tests.paging.histories import (
    Listed,
    Setting,
    Verdict,
    by_paging,
    fixed_modes,
    judged,
    modes,
    modes_of_each_list,
    naively,
    with_interruptions,
)
from twelvetasks import SortBy

# Tests that go the same ways more slowly are measured; here it would take three times as long.
pytestmark = pytest.mark.no_cover

MODES = [*modes(*SortBy), *fixed_modes()]
BY_CREATION = [*modes(SortBy.CREATED_AT), *fixed_modes()]
"""The modes in which a sort key never changes."""

LISTINGS = {"exact": by_paging(exact=True), "default": by_paging(exact=False)}


def play(mode: Setting, listed: Listed, histories: int, mix: str = "everything") -> list[Verdict]:
    """Play histories with 0 to 2 changes per request, some of them with none at all."""
    verdicts = []
    for seed in range(histories):
        rate = Random(seed).choice((0.0, 0.05, 0.1, 0.3, 0.5, 1.0, 1.5, 2.0))
        verdicts.append(judged(attrs.evolve(mode, rate=rate, mix=mix), seed, listed))
    return verdicts


def assert_right(verdicts: list[Verdict]) -> None:
    wrong = {seed: verdict for seed, verdict in enumerate(verdicts) if not verdict.is_right}
    assert wrong == {}


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_exact_loses_repeats_and_disorders_nothing(mode: Setting, histories: int) -> None:
    assert_right(play(mode, LISTINGS["exact"], histories))


@pytest.mark.parametrize("mode", modes_of_each_list(), ids=str)
def test_so_does_every_other_list_by_its_own_query(mode: Setting, histories: int) -> None:
    assert_right(play(mode, LISTINGS["exact"], histories))


@pytest.mark.parametrize("mode", modes(SortBy.UPDATED_AT), ids=str)
def test_by_updated_at_nothing_is_lost_without_exact_either(mode: Setting, histories: int) -> None:
    assert_right(play(mode, LISTINGS["default"], histories))


@pytest.mark.parametrize("mix", ["inserts", "deletes"])
@pytest.mark.parametrize("mode", BY_CREATION, ids=str)
def test_the_default_survives_inserts_alone_and_deletes_alone(
    mode: Setting, mix: str, histories: int
) -> None:
    assert_right(play(mode, LISTINGS["default"], histories, mix))


def test_the_default_under_any_mix_is_twenty_times_safer_than_the_naive_listing(
    histories: int,
) -> None:
    ours, naive = (
        [verdict for mode in BY_CREATION for verdict in play(mode, listed, histories)]
        for listed in (LISTINGS["default"], naively)
    )
    assert not any(verdict.repeated or verdict.disordered for verdict in ours)
    for exposure in (lambda verdict: verdict.lost, lambda verdict: verdict.lost > 0):
        assert 20 * sum(map(exposure, ours)) <= sum(map(exposure, naive))


@pytest.mark.parametrize("mode", BY_CREATION, ids=str)
def test_a_resumed_listing_loses_repeats_and_disorders_nothing(
    mode: Setting, histories: int
) -> None:
    assert_right(play(mode, with_interruptions, histories))


@pytest.mark.parametrize("mode", modes(SortBy.UPDATED_AT), ids=str)
def test_a_listing_by_updated_at_that_is_resumed_loses_nothing(
    mode: Setting, histories: int
) -> None:
    verdicts = play(mode, with_interruptions, histories)
    assert sum(verdict.lost for verdict in verdicts) == 0


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_the_naive_listing_is_caught_losing_tasks(mode: Setting, histories: int) -> None:
    verdicts = play(mode, naively, min(histories, 200))
    assert sum(verdict.lost for verdict in verdicts) > 0


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("mode", MODES, ids=str)
def test_bursts_of_uploads_are_stepped_over(
    mode: Setting, concurrency: int, histories: int
) -> None:
    bursts = attrs.evolve(mode, rate=0.1, mix="bursts", concurrency=concurrency)
    assert_right([judged(bursts, seed, LISTINGS["exact"], 300) for seed in range(histories // 5)])


@pytest.mark.parametrize("mode", BY_CREATION, ids=str)
def test_a_quiet_account_costs_one_request_a_page(mode: Setting) -> None:
    by_order = mode.sort_option == "asc" and not mode.filtered
    for seed in range(50):
        verdict = judged(mode, seed, LISTINGS["default"])
        # Oldest first, pages are proven by the order of their answers. That takes few more, but for
        # pages that begin or end among tasks of one time.
        more = (2 if mode.ties == 1 else verdict.pages) if by_order else 0
        assert verdict.pages <= verdict.requests <= verdict.pages + more


@pytest.mark.parametrize("mode", BY_CREATION, ids=str)
@pytest.mark.parametrize("listed", LISTINGS)
def test_a_change_in_ten_requests_costs_less_than_another_half(mode: Setting, listed: str) -> None:
    verdicts = [
        judged(attrs.evolve(mode, rate=0.1), seed, LISTINGS[listed], 1000) for seed in range(60)
    ]
    requests = sum(verdict.requests for verdict in verdicts)
    assert requests / sum(verdict.pages for verdict in verdicts) < 1.6


@pytest.mark.parametrize(
    ("listed", "seed"),
    [("default", 1014105), ("default", 7004737), ("exact", 9000177), ("exact", 9017217)],
)
def test_what_enters_among_more_tasks_of_one_time_than_a_read_spans_is_listed(
    listed: str, seed: int
) -> None:
    # Oldest first: some of these tasks have been read while pages before them had not.
    (mode,) = (one for one in modes(SortBy.UPDATED_AT) if str(one) == "updated_at-asc-ties")
    at_once = 32 if seed == 9017217 else 8
    mode = attrs.evolve(mode, rate=0.3, mix="bulk", concurrency=at_once)
    verdict = judged(mode, seed, LISTINGS[listed])
    assert (verdict.lost, verdict.repeated) == (0, 0)
