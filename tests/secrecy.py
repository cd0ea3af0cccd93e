"""A pytest plugin that watches for API keys wherever a test might show one.

For each key that a `TaskSession` is made with it searches, until the test ends: every error of ours
(its words, attributes, chain, pickle, and the locals of its traceback), every log record, warning,
report and output, and every request that aiohttp sends to another origin than the session's. What
the platform of the tests knows of its own key, and the tests themselves, is no leak.
"""

from __future__ import annotations

import functools
import logging
import os
import pickle
import traceback
import warnings
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import aiohttp
import pytest
from yarl import URL

from twelvetasks import TaskSession, TwelveTasksError
from twelvetasks.session import API_KEY_VARIABLE
from twelvetasks.transport.api_key import KeySource
from twelvetasks.transport.base_url import chosen_base_url

__all__ = ["Plugin", "Watch"]

SHORTEST = 8
"""Characters: what is shorter is found everywhere."""

HELD = 64
"""Errors that are kept until they have been raised and seen; a test may make many thousands."""

TESTS = Path(__file__).parent
PLATFORM = ("/twelvetasks/testing/", "/aiohttp/web", "/_pytest/", "/pluggy/")
"""Parts of the files whose locals and logs are not the client's."""


class Watch:
    """The keys of one test, and where they have been seen."""

    def __init__(self) -> None:
        self.leaks: list[str] = []
        self._keys: dict[str, set[URL]] = {}
        self._origins: set[URL] = set()
        self._errors: deque[BaseException] = deque()

    def forget(self) -> None:
        """Begin anew with the next test."""
        self.leaks.clear()
        self._keys.clear()
        self._origins.clear()
        self._errors.clear()

    def note_session(self, key: object, base_url: object) -> None:
        """Learn of a key, and of the origin that it is meant for.

        A key that a callable gave is meant for those of all sessions.
        """
        if (origin := _origin(base_url)) is not None:
            self._origins.add(origin)
        if not isinstance(key, str) or len(key) < SHORTEST:
            return
        origins = self._keys.setdefault(str.__str__(key), set())
        if base_url is None:
            origins |= self._origins
        elif origin is not None:
            origins.add(origin)

    def note_error(self, error: BaseException) -> None:
        """Learn of an error that is about to be raised; it is looked at once it has been."""
        self._errors.append(error)
        if len(self._errors) > HELD:
            self._examine_if_seen(self._errors.popleft())

    def examine_errors(self) -> None:
        """Look at all errors so far that have come out of the library."""
        while self._errors:
            self._examine_if_seen(self._errors.popleft())

    def search(self, where: str, text: str) -> None:
        """Look for the keys in a text, in whatever case."""
        lowered = text.lower()
        for key in self._keys:
            place = lowered.find(key.lower())
            if place >= 0:
                around = text[max(place - 40, 0) : place]
                self.leaks.append(f"{where}, after {around!r}")

    def examine(self, error: BaseException) -> None:
        """Look at an error, at what it came from, and at what its traceback shows."""
        if not self._keys:
            return
        seen: set[int] = set()
        ahead = [error]
        while ahead:
            error = ahead.pop()
            if id(error) in seen:
                continue
            seen.add(id(error))
            ahead += [other for other in (error.__cause__, error.__context__) if other is not None]
            kind = type(error).__name__
            self.search(f"the words of {kind}", f"{error} {error!r} {error.args!r} {error.args}")
            self.search(f"the attributes of {kind}", _shown_all(vars(error)))
            self.search(f"the pickle of {kind}", _pickled(error))
            for frame, line in traceback.walk_tb(error.__traceback__):
                if _is_the_clients(frame):
                    where = f"{Path(frame.f_code.co_filename).name}:{line}"
                    self.search(f"the locals at {where}", _shown_all(frame.f_locals))

    def _examine_if_seen(self, error: BaseException) -> None:
        """Look at an error unless the library has kept it to itself: then no test stands above."""
        if any(_is_a_tests(frame) for frame, _ in traceback.walk_tb(error.__traceback__)):
            self.examine(error)

    def examine_record(self, record: logging.LogRecord) -> None:
        """Look at a log record: its message, its fields, and the error it carries."""
        if not self._keys or record.name.startswith(("aiohttp.server", "aiohttp.web")):
            return
        self.search(
            f"a record of {record.name}", f"{record.getMessage()} {_shown_all(vars(record))}"
        )
        if record.exc_info and record.exc_info[1] is not None:
            self.examine(record.exc_info[1])

    def examine_request(self, url: URL, headers: Any) -> None:
        """Look at a request that is about to be sent."""
        told = f"{url} {dict(headers)} {[*headers.values()]}"
        for key, origins in self._keys.items():
            if key.lower() in told.lower() and _origin(url) not in origins:
                self.leaks.append(f"a request to another origin: {_origin(url)}")


