"""The package's layout: which part imports which, how large files may grow, and a page's way.

`[tool.importlinter]` in pyproject.toml has the layers.
"""

from __future__ import annotations

import graphlib
import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import grimp
import pytest

from twelvetasks import TaskSession
from twelvetasks.testing import FakePlatform
from twelvetasks.transport.messages import Answer, Outcome

PACKAGE = Path(__file__).parents[1] / "twelvetasks"
GUIDE = PACKAGE.parent.joinpath("examples/guides/architecture.md").read_text("utf-8")
LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def test_imports_keep_to_the_contracts() -> None:
    checked = subprocess.run(
        [sys.executable, "-c", LINT_IMPORTS, "--no-cache", "--no-logo"],
        check=False,
        cwd=PACKAGE.parent,
        capture_output=True,
        encoding="utf-8",
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "Contracts: 3 kept, 0 broken." in checked.stdout


def test_no_module_imports_itself_in_a_circle() -> None:
    """Counts packages' `__init__` modules, and imports that only a type checker sees."""
    graph = grimp.build_graph(PACKAGE.name, cache_dir=None)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    assert sum(map(len, imports.values())) > 300
    graphlib.TopologicalSorter(imports).prepare()  # raises CycleError with the circle


def test_it_has_at_most_nine_floors() -> None:
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text("utf-8"))
    (layers,) = (
        contract["layers"]
        for contract in project["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers" and contract["containers"] == [PACKAGE.name]
    )
    assert 5 < len(layers) <= 9


def test_a_file_is_read_in_one_go() -> None:
    lengths = {
        path.relative_to(PACKAGE).as_posix(): len(path.read_text("utf-8").splitlines())
        for path in PACKAGE.rglob("*.py")
    }
    assert len(lengths) > 100
    assert {name: length for name, length in lengths.items() if length > 450} == {}


def test_the_top_of_the_package_is_small() -> None:
    entries = [entry for entry in PACKAGE.iterdir() if entry.name != "__pycache__"]
    assert 10 < len(entries) <= 20


class Way:
    """What a profiler sees of one page: the pending calls of its request, and where it goes."""

    def __init__(self) -> None:
        self.chain: list[str] = []
        """The longest chain of coroutines of the package that await each other."""
        self.files: list[str] = []
        """Those that the bytes visit, or an object that has them, in order."""

    def profile(self, frame: FrameType, event: str, returned: Any) -> None:
        if event not in ("call", "return") or (here := _file(frame)) is None:
            return
        chain = list(_pending(frame))[::-1]
        if "Transport.send" in chain and len(chain) >= len(self.chain):
            self.chain = chain
        calls = event == "call"
        if any(map(_has_bytes, _arguments(frame) if calls else [returned])):
            caller = _file(frame.f_back)
            for file in (caller, here) if calls else (here, caller):
                if file is not None and self.files[-1:] != [file]:
                    self.files.append(file)


def _file(frame: FrameType | None) -> str | None:
    path = Path(frame.f_code.co_filename) if frame is not None else Path()
    if not path.is_relative_to(PACKAGE) or path.is_relative_to(PACKAGE / "testing"):
        return None
    return path.relative_to(PACKAGE).as_posix()


def _pending(frame: FrameType | None) -> Iterator[str]:
    """Yield the calls of the package that await each other, the last first."""
    while frame is not None and _file(frame) is not None:
        if frame.f_code.co_flags & inspect.CO_COROUTINE:
            yield frame.f_code.co_qualname
        frame = frame.f_back


def _arguments(frame: FrameType) -> list[Any]:
    """Return what a call was given; what a function has enclosed, its caller does not have."""
    return [frame.f_locals[name] for name in frame.f_code.co_varnames if name in frame.f_locals]


def _has_bytes(value: Any) -> bool:
    body = value.result if isinstance(value, Outcome) else value
    body = body.body if isinstance(body, Answer) else body
    return isinstance(body, bytes) and b'"page_info"' in body


@pytest.fixture
async def way(platform: FakePlatform) -> Way:
    way = Way()
    async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
        await session.tasks().first()
        async with session.tasks() as stream:
            sys.setprofile(way.profile)
            try:
                await anext(stream)
            finally:
                sys.setprofile(None)
    return way


def test_a_request_is_a_chain_of_at_most_five_calls(way: Way) -> None:
    assert 1 < len(way.chain) <= 5
    assert re.findall(r"^\d\. `(?:\w+\.)?(\w+)`(?: in|,)", GUIDE, re.MULTILINE) == [
        call.rpartition(".")[2] for call in way.chain
    ]


def test_a_page_visits_at_most_seven_files_and_turns_back_at_most_twice(way: Way) -> None:
    assert 1 < len(set(way.files)) <= 7
    assert len(way.files) - len(set(way.files)) <= 2
    assert re.findall(r"^\d\. `([\w/]+\.py)`", GUIDE, re.MULTILINE) == way.files
