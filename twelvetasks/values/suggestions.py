"""What a caller meant by a name that a session, or one of its methods, does not have.

The names are those of the official SDK, as in ``client.tasks.list()``, and a few that many clients
have. None of them works: each raises an AttributeError that names the call.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any, SupportsIndex

__all__ = ["OF_A_SESSION", "missing_attribute", "suggesting"]

_TASK = "await session.task(task_id)"
_CREATE = "await session.create(index_id=..., video_url=...)"
_WAIT = "await session.wait(task)"
_ANALYSES = "session.analysis_tasks(...)` or `session.analysis_batches(...)"

OF_A_SESSION: dict[str, str] = {
    **dict.fromkeys(("get", "retrieve", "fetch", "get_task", "retrieve_task"), _TASK),
    **dict.fromkeys(("list_tasks", "get_tasks", "all", "iter"), "session.tasks(...)"),
    **dict.fromkeys(("upload", "create_task", "create_bulk", "add"), _CREATE),
    **dict.fromkeys(("delete_task", "remove"), "await session.delete(task)"),
    **dict.fromkeys(("wait_for_done", "wait_for", "wait_for_task"), _WAIT),
    **dict.fromkeys(("close", "disconnect"), "await session.aclose()"),
    "indexes": "session.tasks(index_id=...)` or `session.indexed_assets(index_id)",
    "assets": "session.indexed_assets(index_id)",
    "embed": "session.embedding_tasks(...)",
    **dict.fromkeys(("analyze", "analyze_async"), _ANALYSES),
    **{
        name: f"session.tasks(...).{name}(...)"
        for name in ("count", "first", "pages", "page", "to_arrow", "to_pandas", "to_polars")
    },
}
"""What to call for a name that a session does not have."""

METHODS = {
    *("tasks", "task", "indexed_assets"),
    *("embedding_tasks", "analysis_tasks", "analysis_batches"),
}
"""The methods of a session that may be asked for what the official SDK has under that name."""

OF_TASKS: dict[str, str] = {
    **dict.fromkeys(("list", "all", "iter"), "session.tasks(...)"),
    **dict.fromkeys(("retrieve", "get", "status"), _TASK),
    **dict.fromkeys(("create", "create_bulk"), _CREATE),
    "delete": "await session.delete(task)",
    **dict.fromkeys(("wait_for_done", "wait"), _WAIT),
}
"""What to call for a name of the official SDK's ``client.tasks``."""


def missing_attribute(owner: object, name: str, meant: str | None) -> AttributeError:
    """Make the error for an attribute that an object does not have, and name the call meant."""
    words = f"{type(owner).__name__!r} object has no attribute {name!r}"
    if meant is None:
        return AttributeError(words, name=name, obj=owner)
    # Without the object Python adds no guess of its own, such as `gate` for `get`.
    return AttributeError(f"{words}; did you mean `{meant}`?", name=name)


def suggesting(name: str, value: Any) -> Any:
    """Return an attribute of a session, which suggests a call if it is one of its `METHODS`."""
    if name in METHODS and type(value) is MethodType:
        return _SuggestingMethod(value.__func__, value.__self__)
    return value


class _SuggestingMethod:
    """A bound method in all but the error for an attribute that it does not have.

    A method cannot be subclassed, and its own error is about "a function".
    """

    __slots__ = ("__weakref__", "_method")

    def __init__(self, function: Callable[..., Any], owner: object) -> None:
        self._method = MethodType(function, owner)

    def __getattribute__(self, name: str) -> Any:
        method = object.__getattribute__(self, "_method")
        try:
            return getattr(method, name)
        except AttributeError:
            pass
        raise missing_attribute(method, name, _call_of(method.__name__, name))

    # Python looks these up on the class.

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _method_of(self)(*args, **kwargs)

    def __repr__(self) -> str:
        return repr(_method_of(self))

    def __dir__(self) -> list[str]:
        return dir(_method_of(self))

    def __eq__(self, other: object) -> bool:
        return bool(_method_of(self) == _method_of(other))

    def __hash__(self) -> int:
        return hash(_method_of(self))

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return _method_of(self).__reduce_ex__(protocol)


def _method_of(one: Any) -> Any:
    return object.__getattribute__(one, "_method") if type(one) is _SuggestingMethod else one


def _call_of(method: str, name: str) -> str | None:
    """Return what to call for an attribute that a method of a session does not have."""
    if method in ("tasks", "task"):
        return OF_TASKS.get(name)
    return {
        "list": f"session.{method}(...)",
        "retrieve": f"await session.{method}(...).retrieve(id)",
        "get": f"await session.{method}(...).retrieve(id)",
        "wait_for_done": f"await session.{method}(...).wait(id)",
    }.get(name)