def _origin(url: object) -> URL | None:
    try:
        return URL(str(url)).origin()
    except ValueError:
        return None


def _is_a_tests(frame: FrameType) -> bool:
    file = Path(frame.f_code.co_filename)
    return file.is_relative_to(TESTS) or file.name.startswith("test_")


def _is_the_clients(frame: FrameType) -> bool:
    file = Path(frame.f_code.co_filename).as_posix()
    return not _is_a_tests(frame) and not any(part in file for part in PLATFORM)


def _shown_all(values: dict[str, Any]) -> str:
    return " ".join(f"{name}={_shown(value)}" for name, value in values.items())


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - a half-made object may not be able to
        return f"<no repr: {type(error).__name__}>"


def _pickled(error: BaseException) -> str:
    try:
        return pickle.dumps(error).decode("latin-1")
    except Exception:  # noqa: BLE001 - whatever refuses to be pickled shows nothing
        return ""


class _Records(logging.Handler):
    def __init__(self, watch: Watch) -> None:
        super().__init__(logging.NOTSET)
        self._watch = watch

    def emit(self, record: logging.LogRecord) -> None:
        self._watch.examine_record(record)


class Plugin:
    """Hangs a watch into the library, aiohttp, logging and pytest for as long as tests run."""

    def __init__(self) -> None:
        self.watch = Watch()
        self._records = _Records(self.watch)
        self._nodeid = ""
        self._shown: list[str] = []
        self._patch = pytest.MonkeyPatch()

    def pytest_sessionstart(self) -> None:
        logging.getLogger().addHandler(self._records)
        watch = self.watch

        # Not around __init__: there it would stand in every traceback, with the key as a local.
        @functools.wraps(TaskSession.__init__)
        def new(cls: type[TaskSession], *args: Any, **options: Any) -> Any:
            made = super(TaskSession, cls).__new__(cls, *args, **options)
            key = args[0] if args else options.get("api_key")
            key = os.environ.get(API_KEY_VARIABLE) if key is None else key
            watch.note_session(key, chosen_base_url(options.get("base_url"))[1])
            return made

        ask = KeySource.ask

        @functools.wraps(ask)
        async def watched_ask(source: KeySource, *, timeout: float) -> Any:  # noqa: ASYNC109
            key = await ask(source, timeout=timeout)
            if source._callable is not None:
                watch.note_session(key, None)
            return key

        born = TwelveTasksError.__init__

        @functools.wraps(born)
        def init(error: TwelveTasksError, *args: Any, **options: Any) -> None:
            born(error, *args, **options)
            watch.note_error(error)

        send = aiohttp.ClientRequest.send

        @functools.wraps(send)
        async def watched_send(request: aiohttp.ClientRequest, *args: Any, **options: Any) -> Any:
            watch.examine_request(request.url, request.headers)
            return await send(request, *args, **options)

        self._patch.setattr(KeySource, "ask", watched_ask)
        self._patch.setattr(TaskSession, "__new__", staticmethod(new))
        self._patch.setattr(TwelveTasksError, "__init__", init)
        self._patch.setattr(aiohttp.ClientRequest, "send", watched_send)

    @pytest.fixture(autouse=True)
    def no_key_is_shown(self) -> Iterator[None]:
        """Insist, when a test ends, that nothing in it has shown the key of a session."""
        yield
        self.watch.examine_errors()
        assert self.watch.leaks == []

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._conclude()
        self._nodeid = nodeid

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Look at what comes to light only now; it fails the session, not the test."""
        self.watch.search("the output of the test", f"{report.capstdout} {report.capstderr}")

    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        self.watch.search("a warning", f"{warning_message.message} {warning_message.message!r}")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._conclude()
        logging.getLogger().removeHandler(self._records)
        self._patch.undo()
        if self._shown and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _conclude(self) -> None:
        self._shown += [f"{self._nodeid}: {leak}" for leak in self.watch.leaks]
        self.watch.forget()

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for leak in self._shown:
            terminalreporter.write_line(f"KEY SHOWN {leak}", red=True)
