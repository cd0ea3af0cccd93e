"""What a user tries first works: each habit typed at a shell in a real pseudo-terminal."""

from __future__ import annotations

import gzip
import os
import re
import signal
from pathlib import Path

import attrs
import pexpect
import pytest

from tests.cli.running import AS_SCRIPT, KEY, LONGEST_WAIT, heed_ctrl_c, without_key
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.fixtures import FakePlatformFactory

INDEX = "62a0906d47f5678267ec10a6"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@attrs.frozen
class Shown:
    screen: str
    code: int

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.screen.split("\n")]


@attrs.frozen
class Shell:
    """A shell in a folder of its own, in a terminal of some width."""

    folder: Path

    def start(self, line: str, *, columns: int = 80, **variables: str) -> pexpect.spawn[str]:
        kept = {name: os.environ[name] for name in ("LANG", "LC_ALL") if name in os.environ}
        place = f"{Path(AS_SCRIPT[0]).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {"PATH": place, "HOME": str(self.folder), "TERM": "xterm-256color"}
        # The command is the process of the terminal, so that signals reach it.
        return pexpect.spawn(
            "sh",
            ["-c", line],
            cwd=self.folder,
            env={**environment, **kept, "TWELVE_LABS_API_KEY": KEY, **variables},
            dimensions=(40, columns),
            timeout=LONGEST_WAIT * 2,
            encoding="utf-8",
            echo=False,
            preexec_fn=heed_ctrl_c,
        )

    def run(self, line: str, *, columns: int = 80, answer: str = "", **variables: str) -> Shown:
        started = self.start(line, columns=columns, **variables)
        asked = ""
        if answer:
            started.expect_exact("[y/N]: ")
            asked = started.before or ""
            started.sendline(answer)
        started.expect_exact(pexpect.EOF)
        shown = asked + (started.before or "")
        started.close()
        code = started.exitstatus
        assert code is not None
        plain = ESCAPES.sub("", without_key(shown)).replace("\r\n", "\n")
        return Shown(plain, code)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("twelvetasks list --demo -n 2", 0, "press_briefing"),
        ("twelvetasks list --demo-size 3 --format ids", 0, "6"),
        ("twelvetasks list --demo -n 2 --output -", 0, "ID "),
        ("twelvetasks list --demo -n 2 -q", 0, "6862bfb762d82c07cd0003e8"),
        ("twelvetasks list --demo -n 2 -v", 0, "consistency: quiet"),
        ("twelvetasks list --demo -o tasks.csv -n 2; head -1 tasks.csv", 0, "id,index_id,"),
        ("twelvetasks list --demo -o tasks.xls", 2, "give --format"),
        ("twelvetasks list --demo --status failed,ready -n 1 --format ids", 0, "6862"),
        ("twelvetasks list --demo --columns id --columns status -n 1", 0, "STATUS"),
        ("twelvetasks list --demo --columns id,filename -n 1", 0, "FILE"),
        ("twelvetasks list --demo --limit 3", 2, "Did you mean --max-items?"),
        ("twelvetasks list --demo --json", 2, "Did you mean --format json?"),
        ("twelvetasks list --demo --status redy", 2, "Did you mean ready?"),
        ("twelvetasks list --demo --since 7d --format ids | wc -l", 0, "36"),
        ("twelvetasks count --demo --since 7d", 0, "36"),
        ("twelvetasks stats --demo --since 7d", 0, "36 tasks, 2025-06-2"),
        ("twelvetasks list --demo -n 4 --format ids | head -2", 0, "6862"),
        ("twelvetasks get --demo $(twelvetasks list --demo -n 2 --format ids)", 0, "STATUS"),
        ("twelvetasks get --demo 68625bbe62d82c07cd0003e7 --columns id,status", 0, "ready"),
        ("twelvetasks list --demo -n 1 --wide", 0, "UPDATED (UTC)"),
        ("twelvetasks list --demo -n 1", 0, "no room for UPDATED (UTC): --wide shows all"),
        ("twelvetasks --demo list", 2, "It goes after a command: twelvetasks list --demo"),
        ("twelvetasks ls", 2, "Did you mean list?"),
        ("twelvetasks list --profile work", 2, "profiles.toml"),
        ("twelvetasks list --api-key x", 2, "never an argument"),
    ],
)
def test_a_line_does_what_it_looks_like(shell: Shell, line: str, code: int, said: str) -> None:
    shown = shell.run(line)
    assert shown.code == code
    # A message may go on in the next line of the terminal, even within a word.
    assert said in shown.screen.replace("\n", "") or said in shown.screen


