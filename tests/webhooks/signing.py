"""Requests as the platform signs them, without the platform."""

from __future__ import annotations

import json
from typing import Any

from twelvetasks.testing.webhooks import signed

__all__ = ["NOW", "SECRET", "body_of", "signed"]

SECRET = "whsec_PLANTED0SECRET0THAT0MUST0NEVER0SHOW"
NOW = 1_700_000_000


def body_of(
    event_id: str = "whe_1", task: str = "t1", status: str = "ready", **others: Any
) -> bytes:
    """Write an event as the platform does."""
    event = {
        "id": event_id,
        "created_at": "2023-11-14T22:13:20.123456+09:00",
        "type": f"index.task.{status}",
        "data": {
            "id": task,
            "metadata": {"duration": 30.5, "filename": "a ä.mp4"},
            "status": status,
            "models": [{"name": "marengo2.7", "options": ["visual", "audio"]}],
            "tags": ["x"],
        },
    }
    return json.dumps(event | others, ensure_ascii=False).encode()
