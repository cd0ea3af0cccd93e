"""Which address a session asks: what is passed, what a variable names, or the platform's."""

from __future__ import annotations

from typing import Any

import pytest
from yarl import URL

from twelvetasks import InvalidArgumentError, TaskSession
from twelvetasks.session import DEFAULT_BASE_URL
from twelvetasks.testing import FakePlatform

KEY = "tlk_0SECRET1"
OURS, SDKS = "TWELVETASKS_BASE_URL", "TWELVELABS_BASE_URL"


@pytest.mark.parametrize(
    ("variables", "passed", "asked"),
    [
        ({}, None, DEFAULT_BASE_URL),
        ({SDKS: "https://sdk.example/v1.3"}, None, "https://sdk.example/v1.3"),
        ({OURS: "https://our.example/v1.3"}, None, "https://our.example/v1.3"),
        (
            {SDKS: "https://sdk.example/v1.3", OURS: "https://our.example/v1.3"},
            None,
            "https://our.example/v1.3",
        ),
        ({SDKS: "https://sdk.example/v1.3", OURS: ""}, None, "https://sdk.example/v1.3"),
        ({SDKS: "", OURS: ""}, None, DEFAULT_BASE_URL),
        ({SDKS: "no", OURS: "no"}, "https://passed.example/v1", "https://passed.example/v1"),
        ({SDKS: "no", OURS: "no"}, URL("https://passed.example"), "https://passed.example"),
    ],
)
def test_what_is_passed_comes_before_our_variable_and_the_sdks(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], passed: Any, asked: Any
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    session = TaskSession(KEY, base_url=passed)
    assert session.base_url == session.with_options(timeout=5).base_url == URL(asked)


async def test_the_variable_is_asked(
    platform: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SDKS, str(platform.base_url))
    async with TaskSession(platform.api_key) as session:
        assert await session.tasks().count() == 230


@pytest.mark.parametrize("name", [OURS, SDKS])
@pytest.mark.parametrize(
    "address", ["api.twelvelabs.io", "http://api.twelvelabs.io", "https://u:SECRET@h", "https://["]
)
def test_a_wrong_one_is_named_and_shows_no_secret(
    monkeypatch: pytest.MonkeyPatch, name: str, address: str
) -> None:
    monkeypatch.setenv(name, address)
    with pytest.raises(InvalidArgumentError, match=f"{name}=") as caught:
        TaskSession(KEY)
    assert "SECRET" not in str(caught.value)
