"""The set of ids in little memory: it holds what was added, nothing else, in 32 bytes an id."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from twelvetasks.paging.compact_ids import CompactIds

usual = st.text("0123456789abcdef", min_size=24, max_size=24)
near = st.text("0aAf ", min_size=22, max_size=26)
ids = st.lists(usual | near | st.text(max_size=30) | st.just("0" * 24), max_size=200)


@given(ids, ids)
def test_it_holds_what_a_set_of_strings_holds(added: list[str], asked: list[str]) -> None:
    compact, plain = CompactIds(), set[str]()
    for one in added:
        assert compact.add(one) == (one not in plain)
        plain.add(one)
    assert len(compact) == len(plain)
    for one in [*added, *asked]:
        assert (one in compact) == (one in plain)
        assert (one.upper() in compact) == (one.upper() in plain)


def test_ids_of_which_all_share_one_table_are_told_apart() -> None:
    compact = CompactIds()
    numbers = range(0, 256 * 3000, 256)
    assert all(compact.add(f"{number:024x}") for number in numbers)
    assert all(f"{number:024x}" in compact for number in numbers if number)
    assert "000000000000000000000000" in compact
    assert not any(f"{number + 1:024x}" in compact for number in numbers)


def test_an_id_takes_at_most_32_bytes_at_any_time() -> None:
    tracemalloc.start()
    try:
        compact = CompactIds()
        for start in range(0, 60_000, 50):
            for number in range(start, start + 50):
                compact.add(f"62a17bf8{number * 2654435761:016x}")
            if start >= 20_000:
                assert tracemalloc.get_traced_memory()[1] <= 32 * (start + 50) + 16_384
    finally:
        tracemalloc.stop()
