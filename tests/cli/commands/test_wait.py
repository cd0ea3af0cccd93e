"""`wait`."""

from __future__ import annotations

import pytest

from tests.cli.running import HEADING, KEY, Command
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.fixtures import FakePlatformFactory


class TestWait:
    @pytest.fixture
    def four(self, fake_platform_factory: FakePlatformFactory) -> FakePlatform:
        """A task of each kind."""
        states = {"r": "ready", "s": "ready", "f": "failed", "q": "queued"}
        tasks = [{"_id": task_id, "status": status} for task_id, status in states.items()]
        return fake_platform_factory(tasks, api_key=KEY)

    def test_every_task_is_printed_once_it_has_ended(
        self, command: Command, four: FakePlatform
    ) -> None:
        waited = command("wait", "r", "s", platform=four)
        assert (waited.code, waited.err) == (0, "")
        assert {task["_id"] for task in waited.tasks} == {"r", "s"}

    def test_a_table_has_one_heading(self, command: Command, four: FakePlatform) -> None:
        waited = command("wait", "r", "s", "--format", "table", platform=four)
        heading, *rows = waited.out.splitlines()
        assert heading == HEADING
        assert {row.split()[0] for row in rows} == {"r", "s"}

    def test_one_that_failed_makes_it_code_1_after_all_are_printed(
        self, command: Command, four: FakePlatform
    ) -> None:
        waited = command("wait", "f", "r", platform=four)
        assert waited.code == 1
        assert {task["_id"] for task in waited.tasks} == {"f", "r"}
        assert waited.complaint.startswith("1 of 2 tasks failed: f (no reason is given). ")

    def test_the_reason_of_a_failure_is_quoted(self, command: Command, four: FakePlatform) -> None:
        four.add(_id="g", status="failed", error_reason="the audio track cannot be decoded")
        waited = command("wait", "g", platform=four)
        assert "failed: g (the audio track cannot be decoded). " in waited.complaint
        listed = command("list", "--columns", "id,error_reason", "--format", "csv", platform=four)
        assert "g,the audio track cannot be decoded" in listed.out.splitlines()
        drawn = command("stats", "--format", "chart", platform=four)
        assert "the audio track cannot be decoded" in drawn.out

    def test_one_that_is_not_there_is_named_after_all_others(
        self, command: Command, four: FakePlatform
    ) -> None:
        waited = command("wait", "gone", "r", platform=four)
        assert waited.code == 1
        assert [task["_id"] for task in waited.tasks] == ["r"]
        assert "gone" in waited.complaint

    def test_one_that_does_not_end_in_time_is_named_with_the_flag_to_raise(
        self, command: Command, four: FakePlatform
    ) -> None:
        waited = command("wait", "q", "r", "--wait-timeout", "1", platform=four)
        assert waited.code == 1
        assert [task["_id"] for task in waited.tasks] == ["r"]
        assert "not ended within 1 seconds: q (queued)" in waited.complaint
        assert "--wait-timeout" in waited.complaint

    @pytest.mark.parametrize("flag", ["--timeout", "--wait-timeout"])
    @pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon"])
    def test_what_is_no_time_is_refused(
        self, command: Command, four: FakePlatform, flag: str, value: str
    ) -> None:
        refused = command("wait", "r", flag, value, platform=four)
        assert refused.code == 2
        assert flag in refused.complaint
        assert four.requests == []
