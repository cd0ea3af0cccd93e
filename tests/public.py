"""What is public: the modules that `dir` shows, and what each names in its ``__all__``."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import twelvetasks

NAMES: list[str] = vars(twelvetasks)["__all__"]
"""The names of the package itself. Type checkers know its names, but not this list of them."""


def modules() -> list[ModuleType]:
    """Import every public module: the package, and what ``import twelvetasks`` lets one reach."""
    reached = sorted(
        name for name in dir(twelvetasks) if inspect.ismodule(getattr(twelvetasks, name))
    )
    return [twelvetasks, *(getattr(twelvetasks, name) for name in reached)]


def names() -> Iterator[tuple[ModuleType, str]]:
    """Give every public name with its module; what has two, with the first alone."""
    for module in modules():
        for name in module.__all__:
            if module is twelvetasks or name not in NAMES:
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
