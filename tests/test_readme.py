"""The README's first commands, what CI makes of them, its links, and what the guides have to name.

Its snippets are run by `test_snippets`.
"""

from __future__ import annotations

import hashlib
import os
import re
import runpy
import shutil
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests import public
from tests.snippets import (  # noqa: F401 - fixtures, too
    GUIDES,
    KEY,
    README,
    ROOT,
    SCRIPTS,
    account,
    in_markdown,
    ordinary_environment,
    run_program,
    run_shell,
    served,
)
from twelvetasks.testing import FakePlatform
from twelvetasks.testing.fixtures import FakePlatformFactory

TEXT = (ROOT / "README.md").read_text("utf-8")
COMPARISON = (GUIDES / "migrating.md").read_text("utf-8")
INSTALL_AND_DEMO, INSTALL_AND_TEST = (one for one in README if one.kind == "install")


class TestTheQuickstart:
    def test_ten_lines_list_five_thousand_tasks_in_each_of_the_four_orders(
        self,
        fake_platform_factory: FakePlatformFactory,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        guide = in_markdown(GUIDES / "listing.md")
        (script,) = (one for one in guide if "itertools.product" in one.source)
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
        assert README[:2] == [INSTALL_AND_DEMO, INSTALL_AND_TEST]
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
        assert after_installing == ".venv/bin/python -m pytest --cov -n auto\n"


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
        (tmp_path / "index").mkdir()
        wheel = tmp_path / "index" / "pinned-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            metadata = "Metadata-Version: 2.1\nName: pinned\nVersion: 1.0\n"
            archive.writestr("pinned-1.0.dist-info/METADATA", metadata)
            archive.writestr("pinned-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        pin = f"pinned==1.0 --hash=sha256:{digest}\n"
        (tmp_path / ".ci" / "requirements.txt").write_text(pin, "utf-8")
        return tmp_path

    @staticmethod
    def run(checkout: Path, *commands: str) -> subprocess.CompletedProcess[str]:
        lines = [f"python3 -m venv --help > help && {command}\n" for command in commands]
        (checkout / "README.md").write_text("".join(lines), "utf-8")
        return subprocess.run(
            ["bash", ".ci/run"],
            check=False,
            cwd=checkout,
            env=os.environ
            | {"PATH": f"{checkout / 'bin'}{os.pathsep}{os.environ['PATH']}"}
            | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(checkout / "index")},
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

    def test_the_commands_install_what_was_verified_and_nothing_else(self, checkout: Path) -> None:
        (checkout / "build" / "ci" / "wheels").mkdir(parents=True)
        (checkout / "build" / "ci" / "wheels" / "unverified-1.0-py3-none-any.whl").touch()
        ended = self.run(checkout, "seq 1000", 'echo "$PIP_NO_INDEX" && ls "$PIP_FIND_LINKS"')
        assert (ended.returncode, ended.stdout) == (0, "1\npinned-1.0-py3-none-any.whl\n")

    def test_it_fails_if_a_package_is_not_the_pinned_file(self, checkout: Path) -> None:
        with zipfile.ZipFile(checkout / "index" / "pinned-1.0-py3-none-any.whl", "a") as wheel:
            wheel.writestr("pinned.py", "")
        ended = self.run(checkout, "seq 1000", "echo not reached")
        assert (ended.returncode, ended.stdout) == (1, "")
        assert "DO NOT MATCH THE HASHES" in ended.stderr

    def test_it_fails_if_a_pin_has_no_hash(self, checkout: Path) -> None:
        (checkout / ".ci" / "requirements.txt").write_text("pinned==1.0\n", "utf-8")
        ended = self.run(checkout, "seq 1000", "echo not reached")
        assert (ended.returncode, ended.stdout) == (1, "")
        assert "--hash" in ended.stderr

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
    """In the README or in a guide, beside its entry in the reference."""
    guides = "".join(guide.read_text("utf-8") for guide in sorted(GUIDES.rglob("*.md")))
    names = [*(name for _, name in public.names()), "fake_platform", "fake_platform_factory"]
    assert [name for name in names if not re.search(rf"`[^`\n]*\b{name}\b", TEXT + guides)] == []


class TestWhatANewcomerSees:
    def test_it_is_read_within_minutes(self) -> None:
        assert TEXT.count("\n") <= 200

    def test_the_first_program_needs_no_key(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.delenv("TWELVE_LABS_API_KEY")
        first = next(one for one in README if one.language == "python")
        run_program(first, tmp_path)
        assert capsys.readouterr().out == first.promised

    def test_every_link_leads_somewhere(self) -> None:
        links = re.findall(r"\]\(([^)]+)\)", TEXT)
        assert len(links) > 30
        for link in links:
            path, _, anchor = link.partition("#")
            target = ROOT / path if path else ROOT / "README.md"
            assert target.exists(), link
            if anchor:
                headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
                anchors = [
                    re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings
                ]
                assert anchor in anchors, link

    def test_the_picture_shows_what_the_command_prints(self) -> None:
        picture = runpy.run_path(str(GUIDES / "picture.py"))
        assert picture["PICTURE"].read_text("utf-8") == picture["draw"]()


class TestTheComparison:
    ROWS = re.findall(r"^\| (.+) \| (.+) \| (.+) \| `(tests/[^`]+)` \|$", COMPARISON, re.MULTILINE)

    def test_every_feature_is_a_yes_with_a_test(self) -> None:
        section = COMPARISON.partition("## Feature by feature\n")[2].partition("\n## ")[0]
        assert len(self.ROWS) == len(re.findall(r"^\|", section, re.MULTILINE)) - 2
        assert {row[2] for row in self.ROWS} == {"yes"}

    @pytest.mark.parametrize("test", [row[3] for row in ROWS])
    def test_the_test_is_there(self, test: str) -> None:
        path, *_, name = test.split("::")
        source = (ROOT / path).read_text("utf-8")
        assert re.search(rf"^ *(?:async )?def {name}\(", source, re.MULTILINE)
        assert all(f"class {of}:" in source for of in test.split("::")[1:-1])

    def test_each_row_of_the_readme_is_one_of_the_guide(self) -> None:
        """The guide gives details after a colon, which the README leaves out."""
        section = TEXT.partition("## Compared with the official SDK\n")[2].partition("\n## ")[0]
        rows = re.findall(r"^\| (.+) \| (.+) \| (.+) \|$", section, re.MULTILINE)[1:]
        assert len(rows) == 10
        there = {(feature, sdk.partition(":")[0], ours) for feature, sdk, ours, _ in self.ROWS}
        assert set(rows) <= there

    def test_the_version_of_the_sdk_is_the_one_that_was_tried(self) -> None:
        pins = (ROOT / ".ci/requirements.txt").read_text("utf-8")
        (tried,) = re.findall(r"^twelvelabs==([\d.]+) ", pins, re.MULTILINE)
        assert f"| | `twelvelabs` {tried} | twelvetasks |" in TEXT
        assert f"version {tried}" in COMPARISON


class TestThePromises:
    """The guarantees' guide names the test behind each promise about a changing account."""

    GUIDE = (GUIDES / "guarantees.md").read_text("utf-8")

    def test_each_has_its_test(self) -> None:
        path = "tests/paging/test_histories.py"
        head = f"| test in `{path}` |"
        assert head in self.GUIDE
        table = self.GUIDE.split(head)[1].split("\n\n")[0]
        tests = re.findall(r"^\| .+ \| `(test_\w+)` \|$", table, re.MULTILINE)
        assert len(tests) >= 6
        for name in tests:
            assert re.search(rf"def {name}\(", (ROOT / path).read_text("utf-8")), name

    def test_each_assumption_has_its_test(self) -> None:
        head = "| assumption | what breaks it | what happens then | test |\n"
        _, *rows = self.GUIDE.split(head)[1].split("\n\n")[0].splitlines()
        assert len(rows) >= 11
        for row in rows:
            _, *cells, tests, _ = row.split("|")
            assert len(cells) == 3, row
            assert all(cell.strip() for cell in cells), row
            named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", tests)
            assert named, row
            for path, name in named:
                assert re.search(rf"def {name}\(", (ROOT / path).read_text("utf-8")), name

    def test_the_files_that_it_names_are_there(self) -> None:
        named = re.findall(r"`((?:tests|examples|\.ci)/[\w/.]+)`", self.GUIDE)
        assert len(named) > 4
        assert [path for path in named if not (ROOT / path).exists()] == []
