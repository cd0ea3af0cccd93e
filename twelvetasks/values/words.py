"""Finds the message in JSON of any form: of an error response, or of a failed task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TELLING = (
    "message",
    "msg",
    "detail",
    "details",
    "error_description",
    "error_message",
    "errormessage",
    "faultstring",
    "description",
    "errors",
    "error",
    "fault",
    "reason",
    "title",
)
"""The fields that hold a message, the most specific first."""

ON_FAILURE = ("reason", "fail", "error", "status_message", "status_detail")
"""Parts of the names of fields that say why a task has failed, the most specific first."""

MOST_WORDS = 10
"""Parts of one list or object that are quoted."""

DEEPEST_WORDS = 5
"""Levels of JSON in which words are looked for."""


def words_in(said: Any, *, depth: int = 0) -> str | None:
    """Find the words in a string, a list or an object; None if there are none."""
    if isinstance(said, str):
        return said.strip() or None
    if depth == DEEPEST_WORDS:
        return None
    if isinstance(said, list):
        found = [words_in(part, depth=depth + 1) for part in said[:MOST_WORDS]]
        return "; ".join(filter(None, found)) or None
    if not isinstance(said, dict):
        return None
    fields = {name.lower(): value for name, value in said.items()}
    for name in TELLING:
        if name in fields and (words := words_in(fields[name], depth=depth + 1)):
            return words
    if not depth:
        return None
    # Such as {"message": {"index_id": "is required"}}.
    named = [(name, words_in(said[name], depth=depth + 1)) for name in [*said][:MOST_WORDS]]
    return "; ".join(f"{name}: {words}" for name, words in named if words) or None


def words_on_failure(fields: Mapping[str, Any]) -> str | None:
    """Find the words that say why a task has failed, among fields that the API does not document.

    Other fields of a task, such as a title or a message, do not count.
    """
    for part in ON_FAILURE:
        for name, value in fields.items():
            if part in name.lower() and (words := words_in({"error": value})):
                return words
    return None
