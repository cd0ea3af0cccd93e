"""Every refusal: its status, its code, and a message that names what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.testing.asking import ask
from twelvetasks.testing import FakePlatform


@pytest.fixture(scope="module")
def served() -> Iterator[FakePlatform]:
    with FakePlatform.demo(100).run_in_thread() as platform:
        yield platform


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page", 0),
        ("page", -1),
        ("page", "one"),
        ("page", ""),
        ("page", "1.0"),
        ("page", [1, 2]),
        ("page_limit", 0),
        ("page_limit", 51),
        ("page_limit", "٣"),
        ("sort_by", "foo"),
        ("sort_by", ""),
        ("sort_option", "descending"),
        ("status", "foo"),
        ("status", ""),
        ("status", ["ready", "foo"]),
        ("status", "ready,"),
        ("index_id", ""),
        ("filename", ""),
        ("duration", "long"),
        ("duration", "nan"),
        ("duration", "1e999"),
        ("duration", -1),
        ("width", 1.5),
        ("height", "tall"),
        ("created_at", "yesterday"),
        ("created_at", "2024-01-01"),
        ("created_at", "2024-01-01T00:00:00"),
        ("created_at", "2024-13-01T00:00:00Z"),
        ("created_at", "2024-01-01T00:00:00+00:00"),
        ("updated_at", "2024-01-01T00:00:00 00:00"),
        ("updated_at", 1704067200),
    ],
)
def test_a_bad_value_is_refused_by_name(served: FakePlatform, name: str, value: Any) -> None:
    answer = ask(served, **{name: value})
    assert answer.status == 400
    assert answer.json["code"] == "parameter_invalid"
    assert f"The {name} parameter" in answer.json["message"]
    with pytest.raises(ValueError, match=f"The {name} parameter"):
        served.tasks(**{name: value})


@pytest.mark.parametrize("name", ["foo", "limit", "Page", "sort", "status[]"])
def test_an_unknown_parameter_is_refused_by_name(served: FakePlatform, name: str) -> None:
    parameters: dict[str, Any] = {name: 1}
    answer = ask(served, **parameters)
    assert answer.status == 400
    assert answer.json["code"] == "parameter_unknown"
    assert f"The {name} parameter" in answer.json["message"]


@pytest.mark.parametrize("key", [None, "", "tlk_other", "tlk_demo2"])
@pytest.mark.parametrize("path", ["/tasks", "/tasks/62a17bf847f5678267ec10cc", "/nothing"])
def test_a_wrong_key_is_refused_before_anything_else(
    served: FakePlatform, key: str | None, path: str
) -> None:
    answer = ask(served, path, key=key)
    assert answer.status == 401
    assert answer.json["code"] == "api_key_invalid"
    assert answer.json["docs_url"].startswith("https://")


def test_the_key_may_change_while_it_serves(served: FakePlatform) -> None:
    served.api_key = "tlk_rotated"
    try:
        assert ask(served).status == 401
        assert ask(served, key="tlk_rotated").status == 200
    finally:
        served.api_key = "tlk_demo"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_unknown_task_does_not_exist(served: FakePlatform, method: str) -> None:
    answer = ask(served, "/tasks/62a17bf847f5678267ec10cc", method=method)
    assert answer.status == 404
    assert answer.json["code"] == "resource_not_exists"
    assert "62a17bf847f5678267ec10cc" in answer.json["message"]


@pytest.mark.parametrize(
    "path", ["", "/", "/task", "/tasks%0A", "/tasks/", "/tasks/a/b", "/indexes/a/b", "/analyze"]
)
def test_an_unknown_path_does_not_exist(served: FakePlatform, path: str) -> None:
    answer = ask(served, path)
    assert answer.status == 404
    assert answer.json.keys() >= {"code", "message"}


def test_a_long_url_is_answered_like_any_other(served: FakePlatform) -> None:
    answer = ask(served, filename="a" * 20_000)
    assert (answer.status, answer.ids) == (200, [])


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/tasks", "GET, POST"),
        ("PATCH", "/tasks", "GET, POST"),
        ("POST", "/tasks/1", "DELETE, GET"),
        ("PUT", "/tasks/1", "DELETE, GET"),
    ],
)
def test_a_method_that_is_not_served_is_refused(
    served: FakePlatform, method: str, path: str, allowed: str
) -> None:
    answer = ask(served, path, method=method)
    assert answer.status == 405
    assert answer.headers["Allow"] == allowed
    assert answer.json.keys() >= {"code", "message"}


def test_delete_is_allowed_only_when_ready_or_failed(served: FakePlatform) -> None:
    for status in ("uploading", "validating", "pending", "queued", "indexing"):
        task = served.add(status=status)
        answer = ask(served, f"/tasks/{task['_id']}", method="DELETE")
        assert answer.status == 400
        assert answer.json["code"] == "task_cannot_be_deleted"
    for status in ("ready", "failed"):
        task = served.add(status=status)
        answer = ask(served, f"/tasks/{task['_id']}", method="DELETE")
        assert (answer.status, answer.body) == (204, b"")
        assert ask(served, f"/tasks/{task['_id']}").status == 404


def test_every_answer_has_a_request_id_of_its_own(served: FakePlatform) -> None:
    answers = [ask(served), ask(served), ask(served, page=0), ask(served, key=None)]
    assert len({answer.headers["X-Request-Id"] for answer in answers}) == 4
