"""`watch`."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from pathlib import Path

import pytest
from aiohttp import web

from tests.cli.running import (
    KEY,
    Command,
    Terminal,
    at,
    press_ctrl_c,
    run_in,
    spawn,
    without_styles,
)
from twelvetasks.cli.program import run
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.fixtures import FakePlatformFactory


def script(platform: FakePlatform, *actions: Callable[[], object]) -> None:
    """Do one thing at every tenth request; after the last, press Ctrl-C in this process."""
    due = iter([*actions, press_ctrl_c])

    def act(_: FakePlatform, __: web.Request) -> None:
        if len(platform.requests) % 10 == 0 and (action := next(due, None)) is not None:
            action()

    platform.before_each(act)


@pytest.mark.usefixtures("interruptible")
class TestWatch:
    SINCE = ("--updated-since", "2025-06-01T00:00:00Z")
    OFTEN = ("--min-interval", "0.001", "--max-interval", "0.002")

    @pytest.fixture
    def one_task(self, fake_platform_factory: FakePlatformFactory) -> FakePlatform:
        task = {
            "_id": "62a17bf847f5678267ec10cc",
            "status": "queued",
            "created_at": "2025-06-02T02:50:00Z",
            "updated_at": "2025-06-02T03:00:01Z",
            "system_metadata": {"filename": "keynote.mp4"},
        }
        return fake_platform_factory([task], api_key=KEY)

    ID = "62a17bf847f5678267ec10cc"

    def test_every_change_is_a_line_until_ctrl_c(self, one_task: FakePlatform) -> None:
        with spawn(["watch", *self.SINCE, *self.OFTEN, *at(one_task)]) as process:
            assert process.stdout is not None
            first = json.loads(process.stdout.readline())
            one_task.finish(self.ID)
            second = json.loads(process.stdout.readline())
            os.kill(process.pid, signal.SIGINT)
            out, err = process.communicate()
        assert (process.returncode, out, err) == (130, b"", b"")
        assert first["before"] is None
        assert first["after"]["status"] == "queued"
        assert second == {"before": first["after"], "after": one_task.tasks()[0]}

    @pytest.mark.parametrize("layout", ["live", "table"])
    def test_a_narrow_terminal_keeps_the_status(self, one_task: FakePlatform, layout: str) -> None:
        narrow = Terminal(columns=60)
        arguments = ["watch", *self.SINCE, *self.OFTEN, "--format", layout, *at(one_task)]
        with spawn(
            arguments,
            stdout=narrow.stream,
            stderr=narrow.stream,
            environment={"COLUMNS": ""},
        ) as process:
            narrow.wait_for("queued")
            one_task.finish(self.ID)
            narrow.wait_for("ready")
            os.kill(process.pid, signal.SIGINT)
        assert process.returncode == 130
        rows = [line for line in without_styles(narrow.close()).splitlines() if self.ID in line]
        assert any("ready" in row for row in rows)

    def test_without_since_it_begins_now(self, command: Command, one_task: FakePlatform) -> None:
        script(one_task, lambda: one_task.finish(self.ID))
        watched = command("watch", *self.OFTEN, platform=one_task)
        assert (watched.code, watched.err) == (130, "")
        [change] = watched.tasks
        assert change["after"] == one_task.tasks()[0]

    def test_the_filters_are_those_of_a_listing(
        self, command: Command, one_task: FakePlatform
    ) -> None:
        script(one_task, lambda: one_task.advance(self.ID), lambda: one_task.finish(self.ID))
        watched = command(
            *("watch", "--status", "ready", "--status", "failed", *self.SINCE, *self.OFTEN),
            platform=one_task,
        )
        [change] = watched.tasks
        assert change["after"]["status"] == "ready"

    def test_deletions_are_printed_on_request(
        self, command: Command, one_task: FakePlatform
    ) -> None:
        script(one_task, lambda: one_task.delete(self.ID))
        watched = command("watch", "--deletions", *self.OFTEN, platform=one_task)
        assert [change["after"] for change in watched.tasks] == [None]
        assert watched.tasks[0]["before"]["_id"] == self.ID

    def test_a_terminal_gets_lines_to_read_on_request(
        self, terminal: Terminal, one_task: FakePlatform
    ) -> None:
        def rename() -> None:
            one_task.update(
                self.ID, updated_at="2025-06-03T00:00:00Z", system_metadata={"filename": "\x1b[2J"}
            )

        script(one_task, rename, lambda: one_task.delete(self.ID))
        arguments = ("watch", "--format", "table", "--deletions", *self.SINCE, *self.OFTEN)
        assert run_in(terminal, *arguments, *at(one_task)) == 130
        shown = without_styles(terminal.close())
        name = "\N{REPLACEMENT CHARACTER}[2J"
        assert shown.splitlines()[:4] == [
            "twelvetasks: watching until Ctrl-C; each change is a line",
            f"2025-06-02 03:00:01  {self.ID}             -> queued      keynote.mp4",
            f"2025-06-03 00:00:00  {self.ID}  queued     -> queued      {name}",
            f"2025-06-03 00:00:00  {self.ID}  queued     -> deleted     {name}",
        ]

    def test_it_says_what_it_outlives(self, command: Command, one_task: FakePlatform) -> None:
        script(one_task)
        one_task.fail(status=500, times=5)
        watched = command("watch", *self.OFTEN, platform=one_task)
        assert watched.code == 130
        assert watched.complaint.startswith("the watch continues in ")

    def test_a_checkpoint_leads_on_behind_the_last_change(
        self, command: Command, one_task: FakePlatform, tmp_path: Path
    ) -> None:
        place = tmp_path / "place"
        arguments = ("watch", *self.SINCE, *self.OFTEN, "--checkpoint", str(place))
        with spawn([*arguments, *at(one_task)]) as process:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["after"]["status"] == "queued"
            os.kill(process.pid, signal.SIGINT)
        one_task.advance(self.ID)
        script(one_task)
        watched = command(*arguments, platform=one_task)
        assert [change["after"]["status"] for change in watched.tasks] == ["indexing"]
        assert [path.name for path in tmp_path.iterdir()] == ["place"]

    def test_a_watch_that_saw_no_change_has_a_place_as_well(
        self, command: Command, one_task: FakePlatform, tmp_path: Path
    ) -> None:
        arguments = ("watch", *self.OFTEN, "--checkpoint", str(tmp_path / "place"))
        script(one_task)
        assert command(*arguments, platform=one_task).out == ""
        one_task.advance(self.ID)
        script(one_task)
        assert len(command(*arguments, platform=one_task).tasks) == 1

    def test_a_change_that_could_not_be_printed_is_printed_next_time(
        self, command: Command, one_task: FakePlatform, tmp_path: Path
    ) -> None:
        arguments = ("watch", *self.SINCE, *self.OFTEN, "--checkpoint", str(tmp_path / "place"))
        reading, writing = os.pipe()
        os.close(reading)
        with suppress(BrokenPipeError), os.fdopen(writing, "w") as pipe, redirect_stdout(pipe):
            assert run([*arguments, *at(one_task)]) == 141
        script(one_task)
        assert len(command(*arguments, platform=one_task).tasks) == 1

    @pytest.mark.parametrize("held", [b"", b"nonsense", b"\xff"])
    def test_a_file_that_holds_no_checkpoint_is_refused_and_kept(
        self, command: Command, one_task: FakePlatform, tmp_path: Path, held: bytes
    ) -> None:
        place = tmp_path / "place"
        place.write_bytes(held)
        refused = command("watch", "--checkpoint", str(place), platform=one_task)
        assert refused.code == 2
        assert "--checkpoint" in refused.complaint
        assert (place.read_bytes(), one_task.requests) == (held, [])

    def test_a_checkpoint_that_cannot_be_kept_is_named_before_any_request(
        self, command: Command, one_task: FakePlatform, tmp_path: Path
    ) -> None:
        place = str(tmp_path / "no" / "place")
        failed = command("watch", "--checkpoint", place, platform=one_task)
        assert failed.code == 1
        assert place in failed.complaint
        assert one_task.requests == []

    def test_a_checkpoint_of_another_watch_is_refused(
        self, command: Command, one_task: FakePlatform, tmp_path: Path
    ) -> None:
        arguments = ("watch", *self.OFTEN, "--checkpoint", str(tmp_path / "place"))
        script(one_task)
        command(*arguments, platform=one_task)
        refused = command(*arguments, "--width", "1920", platform=one_task)
        assert refused.code == 2
        assert refused.complaint.startswith("--checkpoint: the checkpoint belongs to another")
        assert "same filters" in refused.complaint

    def test_intervals_that_contradict_each_other_are_named(
        self, command: Command, one_task: FakePlatform
    ) -> None:
        refused = command("watch", "--max-interval", "1", platform=one_task)
        assert refused.code == 2
        assert refused.complaint.startswith("--max-interval=1.0")


@pytest.mark.usefixtures("interruptible")
class TestLiveView:
    ID = TestWatch.ID
    one_task = TestWatch.one_task
    ARGUMENTS = ("watch", "--deletions", *TestWatch.SINCE, *TestWatch.OFTEN)

    def test_a_terminal_sees_the_latest_changes_their_counts_and_the_next_poll(
        self, terminal: Terminal, one_task: FakePlatform
    ) -> None:
        script(one_task, lambda: one_task.finish(self.ID), lambda: one_task.delete(self.ID))
        assert run_in(terminal, *self.ARGUMENTS, *at(one_task)) == 130
        shown = terminal.close()
        assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # The cursor is back.
        last = shown[shown.rindex("3 changes") :]
        assert re.search(r"deleted.* 1.*polls", last)
        rows = [line for line in last.splitlines() if self.ID in line]
        assert ["deleted" in row for row in rows] == [True, False, False]
        assert all("keynote.mp4" in row for row in rows)

    def test_it_shows_what_it_outlives_and_nothing_the_terminal_would_obey(
        self, terminal: Terminal, one_task: FakePlatform
    ) -> None:
        one_task.update(
            self.ID, updated_at="2025-06-03T00:00:00Z", system_metadata={"filename": "\x1b[2J"}
        )
        script(one_task)
        one_task.fail(status=500, times=5)
        assert run_in(terminal, *self.ARGUMENTS, *at(one_task)) == 130
        shown = terminal.close()
        assert "the watch continues in" in shown
        assert "\x1b[2J" not in shown

    def test_a_dumb_terminal_gets_lines(
        self, terminal: Terminal, one_task: FakePlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TERM", "dumb")
        script(one_task)
        assert run_in(terminal, *self.ARGUMENTS, *at(one_task)) == 130
        lines = terminal.close().splitlines()
        assert lines[0] == "twelvetasks: watching until Ctrl-C; each change is a line"
        assert lines[1].startswith(f"2025-06-02 03:00:01  {self.ID}")

    def test_a_pipe_is_no_place_for_it(self, command: Command, one_task: FakePlatform) -> None:
        refused = command("watch", "--format", "live", platform=one_task)
        assert refused.code == 2
        assert "--format live needs a terminal" in refused.complaint
        assert one_task.requests == []
