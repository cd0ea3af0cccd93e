"""Errors: one tree, what each of them carries, and what it tells its reader to do."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import attrs
import pytest
from aiohttp import web

import twelvetasks
from tests import public
from twelvetasks import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    Checkpoint,
    EndpointRemovedError,
    InvalidArgumentError,
    NotFoundError,
    RateLimitedError,
    RequestTimeoutError,
    ResponseError,
    ServerError,
    SessionClosedError,
    Task,
    TaskFailedError,
    TaskQuery,
    TaskSession,
    TransportError,
    TwelveTasksError,
    WaitTimeoutError,
    WebhookError,
)
from twelvetasks.testing import FakePlatform
from twelvetasks.values import errors
from twelvetasks.values.errors import Refusal

ALL = [
    kind
    for kind in (getattr(twelvetasks, name) for name in public.NAMES)
    if isinstance(kind, type) and issubclass(kind, BaseException)
]

WRONG_TOTAL = b'{"page": 1, "limit_per_page": 1, "total_page": 1, "total_results": "many"}'


async def refusal(session: TaskSession) -> TwelveTasksError:
    with pytest.raises(TwelveTasksError) as caught:
        await session.tasks().count()
    return caught.value


HOSTILE = "\u202e\u200b\x1b[2J\r\nERROR forged\u2066\x85"


@pytest.mark.parametrize(
    "error",
    [
        TwelveTasksError(HOSTILE),
        InvalidArgumentError("resume", HOSTILE, HOSTILE),
        ResponseError(HOSTILE, request_id="r"),
        TaskFailedError(HOSTILE, task=Task(id="1")),
        WebhookError(HOSTILE, refusal=Refusal.FORGED),
    ],
)
def test_no_error_hides_or_reorders_what_it_says_or_takes_a_second_line(
    error: TwelveTasksError,
) -> None:
    for said in (str(error), error.reason, *map(str, error.args)):
        assert said.isprintable()


@pytest.mark.parametrize("value", ["a" * 10**6, ["b"] * 10**5, 10**5000], ids=type)
def test_a_value_that_is_refused_is_shown_in_short(value: object) -> None:
    error = InvalidArgumentError("size", value, "must be smaller")
    assert len(str(error)) < 600
    assert str(error).endswith(": must be smaller")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


async def test_what_the_platform_sends_takes_one_printable_line_in_errors() -> None:
    hostile = HOSTILE * 100
    async with FakePlatform() as platform:
        task = platform.add(status="failed", error_reason=hostile)
        async with TaskSession(platform.api_key, base_url=platform.base_url) as session:
            with pytest.raises(TaskFailedError) as failed:
                await session.wait(task["_id"])
            resume = attrs.evolve(Checkpoint.start(session.tasks().query), query=hostile)
            with pytest.raises(InvalidArgumentError) as foreign:
                session.tasks(resume=resume)
    for error in (failed.value, foreign.value):
        assert str(error).isprintable()
        assert len(str(error)) < 2500


@pytest.mark.parametrize("kind", ALL)
def test_every_error_is_a_twelvetasks_error(kind: type[BaseException]) -> None:
    assert issubclass(kind, TwelveTasksError)


def test_the_tree_also_answers_to_the_names_python_has() -> None:
    assert issubclass(InvalidArgumentError, ValueError)
    assert issubclass(RequestTimeoutError, TimeoutError)
    assert issubclass(RequestTimeoutError, TransportError)


@pytest.mark.parametrize(
    "kind", [AuthenticationError, BadRequestError, NotFoundError, RateLimitedError, ServerError]
)
def test_what_the_platform_refused_is_an_api_error(kind: type[BaseException]) -> None:
    assert issubclass(kind, ApiError)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequestError),
        (401, AuthenticationError),
        (403, AuthenticationError),
        (404, EndpointRemovedError),
        (410, EndpointRemovedError),
        (405, BadRequestError),
        (408, RequestTimeoutError),
        (409, BadRequestError),
        (413, BadRequestError),
        (418, BadRequestError),
        (429, RateLimitedError),
        (500, ServerError),
        (502, ServerError),
        (503, ServerError),
        (599, ServerError),
        (999, ServerError),
    ],
)
async def test_the_status_decides_the_kind(
    platform: FakePlatform, session: TaskSession, status: int, kind: type[TwelveTasksError]
) -> None:
    platform.respond(lambda _: web.Response(status=status, headers={"X-Request-Id": "req-7"}))
    error = await refusal(session)
    assert type(error) is kind
    assert (error.status, error.page, error.request_id) == (status, 1, "req-7")
    assert f"page 1: {status}" in str(error)
    assert "(request id req-7)" in str(error)
    assert error.advice
    assert str(error).endswith(error.advice)


@pytest.mark.parametrize(
    "body",
    [
        {"code": "parameter_invalid", "message": "The page parameter is invalid."},
        {"code": "parameter_invalid", "message": "The page parameter is invalid.", "docs_url": "x"},
        {"error": {"code": "parameter_invalid", "message": "The page parameter is invalid."}},
    ],
)
async def test_a_bad_request_carries_the_platforms_code_and_message(
    platform: FakePlatform, session: TaskSession, body: dict[str, Any]
) -> None:
    platform.fail(status=400, body=body)
    error = await refusal(session)
    assert error.code == "parameter_invalid"
    assert error.reason == "400 parameter_invalid: The page parameter is invalid"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Bad Gateway</html>",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        b'{"error": null}',
        b'{"code": 7, "message": [null, {}]}',
        b"[" * 100_000,
    ],
)
async def test_a_refusal_without_the_platforms_words_is_named_by_its_status(
    platform: FakePlatform, session: TaskSession, body: bytes
) -> None:
    platform.fail(status=400, body=body)
    error = await refusal(session)
    assert type(error) is BadRequestError
    assert error.code is None
    assert error.reason == "400 Bad Request"


async def test_a_code_without_a_message_and_a_message_without_a_code_are_both_shown(
    platform: FakePlatform, session: TaskSession
) -> None:
    platform.fail(status=400, body={"code": "usage_limit_exceeded"})
    platform.fail(status=400, body={"message": "No."})
    assert (await refusal(session)).reason == "400 usage_limit_exceeded"
    assert (await refusal(session)).reason == "400 No"


async def test_a_wrong_key_is_an_authentication_error_that_names_the_remedy(
    platform: FakePlatform,
) -> None:
    async with TaskSession("tlk_wrong", base_url=platform.base_url) as session:
        error = await refusal(session)
    assert type(error) is AuthenticationError
    assert error.status == 401
    assert error.code == "api_key_invalid"
    assert "Check the API key" in str(error)
    assert len(platform.requests) == 1


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        ("0", 0.0),
        ("61", 61.0),
        ("86400", 86400.0),
        ("9" * 400, float("inf")),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
async def test_a_rate_limited_error_carries_the_seconds_the_platform_asked_for(
    platform: FakePlatform, session: TaskSession, sent: str, seconds: float | None
) -> None:
    platform.fail(status=429, headers={"Retry-After": sent}, times=5)
    error = await refusal(session)
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == seconds


async def test_a_rate_limited_error_without_a_body_has_no_code(
    platform: FakePlatform, session: TaskSession
) -> None:
    platform.fail(status=429, times=5)
    error = await refusal(session)
    assert isinstance(error, RateLimitedError)
    assert (error.code, error.retry_after) == (None, None)


async def test_the_page_that_failed_is_the_one_the_error_carries(
    platform: FakePlatform, session: TaskSession
) -> None:
    platform.fail(status=401, page=3)
    with pytest.raises(AuthenticationError) as caught:
        await session.tasks()
    assert caught.value.page == 3


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"", None),
        (b"<html></html>", None),
        (b"[]", "$"),
        (b'{"data": []}', "$.page_info.total_results"),
        (b'{"data": [], "page_info": %b}' % WRONG_TOTAL, "$.page_info.total_results"),
    ],
)
async def test_a_malformed_page_is_a_response_error_that_knows_where(
    platform: FakePlatform, session: TaskSession, body: bytes, path: str | None
) -> None:
    platform.respond(lambda _: web.Response(body=body, headers={"X-Request-Id": "req-7"}))
    error = await refusal(session)
    assert type(error) is ResponseError
    assert (error.status, error.page, error.request_id) == (200, 1, "req-7")
    assert error.json_path == path
    assert "The answer was not used" in str(error)
    assert error.__context__ is None
    assert len(platform.requests) == 1


async def test_what_another_machine_said_is_shown_on_one_line_and_not_at_length(
    platform: FakePlatform, session: TaskSession
) -> None:
    platform.fail(
        status=400,
        body={"code": "a\nb", "message": "\x1b[31mred\r\n" + "long " * 10_000},
        headers={"X-Request-Id": "ü"},
    )
    error = await refusal(session)
    assert error.code == "a b"
    assert str(error).isprintable()
    assert len(str(error)) < 1000


def test_an_error_shows_no_more_than_it_knows() -> None:
    assert str(TwelveTasksError("it broke")) == "it broke"
    assert str(TwelveTasksError("it broke", advice="Mend it")) == "it broke. Mend it"
    assert (
        str(TwelveTasksError("it broke", advice="Mend it", page=3, request_id="req-7"))
        == "page 3: it broke (request id req-7). Mend it"
    )


def test_an_error_survives_the_way_between_processes() -> None:
    error = RateLimitedError(
        "429",
        advice="Wait",
        status=429,
        code="too_many_requests",
        request_id="r",
        page=2,
        retry_after=7.0,
    )
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is RateLimitedError
    assert vars(twin) == vars(error)
    assert str(twin) == str(error)


async def test_a_closed_session_is_no_failure_of_the_network(session: TaskSession) -> None:
    await session.aclose()
    error = await refusal(session)
    assert type(error) is SessionClosedError
    assert not isinstance(error, TransportError)
    assert (error.status, error.page) == (None, 1)


def test_a_refused_argument_is_told_as_data() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        TaskQuery(page_limit=51)
    error = caught.value
    assert (error.parameter, error.value) == ("page_limit", 51)
    assert error.reason == f"page_limit=51: {error.demand}"


@pytest.mark.parametrize(
    ("error", "data"),
    [
        (InvalidArgumentError("page", -1, "must be positive"), {"parameter": "page", "value": -1}),
        (ResponseError("torn", json_path="$.data"), {"json_path": "$.data"}),
        (RateLimitedError("429", retry_after=2.5), {"retry_after": 2.5}),
        (TaskFailedError("no", task=Task(id="1")), {"task": Task(id="1")}),
        (WaitTimeoutError("late", task_ids=("1", "2")), {"task_ids": ("1", "2")}),
        (
            WebhookError("no", refusal=Refusal.FORGED, json_path="$.id"),
            {"refusal": Refusal.FORGED, "json_path": "$.id"},
        ),
    ],
)
def test_the_data_of_an_error_survives_being_located_pickled_and_copied(
    error: TwelveTasksError, data: dict[str, Any]
) -> None:
    place = Checkpoint(query="sort_by=created_at")
    located = error.located(page=3, checkpoint=place)
    for twin in (located, pickle.loads(pickle.dumps(located)), copy.deepcopy(located)):
        assert type(twin) is type(error)
        assert {name: getattr(twin, name) for name in data} == data
        assert (twin.page, twin.checkpoint, twin.args) == (3, place, (error.reason,))
    assert (error.page, error.checkpoint) == (None, None)


def test_an_argument_that_cannot_be_pickled_becomes_its_text_in_another_process() -> None:
    error = InvalidArgumentError("on_event", lambda: None, "must take an event")
    twin = pickle.loads(pickle.dumps(error))
    assert (twin.parameter, twin.value) == ("on_event", repr(error.value))


def test_a_located_error_keeps_its_traceback_and_its_cause() -> None:
    try:
        raise TransportError("reset") from OSError("no route")  # noqa: TRY301
    except TransportError as error:
        located = error.located(page=2)
    assert located.__traceback__ is not None
    assert isinstance(located.__cause__, OSError)


def test_the_tree_that_is_drawn_is_the_tree_there_is() -> None:
    drawn = re.findall(r"^ {4}(?:[│ ]*[├└]── )?(\w+Error)\b", errors.__doc__ or "", re.MULTILINE)
    assert sorted(drawn) == sorted(kind.__name__ for kind in ALL)
