"""The package's layout: which part imports which, and how large files and folders may grow.

`[tool.importlinter]` in pyproject.toml has the layers.
"""

from __future__ import annotations

import graphlib
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp

PACKAGE = Path(__file__).parents[1] / "twelvetasks"
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
