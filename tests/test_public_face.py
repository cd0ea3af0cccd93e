"""What `import twelvetasks` alone gives: the public names, the modules beside them, no more."""

from __future__ import annotations

import copy
import importlib
import importlib.metadata
import inspect
import pickle
import pydoc
import subprocess
import sys
import types

import attrs
import pytest

import twelvetasks
from tests import public

MODULES = ["fleet", "frames", "otel", "stats", "testing", "webhooks"]


def in_a_fresh_interpreter(code: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", f"import sys, twelvetasks\n{code}"],
        check=True,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    return ended.stdout.strip()


@pytest.mark.parametrize("module", MODULES)
def test_import_twelvetasks_is_enough_for_each_public_module(module: str) -> None:
    assert in_a_fresh_interpreter(f"print(twelvetasks.{module}.__name__)") == (
        f"twelvetasks.{module}"
    )


def test_nothing_is_imported_for_modules_that_are_not_used() -> None:
    heavy = ("cattrs", "stamina", "pyarrow", "redis", "opentelemetry", "importlib.metadata")
    code = f"print([name for name in {heavy!r} if name in sys.modules])"
    assert in_a_fresh_interpreter(code) == "[]"


def test_dir_shows_the_public_names_and_no_others() -> None:
    shown = [name for name in dir(twelvetasks) if not name.startswith("__")]
    assert shown == sorted([*public.NAMES, *MODULES])
    assert dir(twelvetasks) == in_a_fresh_interpreter("print(*dir(twelvetasks))").split()


WITHOUT_EXTRAS = "".join(
    f"sys.modules[{package!r}] = None\n"
    for package in ("opentelemetry", "polars", "pandas", "pyarrow", "redis", "vl_convert")
)


@pytest.mark.parametrize("of", ["twelvetasks", "twelvetasks.frames", "twelvetasks.stats"])
def test_help_needs_no_extra(of: str) -> None:
    shown = in_a_fresh_interpreter(
        f"{WITHOUT_EXTRAS}import pydoc; print(pydoc.plain(pydoc.render_doc({of!r})))"
    )
    module = importlib.import_module(of)
    assert (module.__doc__ or "").splitlines()[0] in shown
    names = [name for name in module.__all__ if inspect.isclass(getattr(module, name))]
    assert names
    assert not [name for name in names if f"class {name}(" not in shown]


@pytest.mark.parametrize(("module", "extra"), [("fleet", "redis"), ("otel", "otel")])
def test_what_is_missing_is_named_however_it_is_reached(module: str, extra: str) -> None:
    message = f"twelvetasks.{module} needs its extra: pip install 'twelvetasks[{extra}]'"
    for code in (f"twelvetasks.{module}", f"from twelvetasks import {module}"):
        said = in_a_fresh_interpreter(
            f"{WITHOUT_EXTRAS}assert not hasattr(twelvetasks, {module!r})\n"
            f"try:\n    {code}\nexcept (AttributeError, ImportError) as error: print(error)"
        )
        assert said == message


def test_every_public_name_is_a_name_of_ours_with_a_docstring() -> None:
    for name in public.NAMES:
        value = getattr(twelvetasks, name)
        assert value.__module__.startswith("twelvetasks.")
        assert not isinstance(value, types.ModuleType)
        assert value.__doc__


ATTRS_CLASSES = [
    value
    for module in (twelvetasks, twelvetasks.stats, twelvetasks.webhooks)
    for name in module.__all__
    if attrs.has(value := getattr(module, name))
]


@pytest.mark.parametrize("of", ATTRS_CLASSES)
def test_help_explains_every_field(of: type) -> None:
    shown = pydoc.plain(pydoc.render_doc(of))
    for field in attrs.fields(of):
        if not field.name.startswith("_"):
            told = inspect.getdoc(getattr(of, field.name))
            assert told, field.name
            assert told.splitlines()[0] in shown


def test_a_value_whose_class_has_field_docs_is_copied_pickled_and_subclassed() -> None:
    @attrs.frozen(kw_only=True)
    class Mine(twelvetasks.Task):
        mine: int = 0

    task = twelvetasks.Task(id="one")
    assert pickle.loads(pickle.dumps(task)) == copy.copy(task) == task
    assert Mine(id="one", mine=2).mine == 2
    assert not hasattr(task, "__dict__")


def test_the_version_is_that_of_the_distribution() -> None:
    assert twelvetasks.__version__ == importlib.metadata.version("twelvetasks")
    assert "__version__" in dir(twelvetasks)


def test_a_name_that_is_not_public_is_refused_by_its_name() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'TaskSesion'"):
        getattr(twelvetasks, "TaskSesion")  # noqa: B009 - type checkers refuse it, too


@pytest.mark.parametrize("name", ["FakePlatform", "Receiver", "RedisGate", "Telemetry"])
def test_a_name_of_a_module_beside_it_names_the_module(name: str) -> None:
    with pytest.raises(AttributeError, match=f"no attribute '{name}'; did you mean") as caught:
        getattr(twelvetasks, name)
    meant = str(caught.value).partition("`")[2].rstrip("`?")
    assert inspect.isclass(pydoc.locate(meant))
