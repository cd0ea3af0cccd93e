"""`--resume`: an interrupted listing goes on, whatever ended it, with no task lost or doubled."""

from __future__ import annotations

import csv
import io
import json
import random
import signal
from pathlib import Path
from typing import Any

import attrs
import click
import pytest
from aiohttp import web

from tests.cli.running import AS_MODULE, KEY, Command, at, press_ctrl_c, spawn
from twelvetasks.cli.output.output_file import OutputFile, kept_part
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.fixtures import FakePlatformFactory

SLOWLY = ("--page-limit", "5", "--concurrency", "1")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "tasks.jsonl"


@pytest.fixture
def part(output: Path) -> Path:
    return output.with_name("tasks.jsonl.part")


@pytest.fixture
def checkpoint(output: Path) -> Path:
    return output.with_name("tasks.jsonl.part.checkpoint")


def ids(path: Path) -> list[str]:
    text = path.read_bytes().decode()
    if path.suffix == ".csv":
        return [row["id"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    return [json.loads(line)["_id"] for line in text.splitlines()]


def killed(platform: FakePlatform, arguments: list[str], *, at_request: int) -> bool:
    """Run the command, kill it at its n-th request, and tell whether that came before its end."""
    due = len(platform.requests) + at_request
    with spawn([*arguments, *at(platform)]) as process:

        def kill(_: FakePlatform, request: web.Request) -> None:
            if len(platform.requests) >= due:
                process.kill()

        platform.before_each(kill)
        out, err = process.communicate()
        platform.before_each(lambda _, __: None)
    assert process.returncode in (0, -signal.SIGKILL), err
    assert (out, err) == (b"", b"")
    return process.returncode != 0


class TestKill:
    """Kill -9 at random points, again and again."""

    @pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
    @pytest.mark.parametrize(("order", "most"), [("created_at", 30), ("updated_at", 5)])
    def test_a_listing_killed_at_random_is_completed(
        self, long_account: FakePlatform, tmp_path: Path, suffix: str, order: str, most: int
    ) -> None:
        output = tmp_path / f"tasks{suffix}"
        chance = random.Random(suffix + order)
        arguments = ["list", *SLOWLY, "--sort-by", order, "--output", str(output), "--resume"]
        kills = 0
        while killed(long_account, arguments, at_request=chance.randint(1, most)):
            kills += 1
            assert not output.exists()
        assert kills > 1
        assert ids(output) == [task["_id"] for task in long_account.tasks(sort_by=order)]
        assert list(tmp_path.iterdir()) == [output]

    def test_an_account_that_changes_meanwhile_loses_and_doubles_none_either(
        self, account: FakePlatform, output: Path
    ) -> None:
        chance = random.Random("changes")
        throughout = [task["_id"] for task in account.tasks()]
        arguments = ["list", *SLOWLY, "--exact", "--output", str(output), "--resume"]
        while killed(account, arguments, at_request=chance.randrange(4, 20)):
            account.add()
            gone = chance.choice(account.tasks(status=["ready", "failed"]))["_id"]
            account.delete(gone)
            throughout = [task_id for task_id in throughout if task_id != gone]
        listed = ids(output)
        assert len(set(listed)) == len(listed)
        assert [task_id for task_id in listed if task_id in set(throughout)] == throughout

    def test_a_task_that_is_updated_meanwhile_is_not_doubled(
        self, long_account: FakePlatform, output: Path
    ) -> None:
        by_update = ("--sort-by", "updated_at", "--sort-option", "asc", "--max-items", "290")
        arguments = ["list", *SLOWLY, *by_update, "--output", str(output), "--resume"]
        oldest = long_account.tasks(sort_by="updated_at", sort_option="asc")[0]["_id"]
        assert killed(long_account, arguments, at_request=4)
        long_account.update(oldest, status="failed", updated_at="2025-08-01T00:00:00Z")
        assert not killed(long_account, arguments, at_request=1000)
        assert len(set(ids(output))) == len(ids(output)) == 290
        assert ids(output)[0] == oldest

    def test_what_lies_beyond_the_checkpoint_is_cut_off(
        self, account: FakePlatform, output: Path, part: Path
    ) -> None:
        arguments = ["list", *SLOWLY, "--output", str(output), "--resume"]
        assert killed(account, arguments, at_request=8)
        with part.open("ab") as file:
            file.write(b'{"_id": "half a li')
        assert not killed(account, arguments, at_request=1000)
        assert ids(output) == [task["_id"] for task in account.tasks()]

    def test_a_kill_between_the_last_two_steps_has_lost_nothing(
        self, account: FakePlatform, output: Path, part: Path, checkpoint: Path
    ) -> None:
        arguments = ["list", *SLOWLY, "--output", str(output), "--resume"]
        assert killed(account, arguments, at_request=8)
        part.unlink()
        assert not killed(account, arguments, at_request=1000)
        assert ids(output) == [task["_id"] for task in account.tasks()]
        assert not checkpoint.exists()


class TestInterruption:
    def test_a_failure_keeps_what_came_before_it_and_says_how_to_go_on(
        self, command: Command, long_account: FakePlatform, output: Path, part: Path
    ) -> None:
        long_account.fail(status=500, page=4, times=5)
        failed = command("list", "--output", str(output), platform=long_account)
        assert (failed.code, failed.out) == (1, "")
        kept, error = failed.err.splitlines()
        assert kept == (
            f"twelvetasks: 150 tasks are kept in {part}: the same command with --resume "
            "continues from there"
        )
        assert "page 4: 500" in error
        asked = len(long_account.requests)
        resumed = command("list", "--output", str(output), "--resume", platform=long_account)
        assert (resumed.code, resumed.out, resumed.err) == (0, "", "")
        assert ids(output) == [task["_id"] for task in long_account.tasks()]
        assert len(long_account.requests) - asked <= 4

    @pytest.mark.usefixtures("interruptible")
    def test_ctrl_c_keeps_it_as_well(
        self, command: Command, long_account: FakePlatform, output: Path, part: Path
    ) -> None:
        def interrupted(request: web.Request) -> float:
            if request.query["page"] == "4":
                press_ctrl_c()
            return 0.0

        long_account.latency = interrupted
        long_account.hold(page=4)
        ended = command("list", "--output", str(output), platform=long_account)
        assert ended.code == 130
        assert "tasks are kept in" in ended.complaint
        assert set(ids(part)) < {task["_id"] for task in long_account.tasks()}

    def test_a_full_disk_keeps_what_had_room(
        self, long_account: FakePlatform, output: Path, part: Path
    ) -> None:
        limited = ("bash", "-c", 'ulimit -f 40; exec "$0" "$@"', *AS_MODULE)
        arguments = ["list", *at(long_account), "--output", str(output)]
        with spawn(arguments, program=limited) as process:
            _, err = process.communicate()
        # Where coverage is measured, it complains as well of what it may not write.
        said = err.decode()
        assert process.returncode == 1
        assert "twelvetasks: File too large" in said.splitlines()
        assert "100 tasks are kept in" in said
        with spawn([*arguments, "--resume"]) as process:
            process.communicate()
        assert process.returncode == 0
        assert ids(output) == [task["_id"] for task in long_account.tasks()]

    @pytest.mark.parametrize(("layout", "left"), [("jsonl", True), ("json", False)])
    def test_a_place_that_is_taken_meanwhile_is_left_to_what_took_it(
        self, command: Command, account: FakePlatform, output: Path, layout: str, left: bool
    ) -> None:
        account.before_each(lambda _, __: output.mkdir(exist_ok=True))
        failed = command("list", "--format", layout, "--output", str(output), platform=account)
        assert failed.code == 1
        assert "Is a directory" in failed.err
        assert output.is_dir()
        names = {path.name for path in output.parent.iterdir()} - {output.name}
        assert names == ({"tasks.jsonl.part", "tasks.jsonl.part.checkpoint"} if left else set())

    def test_a_part_that_another_command_has_gone_on_with_is_not_touched(
        self, command: Command, long_account: FakePlatform, output: Path, part: Path
    ) -> None:
        long_account.fail(status=500, page=3, times=5)
        assert command("list", "--output", str(output), platform=long_account).code == 1
        kept, held = kept_part(output), part.read_bytes()
        assert kept is not None
        with pytest.raises(click.ClickException, match="Another command has continued"):
            OutputFile(output, {}, attrs.evolve(kept, length=1))
        assert part.read_bytes() == held

    def test_a_time_ago_means_what_it_meant_at_first(
        self, command: Command, long_account: FakePlatform, output: Path, checkpoint: Path
    ) -> None:
        long_account.fail(status=500, page=2, times=5)
        arguments = ("list", "--updated-at", "600w", "--since", "600w", "--output", str(output))
        assert command(*arguments, platform=long_account).code == 1
        first = long_account.requests[0].query["updated_at"]
        kept = json.loads(checkpoint.read_text())
        earlier = kept["listing"]["updated_at"]["at"].replace("T", "T", 1)
        assert earlier == first
        # As if it had been long ago.
        moved = json.dumps(kept).replace(first, "2014-01-01T00:00:00Z")
        moved = moved.replace(first.replace(":", "%3A"), "2014-01-01T00:00:00Z")
        checkpoint.write_text(moved)
        assert command(*arguments, "--resume", platform=long_account).code == 0
        assert long_account.requests[-1].query["updated_at"] == "2014-01-01T00:00:00Z"
        assert len(ids(output)) == 300

    def test_max_items_counts_what_is_there_already(
        self, command: Command, long_account: FakePlatform, output: Path
    ) -> None:
        long_account.fail(status=500, page=3, times=5)
        arguments = ("list", "--max-items", "170", "--output", str(output))
        assert command(*arguments, platform=long_account).code == 1
        assert command(*arguments, "--resume", platform=long_account).code == 0
        assert ids(output) == [task["_id"] for task in long_account.tasks()][:170]

    def test_without_resume_it_begins_anew(
        self, command: Command, long_account: FakePlatform, output: Path, checkpoint: Path
    ) -> None:
        long_account.fail(status=500, page=4, times=5)
        assert command("list", "--output", str(output), platform=long_account).code == 1
        again = command(
            "list", "--status", "failed", "--output", str(output), platform=long_account
        )
        assert again.code == 0
        assert ids(output) == [task["_id"] for task in long_account.tasks(status="failed")]
        assert not checkpoint.exists()

    def test_with_nothing_to_go_on_from_it_begins(
        self, command: Command, account: FakePlatform, output: Path
    ) -> None:
        assert command("list", "--output", str(output), "--resume", platform=account).code == 0
        assert ids(output) == [task["_id"] for task in account.tasks()]


class TestRefusal:
    @pytest.fixture
    def interrupted(self, command: Command, long_account: FakePlatform, output: Path) -> Any:
        """What an interrupted listing of failed and ready tasks has left."""
        long_account.fail(status=500, page=3, times=5)
        arguments = ("list", "--status", "ready", "--output", str(output))
        assert command(*arguments, platform=long_account).code == 1
        return lambda: {path.name: path.read_bytes() for path in output.parent.iterdir()}

    @pytest.mark.parametrize(
        ("flags", "named"),
        [
            (["--status", "failed"], "--status was different"),
            (["--status", "ready", "--width", "1920"], "--width"),
            (["--status", "ready", "--sort-option", "asc"], "--sort-option"),
            (["--status", "ready", "--columns", "id"], "--columns"),
            (["--status", "ready", "--max-items", "9"], "--max-items"),
            (["--status", "ready", "--since", "2d"], "--since"),
            (["--status", "ready", "--demo"], "--base-url, --demo were different"),
            (["--status", "ready", "--format", "csv"], "--format"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_another_listing_is_refused_and_the_part_kept(
        self,
        command: Command,
        long_account: FakePlatform,
        output: Path,
        interrupted: Any,
        flags: list[str],
        named: str,
    ) -> None:
        before, asked = interrupted(), len(long_account.requests)
        where = () if "--demo" in flags else at(long_account)
        refused = command("list", *flags, "--output", str(output), "--resume", *where)
        assert refused.code == 2
        assert named in refused.complaint
        assert (interrupted(), len(long_account.requests)) == (before, asked)

    @pytest.mark.parametrize("held", ["", "nonsense", "{}", "[" * 100_000, '{"version": 2}'])
    def test_a_file_that_holds_no_checkpoint_is_named(
        self,
        command: Command,
        long_account: FakePlatform,
        output: Path,
        checkpoint: Path,
        interrupted: Any,
        held: str,
    ) -> None:
        checkpoint.write_text(held)
        refused = command(
            *("list", "--status", "ready", "--output", str(output), "--resume"),
            platform=long_account,
        )
        assert refused.code == 2
        assert f"{checkpoint} does not hold the checkpoint of a listing" in refused.complaint

    def test_a_part_that_is_too_short_is_named(
        self,
        command: Command,
        long_account: FakePlatform,
        output: Path,
        part: Path,
        interrupted: Any,
    ) -> None:
        part.write_bytes(part.read_bytes()[:-1])
        refused = command(
            *("list", "--status", "ready", "--output", str(output), "--resume"),
            platform=long_account,
        )
        assert refused.code == 2
        assert f"{part} is shorter than its checkpoint says" in refused.complaint

    @pytest.mark.parametrize("layout", ["table", "json", "parquet"])
    def test_a_format_that_cannot_be_added_to_says_so(
        self, command: Command, account: FakePlatform, output: Path, layout: str
    ) -> None:
        refused = command(
            "list", "--format", layout, "--output", str(output), "--resume", platform=account
        )
        assert refused.code == 2
        assert f"--format {layout} cannot be resumed" in refused.complaint
        assert account.requests == []

    def test_an_order_that_takes_ids_says_so(
        self, command: Command, account: FakePlatform, output: Path
    ) -> None:
        refused = command(
            *("list", "--sort-by", "updated_at", "--columns", "status", "--resume"),
            *("--output", str(output)),
            platform=account,
        )
        assert refused.code == 2
        assert "only with id among the --columns" in refused.complaint

    def test_it_takes_an_output(self, command: Command, account: FakePlatform) -> None:
        refused = command("list", "--resume", platform=account)
        assert refused.code == 2
        assert "--resume needs --output" in refused.complaint

    def test_two_commands_cannot_write_one_file(
        self, command: Command, fake_platform_factory: FakePlatformFactory, output: Path, part: Path
    ) -> None:
        platform = fake_platform_factory(100, api_key=KEY)
        held = platform.hold(page=2)
        with spawn(["list", "--output", str(output), *at(platform)]) as process:
            while not part.exists() or not part.stat().st_size:
                assert process.poll() is None
            refused = command("list", "--output", str(output), platform=platform)
            held.release()
            process.communicate()
        assert refused.code == 1
        assert refused.complaint == f"Another command is writing to {part}"
        assert process.returncode == 0
        assert ids(output) == [task["_id"] for task in platform.tasks()]


class TestOddNames:
    @pytest.mark.parametrize("layout", ["jsonl", "csv"])
    def test_a_part_with_any_file_name_is_continued(
        self,
        command: Command,
        fake_platform_factory: FakePlatformFactory,
        output: Path,
        layout: str,
    ) -> None:
        names = ["a\u2028b", "a\u2029b", "a\x85b", "a\x0cb", "a\rb", "a\r\nb", "x" * 200_000]
        tasks = [
            {
                "_id": f"{place:024x}",
                "created_at": f"2026-05-01T{place // 60:02}:{place % 60:02}:00Z",
                "updated_at": f"2026-05-01T{place // 60:02}:{place % 60:02}:00Z",
                "system_metadata": {"filename": names[place % len(names)]},
            }
            for place in range(60)
        ]
        platform = fake_platform_factory(tasks, api_key=KEY)
        order = ("--sort-by", "updated_at", "--sort-option", "asc", "--page-limit", "20")
        arguments = ("list", *order, "--format", layout, "--output", str(output))
        platform.fail(status=401, page=2)
        assert command(*arguments, platform=platform).code == 1
        assert command(*arguments, "--resume", platform=platform).code == 0
        text = output.read_bytes().decode()
        if layout == "jsonl":
            found = [json.loads(line)["_id"] for line in text.split("\n") if line]
        else:
            limit = csv.field_size_limit(len(text))
            try:
                found = [row["id"] for row in csv.DictReader(io.StringIO(text, newline=""))]
            finally:
                csv.field_size_limit(limit)
        assert found == [task["_id"] for task in tasks]
