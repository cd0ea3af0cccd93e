"""Durations, times and variables: what may be written, and what it means."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pexpect
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.running import AS_SCRIPT, LONGEST_WAIT, Command, at, heed_ctrl_c
from tests.snippets import GUIDES, ROOT
from twelvetasks.cli.option_types import as_moment, as_seconds
from twelvetasks.cli.program import cli
from twelvetasks.testing import FakePlatform


class TestDurations:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("90", 90.0),
            ("12.5", 12.5),
            ("90s", 90.0),
            ("10m", 600.0),
            ("1h30m", 5400.0),
            ("1h 30m", 5400.0),
            ("1.5H", 5400.0),
            ("2d", 172_800.0),
            ("1w2d3h4m5s", 788_645.0),
            ("250ms", 0.25),
        ],
    )
    def test_each_form_means_seconds(self, text: str, seconds: float) -> None:
        assert as_seconds(text) == seconds

    @pytest.mark.parametrize("text", ["", " ", "m", "10 parsecs", "30m1h", "1h1h", "-5m", "1:30"])
    def test_what_is_none_is_refused(self, text: str) -> None:
        with pytest.raises(click.BadParameter, match="not a duration such as"):
            as_seconds(text)

    @given(st.integers(0, 99), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
    def test_any_sum_of_units_is_its_sum(self, days: int, hours: int, minutes: int, s: int) -> None:
        whole = timedelta(days=days, hours=hours, minutes=minutes, seconds=s)
        assert as_seconds(f"{days}d{hours}h{minutes}m{s}s") == whole.total_seconds()

    def test_a_filter_takes_one(self, command: Command, account: FakePlatform) -> None:
        assert command("count", "--duration", "1m30s", platform=account).code == 0
        assert account.requests[0].query["duration"] == "90"


class TestTimes:
    @pytest.mark.parametrize(
        ("text", "at"),
        [
            ("2025-06-01T02:00:00+02:00", datetime(2025, 6, 1, tzinfo=UTC)),
            ("2025-06-01", datetime(2025, 6, 1, tzinfo=UTC)),
        ],
    )
    def test_a_date_and_a_date_time_are_that_moment(self, text: str, at: datetime) -> None:
        assert as_moment(text).at == at

    @pytest.mark.parametrize(
        ("text", "ago"), [("36h", timedelta(hours=36)), ("2d", timedelta(2)), ("0s", timedelta(0))]
    )
    def test_a_duration_is_so_long_ago(self, text: str, ago: timedelta) -> None:
        before = datetime.now(UTC).replace(microsecond=0)
        at = as_moment(text).at
        assert before - ago <= at <= datetime.now(UTC) - ago

    @pytest.mark.parametrize("text", ["yesterday", "36", "2025-02-30", "2025-06-01T00:00:00", ""])
    def test_what_is_none_is_refused(self, text: str) -> None:
        with pytest.raises(click.BadParameter):
            as_moment(text)

    @pytest.mark.parametrize("name", ["list", "count", "stats"])
    def test_a_demo_has_a_time_of_its_own(self, command: Command, name: str) -> None:
        ago, fixed = (
            command(name, "--demo", "--since", since)
            for since in ("7d", "2025-06-23T17:42:11.348Z")
        )
        assert (ago.code, ago.out) == (fixed.code, fixed.out)
        assert "36" in (str(len(ago.out.splitlines())), ago.out.strip(), ago.out[10:12])

    def test_since_means_the_same_wherever_it_is(self) -> None:
        meanings = {
            option.help
            for command in cli.commands.values()
            for option in command.params
            if isinstance(option, click.Option) and "--since" in option.opts
        }
        assert len(meanings) == 1

    def test_what_is_before_all_dates_is_refused(self) -> None:
        with pytest.raises(click.BadParameter, match="before all dates"):
            as_moment("999999w")

    def test_since_reads_down_to_that_time_and_no_further(
        self, command: Command, long_account: FakePlatform
    ) -> None:
        since = long_account.tasks()[60]["created_at"]
        listed = command("list", "--since", since, "--concurrency", "1", platform=long_account)
        assert listed.tasks == long_account.tasks()[:61]
        assert len(long_account.requests) == 2

    @pytest.mark.parametrize(
        "order", [{"sort_by": "updated_at"}, {"sort_option": "asc"}], ids=lambda one: "".join(one)
    )
    def test_since_goes_by_creation_in_any_order(
        self, command: Command, long_account: FakePlatform, order: dict[str, str]
    ) -> None:
        since, until = (long_account.tasks()[place]["created_at"] for place in (160, 60))
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in order.items()]
        period = ("--since", since, "--until", until)
        listed = command("list", *period, *flags, platform=long_account)
        within = [
            task for task in long_account.tasks(**order) if since <= task["created_at"] < until
        ]
        assert listed.tasks == within
        assert len(within) == 100
        assert command("count", *period, platform=long_account).out == "100\n"
        counted = json.loads(command("stats", *period, platform=long_account).out)
        assert counted["total"] == 100

    @pytest.mark.parametrize("name", ["list", "count", "stats"])
    def test_a_period_without_time_in_it_is_refused(
        self, command: Command, account: FakePlatform, name: str
    ) -> None:
        refused = command(name, "--since", "2d", "--until", "3d", platform=account)
        assert refused.code == 2
        assert "--since=" in refused.complaint
        assert "must be before --until" in refused.complaint
        assert account.requests == []


class TestVariables:
    def test_one_sets_an_option_of_one_command(
        self, command: Command, account: FakePlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TWELVETASKS_LIST_FORMAT", "csv")
        monkeypatch.setenv("TWELVETASKS_LIST_STATUS", "failed ready")
        assert command("list", platform=account).out.startswith("id,")
        assert set(account.requests[0].query.getall("status")) == {"failed", "ready"}

    def test_a_flag_comes_before_it(
        self, command: Command, account: FakePlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TWELVETASKS_LIST_FORMAT", "csv")
        assert command("list", "--format", "jsonl", platform=account).tasks == account.tasks()

    def test_one_sets_what_all_commands_share(
        self, command: Command, account: FakePlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TWELVETASKS_BASE_URL", str(account.base_url))
        assert command("count").out == "100\n"
        monkeypatch.setenv("TWELVETASKS_LIST_BASE_URL", "http://127.0.0.1:9/v1.3")
        assert command("count").out == "100\n"
        assert command("list").code == 1

    def test_the_address_of_the_official_sdk_is_read_unless_another_is_given(
        self, command: Command, account: FakePlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TWELVELABS_BASE_URL", str(account.base_url))
        assert command("count").out == "100\n"
        monkeypatch.setenv("TWELVELABS_BASE_URL", "http://127.0.0.1:9/v1.3")
        assert command("count", platform=account).out == "100\n"
        monkeypatch.setenv("TWELVETASKS_BASE_URL", str(account.base_url))
        assert command("count").out == "100\n"

    def test_a_wrong_one_is_named(
        self, command: Command, account: FakePlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TWELVETASKS_CONCURRENCY", "0")
        refused = command("list", platform=account)
        assert refused.code == 2
        assert "Invalid value for TWELVETASKS_CONCURRENCY" in refused.complaint

    def test_what_is_typed_decides_between_an_address_and_the_demo(
        self, command: Command, account: FakePlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TWELVETASKS_BASE_URL", str(account.base_url))
        assert command("count", "--demo-size", "7").out == "7\n"
        monkeypatch.setenv("TWELVETASKS_COUNT_DEMO_SIZE", "5")
        assert command("count", *at(account)).out == "100\n"

    @pytest.mark.parametrize("variable", ["TWELVETASKS_VERSION", "TWELVETASKS_API_KEY"])
    def test_others_change_nothing(
        self,
        command: Command,
        account: FakePlatform,
        monkeypatch: pytest.MonkeyPatch,
        variable: str,
    ) -> None:
        monkeypatch.setenv(variable, "1")
        assert command("count", platform=account).out == "100\n"


class TestHelp:
    @pytest.mark.parametrize(
        "name", ["list", "count", "get", "create", "delete", "wait", "watch", "completion"]
    )
    def test_every_command_shows_examples_to_copy(self, command: Command, name: str) -> None:
        examples = command(name, "--help").out.partition("\nExamples:\n")[2].splitlines()
        assert any(f"twelvetasks {name}" in line for line in examples)

    def test_options_are_in_groups(self, command: Command) -> None:
        shown = command("list", "-h").out
        groups = ["Which tasks:", "In which order:", "Output:", "Connection:", "Other options:"]
        assert sorted(groups, key=shown.index) == groups

    def test_it_names_the_variables(self, command: Command) -> None:
        shown = command("-h").out
        for variable in ("TWELVE_LABS_API_KEY", "TWELVETASKS_CONCURRENCY", "NO_COLOR"):
            assert variable in shown

    def test_every_variable_that_the_help_and_the_guides_name_sets_an_option(
        self, command: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read = [command(*name, "-h").out for name in [(), *((name,) for name in cli.commands)]]
        read += [path.read_text("utf-8") for path in [ROOT / "README.md", *GUIDES.glob("*.md")]]
        named = set(re.findall(r"\bTWELVETASKS_[A-Z_]+", "\n".join(read)))
        assert {"TWELVETASKS_LIST_FORMAT", "TWELVETASKS_PROXY", "TWELVETASKS_LOG"} <= named
        useless = set()
        for variable in named - {"TWELVETASKS_LOG"}:
            monkeypatch.setenv(variable, "said")
            heard = [
                option.resolve_envvar_value(click.Context(one, info_name=name))
                for name, one in cli.commands.items()
                for option in one.params
            ]
            monkeypatch.delenv(variable)
            useless |= set() if "said" in heard else {variable}
        assert not useless

    def test_the_version_is_a_result(self, command: Command) -> None:
        assert command("--version").out.startswith("twelvetasks, version ")

    @pytest.mark.parametrize("name", [None, *cli.commands])
    def test_it_fits_in_80_columns(self, command: Command, name: str | None) -> None:
        shown = command(*(() if name is None else (name,)), "-h").out
        assert max(map(len, shown.splitlines())) <= 80

    @pytest.mark.parametrize("name", sorted(cli.commands))
    def test_each_example_runs_as_it_stands(self, name: str, tmp_path: Path) -> None:
        shown = cli.commands[name].epilog or ""
        lines = [line.strip() for line in shown.splitlines() if re.match("  [a-z]", line)]
        assert lines
        assert all("--demo" in line for line in lines) or name == "completion"
        (tmp_path / "video.mp4").write_bytes(b"frames")
        place = f"{Path(AS_SCRIPT[0]).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": place, "HOME": str(tmp_path), "COLUMNS": ""}
        (tmp_path / ".config/fish/completions").mkdir(parents=True)
        for line in lines:
            program = "zsh" if "zsh" in line else "bash"
            if shutil.which(program) is None:
                continue
            shell = pexpect.spawn(
                program,
                ["-c", line],
                cwd=tmp_path,
                env=environment,
                dimensions=(24, 80),
                timeout=LONGEST_WAIT * 3,
                preexec_fn=heed_ctrl_c,
            )
            if line.startswith("twelvetasks delete"):
                shell.expect_exact("[y/N]: ")
                shell.sendline("y")
            if name == "watch":
                shell.expect_exact("polls") if ">>" not in line else time.sleep(2)
                shell.sendintr()
            shell.expect_exact(pexpect.EOF)
            shell.wait()
            expected = 130 if name == "watch" else 0
            assert shell.exitstatus == expected, (line, shell.before)
