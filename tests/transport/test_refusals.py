"""Refusals: the words that are quoted, whatever form they come in, and the advice for each code."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transport.raw import KEY, answer, failure, raw
from twelvetasks import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    EndpointRemovedError,
    NotFoundError,
    RateLimitedError,
    ResponseError,
    RetryPolicy,
    ServerError,
    TaskSession,
    TwelveTasksError,
)
from twelvetasks.transport.refusals import code_and_message
from twelvetasks.values.words import DEEPEST_WORDS, MOST_WORDS

WHY = "index_id has to be 24 hexadecimal digits"

FORMS: dict[str, Any] = {
    "flat": {"code": "parameter_invalid", "message": WHY},
    "nested": {"error": {"code": "parameter_invalid", "message": WHY}},
    "an error that is a string": {"error": WHY},
    "OAuth's": {"error": "invalid_request", "error_description": WHY},
    "problem+json": {"detail": WHY, "title": "Bad Request"},
    "a list of details": {"detail": [{"loc": ["query", "index_id"], "msg": WHY}]},
    "errors": {"errors": [{"message": WHY}]},
    "errors that are strings": {"errors": [WHY]},
    "capitals": {"Message": WHY},
    "a message that is an object": {"message": {"index_id": WHY}},
    "an empty message": {"message": " ", "detail": WHY},
    "a number for a code": {"code": 7, "message": [WHY]},
    "a string": WHY,
    "a list": [{"message": WHY}],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("status", [400, 500])
async def test_its_words_are_quoted_whatever_their_form(status: int, form: Any) -> None:
    async with raw(answer(f"{status} No", body=msgspec.json.encode(form))) as server:
        error = await failure(server.base_url)
    assert type(error) is (BadRequestError if status == 400 else ServerError)
    assert WHY in error.reason


async def test_plain_text_is_quoted_in_one_line_and_shortened() -> None:
    text = "upstream connect error:\r\n\treset " + "x" * 1000
    async with raw(answer("400 No", body=text.encode())) as server:
        error = await failure(server.base_url)
    assert error.reason.startswith("400 upstream connect error: reset xxx")
    assert error.reason.endswith("xxx")
    assert len(error.reason) < 600


@pytest.mark.parametrize(
    "body", [b"", b" ", b"<html>Bad Gateway</html>", b"\x80\xff", b"{", b"{}", b"[]", b"null", b"7"]
)
async def test_a_body_without_words_leaves_the_status_and_its_phrase(body: bytes) -> None:
    async with raw(answer("400 Bad Luck", body=body)) as server:
        error = await failure(server.base_url)
    assert error.reason == "400 Bad Luck"


def test_the_code_is_read_flat_and_nested_and_only_if_it_is_text() -> None:
    assert code_and_message(b'{"code": "a", "message": "b"}') == ("a", "b")
    assert code_and_message(b'{"error": {"code": "a", "message": "b"}}') == ("a", "b")
    assert code_and_message(b'{"code": 400, "message": "b"}') == (None, "b")


def test_a_message_that_names_fields_keeps_their_names() -> None:
    said = {"message": {"index_id": "is required", "video_url": ["is no URL", "is too long"]}}
    words = "index_id: is required; video_url: is no URL; is too long"
    assert code_and_message(msgspec.json.encode(said)) == (None, words)


def test_no_more_is_read_than_can_be_quoted() -> None:
    many = msgspec.json.encode({"errors": [f"e{number}" for number in range(1000)]})
    assert code_and_message(many)[1] == "; ".join(f"e{number}" for number in range(MOST_WORDS))
    deep: Any = "far down"
    for _ in range(DEEPEST_WORDS + 1):
        deep = {"error": deep}
    assert code_and_message(msgspec.json.encode(deep)) == (None, None)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
        lambda parts: (
            st.lists(parts) | st.dictionaries(st.text(max_size=5) | st.just("error"), parts)
        ),
        max_leaves=20,
    )
)
def test_any_json_is_read_without_an_error(said: Any) -> None:
    code, message = code_and_message(msgspec.json.encode(said))
    assert code is None or isinstance(code, str)
    assert message is None or message.strip()


@pytest.mark.parametrize(
    ("status", "code", "kind", "advice"),
    [
        (401, "api_key_invalid", AuthenticationError, "Check the API key: keys expire"),
        (403, "unauthorized", AuthenticationError, "what it gives access to"),
        (403, "read_not_allowed", NotFoundError, "Check the id: it belongs to another account"),
        (403, "write_not_allowed", NotFoundError, "Check the id: it belongs to another account"),
        (404, "resource_not_exist", NotFoundError, "Check the id, and that it belongs"),
        (404, "resource_not_exists", NotFoundError, "Check the id, and that it belongs"),
        (404, "not_found", EndpointRemovedError, "check `base_url`"),
    ],
)
async def test_a_listing_is_advised_by_the_code(
    status: int, code: str, kind: type[ApiError], advice: str
) -> None:
    async with raw(answer(f"{status} No", body=b'{"code": "%b"}' % code.encode())) as server:
        error = await failure(server.base_url)
    assert type(error) is kind
    assert (error.status, error.code) == (status, code)
    assert advice in error.advice


async def test_a_listing_that_stays_is_about_its_address_if_it_is_not_found() -> None:
    async with (
        raw(answer("404 No", body=b'{"code": "not_found"}')) as server,
        TaskSession(KEY, base_url=server.base_url) as session,
    ):
        with pytest.raises(NotFoundError) as caught:
            await session.analysis_tasks()
    error = caught.value
    assert type(error) is NotFoundError
    assert (error.status, error.code) == (404, "not_found")
    assert "Check the session's `base_url`" in error.advice


async def test_a_single_task_that_is_not_found_is_about_its_id() -> None:
    async with (
        raw(answer("404 Not Found")) as server,
        TaskSession(KEY, base_url=server.base_url) as session,
    ):
        with pytest.raises(NotFoundError, match="Check the id"):
            await session.task("62a17bf847f5678267ec10cc")


async def test_a_refusal_with_status_200_is_quoted_with_its_code() -> None:
    body = b'{"code": "index_locked", "message": "Later, %b."}' % KEY.encode()
    async with raw(answer(body=body)) as server:
        error = await failure(server.base_url)
    assert type(error) is ResponseError
    assert error.code == "index_locked"
    assert error.reason.endswith("; it says: index_locked: Later, ***.")


@pytest.mark.parametrize(("headers", "wait"), [(["Retry-After: 400"], 400.0), ([], None)])
async def test_a_failure_of_the_platform_carries_the_wait_it_asks_for(
    headers: list[str], wait: float | None
) -> None:
    async with (
        raw(answer("503 Busy", *headers)) as server,
        TaskSession(KEY, base_url=server.base_url, retry=RetryPolicy(attempts=1)) as session,
    ):
        with pytest.raises(ServerError) as caught:
            await session.tasks().count()
    assert caught.value.retry_after == wait
    assert ("asks to wait 400 seconds, until" in str(caught.value)) == (wait is not None)


async def test_a_wait_beyond_the_longest_is_told_with_its_time() -> None:
    began = datetime.now(UTC)
    async with raw(answer("429 Too Many Requests", "Retry-After: 7200")) as server:
        error = await failure(server.base_url)
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == 7200
    told = re.search(r"asks to wait 7200 seconds, until (.*) UTC", str(error))
    assert told is not None
    end = datetime.fromisoformat(f"{told[1]}+00:00")
    assert timedelta(seconds=7198) < end - began < timedelta(seconds=7230)
    assert len(server.heard) == 1


ERRORS: list[Any] = [
    {"code": "parameter_invalid", "message": "the words of it"},
    {"error": {"message": "the words of it"}},
    {"errors": ["the words of it"]},
    {"detail": "the words of it"},
    {"data": None, "error": "the words of it"},
    {"response": {"error": {"details": {"message": "the words of it"}}}},
    {"fault": {"faultstring": "the words of it"}},
]


@pytest.mark.parametrize("status", [200, 400, 503])
@pytest.mark.parametrize("body", ERRORS)
async def test_an_error_is_none_of_a_listing_whatever_its_status(body: Any, status: int) -> None:
    said = answer(f"{status} So", "Content-Type: application/json", body=json.dumps(body).encode())
    once = RetryPolicy(attempts=1)
    async with (
        raw(said) as server,
        TaskSession(KEY, base_url=server.base_url, retry=once) as session,
    ):
        with pytest.raises(TwelveTasksError, match="the words of it"):
            await session.tasks()
        with pytest.raises(TwelveTasksError, match="the words of it"):
            await session.tasks().first()
        if "detail" not in body and "response" not in body:
            with pytest.raises(TwelveTasksError, match="the words of it"):
                await session.delete("62a17bf847f5678267ec10cc")


@pytest.mark.parametrize("body", [{}, {"data": []}, {"data": [], "message": "all is well"}])
async def test_an_empty_list_is_no_error(body: Any) -> None:
    said = answer("200 OK", "Content-Type: application/json", body=json.dumps(body).encode())
    async with raw(said) as server, TaskSession(KEY, base_url=server.base_url) as session:
        assert await session.tasks() == []


async def test_a_message_about_a_deletion_is_no_error() -> None:
    said = answer("200 OK", "Content-Type: application/json", body=b'{"message": "deleted"}')
    async with raw(said) as server, TaskSession(KEY, base_url=server.base_url) as session:
        await session.delete("62a17bf847f5678267ec10cc")


async def test_text_in_an_old_encoding_is_quoted() -> None:
    said = answer("400 Bad Request", body="accès refusé".encode("latin-1"))
    async with raw(said) as server, TaskSession(KEY, base_url=server.base_url) as session:
        with pytest.raises(TwelveTasksError, match="accès refusé"):
            await session.tasks()
