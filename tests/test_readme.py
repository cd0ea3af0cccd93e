"""The README, run from its first command to its last snippet.

There is no snippet without a test: each fenced block is a case of one of the tests below, and one
that none of them knows how to run fails. What is not as in the reader's program is the address
alone. Python snippets find the embedded platform because the default of `TaskSession`'s `base_url`
is that platform's for the time of the test; the command gets a `--base-url` from a shell function
of its name. The key comes from the environment, as the README says.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import itertools
import os
import re
import runpy
import shutil
import socket
import subprocess
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

import attrs
import pytest
from yarl import URL

import twelvetasks
from tests.test_fleet import Server, server  # noqa: F401 - a fixture
from tests.webhooks.servers import by_uvicorn
from twelvetasks import TaskSession, testing, webhooks
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.pytest_plugin import FakePlatformFactory

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
SCRIPTS = sysconfig.get_path("scripts")
KEY = "tlk_YOUR_KEY"
WEBHOOK_SECRET = "whsec_YOUR_SECRET"

COMMAND = """
twelvetasks() {
    case "$*" in
        *--demo*) command twelvetasks "$@" ;;
        *) command twelvetasks "$@" --base-url "$PLATFORM" ;;
    esac
}
"""
"""The command, with the address of the test's platform wherever it would speak to TwelveLabs."""


@attrs.frozen
class Snippet:
    """A fenced block of the README."""

    line: int
    language: str
    source: str

    @property
    def kind(self) -> str:
        if self.language == "sh":
            return "install" if self.source.startswith("python3 -m venv") else "commands"
        if self.language == "python":
            if "\ndef test_" in self.source:
                return "pytest"
            if "REDIS_URL" in self.source:
                return "fleet"
            if "FastAPI(" in self.source:
                return "asgi"
            if "session.watch(" in self.source:
                return "watch"
            return "program" if "asyncio.run(" in self.source else "fragment"
        return self.language

    def __str__(self) -> str:
        return f"line {self.line}"


SNIPPETS = [
    Snippet(README.count("\n", 0, fence.start()) + 1, fence[1], fence[2])
    for fence in re.finditer(r"^```(.*)\n((?:.*\n)*?)```$", README, re.MULTILINE)
]
PYTHON = ("program", "fleet", "fragment", "watch", "asgi", "pytest")
INSTALL_AND_DEMO, INSTALL_AND_TEST = (one for one in SNIPPETS if one.kind == "install")


def snippets(kind: str) -> pytest.MarkDecorator:
    found = [snippet for snippet in SNIPPETS if snippet.kind == kind]
    return pytest.mark.parametrize("snippet", found, ids=str)


def promised_output(snippet: Snippet) -> str | None:
    """Give what the README says that a Python snippet prints, if it says so."""
    following = SNIPPETS[SNIPPETS.index(snippet) + 1 :]
    return following[0].source if following and following[0].kind == "text" else None


def assert_as_promised(printed: str, promised: str) -> None:
    """Compare what was printed with what was promised, where a line ``...`` is any lines."""
    pattern = re.escape(promised).replace(re.escape("...\n"), "(?:.*\n)*")
    if not re.fullmatch(pattern, printed):
        assert printed == promised


@pytest.fixture(autouse=True)
def ordinary_environment(monkeypatch: pytest.MonkeyPatch, retries_do_not_sleep: None) -> None:
    monkeypatch.setenv("TWELVE_LABS_API_KEY", KEY)
    monkeypatch.delenv("FORCE_COLOR", raising=False)


@pytest.fixture
def account(
    fake_platform_factory: FakePlatformFactory, monkeypatch: pytest.MonkeyPatch
) -> FakePlatform:
    """The tasks of the demo, where a session looks that is not told where to look."""
    platform = fake_platform_factory(1000, api_key=KEY, indexing_time=0.5)
    return served(platform, monkeypatch)


def served(platform: FakePlatform, monkeypatch: pytest.MonkeyPatch) -> FakePlatform:
    defaults: Any = TaskSession.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "base_url", platform.base_url)
    monkeypatch.setenv("PLATFORM", str(platform.base_url))
    return platform


