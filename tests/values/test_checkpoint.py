from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from twelvetasks import Checkpoint, InvalidArgumentError, TaskQuery
from twelvetasks.values.checks import as_checkpoint, check_resume

WHOLE = Checkpoint(
    query=TaskQuery(status="ready").identity,
    key=datetime(2022, 6, 9, 4, 50, 0, 879000, UTC),
    ids=frozenset(("2", "1")),
    rank=7,
    since=datetime(2022, 6, 9, tzinfo=UTC),
)
WRITTEN = {
    "version": 1,
    "query": "tasks?sort_by=created_at&sort_option=desc&status=ready",
    "key": "2022-06-09T04:50:00.879Z",
    "ids": ["1", "2"],
    "rank": 7,
    "since": "2022-06-09T00:00:00Z",
}


def test_a_checkpoint_is_a_line_of_json_that_gives_it_back() -> None:
    assert json.loads(str(WHOLE)) == WRITTEN
    assert "\n" not in str(WHOLE)
    assert Checkpoint.parse(str(WHOLE)) == WHOLE
    key = WHOLE.since
    assert key is not None
    states = frozenset((("1", key, "ready"), ("2", key, "")))
    full = attrs.evolve(WHOLE, seen=frozenset("3"), states=states)
    more = {
        "seen": ["3"],
        "states": [["1", "2022-06-09T00:00:00Z", "ready"], ["2", "2022-06-09T00:00:00Z", ""]],
    }
    assert json.loads(str(full)) == WRITTEN | more
    assert Checkpoint.parse(full.token) == Checkpoint.parse(str(full)) == full
    start = Checkpoint.start(TaskQuery())
    assert Checkpoint.parse(str(start)) == start


@pytest.mark.parametrize(
    "other",
    [
        {"version": 2},
        {"query": None},
        {"query": 7},
        {"key": 5},
        {"key": "yesterday"},
        {"ids": "12"},
        {"ids": {"1": 2}},
        {"ids": [1]},
        {"rank": -1},
        {"rank": True},
        {"rank": "7"},
        {"since": []},
        {"seen": "3"},
        {"states": "abc"},
        {"states": [["1", "2022-06-09T00:00:00Z"]]},
        {"states": [["1", "yesterday", "ready"]]},
        {"states": [["1", "2022-06-09T00:00:00Z", None]]},
        {"states": ["123"]},
    ],
)
def test_what_no_checkpoint_writes_is_no_checkpoint(other: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a checkpoint") as caught:
        Checkpoint.parse(json.dumps(WRITTEN | other))
    assert not isinstance(caught.value, InvalidArgumentError)


def test_where_an_argument_is_checked_its_name_is_told() -> None:
    for resume in ("nonsense", 5, b"{}"):
        with pytest.raises(InvalidArgumentError) as caught:
            as_checkpoint(resume)
        assert (caught.value.parameter, caught.value.value) == ("resume", resume)
    assert as_checkpoint(str(WHOLE)) == as_checkpoint(WHOLE) == WHOLE
    assert as_checkpoint(None) is None


def test_a_checkpoint_of_another_query_is_refused() -> None:
    check_resume(WHOLE, TaskQuery(status="ready", page_limit=3))
    WHOLE.check(TaskQuery(status="ready"))
    with pytest.raises(InvalidArgumentError, match="another listing") as caught:
        check_resume(WHOLE, TaskQuery(status="failed"))
    assert caught.value.parameter == "resume"
