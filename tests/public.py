"""What is public: the modules that the documents import, and what these name in their ``__all__``.

Nothing has to be added here for a new name or a new module: a document that uses it is enough.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import twelvetasks

ROOT = Path(__file__).parents[1]
MODULES = {module.name for module in pkgutil.iter_modules(twelvetasks.__path__)}
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "examples" / "guides").rglob("*.md"))]


def modules() -> list[ModuleType]:
    """Import every module of the package that a document imports or names."""
    text = "\n".join(document.read_text("utf-8") for document in DOCUMENTS)
    imported = re.findall(r"^ *(?:from|import) (twelvetasks(?:\.\w+)*)", text, re.MULTILINE)
    for names in re.findall(r"^ *from twelvetasks import (.+)", text, re.MULTILINE):
        imported += (f"twelvetasks.{name}" for name in names.split(", ") if name in MODULES)
    return [importlib.import_module(name) for name in sorted({"twelvetasks", *imported})]


def names() -> Iterator[tuple[ModuleType, str]]:
    """Give every public name with its module."""
    for module in modules():
        for name in module.__all__:
            yield module, name


def documented() -> Iterator[tuple[str, object]]:
    """Give every public object by its dotted name, and what its class defines in public.

    What it inherits from a class that is not public itself counts as its own.
    """
    for module, name in names():
        public = getattr(module, name)
        yield f"{module.__name__}.{name}", public
        if inspect.isclass(public):
            for member, defined in _defined(public).items():
                if not member.startswith("_") and callable(getattr(public, member)):
                    yield (
                        f"{module.__name__}.{name}.{member}",
                        inspect.unwrap(getattr(defined, "__func__", defined)),
                    )


def _defined(public: type) -> dict[str, Any]:
    bases = [base for base in public.__mro__[1:] if base.__module__ == "twelvetasks.lists"]
    return {name: value for of in (*bases, public) for name, value in vars(of).items()}
