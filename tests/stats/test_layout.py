"""The page in a real browser: wide, narrow, light, dark, of nothing, one task and a million."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stats.accounts import demo, ready
from tests.stats.layout import Layout, View, layouts
from twelvetasks import SystemMetadata, Task, TaskStats
from twelvetasks.conversion.convert import structure
from twelvetasks.stats.page import stats_page

LEAST_CONTRAST = 4.5
"""What WCAG asks of text (level AA)."""


def a_million() -> TaskStats:
    stats, tasks = TaskStats(), demo(1000)
    for _ in range(1000):
        for each in tasks:
            stats.add(each)
    return stats


def long_names() -> TaskStats:
    name = SystemMetadata(filename="a_name_without_any_place_to_break_a_line_" * 5)
    return TaskStats.of(
        [
            *(ready(s, index_id=f"{'index' * 12}{s}", system_metadata=name) for s in range(60, 90)),
            structure({"_id": "b", "status": "failed", "error_reason": "reason " * 40}, Task),
            ready(10**6, system_metadata=name),
        ]
    )


ACCOUNTS: dict[str, Callable[[], TaskStats]] = {
    "demo": lambda: TaskStats.of(demo(1000)),
    "empty": TaskStats,
    "one": lambda: TaskStats.of([ready(95)]),
    "million": a_million,
    "long names": long_names,
}


TOLD = {
    "demo": "1,000",
    "empty": "There are no tasks.",
    "one": "Data of 2025-01-01 (UTC)",
    "million": "1,000,000",
    "long names": "a_name_without_any_place",
}
VIEWS = (View(1400), View(1000, dark=True), View(500), View(500, dark=True), View(360))


@pytest.mark.parametrize(
    "name",
    # The same lines run in the others, without being measured a million times.
    [pytest.param(name, marks=[pytest.mark.no_cover] * (name == "million")) for name in ACCOUNTS],
)
async def test_it_fits_and_can_be_read(name: str, tmp_path: Path) -> None:
    page = stats_page(ACCOUNTS[name](), subtitle="Of an account")
    faults = {
        (view, fault)
        for view, seen in zip(VIEWS, await layouts(page, tmp_path, *VIEWS), strict=True)
        for fault in faults_of(seen, view, name)
    }
    assert faults == set()


def faults_of(seen: Layout, view: View, name: str) -> list[str]:
    narrow = view.width < 768
    least = 10 if view.width >= 500 else 7
    right = {
        f"the page is {seen.page} pixels wide": seen.page <= seen.window == view.width,
        f"{seen.columns} charts side by side": seen.columns == (1 if narrow else 2),
        f"scrolls: {seen.scrolling}": not (seen.scrolling and narrow),
        f"outside of its card: {seen.outside}": not seen.outside,
        f"labels upon each other: {seen.crossing}": not seen.crossing,
        f"a contrast of {seen.contrast}": seen.contrast >= LEAST_CONTRAST,
        f"a luminance of {seen.background}": (seen.background < 0.1) == view.dark,
        "charts of nothing, or none": (seen.smallest is None) == (name == "empty"),
        f"labels {seen.smallest} pixels high": seen.smallest is None or seen.smallest >= least,
        f"{TOLD[name]} is not told": TOLD[name] in seen.text,
    }
    return [fault for fault, is_right in right.items() if not is_right]


async def test_a_narrow_table_names_what_each_cell_is(tmp_path: Path) -> None:
    failed = structure({"_id": "abc", "status": "failed", "error_reason": "broken"}, Task)
    page = stats_page(TaskStats.of([failed]))
    narrow, wide = await layouts(page, tmp_path, View(500), View(1300))
    assert 'data-label="Reason">broken' in page
    assert (narrow.labels, wide.labels) == (['"Reason"'], ["none"])
