"""Each change once, in order, and at once if a webhook tells of it: random histories.

`--histories N` sets how many are played, twice as many in all: 2,000 unless told. Other ways to
listen are played, too, and have to be caught: a check that cannot fail proves nothing.
"""

from __future__ import annotations

from random import Random

import attrs
import pytest

from tests.webhooks.histories import NaiveJoin, Setting, Verdict, played, watch_alone

# Tests that go the same ways more slowly are measured; here it would take three times as long.
pytestmark = pytest.mark.no_cover


def punctual(seed: int) -> Setting:
    """Disturb webhooks and the listing, and nothing else: changes have to come at once."""
    random = Random(seed)
    return Setting(
        lost=random.choice((0.0, 0.3, 1.0)),
        doubled=random.choice((0.0, 0.5)),
        late=random.choice((0.0, 2.0, 20.0, 120.0)),
        lag=random.choice((0.0, 0.0, 1.0, 8.0)),
        deleting=random.choice((0.0, 0.1)),
        ties=random.choice((1, 1, 3, 9)),
        tasks=random.choice((1, 5, 12)),
        pace=random.choice((0.2, 3.0, 60.0)),
    )


def restless(seed: int) -> Setting:
    """Let requests fail, and readers be busy, give up and start anew, too."""
    random = Random(seed)
    return attrs.evolve(
        punctual(seed),
        failing=random.choice((0.0, 0.1, 0.3)),
        restarting=random.choice((0.1, 0.3)),
    )


def wrong(verdicts: list[Verdict]) -> dict[int, Verdict]:
    return {seed: verdict for seed, verdict in enumerate(verdicts) if not verdict.is_right}


def test_each_change_comes_once_in_order_and_at_once(histories: int) -> None:
    assert wrong([played(punctual(seed), seed) for seed in range(histories)]) == {}


def test_each_change_comes_once_through_failures_and_restarts(histories: int) -> None:
    assert wrong([played(restless(seed), seed) for seed in range(histories)]) == {}


def test_a_watch_alone_is_caught_being_late(histories: int) -> None:
    verdicts = [played(punctual(seed), seed, watch_alone) for seed in range(min(histories, 100))]
    assert sum(verdict.tardy for verdict in verdicts) > 0


def test_a_naive_join_is_caught_repeating_and_disordering(histories: int) -> None:
    verdicts = [played(restless(seed), seed, NaiveJoin) for seed in range(min(histories, 100))]
    assert sum(verdict.repeated for verdict in verdicts) > 0
    assert sum(verdict.disordered for verdict in verdicts) > 0
