"""The benchmarks, so small that they measure nothing: they run, and all peers list the same."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import _peers, ratelimit
from tests.benchmarks.__main__ import NAMES, RESULTS, run
from tests.benchmarks._processes import Platforms, platforms
from tests.benchmarks._report import Report
from tests.benchmarks._server import Account
from tests.benchmarks._tables import table
from twelvetasks.testing import FakePlatform

ROOT = Path(__file__).parents[1]
TASKS = 230

PICTURES = {
    "cpu", "structure", "wall", "first", "memory", "scale", "fairness", "ratelimit", "refusals",
    "imports",
}  # fmt: skip


@pytest.fixture(scope="module")
def served() -> Iterator[Platforms]:
    with platforms(Account(TASKS)) as started:
        yield started


@pytest.fixture(scope="module")
def ids() -> list[str]:
    return [task["_id"] for task in FakePlatform.demo(TASKS).tasks()]


LISTING = [
    peer
    for peer in _peers.PEERS
    if peer
    not in {
        *(_peers.FLOOR, _peers.FLOOR_OF_JSON, _peers.SINGLE),
        *(_peers.BACKING_OFF, _peers.TWO_SESSIONS),  # in the order of arrival, or twice
        *(_peers.PARQUET, _peers.PARQUET_BY_HAND),  # in a file
        _peers.BY_UPDATE,  # in another order
    }
]


class TestPeers:
    @pytest.mark.parametrize("peer", LISTING)
    def test_each_lists_the_same_tasks_in_the_same_order(
        self, served: Platforms, ids: list[str], peer: str
    ) -> None:
        assert served.measure(peer, want="ids", page_limit=20, concurrency=3).ids == ids

    @pytest.mark.parametrize("peer", [_peers.FLOOR, _peers.FLOOR_OF_JSON])
    def test_the_floor_asks_for_every_page_once(self, peer: str) -> None:
        with platforms(Account(TASKS, per_minute=1000)) as served:
            measured = served.measure(peer, page_limit=20)
        assert measured.failure is None
        assert [status for _, status in served.requests[0]] == [200] * 12

    def test_a_single_request_is_one(self) -> None:
        with platforms(Account(TASKS, per_minute=1000)) as served:
            assert len(served.measure(_peers.SINGLE, want="first").wall) == 1
        assert len(served.requests[0]) == 1


class TestMeasuring:
    def test_it_counts_cpu_time_and_memory_for_each_repeat(self, served: Platforms) -> None:
        measured = served.measure(_peers.ITERATED, repeats=3)
        assert [len(measured.cpu), len(measured.wall)] == [3, 3]
        assert all(seconds > 0 for seconds in measured.cpu + measured.wall)
        assert 0 < measured.base <= measured.peak

    def test_a_pause_of_its_own_is_no_longer_than_the_pause(self, served: Platforms) -> None:
        measured = served.measure(_peers.ITERATED, repeats=3, heartbeat=True)
        assert len(measured.late) == len(measured.busy) > 0
        assert all(own <= late for own, late in zip(measured.busy, measured.late, strict=True))

    def test_what_ends_a_peer_is_told(self) -> None:
        with platforms(Account(TASKS, per_minute=2)) as served:
            measured = served.measure(_peers.GATHERED)
        assert measured.failure is not None
        assert "429" in measured.failure
        assert measured.wall == []


class TestTheShareOfARateLimit:
    def test_a_window_begins_with_the_first_request_after_the_one_before(self) -> None:
        requests = [(0.0, 200), (59.0, 200), (61.0, 200), (120.5, 429), (121.0, 200)]
        assert ratelimit.windows(requests) == [0.0, 61.0, 121.0]

    def test_it_is_of_what_could_have_been_answered_while_whole_windows_passed(self) -> None:
        requests = [(0.0, 200), (1.0, 200), (2.0, 429), (80.0, 200), (160.0, 200)]
        assert ratelimit.share(requests, 3) == pytest.approx(3 / (3 * 160 / 60))

    def test_before_the_second_window_it_is_of_one(self) -> None:
        assert ratelimit.share([(0.0, 200), (1.0, 200), (2.0, 429)], 4) == 0.5


class TestReport:
    def test_a_table_is_markdown(self) -> None:
        assert table(("name", "n"), [("a", 1), ("bcdef", 10)]).splitlines() == [
            "| name  |   n |",
            "| ----- | --: |",
            "| a     |   1 |",
            "| bcdef |  10 |",
        ]

    @pytest.mark.parametrize(
        ("measured", "bounds", "shown"),
        [
            (1.9, {"at_most": 2.0}, "at most 2 times | 1.9 times | yes"),
            (2.04, {"at_most": 2.0}, "at most 2 times | 2.04 times | **no**"),
            (39.96, {"at_least": 40}, "at least 40 times | 40 times | **no**"),
            (97.3, {"at_least": 95, "unit": "%"}, "at least 95% | 97.3% | yes"),
            (4.5, {"at_most": 5, "unit": "ms"}, "at most 5 ms | 4.5 ms | yes"),
        ],
    )
    def test_a_figure_stands_beside_its_target(
        self, measured: float, bounds: dict[str, Any], shown: str
    ) -> None:
        report = Report()
        report.judge("speed", measured, **bounds)
        row = report.summary().splitlines()[-1]
        assert re.sub(" +", " ", row) == f"| speed | {shown} |"


@pytest.mark.parametrize("name", NAMES)
def test_each_benchmark_runs(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if name == "refusals" and shutil.which("nginx") is None and not os.environ.get("CI"):
        pytest.skip("there is no nginx on this machine")
    report = Report(folder=tmp_path, quick=True)
    run([name], report)
    printed = capsys.readouterr().out
    assert re.search(r"^\| --.*:", printed, re.MULTILINE)
    written = (tmp_path / "results.md").read_text("utf-8")
    pictures = [path.name for path in tmp_path.glob("*.png")]
    assert pictures == ([f"{name}.png"] if name in PICTURES else [])
    assert all(f"({picture})" in written for picture in pictures)
    assert f"## {name}" in written
    assert report.summary() in written


def test_the_readme_shows_the_newest_results() -> None:
    """A run of all benchmarks writes `results`; the README quotes two figures of its summary."""
    readme = (ROOT / "README.md").read_text("utf-8")
    results = (RESULTS / "results.md").read_text("utf-8")
    for quoted, figure in [
        (r"([\d.]+ times) less client CPU", "the official SDK's with pages of 50, against ours"),
        (r"takes ([\d.]+ times)", "time for 100 pages, against the ideal: twelvetasks, async for"),
    ]:
        (shown,) = re.findall(quoted, readme)
        (row,) = re.findall(rf"^\|.*{re.escape(figure)} *\|.*$", results, re.MULTILINE)
        assert f" {shown} " in row
    shown = re.findall(r"\]\(tests/benchmarks/results/(\w+)\.png\)", readme)
    assert {path.stem for path in RESULTS.glob("*.png")} == PICTURES >= set(shown) != set()
