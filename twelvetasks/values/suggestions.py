"""What a caller meant by a name or an argument that a session, or a method of it, does not have.

The names are those of the official SDK, as in ``client.tasks.list()``, and a few that many clients
have. None of them works: each raises an AttributeError, or a TypeError, that names the call.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from types import MethodType
from typing import Any, NoReturn, SupportsIndex

from twelvetasks.values.checks import most_similar

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
    "indexes": "session.tasks(index_id=...)`, `session.indexed_assets(index_id)`, or the official "
    "SDK's `client.indexes",
    "assets": "session.indexed_assets(index_id)`, which lists those of an index, or the official "
    "SDK's `client.assets.create(...)",
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

CALLS = METHODS | {"list", "watch", "wait", "wait_all", "create", "delete", "with_options"}
"""The methods of a session that say which argument was meant by another."""

_AMOUNT = ("max_items", "page_limit")
_RETRY = ("retry=RetryPolicy(attempts=...)",)

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "limit": _AMOUNT,
    **dict.fromkeys(("max_results", "total", "count", "n", "top"), ("max_items",)),
    **dict.fromkeys(("page_size", "per_page", "batch_size"), ("page_limit",)),
    **dict.fromkeys(("page", "page_number", "offset"), ("session.tasks(...).page(number)",)),
    **dict.fromkeys(("cursor", "page_token"), ("resume",)),
    **dict.fromkeys(("state", "states"), ("status",)),
    **dict.fromkeys(("index", "index_name"), ("index_id",)),
    **dict.fromkeys(("sort", "order_by"), ("sort_by",)),
    **dict.fromkeys(("order", "sort_order", "direction", "reverse"), ("sort_option",)),
    **dict.fromkeys(("name", "file_name"), ("filename",)),
    **dict.fromkeys(("start", "start_date", "after", "created_after"), ("since",)),
    **dict.fromkeys(("end", "end_date", "before", "created_before"), ("until",)),
    **dict.fromkeys(("max_retries", "retries", "max_attempts", "attempts"), _RETRY),
    **dict.fromkeys(("key", "token"), ("api_key",)),
    **dict.fromkeys(("url", "endpoint", "host"), ("base_url", "video_url")),
    **dict.fromkeys(("session", "http_client", "httpx_client", "connector"), ("client_session",)),
    **dict.fromkeys(("verify", "verify_ssl", "ssl_context"), ("ssl",)),
    **dict.fromkeys(("max_concurrency", "workers", "max_connections"), ("concurrency",)),
    **dict.fromkeys(("rate_limit", "limiter"), ("gate",)),
    **dict.fromkeys(("interval", "poll_interval", "sleep_interval"), ("min_interval", "polling")),
    "checkpoint": ("checkpoint_file", "resume"),
    **dict.fromkeys(("callback", "on_update"), ("on_change", "on_progress")),
    "progress": ("on_progress",),
    "metadata": ("user_metadata",),
    **dict.fromkeys(("file", "path", "video"), ("video_file",)),
    **dict.fromkeys(("max_wait", "request_timeout"), ("timeout",)),
    "id": ("task_id", "task"),
}
"""What may be meant by an argument that a call does not take: its own arguments, or other code."""

OF_TASKS: dict[str, str] = {
    **dict.fromkeys(("list", "all", "iter"), "session.tasks(...)"),
    **dict.fromkeys(("retrieve", "get", "status"), _TASK),
    **dict.fromkeys(("create", "create_bulk"), _CREATE),
    "delete": "await session.delete(task)",
    **dict.fromkeys(("wait_for_done", "wait"), _WAIT),
}
"""What to call for a name of the official SDK's ``client.tasks``."""


_METADATA = ("filename", "duration", "width", "height", "fps", "size")
_AS_DICT = ("to_dict", "dict", "asdict", "model_dump")
_AS_JSON = ("to_json", "json", "model_dump_json")

OF_MODELS: dict[str, str] = {
    **{name: f"{{}}.system_metadata.{name}" for name in _METADATA},
    **dict.fromkeys(_AS_DICT, "twelvetasks.to_dict({})"),
    **dict.fromkeys(_AS_JSON, "twelvetasks.to_json({})"),
    "_id": "{}.id",
    "state": "{}.status",
}
"""What to write for a name that a model does not have; the braces are for the model."""


def missing_field(model: object, name: str) -> AttributeError:
    """Make the error for a field that a model does not have."""
    meant = OF_MODELS.get(name, "")
    field = meant.partition(".")[2].partition(".")[0]
    if not meant.startswith("twelvetasks.") and not hasattr(type(model), field):
        return missing_attribute(model, name, None)
    called = re.findall("[A-Z][a-z]*", type(model).__name__)[-1:] or ["model"]
    return missing_attribute(model, name, meant.format(called[0].lower()))


