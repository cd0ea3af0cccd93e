"""An in-process TwelveLabs for tests, demonstrations and benchmarks.

`FakePlatform` and its companions are imported when they are first used, because the pytest plugin
beside them is imported by every pytest that finds it installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twelvetasks.testing.limits import RateLimit
    from twelvetasks.testing.lists import FakeList
    from twelvetasks.testing.platform import FakePlatform
    from twelvetasks.testing.recording import RecordedRequest
    from twelvetasks.testing.script import Hold
    from twelvetasks.testing.uploads import ReceivedFile, RecordedUpload
    from twelvetasks.testing.webhooks import FakeWebhook, RecordedDelivery

__all__ = [
    "FakeList",
    "FakePlatform",
    "FakeWebhook",
    "Hold",
    "RateLimit",
    "ReceivedFile",
    "RecordedDelivery",
    "RecordedRequest",
    "RecordedUpload",
]

_MODULES = {
    "FakeList": "lists",
    "FakePlatform": "platform",
    "FakeWebhook": "webhooks",
    "Hold": "script",
    "RateLimit": "limits",
    "ReceivedFile": "uploads",
    "RecordedDelivery": "webhooks",
    "RecordedRequest": "recording",
    "RecordedUpload": "uploads",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
