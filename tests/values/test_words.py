"""The words that say why a task has failed, whatever field they come in."""

from __future__ import annotations

from typing import Any

import pytest

from twelvetasks import Task, to_dict
from twelvetasks.conversion.convert import structure

WHY = "the audio track cannot be decoded"


@pytest.mark.parametrize(
    "sent",
    [
        {"error_reason": WHY},
        {"error_reason": {"code": "video_file_broken", "message": WHY}},
        {"error": {"code": "video_file_broken", "message": WHY}},
        {"error": WHY, "error_reason": None},
        {"errors": [{"message": WHY}]},
        {"failure_reason": WHY},
        {"error_code": "E7", "error_reason": WHY},
        {"failure": {"audio": None, "detail": [WHY]}},
        {"status_message": WHY},
    ],
)
def test_the_reason_is_found_in_any_field_for_it(sent: dict[str, Any]) -> None:
    task = structure({"_id": "t", "status": "failed", **sent}, Task)
    assert task.error_reason == WHY
    assert to_dict(task) == {"_id": "t", "status": "failed", **sent}


@pytest.mark.parametrize("sent", [{}, {"error": None}, {"error_reason": " "}, {"title": "Errors"}])
def test_without_one_there_is_none(sent: dict[str, Any]) -> None:
    assert structure({"_id": "t", "status": "failed", **sent}, Task).error_reason is None