def missing_attribute(owner: object, name: str, meant: str | None) -> AttributeError:
    """Make the error for an attribute that an object does not have, and name the call meant."""
    words = f"{type(owner).__name__!r} object has no attribute {name!r}"
    if meant is None:
        return AttributeError(words, name=name, obj=owner)
    # Without the object Python adds no guess of its own, such as `gate` for `get`.
    return AttributeError(f"{words}; did you mean `{meant}`?", name=name)


def suggesting(name: str, value: Any) -> Any:
    """Return an attribute of a session, and let one of its `CALLS` say what was meant."""
    if name in CALLS and type(value) is MethodType:
        return _SuggestingMethod(value.__func__, value.__self__)
    return value


def unknown_argument(
    function: Callable[..., Any], of: str, names: Iterable[str], more: Iterable[str] = ()
) -> TypeError | None:
    """Make the error for the first of the names that a function does not take; None if it has all.

    `of` is what the function is called; `more` are the arguments that `session.tasks` takes.
    """
    parameters = inspect.signature(function).parameters
    if any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        return None
    takes = [name for name in parameters if name != "self"]
    for name in names:
        if name not in takes:
            words = f"{of}() got an unexpected keyword argument {name!r}"
            meant = _meant_by(name, takes)
            if not meant:
                meant = [f"session.tasks({one})" for one in _meant_by(name, [*more])]
            return TypeError(f"{words}; did you mean `{'` or `'.join(meant)}`?" if meant else words)
    return None


def _meant_by(name: str, takes: list[str]) -> list[str]:
    """Return the arguments that may be meant by a name, as they are written in a call."""
    known = ARGUMENTS.get(name, ())
    # What is more than a name shows how to write it.
    meant = [one for one in known if one.partition("=")[0] in takes]
    if not meant and "page_limit" in takes:
        meant = [one for one in known if "(" in one and "=" not in one]
    meant = meant or [name] * (name in takes) or most_similar(name, takes)
    return [one if "(" in one else f"{one}=..." for one in meant]


def refuse_synchronous_use(one: object, *_: object) -> NoReturn:
    """Raise the TypeError of a plain `for` or `with` where only the asynchronous one works."""
    kind = "with" if hasattr(one, "aclose") and not hasattr(one, "__aiter__") else "for"
    words = f"a {type(one).__name__} needs `async {kind}` instead of `{kind}`"
    if hasattr(one, "first"):  # a `for` asks for index 0, too
        words += "; its first item is `await listing.first()` or `(await listing)[0]`"
    raise TypeError(words)


class _SuggestingMethod:
    """A bound method in all but the error for an attribute or an argument that it does not have.

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
        method = _method_of(self)
        try:
            return method(*args, **kwargs)
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise  # by what the method did, not by the call
            words = str(error)
        finally:
            names = tuple(kwargs)
            del args, kwargs  # they may hold secrets, which a traceback would show
        raise _wrong_call(method, words, names)

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


def _wrong_call(method: MethodType, words: str, names: Iterable[str]) -> TypeError:
    """Make the error of a call whose arguments a method does not take; Python says `words`."""
    owner: Any = type(method.__self__)
    name = method.__name__
    of = f"{owner.__name__}.{name}"
    more = inspect.signature(owner.tasks).parameters if name == "list" else ()
    if (error := unknown_argument(method.__func__, of, names, more)) is not None:
        return error
    words = words.replace(method.__func__.__qualname__, of)
    if "positional argument" in words and " given" in words:
        parameters = inspect.signature(method).parameters.values()
        named = [f"`{one.name}=...`" for one in parameters if one.kind is one.KEYWORD_ONLY][:2]
        if named:
            words = f"{words}; pass the others by name, such as {' or '.join(named)}"
    return TypeError(words)


def _method_of(one: Any) -> Any:
    return object.__getattribute__(one, "_method") if type(one) is _SuggestingMethod else one


def _call_of(method: str, name: str) -> str | None:
    """Return what to call for an attribute that a method of a session does not have."""
    if method in ("tasks", "task"):
        return OF_TASKS.get(name)
    if method not in METHODS:
        return None
    return {
        "list": f"session.{method}(...)",
        "retrieve": f"await session.{method}(...).retrieve(id)",
        "get": f"await session.{method}(...).retrieve(id)",
        "wait_for_done": f"await session.{method}(...).wait(id)",
    }.get(name)
