"""Nothing that was signed is handed over twice, whatever is remembered and whatever the clock."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.webhooks.signing import NOW
from twelvetasks import WebhookError
from twelvetasks.webhooks import Refusal, deliveries
from twelvetasks.webhooks.deliveries import Deliveries


def outcome(
    remembered: Deliveries, event: str, signed_at: int, now: float, *, delivered: bool = True
) -> str:
    """Play one attempt to its end, and say what became of it."""
    try:
        is_new = remembered.begin(event, signed_at, now)
    except WebhookError as error:
        return error.refusal
    if not is_new:
        return "a retry"
    remembered.end(event, signed_at, delivered=delivered)
    return "handed over" if delivered else "failed"


def test_an_attempt_signed_later_is_a_retry_and_any_other_a_replay() -> None:
    remembered = Deliveries(300)
    assert outcome(remembered, "a", NOW, NOW) == "handed over"
    assert outcome(remembered, "a", NOW, NOW + 1) == Refusal.REPLAYED
    assert outcome(remembered, "a", NOW + 60, NOW + 61) == "a retry"
    assert outcome(remembered, "a", NOW + 60, NOW + 62) == Refusal.REPLAYED
    assert outcome(remembered, "a", NOW + 30, NOW + 62) == Refusal.REPLAYED
    assert outcome(remembered, "b", NOW, NOW + 62) == "handed over"


def test_what_could_not_be_handed_over_may_come_again_in_the_same_bytes() -> None:
    remembered = Deliveries(300)
    assert outcome(remembered, "a", NOW, NOW, delivered=False) == "failed"
    assert outcome(remembered, "a", NOW, NOW) == "handed over"


def test_what_is_being_handed_over_is_busy() -> None:
    remembered = Deliveries(300)
    assert remembered.begin("a", NOW, NOW)
    assert outcome(remembered, "a", NOW, NOW) == Refusal.BUSY
    assert outcome(remembered, "a", NOW + 9, NOW + 9) == Refusal.BUSY
    remembered.end("a", NOW, delivered=True)
    assert outcome(remembered, "a", NOW + 9, NOW + 9) == "a retry"


def test_memory_is_bounded_and_what_it_forgets_is_still_no_way_in() -> None:
    remembered = Deliveries(300)
    for number in range(deliveries.REMEMBERED + 500):
        time = NOW + number // 50
        assert outcome(remembered, str(number), time, time) == "handed over"
    assert len(remembered) == deliveries.REMEMBERED
    assert outcome(remembered, "0", NOW, NOW + 250) == Refusal.REPLAYED
    assert outcome(remembered, "new", NOW + 250, NOW + 250) == "handed over"


@pytest.mark.parametrize("tolerance", [300.0, 100_000.0])
def test_nothing_that_is_lately_signed_is_refused_for_what_was_forgotten(
    tolerance: float,
) -> None:
    """Signed as far ahead, and as late, as the tolerance allows: the worst there is."""
    kept_for = max(deliveries.REMEMBERED_FOR, 2 * tolerance)
    remembered = Deliveries(tolerance)
    ahead, now = int(NOW + tolerance), NOW + kept_for + 1
    assert outcome(remembered, "old", ahead, NOW) == "handed over"
    assert outcome(remembered, "new", int(now - tolerance), now) == "handed over"
    assert len(remembered) == 1


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcdef"),
            st.integers(0, 20),
            st.integers(0, 400_000),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_whatever_the_clock_says_nothing_signed_is_handed_over_twice(
    attempts: list[tuple[str, int, int, bool]],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deliveries, "REMEMBERED", 3)
        remembered = Deliveries(300)
        done: set[tuple[str, int]] = set()
        for event, signed_at, now, delivered in attempts:
            before = (event, signed_at) in done
            became = outcome(remembered, event, signed_at, now, delivered=delivered)
            if before:
                assert became == Refusal.REPLAYED
            if became in {"handed over", "a retry"}:
                done.add((event, signed_at))
            assert len(remembered) <= 3


def test_a_burst_of_one_second_turns_no_event_of_that_second_away() -> None:
    remembered = Deliveries(300)
    for number in range(30_000):
        assert outcome(remembered, str(number), NOW, NOW) == "handed over"
    assert outcome(remembered, "0", NOW, NOW) == Refusal.REPLAYED


def test_an_event_signed_far_ahead_turns_no_other_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "REMEMBERED", 100)
    remembered = Deliveries(300)
    assert outcome(remembered, "ahead", NOW + 300, NOW) == "handed over"
    for number in range(1000):
        time = NOW + number // 50
        assert outcome(remembered, str(number), time, time) == "handed over"
    assert outcome(remembered, "ahead", NOW + 300, NOW + 20) == Refusal.REPLAYED


def test_what_is_remembered_is_bounded_in_bytes_however_long_the_ids(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deliveries, "REMEMBERED", 1000)
    remembered = Deliveries(300)
    tracemalloc.start()
    try:
        for number in range(5000):
            event, time = f"{number}" + "a" * 10_000, NOW + 2 * number
            assert outcome(remembered, event, time, NOW) == "handed over"
            assert outcome(remembered, event, time + 1, NOW) == "a retry"
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1000 * 500
