"""Names and arguments that a session does not have: the error says what to call."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import functools
import inspect
import io
import pickle
import pydoc
import re
import sys
import traceback
import types
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import twelvelabs

import twelvetasks
from twelvetasks import AnalysisTask, IndexedAsset, Listing, Task, TaskQuery, TaskSession

SDK = twelvelabs.AsyncTwelveLabs(api_key="tlk_0")
LISTS = ("indexed_assets", "embedding_tasks", "analysis_tasks", "analysis_batches")


def names_in(one: object) -> list[str]:
    return [name for name in dir(one) if not name.startswith(("_", "with_"))]


@pytest.fixture
def session() -> Any:
    return TaskSession("tlk_0")


def shown(error: Exception) -> str:
    """Return what Python shows of an error that nobody catches."""
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        sys.__excepthook__(type(error), error, None)
    return stderr.getvalue()


def meant(one: object, name: str) -> str:
    """Return the call that the error of a missing name mentions, which has to exist."""
    assert not hasattr(one, name)
    with pytest.raises(AttributeError, match=f" has no attribute '{name}'; did you mean") as caught:
        getattr(one, name)
    assert shown(caught.value).endswith("`?\n"), "Python adds no guess of its own"
    message = str(caught.value)
    for called in re.findall(r"session\.(\w+)\(", message):
        assert callable(getattr(TaskSession, called))
    for called in re.findall(r"\)\.(\w+)\(", message):
        assert callable(getattr(Listing, called))
    assert "session." in message
    return message.partition("`")[2].removesuffix("`?")


def test_each_name_of_the_official_sdks_tasks_names_a_call(session: Any) -> None:
    assert {name: meant(session.tasks, name) for name in names_in(SDK.tasks)} == {
        "list": "session.tasks(...)",
        "retrieve": "await session.task(task_id)",
        "create": "await session.create(index_id=..., video_url=...)",
        "create_bulk": "await session.create(index_id=..., video_url=...)",
        "delete": "await session.delete(task)",
        "wait_for_done": "await session.wait(task)",
    }
    # Before its release 1.0 it was `client.task`.
    assert meant(session.task, "list") == "session.tasks(...)"


@pytest.mark.parametrize("name", ["indexes", "embed", "analyze", "analyze_async", "assets"])
def test_so_does_each_part_of_the_official_sdk_that_has_a_list_here(
    session: Any, name: str
) -> None:
    assert name in names_in(SDK)
    meant(session, name)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("get", "await session.task(task_id)"),
        ("retrieve", "await session.task(task_id)"),
        ("list_tasks", "session.tasks(...)"),
        ("upload", "await session.create(index_id=..., video_url=...)"),
        ("wait_for_done", "await session.wait(task)"),
        ("close", "await session.aclose()"),
        ("count", "session.tasks(...).count(...)"),
        ("to_pandas", "session.tasks(...).to_pandas(...)"),
    ],
)
def test_so_does_what_comes_to_mind(session: Any, name: str, call: str) -> None:
    assert meant(session, name) == call


@pytest.mark.parametrize("of", LISTS)
def test_the_other_lists_say_the_same_of_themselves(session: Any, of: str) -> None:
    assert meant(getattr(session, of), "list") == f"session.{of}(...)"
    assert meant(getattr(session, of), "retrieve") == f"await session.{of}(...).retrieve(id)"
    assert meant(getattr(session, of), "wait_for_done") == f"await session.{of}(...).wait(id)"


def test_a_list_of_nothing_names_the_list_of_tasks(session: Any) -> None:
    for call in (session.list, functools.partial(session.list, max_items=3)):
        with pytest.raises(TypeError, match=r"needs a query; .* session\.tasks\(\.\.\.\)"):
            call()
    assert repr(session.list(TaskQuery())) == repr(session.tasks())


@pytest.mark.parametrize(
    ("method", "argument", "meant"),
    [
        ("tasks", "limit", "max_items=...` or `page_limit=..."),
        ("tasks", "page_size", "page_limit=..."),
        ("tasks", "page", "session.tasks(...).page(number)"),
        ("tasks", "state", "status=..."),
        ("tasks", "statu", "status=..."),
        ("indexed_assets", "index", "index_id=..."),
        ("analysis_tasks", "limit", "max_items=...` or `page_limit=..."),
        ("list", "status", "session.tasks(status=...)"),
        ("list", "limit", "max_items=..."),
        ("watch", "interval", "min_interval=..."),
        ("watch", "checkpoint", "checkpoint_file=...` or `resume=..."),
        ("wait", "interval", "polling=..."),
        ("create", "url", "video_url=..."),
        ("create", "callback", "on_progress=..."),
        ("with_options", "max_retries", "retry=RetryPolicy(attempts=...)"),
    ],
)
def test_an_argument_that_a_method_does_not_take_names_the_one_meant(
    session: Any, method: str, argument: str, meant: str
) -> None:
    with pytest.raises(TypeError) as caught:
        getattr(session, method)(**{argument: 1})
    assert str(caught.value) == (
        f"TaskSession.{method}() got an unexpected keyword argument {argument!r}; "
        f"did you mean `{meant}`?"
    )


@pytest.mark.parametrize(
    ("argument", "meant"),
    [("max_retries", "retry=RetryPolicy(attempts=...)"), ("token", "api_key=..."), ("xyz", "")],
)
def test_so_does_one_of_the_session_and_the_key_is_not_shown(argument: str, meant: str) -> None:
    make: Any = TaskSession
    with pytest.raises(TypeError, match=f"^TaskSession.. got .* {argument!r}") as caught:
        make("tlk_secret", **{argument: "tlk_other"})
    assert (f"did you mean `{meant}`?" in str(caught.value)) == bool(meant)
    told = traceback.TracebackException(
        type(caught.value), caught.value, caught.tb, capture_locals=True
    )
    here = Path(twelvetasks.__file__).parent
    frames = [frame for frame in told.stack if here in Path(frame.filename).parents]
    assert frames
    assert not any("tlk_" in str(frame.locals) for frame in frames)


def test_the_signature_that_documentation_shows_is_still_that_of_the_session() -> None:
    shown = [*inspect.signature(TaskSession).parameters]
    assert shown == [*inspect.signature(TaskSession.__init__).parameters][1:]
    # Sphinx would prefer that of a function.
    assert not inspect.isroutine(super(TaskSession, TaskSession).__new__)


def test_arguments_in_the_wrong_place_name_the_class_that_the_caller_knows(session: Any) -> None:
    named = re.escape("such as `index_id=...` or `status=...`")
    with pytest.raises(TypeError, match=rf"^TaskSession\.tasks\(\) takes .* by name, {named}$"):
        session.tasks("ready")
    with pytest.raises(TypeError, match=r"^TaskSession\.indexed_assets\(\) missing .* 'index_id'$"):
        session.indexed_assets()


def test_a_type_error_from_within_a_method_is_raised_as_it_is() -> None:
    class Mine(TaskSession):
        def tasks(self, **filters: Any) -> Any:
            raise TypeError("of mine")

    with pytest.raises(TypeError, match=r"^of mine$"):
        Mine("tlk_0").tasks(limit=3)


async def test_plain_for_and_with_name_the_asynchronous_ones(session: Any) -> None:
    for one in (session.tasks(), aiter(session.tasks()), session.watch(), session.wait_all(["a"])):
        with pytest.raises(TypeError, match=f"^a {type(one).__name__} needs `async for`"):
            list(one)
        assert not isinstance(one, Iterable)
    with pytest.raises(TypeError, match="TaskSession needs `async with` instead of"), session:
        pass


def test_an_index_names_how_to_get_an_item(session: Any) -> None:
    with pytest.raises(TypeError, match=r"first item is `await listing\.first\(\)` or `\(await li"):
        session.tasks()[0]


@pytest.mark.parametrize("name", ["checkpoint", "report", "total_results"])
def test_what_an_iteration_has_is_said_to_be_of_the_stream(session: Any, name: str) -> None:
    for listing in (session.tasks(), session.analysis_tasks()):
        with pytest.raises(AttributeError, match=f" no attribute '{name}'; .*stream") as caught:
            getattr(listing, name)
        expected = f"did you mean `stream.{name}` in `async with listing as stream:`?"
        assert str(caught.value).endswith(expected)
    with pytest.raises(AttributeError, match=r"no attribute 'colour'$"):
        getattr(session.tasks(), "colour")  # noqa: B009 - else a useless expression


def test_what_this_library_does_not_create_is_left_to_the_official_sdk(session: Any) -> None:
    assert "official SDK's `client.assets.create(...)" in meant(session, "assets")
    assert callable(SDK.assets.create)


@pytest.mark.parametrize(
    ("model", "name", "expression"),
    [
        (Task(id="1"), "filename", "task.system_metadata.filename"),
        (Task(id="1"), "duration", "task.system_metadata.duration"),
        (Task(id="1"), "to_dict", "twelvetasks.to_dict(task)"),
        (Task(id="1"), "model_dump", "twelvetasks.to_dict(task)"),
        (Task(id="1"), "json", "twelvetasks.to_json(task)"),
        (Task(id="1"), "_id", "task.id"),
        (IndexedAsset(id="1"), "filename", "asset.system_metadata.filename"),
        (AnalysisTask(id="1"), "to_dict", "twelvetasks.to_dict(task)"),
        (AnalysisTask(id="1"), "filename", ""),
        (Task(id="1"), "colour", ""),
    ],
)
def test_a_field_that_a_model_does_not_have_names_the_one_meant(
    model: Any, name: str, expression: str
) -> None:
    assert not hasattr(model, name)
    hint = f"; did you mean `{expression}`?" if expression else ""
    kind = type(model).__name__
    with pytest.raises(AttributeError, match="no attribute") as caught:
        getattr(model, name)
    assert str(caught.value) == f"{kind!r} object has no attribute {name!r}{hint}"
    assert copy.deepcopy(model) == pickle.loads(pickle.dumps(model)) == model


def test_any_other_name_is_missed_as_usual(session: Any) -> None:
    for one, kind in ((session, "TaskSession"), (session.tasks, "method")):
        with pytest.raises(AttributeError, match=f"^'{kind}' object has no attribute 'xyz'$"):
            _ = one.xyz
    with pytest.raises(AttributeError) as caught:
        _ = session.taskss
    assert shown(caught.value).endswith("Did you mean: 'tasks'?\n")


@pytest.mark.parametrize("name", ["tasks", "task", *LISTS])
def test_the_methods_are_methods_all_the_same(session: Any, name: str) -> None:
    method, function = getattr(session, name), getattr(TaskSession, name)
    plain = types.MethodType(function, session)
    assert inspect.isfunction(function)
    assert inspect.ismethod(method)
    assert isinstance(method, types.MethodType)
    assert asyncio.iscoroutinefunction(method) == inspect.iscoroutinefunction(function)
    assert inspect.signature(method) == inspect.signature(plain)
    assert pydoc.render_doc(method) == pydoc.render_doc(plain)
    assert f" {name}(" in pydoc.plain(pydoc.render_doc(TaskSession))
    assert (repr(method), dir(method)) == (repr(plain), dir(plain))
    assert method == plain == getattr(session, name) != getattr(TaskSession("tlk_1"), name)
    assert {method: 1}[getattr(session, name)] == hash(method) - hash(plain) + 1
    assert (method.__self__, method.__func__, method.__name__) == (session, function, name)
    assert copy.copy(method) == method
    assert weakref.ref(method)() is method
    assert weakref.WeakMethod(method)() == method
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(method)


def test_mocks_and_subclasses_find_the_methods_as_they_are(session: Any) -> None:
    for mocked in (
        mock.create_autospec(session),
        mock.create_autospec(TaskSession, instance=True),
    ):
        mocked.tasks(status="failed")
        mocked.tasks.assert_called_once_with(status="failed")
        with pytest.raises(TypeError, match="nope"):
            mocked.tasks(nope=1)
    with mock.patch.object(session, "tasks") as patched:
        assert session.tasks is patched
    with mock.patch.object(TaskSession, "tasks", autospec=True) as patched:
        session.tasks(status="failed")
        patched.assert_called_once_with(session, status="failed")

    class Few(TaskSession):
        def tasks(self, **filters: Any) -> Any:
            return super().tasks(max_items=3, **filters)

    assert repr(Few("tlk_0").tasks()) == repr(session.tasks(max_items=3))
    assert repr(functools.partial(session.tasks, max_items=3)()) == repr(Few("tlk_0").tasks())
