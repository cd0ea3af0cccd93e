"""The headers of a caller's own, and the name that a session tells the platform."""

from __future__ import annotations

import traceback
from typing import Any

import aiohttp
import pytest

from tests.transport.raw import EMPTY_PAGE, KEY, answer, raw
from twelvetasks import InvalidArgumentError, TaskSession


async def heard(**options: Any) -> list[str]:
    """Ask once, and return the head of the request in lines."""
    async with (
        raw(answer(body=EMPTY_PAGE)) as server,
        TaskSession(KEY, base_url=server.base_url, **options) as session,
    ):
        await session.tasks().count()
    return server.heard[0].decode().strip().split("\r\n")


async def test_headers_travel_with_each_request_beside_the_sessions_own() -> None:
    lines = await heard(headers={"X-Team": "video", "authorization": "Bearer t0ken"})
    assert "X-Team: video" in lines
    assert "authorization: Bearer t0ken" in lines
    assert f"x-api-key: {KEY}" in lines
    assert "Accept: application/json" in lines


async def test_they_travel_through_a_callers_own_aiohttp_session_too() -> None:
    async with aiohttp.ClientSession(headers={"X-Team": "other"}) as client:
        lines = await heard(headers={"X-Team": "video"}, client_session=client)
        assert "X-Team" in client.headers
        assert client.headers["X-Team"] == "other"
    assert "X-Team: video" in lines
    assert "X-Team: other" not in lines


@pytest.mark.parametrize(
    "headers",
    [
        *({name: "v"} for name in ("x-api-key", "X-API-Key", "Host", "content-length")),
        *({name: "v"} for name in ("Accept", "Accept-Encoding", "Content-Type", "Connection")),
        *({name: "v"} for name in ("Transfer-Encoding", "Proxy-Authorization", "User-Agent")),
        *({name: "v"} for name in ("", "a b", "a:", "a\r\nx", "ä", "a\0")),
        *(
            {"X": value}
            for value in ("a\r\nx-api-key: b", "a\n", "\r", "a\0b", " a", "a ", "\ud800")
        ),
        *({"X": value} for value in (1, None, b"v", ["v"])),
        {1: "v"},
        {"X-Team": "a", "x-team": "b"},
        [("X-Team", "a")],
        "X-Team: a",
        7,
    ],
)
def test_a_header_that_cannot_be_sent_is_refused_by_name(headers: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="headers="):
        TaskSession(KEY, headers=headers)
    session = TaskSession(KEY)
    with pytest.raises(InvalidArgumentError, match="headers="):
        session.with_options(headers=headers)


def test_the_value_of_a_header_is_shown_nowhere() -> None:
    session = TaskSession(KEY, headers={"Authorization": "Bearer t0ken"})
    assert "t0ken" not in repr(session._requests.transport.options.headers)
    for refused in ({"Authorization": "Bearer t0ken\n"}, {"A": "t0ken", "a": "t0ken"}):
        with pytest.raises(InvalidArgumentError) as caught:
            session.with_options(headers=refused)
        ours = caught.value.__traceback__
        assert ours is not None
        error = caught.value
        shown = traceback.TracebackException(type(error), error, ours.tb_next, capture_locals=True)
        assert "t0ken" not in "".join(shown.format())


async def test_the_callers_product_comes_before_ours() -> None:
    lines = await heard(user_agent="myapp/1.0 (video team)")
    (agent,) = (line for line in lines if line.lower().startswith("user-agent:"))
    assert agent.startswith("User-Agent: myapp/1.0 (video team) twelvetasks/")


async def test_a_callers_own_aiohttp_session_keeps_its_product_unless_another_is_given() -> None:
    async with aiohttp.ClientSession(headers={"User-Agent": "theirs/2"}) as client:
        assert "User-Agent: theirs/2" in await heard(client_session=client)
        lines = await heard(client_session=client, user_agent="myapp/1.0")
    (agent,) = (line for line in lines if line.lower().startswith("user-agent:"))
    assert agent.startswith("User-Agent: myapp/1.0 twelvetasks/")


@pytest.mark.parametrize("agent", ["", " ", "a\r\nx: y", "a\nb", "ä/1", "a\x7f", 7, b"a"])
def test_what_is_no_product_is_refused(agent: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="user_agent="):
        TaskSession(KEY, user_agent=agent)
