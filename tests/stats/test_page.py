"""The page: what it shows, that it stands alone, and that nothing in an account can harm it."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stats.accounts import HOSTILE, NEW_YEAR, demo, ready, task, tasks
from tests.stats.browser import Document, Visit, visit
from twelvetasks import SystemMetadata, Task, TaskStats
from twelvetasks.stats.page import stats_page

HOSTILE_FILE = SystemMetadata(filename=HOSTILE)
HARMLESS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "figure"),
    *("h1", "h2", "p", "dl", "div", "dt", "dd", "small", "details", "summary"),
    *("table", "thead", "tbody", "tr", "th", "td", "svg", "g", "path", "line", "text", "tspan"),
}


@pytest.fixture(scope="module")
def demo_visit(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    page = stats_page(TaskStats.of(demo(1000)), subtitle="Of the demo account")
    return visit(page, tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def hostile_visit(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    hostile = [
        ready(90, id=HOSTILE, index_id=HOSTILE, system_metadata=HOSTILE_FILE),
        task("failed", id=HOSTILE, index_id=HOSTILE, system_metadata=HOSTILE_FILE),
        task(HOSTILE, created_at=NEW_YEAR),
    ]
    page = stats_page(TaskStats.of(hostile), title=f"Safe {HOSTILE}", subtitle=HOSTILE)
    return visit(page, tmp_path_factory.mktemp("hostile"))


def assert_harmless(document: Document) -> None:
    """Nothing that runs or loads: no such element, and no attribute that does so."""
    assert {tag for tag, _ in document.elements} <= HARMLESS
    for _, attributes in document.elements:
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert name not in {"action", "data", "formaction", "href", "src", "srcset", "style"}
            assert "url(" not in (value or "")


class TestInABrowser:
    def test_the_charts_are_drawn(self, demo_visit: Visit) -> None:
        charts = [
            attributes["aria-label"]
            for tag, attributes in demo_visit.document.elements
            if tag == "svg"
        ]
        assert charts == ["Tasks by status", "Indexing times", "Tasks by day", "Tasks by index"]
        bars = [
            attributes
            for _, attributes in demo_visit.document.elements
            if attributes.get("aria-roledescription") == "bar"
        ]
        # 7 statuses, 14 bins, 2 bars of 28 weeks, and 12 parts of the bars of 4 indexes.
        assert len(bars) == 7 + 14 + 2 * 28 + 12
        assert all(re.fullmatch(r"M[\d.,MLhvHVZAaC -]+", each["d"] or "") for each in bars)

    def test_the_numbers_are_there_to_read(self, demo_visit: Visit) -> None:
        text = demo_visit.document.texts
        assert {"1,000", "900", "40", "60", "4.3% of the ended"} <= {*text}
        assert {"median 5m 5s", "p95 12m 56s", "Throughput by week"} <= {*text}
        assert {"ready: 900 tasks, 90.0%", "failed: 40 tasks, 4.0%"} <= {*text}
        assert {"2025-06-23: 36 created", "2025-06-23: 32 became ready"} <= {*text}
        assert "Data from 2024-12-24 to 2025-06-30 (UTC)" in text
        assert "4.3% failed" in text
        assert any("The last week is pale, because the data ends on 2025-06-30." in t for t in text)
        # Weeks begin on a Monday, and the year stands below where it changes.
        dates = ["Dec 23", "2024", "Jan 27", "2025", "Mar 3", "Apr 7", "May 12", "Jun 16"]
        first = text.index("Dec 23")
        assert text[first : first + len(dates)] == dates
        assert "\N{EN DASH}" in text
        assert demo_visit.document.count("tbody") == 4 + 2
        # Of each table its heading and its rows; the last two are the slowest and the failed.
        assert demo_visit.document.count("tr") == 6 + 7 + 14 + 28 + 4 + 10 + 10

    def test_nothing_is_asked_of_any_network(self, demo_visit: Visit, hostile_visit: Visit) -> None:
        assert (demo_visit.requests, hostile_visit.requests) == ([], [])

    def test_the_browser_has_nothing_to_complain_of(
        self, demo_visit: Visit, hostile_visit: Visit
    ) -> None:
        assert (demo_visit.console, hostile_visit.console) == ([], [])

    def test_what_a_page_asks_for_would_be_noticed(self, tmp_path: Path) -> None:
        seen = visit("<img src=http://elsewhere.test/x><script>nonsense()</script>", tmp_path)
        assert "http://elsewhere.test/x" in seen.requests
        assert any("nonsense is not defined" in line for line in seen.console)

    def test_hostile_names_are_text(self, hostile_visit: Visit) -> None:
        document = hostile_visit.document
        assert_harmless(document)
        assert document.texts.count(HOSTILE) >= 8
        assert f"Safe {HOSTILE}" in document.texts
        assert [
            label
            for _, attributes in document.elements
            if HOSTILE in (label := attributes.get("aria-label") or "")
        ]

    def test_the_page_of_the_demo_has_nothing_that_runs_or_loads(self, demo_visit: Visit) -> None:
        assert_harmless(demo_visit.document)


class TestThePage:
    @settings(max_examples=15, deadline=None)
    @given(st.lists(tasks, max_size=30))
    def test_of_any_tasks_it_is_harmless_and_whole(self, added: list[Task]) -> None:
        page = stats_page(TaskStats.of(added))
        document = Document(page)
        assert_harmless(document)
        assert all(each.isprintable() or each == "\n" for each in page)
        for tag in ("section", "figure", "svg", "g", "table", "td", "details"):
            assert document.count(tag) == page.count(f"</{tag}>")

    @pytest.mark.parametrize("count", [0, 1])
    def test_an_account_without_much_in_it_has_a_page_too(self, count: int) -> None:
        document = Document(stats_page(TaskStats.of(demo(count))))
        assert f"{count}" in document.texts
        assert ("There are no tasks." in document.texts) == (count == 0)
        assert "No task with a known time is ready." in document.texts

    def test_what_is_unknown_is_said(self) -> None:
        stats = TaskStats.of([ready(5), task("ready"), ready(7)])
        page = " ".join(Document(stats_page(stats)).texts)
        assert "of 2 ready tasks; 5s to 7s. It is not known of 1 ready task." in page
        assert "1 task without a time of creation." in page

    def test_a_time_that_cannot_be_makes_no_weeks(self) -> None:
        zero = datetime(1, 1, 1, tzinfo=UTC)
        stats = TaskStats.of([ready(5), task("ready", created_at=zero, updated_at=NEW_YEAR)])
        texts = Document(stats_page(stats)).texts
        assert "Data of 2025-01-01 (UTC)" in texts
        assert "Throughput by day" in texts
        assert any("1 task without a time of creation." in text for text in texts)

    def test_the_open_bin_is_drawn_as_open(self) -> None:
        stats = TaskStats.of([*(ready(s) for s in range(60, 260)), ready(10**6)])
        bars = [
            attributes
            for _, attributes in Document(stats_page(stats)).elements
            if "and longer" in (attributes.get("aria-label") or "")
            and attributes.get("aria-roledescription") == "bar"
        ]
        assert [(bar["stroke-dasharray"], bar["fill-opacity"]) for bar in bars] == [("3,3", "0.45")]

    def test_many_names_are_put_together(self) -> None:
        stats = TaskStats.of(task(f"state {n:03}", index_id=f"index {n:03}") for n in range(100))
        texts = Document(stats_page(stats)).texts
        for kind in ("state", "index"):
            assert f"{kind} 018" in texts
            assert f"{kind} 019" not in texts
        # Above a bar, on an axis, and in the numbers.
        assert "81 others: 81 tasks, 81.0%" in texts
        assert "81 others: 81 tasks under way" in texts
        assert texts.count("81 others") == 4

    def test_the_title_is_the_callers(self) -> None:
        page = stats_page(TaskStats(), title="Films & <b>more</b>", subtitle="in May")
        assert "<title>Films &amp; &lt;b&gt;more&lt;/b&gt;</title>" in page
        assert "<p>in May</p>" in page
        assert "<p></p>" not in stats_page(TaskStats())

    def test_it_is_small(self) -> None:
        assert len(stats_page(TaskStats.of(demo(1000))).encode()) < 100_000

    def test_its_policy_forbids_everything_but_its_own_style(self) -> None:
        policy = re.findall('Content-Security-Policy" content="(.*)">', stats_page(TaskStats()))
        assert len(policy) == 1
        assert re.fullmatch(r"default-src 'none'; style-src 'sha256-[\w+/]{43}='", policy[0])


class TestTheExtra:
    @staticmethod
    def run(program: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program],
            check=False,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )

    def test_is_not_imported_by_the_core(self) -> None:
        ended = self.run("import sys, twelvetasks\nprint('vl_convert' in sys.modules)")
        assert (ended.stdout, ended.stderr) == ("False\n", "")

    def test_is_named_where_it_is_missing(self) -> None:
        ended = self.run(
            "import sys; sys.modules['vl_convert'] = None; import twelvetasks.stats.page"
        )
        assert ended.returncode == 1
        assert ended.stderr.splitlines()[-1] == (
            "ImportError: twelvetasks.stats.page needs its extra: pip install 'twelvetasks[html]'"
        )
