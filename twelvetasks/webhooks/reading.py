"""Structure the body of a webhook, by the converter that structures the API's responses."""

from __future__ import annotations

from typing import Any, cast

from twelvetasks.conversion.convert import read_json, structure
from twelvetasks.values.errors import Refusal, ResponseError, WebhookError
from twelvetasks.values.events import (
    AnalysisCanceled,
    AnalysisFailed,
    AnalysisReady,
    Event,
    TaskFailed,
    TaskReady,
    UnknownEvent,
)
from twelvetasks.values.fields import AnyData

LONGEST_ID = 256
"""Characters of an id: some ten times what the platform's have. Watches remember them."""

_OF_TASKS = (TaskReady, TaskFailed, AnalysisReady, AnalysisFailed, AnalysisCanceled)

_KINDS: dict[Any, type[Event]] = {
    "index.task.ready": TaskReady,
    "index.task.failed": TaskFailed,
    "analyze.task.ready": AnalysisReady,
    "analyze.task.failed": AnalysisFailed,
    "analyze.task.canceled": AnalysisCanceled,
}


def read_event(body: bytes) -> Event:
    """Structure the body of a webhook as the `Event` of its type, or as an `UnknownEvent`.

    It checks no signature: `verify` the body first.

    Raises WebhookError, with the `json_path` of the fault, if the body is no event.
    """
    try:
        sent = read_json(body, cast("type[Any]", AnyData))
        kind = sent.get("type") if isinstance(sent, dict) else None
        event = structure(sent, _KINDS.get(kind if isinstance(kind, str) else None, UnknownEvent))
    except ResponseError as error:
        reason, path = error.reason.replace("the answer", "the event", 1), error.json_path
    else:
        ids = {"$.id": event.id}
        if isinstance(event, _OF_TASKS):
            ids["$.data.id"] = event.data.id
        path = next((path for path, id_ in ids.items() if len(id_) > LONGEST_ID), None)
        if path is None:
            return event
        reason = f"the event is malformed at {path}: it has more than {LONGEST_ID} characters"
    # Raised out here so that the decoder's error, which quotes the body, is not its context.
    raise WebhookError(reason, refusal=Refusal.MALFORMED, json_path=path)
