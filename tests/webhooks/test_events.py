"""What a webhook tells, as typed values, through the converter of the API's answers."""

from __future__ import annotations

import json
import pickle
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.webhooks.signing import body_of
from twelvetasks import (
    AnalysisError,
    AnalysisStatus,
    SystemMetadata,
    TaskStatus,
    VideoSource,
    WebhookError,
    to_dict,
    to_json,
)
from twelvetasks.webhooks import (
    AnalysisCanceled,
    AnalysisFailed,
    AnalysisReady,
    EventAnalysis,
    EventModel,
    EventTask,
    Refusal,
    TaskFailed,
    TaskReady,
    UnknownEvent,
    read_event,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def test_a_ready_task_is_told_with_all_that_the_platform_says() -> None:
    assert read_event(body_of()) == TaskReady(
        id="whe_1",
        type="index.task.ready",
        created_at=datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=timezone(timedelta(hours=9))),
        data=EventTask(
            id="t1",
            status=TaskStatus.READY,
            metadata=SystemMetadata(filename="a ä.mp4", duration=30.5),
            models=(EventModel(name="marengo2.7", options=("visual", "audio")),),
            tags=("x",),
        ),
    )


def test_a_failed_task_is_told_apart_by_its_class() -> None:
    event = read_event(body_of(status="failed"))
    assert type(event) is TaskFailed
    assert event.data.status is TaskStatus.FAILED


@pytest.mark.parametrize(
    ("status", "kind"),
    [("ready", AnalysisReady), ("failed", AnalysisFailed), ("canceled", AnalysisCanceled)],
)
def test_the_end_of_an_analysis_is_told_by_its_class(
    status: str, kind: type[AnalysisReady | AnalysisFailed | AnalysisCanceled]
) -> None:
    data = {
        "id": "a1",
        "custom_id": None,
        "created_at": "2026-07-20T10:00:00Z",
        "status": status,
        "video_source": {"type": "url", "url": "https://example.com/a.mp4"},
        "error": {"message": "It is too long."},
    }
    body = body_of(type=f"analyze.task.{status}", data=data)
    event = read_event(body)
    assert isinstance(event, kind)
    assert isinstance(event.data, EventAnalysis)
    assert (event.data.id, event.data.status) == ("a1", AnalysisStatus(status))
    assert event.data.error == AnalysisError(message="It is too long.")
    assert event.data.video_source == VideoSource(type="url", url="https://example.com/a.mp4")
    assert to_dict(event) == json.loads(body)


@pytest.mark.parametrize("type_", ["analyze.batch.ready", "index.task.READY", "", "ready"])
@given(data=JSON)
def test_any_other_type_is_kept_as_it_came(type_: str, data: Any) -> None:
    event = read_event(body_of(type=type_, data=data))
    assert type(event) is UnknownEvent
    assert (event.type, event.data) == (type_, data)
    assert to_dict(event) == json.loads(body_of(type=type_, data=data))


def test_only_the_ids_and_the_type_are_needed() -> None:
    event = read_event(b'{"id": "a", "type": "index.task.ready", "data": {"id": "b"}}')
    assert event == TaskReady(id="a", type="index.task.ready", data=EventTask(id="b"))
    assert read_event(b'{"id": "a", "type": "b"}') == UnknownEvent(id="a", type="b")


@pytest.mark.parametrize(
    "body",
    [
        body_of(),
        body_of(status="failed", created_at=None, more=[1, {"a": None}]),
        body_of(data={"id": "t", "status": "strange", "models": None, "engines": []}),
        body_of(type="of.tomorrow", data=[{"a": [None, 1.5]}]),
        body_of(type="of.tomorrow", data=None),
    ],
)
def test_what_the_platform_sent_can_be_had_back(body: bytes) -> None:
    event = read_event(body)
    assert to_dict(event) == json.loads(body)
    assert read_event(to_json(event).encode()) == event
    assert pickle.loads(pickle.dumps(event)) == event
    assert isinstance(hash(event), int)


@pytest.mark.parametrize(
    ("body", "path", "words"),
    [
        (b"", None, "not JSON"),
        (b'{"id": "a"', None, "not JSON"),
        (b"\xff", None, "not JSON"),
        (b"[" * 100_000, None, "not JSON"),
        (b"[]", "$", "the event is malformed at $: expected an object"),
        (b"null", "$", "expected an object"),
        (b"{}", "$.id", "missing"),
        (body_of(type=None), "$.type", "expected a string"),
        (body_of(type=["index.task.ready"]), "$.type", "expected a string"),
        (body_of(id=7), "$.id", "expected a string"),
        (body_of(created_at="yesterday"), "$.created_at", "RFC 3339"),
        (body_of(data=None), "$.data", "expected an object"),
        (body_of(data={}), "$.data.id", "missing"),
        (body_of(data={"id": "t", "tags": "abc"}), "$.data.tags", "expected a list"),
        (
            body_of(data={"id": "t", "models": [{}, {"options": ["a", 1]}]}),
            "$.data.models[1].options[1]",
            "expected a string",
        ),
        (
            body_of(data={"id": "t", "metadata": {"duration": "half a minute"}}),
            "$.data.metadata.duration",
            "expected a number",
        ),
        (body_of(type="deep", data=json.loads("[" * 70 + "]" * 70)), "$", "nested more than"),
        (body_of(more=json.loads("[" * 70 + "]" * 70)), "$", "nested more than"),
    ],
)
def test_a_fault_is_named_with_its_place(body: bytes, path: str | None, words: str) -> None:
    with pytest.raises(WebhookError) as caught:
        read_event(body)
    assert caught.value.refusal is Refusal.MALFORMED
    assert caught.value.json_path == path
    assert words in str(caught.value)
    assert caught.value.__context__ is None


def test_a_number_in_a_string_is_read() -> None:
    event = read_event(body_of(data={"id": "t", "metadata": {"duration": "30"}}))
    assert isinstance(event, TaskReady)
    assert event.data.metadata is not None
    assert event.data.metadata.duration == 30