def with_a_free_port(snippet: Snippet, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Let a snippet listen where it disturbs nobody, and say where webhooks reach it."""
    monkeypatch.setenv("WEBHOOK_SECRET", WEBHOOK_SECRET)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    source = snippet.source.replace("port=8080", f"port={port}, host='127.0.0.1'")
    return source, f"http://127.0.0.1:{port}/webhooks"


def run_program(snippet: Snippet, folder: Path) -> None:
    """Run a snippet as the main module of a program."""
    program = folder / "snippet.py"
    program.write_text(snippet.source, "utf-8")
    runpy.run_path(str(program), run_name="__main__")


def run_shell(script: str, folder: Path) -> str:
    """Run a script in which ``python`` and ``twelvetasks`` are those of this environment."""
    ended = subprocess.run(
        ["sh", "-ec", COMMAND + script],
        check=False,
        cwd=folder,
        env=os.environ | {"PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=60,
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


class TestSnippets:
    def test_there_is_none_without_a_test(self) -> None:
        known = {"install", "commands", "console", "text", *PYTHON}
        assert [str(snippet) for snippet in SNIPPETS if snippet.kind not in known] == []
        assert len(re.findall(r"^ *(?:```|~~~)", README, re.MULTILINE)) == 2 * len(SNIPPETS)
        outside = re.sub(r"^```.*\n(?:.*\n)*?```$", "", README, flags=re.MULTILINE)
        assert not re.search(r"^(?: {4}|\t)", outside, re.MULTILINE)

    def test_every_output_is_that_of_a_python_snippet(self) -> None:
        for before, snippet in itertools.pairwise(SNIPPETS):
            assert snippet.kind != "text" or before.kind in PYTHON

    @snippets("program")
    def test_a_program_does_what_it_says(
        self,
        account: FakePlatform,
        snippet: Snippet,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        (tmp_path / "harbour.mp4").write_bytes(b"video" * 100)
        monkeypatch.chdir(tmp_path)
        run_program(snippet, tmp_path)
        printed, complaints = capsys.readouterr()
        assert (printed != "", complaints) == (True, "")
        assert_as_promised(printed, promised_output(snippet) or "...\n")
        assert account.requests

    @snippets("fragment")
    async def test_a_fragment_does_what_it_says(
        self, account: FakePlatform, snippet: Snippet, capsys: pytest.CaptureFixture[str]
    ) -> None:
        code = compile(snippet.source, str(snippet), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        async with TaskSession() as session:
            names = {"asyncio": asyncio, "twelvetasks": twelvetasks, "session": session}
            awaited = eval(code, names)
            if inspect.iscoroutine(awaited):
                await awaited
        promised = promised_output(snippet)
        assert promised is not None
        assert_as_promised(capsys.readouterr().out, promised)

    @snippets("fleet")
    def test_a_program_of_a_fleet_does_what_it_says(
        self,
        account: FakePlatform,
        server: Server,  # noqa: F811 - a fixture
        snippet: Snippet,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setenv("REDIS_URL", server.url)
        self.test_a_program_does_what_it_says(account, snippet, tmp_path, monkeypatch, capsys)

    @snippets("watch")
    async def test_a_watch_prints_what_changes(
        self,
        account: FakePlatform,
        snippet: Snippet,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """It has no end of its own: it is cancelled when it has printed what is promised."""
        promised = promised_output(snippet)
        assert promised is not None
        listens = "port=8080" in snippet.source
        source, address = with_a_free_port(snippet, monkeypatch)
        code = compile(source, str(snippet), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        printed = ""
        names: dict[str, Any] = {}
        async with TaskSession() as session, asyncio.timeout(30):
            names["session"] = session
            watching = asyncio.ensure_future(eval(code, names))
            # What is answered first is where the watch begins.
            while not (account.requests and account.requests[0].status):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            if listens:
                account.add_webhook(address, WEBHOOK_SECRET)
            account.update(promised.split()[0], status=promised.split()[-1])
            while printed.count("\n") < promised.count("\n"):
                await asyncio.sleep(0.01)
                printed += capsys.readouterr().out
            watching.cancel()
            await asyncio.wait([watching])
            if listens:
                await names["runner"].cleanup()
        assert printed == promised
        assert [delivery.status for delivery in account.deliveries] == [200] * listens

    @snippets("asgi")
    async def test_an_asgi_application_takes_webhooks(
        self,
        account: FakePlatform,
        snippet: Snippet,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        promised = promised_output(snippet)
        assert promised is not None
        monkeypatch.setenv("WEBHOOK_SECRET", WEBHOOK_SECRET)
        names: dict[str, Any] = {}
        exec(compile(snippet.source, str(snippet), "exec"), names)
        async with by_uvicorn(names["app"]) as url, asyncio.timeout(30):
            account.add_webhook(URL(url).with_path("/webhooks"), WEBHOOK_SECRET)
            account.update(promised.split()[0], status=promised.split()[-1])
            while not account.deliveries:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert [delivery.status for delivery in account.deliveries] == [200]
        assert capsys.readouterr().out == promised

    @snippets("pytest")
    def test_a_test_passes_where_twelvetasks_is_only_installed(
        self, snippet: Snippet, tmp_path: Path
    ) -> None:
        (tmp_path / "test_snippet.py").write_text(snippet.source, "utf-8")
        printed = run_shell(
            "python -m pytest -q -W error -p no:asyncio -p no:cacheprovider", tmp_path
        )
        assert f"{snippet.source.count('def test_')} passed" in printed, printed

    @snippets("commands")
    def test_commands_do_what_they_say(
        self, account: FakePlatform, snippet: Snippet, tmp_path: Path
    ) -> None:
        printed = run_shell(snippet.source, tmp_path)
        assert account.requests
        assert all(request.status == 200 for request in account.requests)
        assert account.tasks(status="failed", sort_by="updated_at")[0]["_id"] in printed

    @snippets("console")
    def test_what_a_terminal_shows_is_what_it_will_show(
        self, account: FakePlatform, snippet: Snippet, tmp_path: Path
    ) -> None:
        commands = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", snippet.source, re.MULTILINE)
        assert commands
        for command, promised in commands:
            assert_as_promised(run_shell(command, tmp_path), promised)


class TestTheQuickstart:
    def test_ten_lines_list_five_thousand_tasks_in_each_of_the_four_orders(
        self,
        fake_platform_factory: FakePlatformFactory,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        (script,) = (one for one in SNIPPETS if "itertools.product" in one.source)
        assert len([line for line in script.source.splitlines() if line]) == 10
        platform = served(fake_platform_factory(5000, api_key=KEY), monkeypatch)
        run_program(script, tmp_path)
        assert capsys.readouterr().out.splitlines() == [
            f"{sort_by} {sort_option} {task['_id']}"
            for sort_by in ("created_at", "updated_at")
            for sort_option in ("asc", "desc")
            for task in platform.tasks(sort_by=sort_by, sort_option=sort_option)
        ]


class TestTheTwoCommands:
    """`.ci/run` runs both in a clean checkout; here is what it cannot see."""

    def test_they_come_first_in_one_line_each(self) -> None:
        assert SNIPPETS[:2] == [INSTALL_AND_DEMO, INSTALL_AND_TEST]
        for command in (INSTALL_AND_DEMO, INSTALL_AND_TEST):
            assert command.source.count("\n") == 1

    def test_they_install_extras_that_there_are(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        for command in (INSTALL_AND_DEMO, INSTALL_AND_TEST):
            (extra,) = re.findall(r"pip install -q (?:-e )?'\.\[(\w+)\]'", command.source)
            assert extra in project["optional-dependencies"]

    def test_the_first_lists_the_demo_without_a_key(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.delenv("TWELVE_LABS_API_KEY")
        (tmp_path / ".venv").mkdir()
        (tmp_path / ".venv" / "bin").symlink_to(SCRIPTS)
        after_installing = INSTALL_AND_DEMO.source.split(" && ")[-1]
        listed = run_shell(after_installing, tmp_path).splitlines()
        assert len(listed) == 1000
        assert all(
            task["_id"] in line
            for task, line in zip(FakePlatform.demo(1000).tasks(), listed, strict=True)
        )

    def test_the_second_runs_all_tests_and_measures_them(self) -> None:
        after_installing = INSTALL_AND_TEST.source.split(" && ")[-1]
        assert after_installing == ".venv/bin/python -m pytest --cov\n"


class TestContinuousIntegration:
    """`.ci/run` takes its commands from the README: here they are harmless ones."""

    @pytest.fixture
    def checkout(self, tmp_path: Path) -> Path:
        (tmp_path / ".ci").mkdir()
        shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
        # What it would install if it were missing is here: a test installs nothing.
        for name in ("chromium", "redis-server"):
            present = tmp_path / "bin" / name
            present.parent.mkdir(exist_ok=True)
            present.touch(mode=0o755)
        return tmp_path

    @staticmethod
    def run(checkout: Path, *commands: str) -> subprocess.CompletedProcess[str]:
        lines = [f"python3 -m venv --help > help && {command}\n" for command in commands]
        (checkout / "README.md").write_text("".join(lines), "utf-8")
        return subprocess.run(
            ["bash", ".ci/run"],
            check=False,
            cwd=checkout,
            env=os.environ | {"PATH": f"{checkout / 'bin'}{os.pathsep}{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )

    def test_it_can_be_executed(self) -> None:
        assert os.access(ROOT / ".ci" / "run", os.X_OK)

    def test_it_ends_with_the_last_line_of_the_tests(self, checkout: Path) -> None:
        ended = self.run(checkout, "seq 1000", "echo 7 passed in 1.00s")
        assert (ended.returncode, ended.stdout) == (0, "7 passed in 1.00s\n")

    def test_it_fails_as_the_tests_do(self, checkout: Path) -> None:
        ended = self.run(checkout, "seq 1000", "(echo 1 failed; exit 3)")
        assert (ended.returncode, ended.stdout) == (3, "1 failed\n")

    @pytest.mark.parametrize("demo", ["seq 999", "false"])
    def test_it_fails_if_the_demo_does(self, checkout: Path, demo: str) -> None:
        ended = self.run(checkout, demo, "echo not reached")
        assert (ended.returncode, ended.stdout) == (1, "")

    @pytest.mark.parametrize("commands", [[], ["seq 1000"], ["seq 1000", "true", "true"]])
    def test_it_fails_if_the_readme_has_lost_its_commands(
        self, checkout: Path, commands: list[str]
    ) -> None:
        ended = self.run(checkout, *commands)
        assert ended.returncode == 1
        assert f"{len(commands)} lines" in ended.stderr


def test_every_public_name_has_its_place() -> None:
    public = [*twelvetasks.__all__, *testing.__all__, *webhooks.__all__]
    public += ["fake_platform", "fake_platform_factory"]
    assert [name for name in public if not re.search(rf"`[^`\n]*\b{name}\b", README)] == []
