"""How values show themselves: reprs, tables in notebooks, and text for terminals."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.conversion.test_convert import pages, tasks
from twelvetasks import PageInfo, SystemMetadata, Task, TaskPage, TaskSession, TaskStatus
from twelvetasks.conversion.convert import structure
from twelvetasks.testing import FakePlatform
from twelvetasks.values.display import (
    LONGEST_EXCERPT,
    duration_text,
    excerpt,
    fields_html,
    minute_text,
    printable,
    table_html,
    terminal_json,
)
from twelvetasks.values.timestamps import parse_timestamp

KNOWN = {"table", "caption", "thead", "tbody", "tr", "th", "td"}


class Reader(HTMLParser):
    """Reads a table back, as a browser would, and insists that it is nothing else."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in KNOWN
        assert attrs == []
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


HOSTILE = "<script>alert(1)</script>\"'&amp;</td>"


class TestReprs:
    def test_a_task_shows_what_is_known_of_it_and_no_more(self) -> None:
        task = Task(
            id="1",
            status=TaskStatus.READY,
            created_at=parse_timestamp("2025-06-30T16:47:03.657Z"),
            system_metadata=SystemMetadata(filename="a.mp4"),
        )
        assert repr(task) == (
            "Task(id='1', status='ready', created_at=2025-06-30T16:47:03.657Z, "
            "system_metadata=SystemMetadata(filename='a.mp4'))"
        )
        assert repr(structure({"_id": "1", "new": 2}, Task)) == "Task(id='1', extra={'new': 2})"

    def test_a_page_says_which_it_is(self) -> None:
        info = PageInfo(page=2, limit_per_page=50, total_page=3, total_results=101)
        page = TaskPage(data=(Task(id="1"),), page_info=info)
        assert repr(page) == "<TaskPage 2 of 3: 1 of 101 tasks>"
        assert repr(info) == "PageInfo(page=2, limit_per_page=50, total_page=3, total_results=101)"

    async def test_a_listing_and_its_stream_say_what_they_are_and_where(
        self, platform: FakePlatform, session: TaskSession
    ) -> None:
        listing = session.tasks(status="ready", max_items=70, exact=True)
        assert repr(listing) == (
            "<TaskListing of TaskQuery(status=('ready',), sort_by='created_at', "
            "sort_option='desc', page_limit=50), max_items=70, exact>"
        )
        stream = aiter(session.tasks())
        assert repr(stream) == "<TaskStream, not begun>"
        await anext(stream)
        assert repr(stream) == "<TaskStream at page 1 of 5, 230 tasks>"
        assert repr(stream.report).startswith("ListingReport(requests=")
        assert repr(stream.report).endswith("consistency='quiet')")
        resumed = session.tasks(resume=stream.checkpoint)
        assert repr(resumed).endswith("page_limit=50), resumed>")
        await stream.aclose()


class TestHtml:
    @given(tasks)
    def test_any_task_is_a_table_of_its_own_text(self, sent: dict[str, object]) -> None:
        task = structure(sent, Task)
        rows = {name: value for name, value in Reader(fields_html(task)).rows}  # noqa: C416
        assert rows["id"] == excerpt(task.id)

    @given(pages)
    def test_any_page_is_a_table_of_its_tasks(self, sent: dict[str, object]) -> None:
        page = structure(sent, TaskPage)
        assert len(Reader(page._repr_html_()).rows) == 1 + len(page.tasks)

    @pytest.mark.parametrize("hostile", [HOSTILE, "<img src=x onerror=alert(1)>"])
    def test_hostile_text_stays_text(self, hostile: str) -> None:
        task = Task(
            id="1",
            index_id=hostile,
            status=hostile,
            system_metadata=SystemMetadata(filename=hostile),
        )
        html = fields_html(task)
        assert "<script" not in html
        assert "<img" not in html
        assert [row[1] for row in Reader(html).rows] == ["1", hostile, hostile, hostile]

    async def test_notebooks_find_it(self, session: TaskSession) -> None:
        async with session.tasks() as stream:
            task = await anext(stream)
            assert task._repr_html_() == fields_html(task)
            [task async for task in stream]
            assert stream.report._repr_html_() == fields_html(stream.report)
            assert ["requests", "5"] in Reader(fields_html(stream.report)).rows
        page = await anext(session.tasks().pages())
        assert len(Reader(page._repr_html_()).rows) == 51

    @given(st.text())
    def test_the_caption_says_where_the_page_stands(self, text: str) -> None:
        info = PageInfo(page=1, limit_per_page=50, total_page=3, total_results=101)
        page = TaskPage(data=(Task(id=text),), page_info=info)
        assert "<caption>page 1 of 3, 1 of 101 tasks</caption>" in page._repr_html_()


