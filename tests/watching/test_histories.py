"""Each change once, in order: watches of accounts that change and fail between any two reads.

`--histories N` sets how many are played in each mode: 1,000 unless told, 20,000 in the nightly
session. The naive watch is played too and has to be caught: a check that cannot fail proves
nothing.
"""

from __future__ import annotations

from random import Random

import attrs
import pytest

from tests.watching.histories import Make, NaiveWatch, Setting, Verdict, played
from twelvetasks.watching.progress import Watching

# Tests that go the same ways more slowly are measured; here it would take three times as long.
pytestmark = pytest.mark.no_cover

MODES = [
    Setting(begins=begins, restarts=restarts)
    for begins in ("now", "between", "early")
    for restarts in (False, True)
]
OTHERS = [
    Setting(begins="now", filtered=True),
    Setting(begins="early", filtered=True, restarts=True),
    Setting(begins="now", deletions=True),
    Setting(begins="between", deletions=True, restarts=True),
    Setting(begins="early", deletions=True, filtered=True),
    Setting(begins="now", late=5),
    Setting(begins="early", late=5, restarts=True),
    Setting(begins="now", late=5, deletions=True),
]


def play(mode: Setting, histories: int, make: Make = Watching) -> list[Verdict]:
    """Play histories with 0 to 3 changes per request, where none to a third of these fail.

    Up to 120 changes share a time: more than a page holds.
    """
    verdicts = []
    for seed in range(histories):
        random = Random(seed)
        rate = random.choice((0.0, 0.05, 0.1, 0.3, 1.0, 2.0, 3.0))
        setting = attrs.evolve(
            mode,
            rate=rate,
            ties=random.choice((1, 1, 3, 9, 120)),
            failing=random.choice((0.0, 0.1, 0.3)),
        )
        verdicts.append(played(setting, seed, make))
    return verdicts


@pytest.mark.parametrize("mode", [*MODES, *OTHERS], ids=str)
def test_each_change_is_delivered_once_and_in_order(mode: Setting, histories: int) -> None:
    verdicts = play(mode, histories)
    assert {seed: verdict for seed, verdict in enumerate(verdicts) if not verdict.is_right} == {}


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_the_naive_watch_is_caught_losing_changes(mode: Setting, histories: int) -> None:
    verdicts = play(mode, min(histories, 200), NaiveWatch)
    assert sum(verdict.lost for verdict in verdicts) > 0
