"""The man pages and the completion that come with the package."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.snippets import GUIDES
from twelvetasks.cli.program import cli

Writer = Callable[[], Iterator[tuple[str, str]]]

WRITER = runpy.run_path(str(GUIDES / "shell_files.py"))
SHARE = WRITER["SHARE"]


@pytest.mark.parametrize("written", [WRITER["pages"], WRITER["completions"]])
def test_they_are_what_the_command_says_now(
    written: Callable[[], Iterator[tuple[str, str]]],
) -> None:
    """If not, `nox -s shell_files` writes them again."""
    assert [(name, (SHARE / name).read_text("utf-8")) for name, _ in written()] == [*written()]


def test_there_is_a_page_for_every_command() -> None:
    pages = {path.stem for path in (SHARE / "man/man1").iterdir()}
    assert pages == {"twelvetasks", *(f"twelvetasks-{name}" for name in cli.commands)}


@pytest.mark.skipif(shutil.which("groff") is None, reason="there is no groff on this machine")
@pytest.mark.parametrize("name", ["", *(f"-{name}" for name in cli.commands)])
def test_man_shows_them_without_a_warning(name: str) -> None:
    shown = subprocess.run(
        ["groff", "-man", "-ww", "-Tascii", "-P-c", SHARE / f"man/man1/twelvetasks{name}.1"],
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    assert shown.stderr == ""
    plain = re.sub(".\b", "", shown.stdout)  # A bold letter is struck twice.
    assert ("EXAMPLES" if name else "EXIT STATUS") in plain