def test_cells_of_ipython_await_at_their_top_level() -> None:
    """One session lives on from cell to cell, as in a notebook; a cell can be run again."""
    with FakePlatform.demo(120).run_in_thread() as platform:
        cells = f"""
            import twelvetasks
            address = {str(platform.base_url)!r}
            session = twelvetasks.TaskSession({platform.api_key!r}, base_url=address)
            print("count", await session.tasks().count())
            listing = session.tasks(max_items=3)
            print("ids", [task.id for task in await listing])
            print("again", len([task async for task in listing]))
            listing
            async with listing as stream: first = await anext(stream)
            first.status
            await session.aclose()
        """
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "IPython", "--simple-prompt", "--no-banner"),
                "--HistoryManager.enabled=False",
            ],
            check=False,
            input=textwrap.dedent(cells).lstrip(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            env=os.environ | {"IPYTHONDIR": os.devnull + "-none", "PYTHONWARNINGS": "default"},
            timeout=60,
        )
    said = ended.stdout
    assert ended.returncode == 0, said
    assert "Error" not in said, said
    assert "Warning" not in said, said
    assert "count 120" in said
    assert "again 3" in said
    assert re.search(r"Out\[\d+\]: <TaskListing of TaskQuery\(", said)
    assert f"'{platform.tasks()[0]['_id']}'" in said


SIZES = {"d": 86400, "h": 3600, "m": 60, "s": 1}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.04, "0s"),
        (0.25, "0.2s"),
        (7, "7s"),
        (9.94, "9.9s"),
        (9.96, "10s"),
        (59.4, "59s"),
        (59.6, "1m"),
        (61, "1m 1s"),
        (3599.7, "1h"),
        (3629, "1h"),
        (3630.5, "1h 1m"),
        (86399, "1d"),
        (90000, "1d 1h"),
        (400 * 86400, "400d"),
    ],
)
def test_a_length_of_time_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@given(st.floats(0, 1e10))
def test_no_length_of_time_is_far_from_what_is_written(seconds: float) -> None:
    parts = duration_text(seconds).split()
    read = sum(float(part[:-1]) * SIZES[part[-1]] for part in parts)
    smallest = {"d": 3600, "h": 60, "m": 1, "s": 1}[parts[0][-1]]
    assert abs(read - seconds) <= smallest / 2 + 0.5
    assert len(parts) <= 2


def test_a_minute_is_of_utc() -> None:
    tokyo = datetime(2025, 1, 2, 8, 59, 59, tzinfo=timezone(timedelta(hours=9)))
    assert minute_text(tokyo) == "2025-01-01 23:59"
    assert minute_text(datetime(2025, 1, 2, tzinfo=UTC)) == "2025-01-02 00:00"
    assert minute_text(None) == ""


WITHOUT_WIDTH = {*"\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"} | {
    *map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
}
"""What Python calls printable although nobody can see it."""


@given(st.text(st.characters() | st.sampled_from(sorted(WITHOUT_WIDTH))))
@example("".join(sorted(WITHOUT_WIDTH)))
def test_nothing_is_left_that_a_terminal_would_obey(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert all(each.isprintable() for each in shown)
    assert not WITHOUT_WIDTH & {*shown}
    assert all(
        after == before
        for before, after in zip(text, shown, strict=True)
        if before.isprintable() and before not in WITHOUT_WIDTH
    )


INVISIBLE = "a\u202eb\u200bc\u2066d\x1b[2Je\x85f\ud800g\U000e0041h\u2028i"


@given(st.text())
def test_an_excerpt_is_one_printable_line_however_long_the_text(text: str) -> None:
    shown = excerpt(text * 200)
    assert shown.isprintable()
    assert len(shown) <= LONGEST_EXCERPT + 3


@given(st.text(st.characters(exclude_categories=[])))
@example(INVISIBLE)
@example("".join(sorted(WITHOUT_WIDTH)))
def test_json_for_a_terminal_is_printable_and_has_the_same_values(text: str) -> None:
    written = json.dumps({text: [text, 1]}, ensure_ascii=False, indent=2)
    shown = terminal_json(written)
    assert all(line.isprintable() for line in shown.split("\n"))
    assert not WITHOUT_WIDTH & {*shown}
    assert json.loads(shown) == json.loads(written)


def test_html_for_a_notebook_hides_and_reorders_nothing() -> None:
    task = Task(id=INVISIBLE, status=INVISIBLE, extra={INVISIBLE: INVISIBLE * 500})
    html = fields_html(task) + table_html([task], caption=INVISIBLE)
    assert html.isprintable()
    assert len(html) < 10_000
