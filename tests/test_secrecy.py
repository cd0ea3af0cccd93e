"""The watch over API keys is able to fail, and nothing public shows the key of its session.

That nothing in the rest of the suite shows one either is asserted after each test by `secrecy`.
"""

from __future__ import annotations

import copy
import inspect
import logging
import pickle
import pprint
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from aiohttp import web
from yarl import URL

import twelvetasks
from tests.public import NAMES
from tests.secrecy import Watch
from twelvetasks import ResponseError, TaskSession, TwelveTasksError
from twelvetasks.testing import FakePlatform

KEY = f"tlk_{secrets.token_hex(16)}"
ROOT = Path(__file__).parents[1]
HERE = "https://api.example"


@pytest.fixture
def watch() -> Watch:
    """A watch of this test's own, for which a leak is no failure."""
    made = Watch()
    made.note_session(KEY, f"{HERE}/v1.3")
    return made


def with_note(error: Exception) -> Exception:
    error.add_note(f"sent with {KEY}")
    return error


def caused_by(error: Exception, *, context: bool = False) -> Exception:
    outer = TwelveTasksError("all is well")
    if context:
        outer.__context__ = error
    else:
        outer.__cause__ = error
    return outer


def with_attribute(value: object) -> Exception:
    error = TwelveTasksError("all is well")
    error.request_id = value  # type: ignore[assignment]
    return error


class Pickled:
    def __repr__(self) -> str:
        return "nothing to see"

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (KEY,)


LEAKS: dict[str, Exception] = {
    "in its words": TwelveTasksError(f"no answer to {KEY}"),
    "in its words in another case": TwelveTasksError(f"no host https://{KEY.upper()}.example"),
    "in its advice": TwelveTasksError("all is well", advice=KEY),
    "in its arguments": TwelveTasksError(KEY),
    "in a note": with_note(TwelveTasksError("all is well")),
    "in an attribute": with_attribute(KEY),
    "in an attribute's depths": with_attribute({"headers": [("x-api-key", KEY)]}),
    "in its cause": caused_by(ValueError(KEY)),
    "in its context": caused_by(ValueError(KEY), context=True),
    "in the cause of its cause": caused_by(caused_by(KeyError(KEY))),
    "in its pickle": with_attribute(Pickled()),
}


class TestTheWatch:
    @pytest.mark.parametrize("leak", LEAKS)
    def test_it_sees_a_key_in_an_error(self, watch: Watch, leak: str) -> None:
        watch.examine(LEAKS[leak])
        assert watch.leaks
        assert KEY not in " ".join(watch.leaks)

    def test_it_sees_nothing_in_an_error_without_one(self, watch: Watch) -> None:
        watch.examine(caused_by(ValueError("tlk_another"), context=True))
        assert watch.leaks == []

    def test_it_sees_a_key_in_the_locals_of_a_traceback(self, watch: Watch) -> None:
        module: dict[str, Any] = {}
        source = "def ask(headers):\n    raise ValueError('no answer')"
        exec(compile(source, "/site-packages/library.py", "exec"), module)
        with pytest.raises(ValueError, match="no answer") as caught:
            module["ask"]({"x-api-key": KEY})
        watch.examine(caught.value)
        assert watch.leaks == ["the locals at library.py:2, after \"headers={'x-api-key': '\""]

    def test_it_looks_at_every_error_that_has_come_out_and_at_no_other(self, watch: Watch) -> None:
        for number in range(200):
            with pytest.raises(TwelveTasksError) as caught:
                raise TwelveTasksError(f"{number} {KEY}")
            watch.note_error(caught.value)
            watch.note_error(TwelveTasksError(f"never raised {KEY}"))
        watch.examine_errors()
        words = [leak for leak in watch.leaks if leak.startswith("the words")]
        assert [words[0], words[-1], len(words)] == [
            "the words of TwelveTasksError, after '0 '",
            "the words of TwelveTasksError, after '199 '",
            200,
        ]

    @pytest.mark.parametrize(
        "record",
        [
            logging.makeLogRecord({"name": "a", "msg": f"sent {KEY}"}),
            logging.makeLogRecord({"name": "a", "msg": "sent %s", "args": (KEY,)}),
            logging.makeLogRecord({"name": "a", "msg": "sent", "headers": {"x-api-key": KEY}}),
            logging.makeLogRecord(
                {"name": "a", "msg": "failed", "exc_info": (None, LEAKS["in a note"], None)}
            ),
        ],
        ids=["in its message", "in its arguments", "in a field", "in its exception"],
    )
    def test_it_sees_a_key_in_a_log_record(self, watch: Watch, record: logging.LogRecord) -> None:
        watch.examine_record(record)
        assert watch.leaks

    @pytest.mark.parametrize(
        ("url", "seen"),
        [
            (f"{HERE}/v1.3/tasks", False),
            (f"{HERE}:443/elsewhere", False),
            ("https://api.example.com/v1.3", True),
            ("http://api.example/v1.3", True),
            ("https://api.example:8443/v1.3", True),
        ],
    )
    def test_it_sees_a_key_on_its_way_to_another_origin(
        self, watch: Watch, url: str, seen: bool
    ) -> None:
        watch.examine_request(URL(url), {"X-API-Key": KEY})
        assert bool(watch.leaks) is seen
        watch.examine_request(URL("https://other.example/"), {"Accept": "*/*"})
        assert bool(watch.leaks) is seen
        watch.examine_request(URL(f"https://other.example/?key={KEY}"), {})
        assert watch.leaks[-1] == "a request to another origin: https://other.example"


