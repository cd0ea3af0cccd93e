"""`twelvetasks stats`: the same numbers as a drawing, as JSON and as a page."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.cli.running import Command, Terminal, at, run_in, spawn
from tests.stats.accounts import HOSTILE, NEW_YEAR, demo, ready, task, tasks
from twelvetasks import Task, TaskStats
from twelvetasks.cli.output.stats_chart import ASCII, BLOCKS, Ink, drawn_stats
from twelvetasks.conversion.convert import structure
from twelvetasks.testing import FakePlatform

STYLE = re.compile(r"\x1b\[[\d;]*m")


def drawing(stats: TaskStats, *, width: int = 80, ink: Ink = BLOCKS) -> list[str]:
    return [line.plain for line in drawn_stats(stats, width=width, ink=ink)]


def listed(platform: FakePlatform) -> list[Task]:
    return [structure(each, Task) for each in platform.tasks()]


def section(lines: list[str], heading: str) -> list[str]:
    """Give what stands below a heading, up to the next one."""
    below = lines[lines.index(heading) + 1 :]
    headings = [n for n, line in enumerate(below) if re.match("INDEX|THE |THROUGHPUT", line)]
    return below[: headings[0] - 1] if headings else below


class TestAsJson:
    def test_it_is_what_the_library_says(self, command: Command, account: FakePlatform) -> None:
        shown = command("stats", platform=account)
        assert (shown.code, shown.err) == (0, "")
        assert shown.out.count("\n") == 1
        assert json.loads(shown.out) == TaskStats.of(listed(account)).to_dict()

    def test_filters_are_those_of_list(self, command: Command, account: FakePlatform) -> None:
        shown = command(
            *("stats", "--status", "failed", "--status", "ready", "--top", "1"),
            *("--index-id", "62a0906d47f5678267ec10a6"),
            platform=account,
        )
        counted = json.loads(shown.out)
        assert counted["by_status"].keys() == {"ready", "failed"}
        assert counted["by_index"].keys() == {"62a0906d47f5678267ec10a6"}
        assert len(counted["slowest"]) == len(counted["latest_failed"]) == 1

    def test_since_reads_from_the_newest_down_to_a_time(
        self, command: Command, long_account: FakePlatform
    ) -> None:
        counted = json.loads(command("stats", "--since", "2025-06-01", platform=long_account).out)
        june = [task for task in listed(long_account) if f"{task.created_at}" >= "2025-06-01"]
        assert 0 < counted["total"] == len(june) < 50
        assert counted["by_day"][0]["day"] >= "2025-06-01"
        assert len(long_account.requests) < 6

    def test_an_exact_count_is_made_of_an_exact_listing(
        self, command: Command, account: FakePlatform
    ) -> None:
        assert command("stats", platform=account).code == 0
        without = len(account.requests)
        assert command("stats", "--exact", platform=account).code == 0
        assert len(account.requests) - without > without

    def test_a_negative_top_is_refused(self, command: Command) -> None:
        assert command("stats", "--top", "-1").code == 2

    def test_an_error_is_told_and_nothing_is_counted(
        self, command: Command, account: FakePlatform
    ) -> None:
        account.fail(status=401, page=2, times=50)
        shown = command("stats", platform=account)
        assert (shown.code, shown.out) == (1, "")
        assert shown.complaint


class TestInATerminal:
    def test_it_is_drawn_with_colours(self, terminal: Terminal, account: FakePlatform) -> None:
        assert run_in(terminal, "stats", *at(account)) == 0
        shown = terminal.close()
        assert "\x1b[32m█" in shown
        assert "\x1b[31m" in shown
        lines = [line.rstrip() for line in STYLE.sub("", shown).splitlines()]
        expected = drawing(TaskStats.of(demo(100)), width=120)
        assert lines == expected

    def test_no_color_is_respected(
        self, terminal: Terminal, account: FakePlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        assert run_in(terminal, "stats", *at(account)) == 0
        assert not re.search(r"\x1b\[[\d;]*3\d", terminal.close())

    def test_a_long_account_shows_its_progress_and_takes_it_away(
        self, terminal: Terminal, long_account: FakePlatform
    ) -> None:
        assert run_in(terminal, "stats", *at(long_account)) == 0
        shown = terminal.close()
        assert "/300" in shown
        assert shown.rfind("\x1b[2K") > shown.rfind("Listing")
        assert shown.rfind("STATUS") > shown.rfind("Listing")

    def test_progress_is_on_stderr_while_stdout_goes_to_a_file(
        self, terminal: Terminal, long_account: FakePlatform, tmp_path: Path
    ) -> None:
        with (tmp_path / "stats.json").open("w") as file:
            assert run_in(terminal, "stats", *at(long_account), stdout=file) == 0
        assert "/300" in terminal.close()
        assert json.loads((tmp_path / "stats.json").read_text())["total"] == 300

    def test_a_terminal_without_block_characters_gets_ascii(self, account: FakePlatform) -> None:
        terminal = Terminal()
        try:
            with spawn(
                ["stats", *at(account)],
                stdout=terminal.stream,
                environment={"PYTHONIOENCODING": "ascii"},
            ) as process:
                process.communicate()
        finally:
            shown = terminal.close()
        assert process.returncode == 0
        assert shown.isascii()
        assert "ready       \x1b[32m###" in shown

    @pytest.mark.parametrize("columns", [20, 40, 80, 200])
    def test_no_line_is_wider_than_the_terminal(self, account: FakePlatform, columns: int) -> None:
        terminal = Terminal(columns)
        # The test's own environment has a width for all terminals.
        with spawn(["stats", *at(account)], stdout=terminal.stream, environment=WITHOUT_WIDTH):
            pass
        lines = STYLE.sub("", terminal.close()).splitlines()
        assert any("ready" in line for line in lines)
        assert max(cell_len(line) for line in lines) <= columns

    def test_a_chart_can_go_through_a_pipe(self, command: Command, account: FakePlatform) -> None:
        shown = command("stats", "--format", "chart", platform=account)
        assert (shown.code, shown.err) == (0, "")
        assert "\x1b" not in shown.out
        assert shown.out.startswith("100 tasks, 20")


WITHOUT_WIDTH = {"COLUMNS": ""}


class TestTheDrawing:
    def test_counts_have_bars_and_shares(self) -> None:
        stats = TaskStats.of([task("ready")] * 3 + [task("failed"), task("paused")])
        assert section(drawing(stats, width=40), "STATUS") == [
            "ready   " + "█" * 21 + "  3   60.0%",
            "failed  " + "█" * 7 + " " * 14 + "  1   20.0%",
            "paused  " + "█" * 7 + " " * 14 + "  1   20.0%",
        ]

    def test_an_index_is_parted_by_what_became_of_its_tasks(self) -> None:
        stats = TaskStats.of(
            [task("ready")] * 6
            + [task("queued")] * 2
            + [task("failed"), task("ready", index_id="j")]
        )
        assert section(drawing(stats, width=40), "INDEX") == [
            "i  " + "█" * 17 + "░" * 6 + "▓" * 3 + "  9   90.0%",
            "j  " + "█" * 3 + " " * 23 + "  1   10.0%",
            "█ ready  ░ under way  ▓ failed",
        ]

    def test_the_rarest_is_still_seen(self) -> None:
        stats = TaskStats.of([task("ready")] * 5000 + [task("failed")])
        lines = drawing(stats, width=60)
        assert "▏" in next(line for line in lines if line.startswith("failed"))
        assert "▓" in section(lines, "INDEX")[0]
        assert len(section(lines, "INDEX")[0]) <= 60

    def test_the_histogram_says_where_median_and_p95_lie(self) -> None:
        lines = drawing(TaskStats.of(ready(each) for each in (61, 62, 130, 131, 132)))
        note, *bins, sum_up = section(lines, "INDEXING TIME")
        assert note.endswith(": 5 tasks, 1m 1s to 2m 12s.")
        assert [line[:16].strip() for line in bins][:2] == ["1m to 1m 5s", "1m 5s to 1m 10s"]
        assert bins[-1].endswith("3  median p95")
        assert sum_up == "median 2m 10s, p95 2m 12s"

    def test_days_are_columns_between_a_scale_and_their_dates(self) -> None:
        day = 86400
        stats = TaskStats.of(ready(day * (number % 2)) for number in range(8))
        assert section(drawing(stats), "THROUGHPUT BY DAY") == [
            "          created: 8",
            "        8 █████",
            "          █████",
            "          █████",
            "        0 █████",
            "          became ready: 8",
            "        8",
            "",
            "          █████ █████",
            "        0 █████ █████",
            "          2025-01-01 2025-01-02",
        ]

    def test_the_slowest_and_the_failed_are_listed(self) -> None:
        failed = task("failed", id="broken", created_at=NEW_YEAR, updated_at=NEW_YEAR)
        lines = drawing(TaskStats.of([ready(90, id="slow"), failed, failed], top=1))
        assert section(lines, "THE SLOWEST") == [f" 1m 30s  {'slow':24}".rstrip()]
        assert section(lines, "THE FAILED, last 1 of 2") == ["2025-01-01 00:00  broken"]

    @pytest.mark.parametrize(("count", "said"), [(0, "0 tasks"), (1, "1 task, 2025-05-24 by UTC")])
    def test_an_account_without_much_in_it_has_a_drawing_too(self, count: int, said: str) -> None:
        lines = drawing(TaskStats.of(demo(count)))
        assert lines[0] == said
        assert ("STATUS" in lines) == bool(count)

    def test_what_is_unknown_is_said(self) -> None:
        lines = drawing(TaskStats.of([task("ready")]))
        assert "No task with a known time is ready. 1 ready task without a time." in lines
        assert "1 task without a time of creation." in lines

    def test_where_the_width_is_short_remarks_go_first(self) -> None:
        stats = TaskStats.of([task("validating")] * 7)
        assert section(drawing(stats, width=31), "STATUS") == ["validating  ████████  7  100.0%"]
        assert section(drawing(stats, width=30), "STATUS") == ["validating  ███████████████  7"]
        assert section(drawing(stats, width=14), "STATUS") == ["valid  ████  7"]

    @settings(max_examples=60, deadline=None)
    @given(st.lists(tasks, max_size=30), st.integers(10, 130), st.sampled_from([BLOCKS, ASCII]))
    def test_of_any_tasks_at_any_width_it_is_printable(
        self, added: list[Task], width: int, ink: Ink
    ) -> None:
        stats = TaskStats.of(added)
        for line in drawn_stats(stats, width=width, ink=ink):
            assert line.plain.isprintable()
            assert line.plain == line.plain.rstrip() or line.no_wrap is False
        if width >= 60:
            bars = section(drawing(stats, width=width, ink=ink), "STATUS") if added else []
            assert all(cell_len(line) <= width for line in bars)


class TestThePage:
    def test_it_is_written_and_said_to_be(
        self, command: Command, account: FakePlatform, tmp_path: Path
    ) -> None:
        place = tmp_path / "stats.html"
        filters = ("--status", "ready", "--status", "queued", "--since", "2024-05-01")
        shown = command("stats", "--html", str(place), *filters, platform=account)
        assert (shown.code, shown.out) == (0, "")
        assert shown.complaint == f"wrote statistics of 91 tasks to {place}"
        page = place.read_text("utf-8")
        assert page.startswith("<!DOCTYPE html>")
        assert page.count("<svg ") == 4
        chosen = "with since=2024-05-01 00:00 UTC, status=ready or queued, 20"
        assert f"All tasks of the account {chosen}" in page
        assert [*tmp_path.iterdir()] == [place]

    def test_the_numbers_can_be_had_with_it(
        self, command: Command, account: FakePlatform, tmp_path: Path
    ) -> None:
        shown = command(
            "stats", "--html", str(tmp_path / "x.html"), "--format", "json", platform=account
        )
        assert json.loads(shown.out)["total"] == 100

    def test_it_replaces_an_older_one_whole_or_not_at_all(
        self, command: Command, account: FakePlatform, tmp_path: Path
    ) -> None:
        place = tmp_path / "stats.html"
        place.write_text("older")
        account.fail(status=401, page=2)
        assert command("stats", "--html", str(place), platform=account).code == 1
        assert place.read_text() == "older"
        assert command("stats", "--html", str(place), platform=account).code == 0
        assert place.read_text("utf-8").startswith("<!DOCTYPE")

    def test_a_link_stays_a_link(
        self, command: Command, account: FakePlatform, tmp_path: Path
    ) -> None:
        (tmp_path / "link.html").symlink_to(tmp_path / "real.html")
        assert command("stats", "--html", str(tmp_path / "link.html"), platform=account).code == 0
        assert (tmp_path / "link.html").is_symlink()
        assert (tmp_path / "real.html").stat().st_size > 1000

    def test_a_pipe_is_written_to_and_not_replaced(self, account: FakePlatform) -> None:
        with spawn(["stats", "--html", "/dev/stdout", *at(account)]) as process:
            out, err = process.communicate()
        assert (process.returncode, err.count(b"\n")) == (0, 1)
        assert out.endswith(b"</html>\n")

    def test_a_link_in_dev_stays_where_it_leads_to_a_file(
        self, account: FakePlatform, tmp_path: Path
    ) -> None:
        before = Path("/dev/stdout").readlink()
        arguments = ["stats", "--html", "/dev/stdout", *at(account)]
        with (tmp_path / "page").open("w") as file, spawn(arguments, stdout=file) as process:
            process.communicate()
        assert process.returncode == 0
        assert (tmp_path / "page").read_text("utf-8").endswith("</html>\n")
        assert Path("/dev/stdout").readlink() == before

    def test_what_cannot_be_written_is_found_before_the_listing(
        self, command: Command, account: FakePlatform, tmp_path: Path
    ) -> None:
        place = tmp_path / "missing" / "stats.html"
        shown = command("stats", "--html", str(place), platform=account)
        assert shown.code == 2
        assert "--html" in shown.complaint
        assert account.requests == []

    def test_a_missing_extra_is_named_before_the_listing(
        self,
        command: Command,
        account: FakePlatform,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for name in ("twelvetasks.stats.page", "twelvetasks.stats.charts"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.setitem(sys.modules, "vl_convert", None)
        shown = command("stats", "--html", str(tmp_path / "stats.html"), platform=account)
        assert shown.code == 1
        assert "pip install 'twelvetasks[cli,html]'" in shown.complaint
        assert account.requests == []


def test_hostile_names_reach_a_terminal_as_text() -> None:
    stats = TaskStats.of([task("\x1b[2J", index_id=f"\x07{HOSTILE}", id="\x9b1m")])
    assert all(line.isprintable() for line in drawing(stats))
