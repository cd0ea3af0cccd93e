"""What every line and every public name of the project keeps to."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import twelvetasks
from tests import public, unmeasured
from twelvetasks import testing, webhooks

ROOT = Path(__file__).parents[1]

PUBLIC = [
    *((twelvetasks, name) for name in public.NAMES),
    *((testing, name) for name in testing.__all__),
    *((webhooks, name) for name in webhooks.__all__),
]


@pytest.mark.parametrize(
    "check",
    [
        ["ruff", "check"],
        ["ruff", "format", "--check"],
        ["mypy"],
        ["pyright", "--pythonpath", sys.executable],
    ],
    ids=" ".join,
)
def test_the_checkers_find_nothing(check: list[str]) -> None:
    # Without this, pyright asks the package index whether there is a newer one.
    environment = unmeasured.environment() | {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    checked = subprocess.run(
        [sys.executable, "-m", *check],
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        encoding="utf-8",
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("module", "name"), PUBLIC, ids=lambda value: getattr(value, "__name__", value)
)
def test_a_public_name_explains_itself(module: object, name: str) -> None:
    public = getattr(module, name)
    # A class that has no docstring would otherwise be excused by that of its base.
    assert vars(public)["__doc__"] if inspect.isclass(public) else public.__doc__
