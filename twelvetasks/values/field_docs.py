"""The docstrings below fields, for `help()`: Python drops them, and attrs has no place for them.

pydoc shows the docstring of a slot if the class's `__slots__` is a dict. This dict reads them from
the source when they are asked for, so that importing costs nothing.
"""

from __future__ import annotations

import functools
import itertools
from typing import Any


def with_field_docs(public: Any) -> Any:
    """Return a public name; if it is an attrs class, `help()` shows its fields' docstrings."""
    for class_ in getattr(public, "__mro__", ()) if hasattr(public, "__attrs_attrs__") else ():
        if isinstance(vars(class_).get("__slots__"), tuple):
            class_.__slots__ = _Docs(class_)
    return public


class _Docs(dict[str, str]):
    """The names of a class's slots, with their docstrings."""

    def __init__(self, class_: type[Any]) -> None:
        super().__init__(dict.fromkeys(class_.__slots__, ""))
        self._class: Any = class_

    def __getitem__(self, name: str) -> str:
        return _docs_below_fields(self._class).get(name, "")


@functools.cache
def _docs_below_fields(class_: type[Any]) -> dict[str, str]:
    import ast  # noqa: PLC0415 - slow to import, and only help() needs it
    import inspect  # noqa: PLC0415 - the same

    try:
        (found,) = ast.parse(inspect.getsource(class_)).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return {}  # without its source, or made at run time
    docs = {}
    for field, below in itertools.pairwise(getattr(found, "body", ())):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(str(text))):
                docs[name] = inspect.cleandoc(text)
    return docs