LEAKING = """
import logging, sys, warnings
import aiohttp, pytest
from aiohttp import web
from twelvetasks import TaskSession, TwelveTasksError
from twelvetasks.testing import FakePlatform

KEY = "tlk_0planted0"

def test_in_an_error():
    TaskSession(KEY)
    with pytest.raises(TwelveTasksError):
        raise TwelveTasksError(KEY)

def test_in_a_log():
    TaskSession(KEY)
    logging.getLogger("a").warning("sent %s", KEY)

def test_to_another_origin():
    async def ask():
        async with FakePlatform.demo(1, api_key=KEY) as one, FakePlatform.demo(1) as other:
            TaskSession(KEY, base_url=one.base_url)
            there = {"Location": str(other.base_url / "tasks")}
            one.respond(lambda _: web.Response(status=307, headers=there))
            async with aiohttp.ClientSession() as client:
                headers = {"x-api-key": KEY}
                async with client.get(one.base_url / "tasks", headers=headers):
                    pass
    import asyncio
    asyncio.run(ask())

def test_in_the_output():
    TaskSession(KEY)
    print(KEY)

def test_in_a_warning():
    TaskSession(KEY)
    warnings.warn(KEY)

def test_nowhere():
    TaskSession(KEY)
"""


def test_a_suite_that_shows_a_key_fails(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "from tests.secrecy import Plugin\n"
        "def pytest_configure(config):\n"
        "    config.pluginmanager.register(Plugin())\n"
    )
    (tmp_path / "test_leaking.py").write_text(LEAKING)
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-c", "/dev/null", "--rootdir", str(tmp_path), str(tmp_path)),
        ],
        check=False,
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    shown = {line.split("::")[1] for line in ran.stdout.splitlines() if "KEY SHOWN" in line}
    assert {leak.split(":")[0] for leak in shown} == {
        "test_in_an_error",
        "test_in_a_log",
        "test_to_another_origin",
        "test_in_the_output",
        "test_in_a_warning",
    }


async def public_objects(platform: FakePlatform) -> dict[str, Any]:
    """Give everything that a user comes to hold, after it has been in use."""
    async with TaskSession(KEY, base_url=platform.base_url) as session:
        listing = session.tasks(status="ready", page_limit=10)
        stream, pages = aiter(listing), aiter(listing.pages())
        task, page = await anext(stream), await anext(pages)
        objects = {
            "a session": session,
            "a listing": listing,
            "a stream": stream,
            "a stream of pages": pages,
            "a task": task,
            "a page": page,
            "a query": listing.query,
            "a checkpoint": stream.checkpoint,
            "a report": stream.report,
        }
        for status in (400, 401, 404, 429, 500, 302, 204):
            platform.fail(status=status, times=5, headers={"X-Request-Id": KEY}, body=KEY.encode())
            try:
                await session.tasks().count()
            except TwelveTasksError as error:
                objects[f"the error of {status}"] = error
            platform._script._failures.clear()
        await stream.aclose()
        await pages.aclose()
    return objects


SHOWN: list[Callable[[Any], object]] = [
    repr,
    str,
    ascii,
    format,
    lambda value: f"{value!r:>5}",
    pprint.pformat,
    lambda value: repr(getattr(value, "__dict__", {})),
    lambda value: repr(inspect.getmembers(value)),
    lambda value: repr(attrs.asdict(value, recurse=False)) if attrs.has(type(value)) else "",
    lambda value: repr(value.args) if isinstance(value, BaseException) else "",
]
COPIED: list[Callable[[Any], object]] = [
    pickle.dumps,
    lambda value: pickle.dumps(value, 0),
    lambda value: repr(copy.copy(value)),
    lambda value: repr(vars(copy.deepcopy(value))),
]


def made_or_refused(duplicate: Callable[[Any], object], held: object) -> object:
    try:
        return duplicate(held)
    except (AttributeError, TypeError, pickle.PicklingError) as refused:
        return repr(refused)


async def test_no_public_object_shows_the_key_in_any_way() -> None:
    async with FakePlatform.demo(60, api_key=KEY) as platform:
        objects = await public_objects(platform)
    assert len(objects) == 9 + 7
    for name, held in objects.items():
        for show in SHOWN:
            assert KEY not in str(show(held)), name
        # What holds a connection cannot be copied; it is pickling that might send it elsewhere.
        is_value = isinstance(held, Exception) or attrs.has(type(held))
        for duplicate in COPIED if is_value and name != "a listing" else COPIED[:2]:
            made = made_or_refused(duplicate, held)
            assert KEY.encode() not in (made if isinstance(made, bytes) else str(made).encode())


def test_every_public_name_shows_itself_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWELVE_LABS_API_KEY", KEY)
    TaskSession()
    for name in NAMES:
        public = getattr(twelvetasks, name)
        assert KEY not in repr(public) + repr(inspect.getmembers(public))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_request_reaches_another_origin_whatever_the_listing(status: int) -> None:
    async with FakePlatform.demo(60, api_key=KEY) as here, FakePlatform.demo(60) as there:
        location = {"Location": str(there.base_url / "tasks")}
        pages = iter((True, False, False, False))

        def divert(_: web.Request) -> web.Response | None:
            return None if next(pages, False) else web.Response(status=status, headers=location)

        here.respond(divert)
        async with TaskSession(KEY, base_url=here.base_url) as session:
            with pytest.raises(ResponseError, match="not followed") as caught:
                await session.tasks()
            for other in (session.tasks().count(), session.tasks().first()):
                with pytest.raises(ResponseError, match="not followed"):
                    await other
    assert caught.value.page == 2
    assert there.requests == []