def test_gz_compresses(shell: Shell) -> None:
    assert shell.run("twelvetasks list --demo -n 2 -o tasks.jsonl.gz").code == 0
    text = gzip.decompress((shell.folder / "tasks.jsonl.gz").read_bytes()).decode()
    assert len(text.splitlines()) == 2


def test_delete_names_the_file_before_it_asks(shell: Shell) -> None:
    line = "twelvetasks delete --demo 68625bbe62d82c07cd0003e7"
    declined = shell.run(line, answer="n")
    assert declined.code == 1
    assert "press_briefing_5796.webm" in declined.screen.partition("Delete this task")[0]
    assert "Nothing was deleted" in declined.screen
    agreed = shell.run(line, answer="y")
    assert agreed.code == 0
    assert agreed.lines[-2].endswith("permanently? 68625bbe62d82c07cd0003e7")


def test_create_shows_the_status_while_it_waits(shell: Shell) -> None:
    (shell.folder / "video.mp4").write_bytes(b"frames" * 100)
    line = f"twelvetasks create --demo --index-id {INDEX} --file video.mp4 --wait"
    shown = shell.run(line, columns=120)
    assert shown.code == 0
    for status in ("uploading", "queued", '"ready"'):
        assert f"{status}" in shown.screen
    assert re.search(r"1 queued 0:00:0\d", shown.screen)


def test_create_waits_no_longer_than_wait_timeout(shell: Shell) -> None:
    line = (
        f"twelvetasks create --demo --index-id {INDEX} --url https://example.org/a.mp4 --wait "
        "--wait-timeout 1s --timeout 9s"
    )
    shown = shell.run(line, columns=200)
    assert shown.code == 1
    assert "--wait-timeout" in shown.screen


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("layout", ["live", "table"])
def test_watch_keeps_the_status_at_any_width(shell: Shell, columns: int, layout: str) -> None:
    line = f"exec twelvetasks watch --demo --min-interval 1s --format {layout}"
    watch = shell.start(line, columns=columns)
    watch.expect("(queued|indexing)( ->|  ).*(indexing|ready)")
    watch.sendintr()
    watch.expect_exact(pexpect.EOF)
    watch.close()
    assert watch.exitstatus == 130


@pytest.mark.parametrize(
    "command",
    [
        "watch",
        "wait 62a17bf847f5678267ec10cc",
        f"create --index-id {INDEX} --url https://example.org/a.mp4 --wait",
        "list --output tasks.csv",
        "stats",
        "count",
    ],
)
def test_sigterm_ends_any_command_with_its_own_code(
    shell: Shell, account: FakePlatform, command: str
) -> None:
    account.hold()
    variables = {"TWELVETASKS_BASE_URL": str(account.base_url)}
    started = shell.start(f"exec twelvetasks {command}", columns=200, **variables)
    started.expect_exact("waiting for an answer")
    started.kill(signal.SIGTERM)
    started.expect_exact(pexpect.EOF)
    shown = started.before or ""
    started.close()
    assert (started.exitstatus, started.signalstatus) == (143, None)
    assert "Traceback" not in shown


def test_a_profile_needs_nothing_else(shell: Shell, account: FakePlatform) -> None:
    folder = shell.folder / "config/twelvetasks"
    folder.mkdir(parents=True)
    (folder / "profiles.toml").write_text(
        f'[work]\nbase_url = "{account.base_url}"\nkey_variable = "WORK_KEY"\n', "utf-8"
    )
    line = "unset TWELVE_LABS_API_KEY; twelvetasks count --profile work"
    shown = shell.run(line, XDG_CONFIG_HOME=str(shell.folder / "config"), WORK_KEY=KEY)
    assert (shown.code, shown.screen) == (0, "100\n")


def test_a_spreadsheet_gets_no_formula(
    shell: Shell, fake_platform_factory: FakePlatformFactory
) -> None:
    tasks = [{"_id": "62", "status": "ready", "system_metadata": {"filename": "=1+1"}}]
    platform = fake_platform_factory(tasks, api_key=KEY)
    line = "twelvetasks list --spreadsheet -o tasks.csv --columns id,filename"
    assert shell.run(line, TWELVETASKS_BASE_URL=str(platform.base_url)).code == 0
    written = (shell.folder / "tasks.csv").read_text("utf-8")
    assert written == "\ufeffid,system_metadata.filename\n'62,'=1+1\n"
