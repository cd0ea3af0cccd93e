"""`create`: an upload, its progress and its wait."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from aiohttp import web

from tests.cli.running import KEY, Command, Outcome, Terminal, at, press_ctrl_c, run_in
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.fixtures import FakePlatformFactory


class TestCreate:
    @pytest.fixture
    def video(self, tmp_path: Path) -> Path:
        """A file of a few pieces."""
        path = tmp_path / "keynote.mp4"
        path.write_bytes(b"frames" * 200_000)
        return path

    @pytest.fixture
    def indexing(self, fake_platform_factory: FakePlatformFactory) -> FakePlatform:
        """A platform where a video is ready at the next look."""
        return fake_platform_factory(api_key=KEY, indexing_time=0.0)

    def test_a_file_is_uploaded_and_the_id_of_its_task_printed(
        self, command: Command, account: FakePlatform, video: Path
    ) -> None:
        created = command("create", "--index-id", "i", "--file", str(video), platform=account)
        [upload] = account.uploads
        assert created == Outcome(0, f"{upload.task_id}\n", "")
        assert upload.file is not None
        assert (upload.file.filename, upload.file.size) == ("keynote.mp4", 1_200_000)
        assert upload.index_id == "i"
        assert upload.enable_video_stream
        assert upload.user_metadata is None

    def test_an_address_is_sent_with_everything_that_was_said_of_the_video(
        self, command: Command, account: FakePlatform
    ) -> None:
        created = command(
            *("create", "--index-id", "i", "--url", "https://example.com/a.mp4", "--no-stream"),
            *("--metadata", "who=me=you", "--metadata", '{"year": 2025}', "--metadata", "none="),
            platform=account,
        )
        [upload] = account.uploads
        assert created == Outcome(0, f"{upload.task_id}\n", "")
        assert upload.video_url == "https://example.com/a.mp4"
        assert not upload.enable_video_stream
        assert upload.user_metadata == {"who": "me=you", "year": 2025, "none": ""}

    def test_a_terminal_sees_how_far_it_has_been_sent(
        self, terminal: Terminal, account: FakePlatform, video: Path
    ) -> None:
        caught = io.StringIO()
        arguments = ("create", "--index-id", "i", "--file", str(video), *at(account))
        assert run_in(terminal, *arguments, stdout=caught) == 0
        shown = terminal.close()
        assert "Uploading" in shown
        assert "1.2/1.2 MB" in shown
        assert shown.rfind("\x1b[2K") > shown.rfind("Uploading")  # The line of the bar is empty.
        assert caught.getvalue() == f"{account.uploads[0].task_id}\n"

    def test_a_dumb_terminal_sees_no_bar(
        self,
        terminal: Terminal,
        account: FakePlatform,
        video: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("TERM", "dumb")
        arguments = ("create", "--index-id", "i", "--file", str(video), *at(account))
        assert run_in(terminal, *arguments) == 0
        assert terminal.close() == f"{account.uploads[0].task_id}\n"

    def test_it_waits_on_request_and_prints_the_task_that_has_ended(
        self, command: Command, indexing: FakePlatform, video: Path
    ) -> None:
        created = command(
            *("create", "--index-id", "i", "--file", str(video), "--wait"), platform=indexing
        )
        task_id = indexing.uploads[0].task_id
        assert created.code == 0
        assert created.complaint == f"created task {task_id}, waiting until it has finished"
        [task] = created.tasks
        assert (task["_id"], task["status"]) == (task_id, "ready")

    def test_a_lost_answer_says_how_to_look_for_the_task(
        self, command: Command, account: FakePlatform
    ) -> None:
        account.fail(status=502)
        created = command(
            "create", "--index-id", "i", "--url", "https://a.test/b.mp4", platform=account
        )
        assert created.code == 1
        assert "The task may exist" in created.complaint
        assert "`twelvetasks list --index-id i --max-items 1`" in created.complaint

    def test_a_task_that_fails_is_printed_and_ends_the_wait_with_code_1(
        self, command: Command, account: FakePlatform, video: Path
    ) -> None:
        def fail_it(platform: FakePlatform, request: web.Request) -> None:
            if request.method == "GET":
                platform.finish(platform.uploads[0].task_id, status="failed")

        account.before_each(fail_it)
        created = command(
            *("create", "--index-id", "i", "--file", str(video), "--wait"), platform=account
        )
        assert created.code == 1
        assert [task["status"] for task in created.tasks] == ["failed"]
        task_id = account.uploads[0].task_id
        reason = "The video could not be indexed."
        assert f"1 of 1 tasks failed: {task_id} ({reason}). " in created.err

    @pytest.mark.parametrize(
        ("flags", "named"),
        [
            ([], "either --url or --file"),
            (["--url", "https://example.com/a.mp4", "--file", "a.mp4"], "either --url or --file"),
            (["--url", "example.com"], "--url='example.com'"),
            (["--file", "no/such.mp4"], "--file='no/such.mp4'"),
            (["--url", "https://a.b/c", "--metadata", "year"], "neither KEY=VALUE nor"),
            (["--url", "https://a.b/c", "--metadata", '{"year"'], "is not a JSON object"),
            (["--url", "https://a.b/c", "--metadata", '{"year": NaN}'], "--metadata="),
            (["--url", "https://a.b/c", "--index-id", ""], "--index-id="),
        ],
    )
    def test_what_makes_no_upload_is_named_by_its_flag(
        self, command: Command, account: FakePlatform, flags: list[str], named: str
    ) -> None:
        refused = command("create", "--index-id", "i", *flags, platform=account)
        assert (refused.code, refused.out) == (2, "")
        assert named in refused.complaint
        assert account.requests == []

    def test_a_refusal_of_the_platform_is_one_line(
        self, command: Command, fake_platform_factory: FakePlatformFactory
    ) -> None:
        platform = fake_platform_factory(api_key=KEY, index_ids=["mine"])
        refused = command(
            *("create", "--index-id", "other", "--url", "https://example.com/a.mp4"),
            platform=platform,
        )
        assert (refused.code, refused.out) == (1, "")
        assert refused.complaint

    @pytest.mark.usefixtures("interruptible")
    def test_ctrl_c_ends_an_upload_and_takes_the_bar_away(
        self, terminal: Terminal, account: FakePlatform, video: Path
    ) -> None:
        def interrupted(_: web.Request) -> float:
            press_ctrl_c()
            return 0.0

        account.latency = interrupted
        account.hold()
        arguments = ("create", "--index-id", "i", "--file", str(video), *at(account))
        assert run_in(terminal, *arguments) == 130
        assert account.uploads == []
        assert terminal.close().endswith("\n")
