"""An in-process TwelveLabs for tests, demonstrations and benchmarks.

`FakePlatform` and its companions are imported when they are first used, because the pytest plugin
beside them is imported by every pytest that finds it installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOMES = {
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

if TYPE_CHECKING:
    from twelvetasks.testing.limits import RateLimit as RateLimit
    from twelvetasks.testing.lists import FakeList as FakeList
    from twelvetasks.testing.platform import FakePlatform as FakePlatform
    from twelvetasks.testing.recording import RecordedRequest as RecordedRequest
    from twelvetasks.testing.script import Hold as Hold
    from twelvetasks.testing.uploads import ReceivedFile as ReceivedFile
    from twelvetasks.testing.uploads import RecordedUpload as RecordedUpload
    from twelvetasks.testing.webhooks import FakeWebhook as FakeWebhook
    from twelvetasks.testing.webhooks import RecordedDelivery as RecordedDelivery

    __all__: list[str]
else:  # Type checkers would take any name for one that `__getattr__` knows.
    __all__ = list(_HOMES)

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)

    def __dir__() -> list[str]:
        return __all__
