"""Webhooks: the platform notifies you when a task is ready or has failed.

`Receiver` verifies requests and hands their events over. `aiohttp_handler` and `asgi_handler` put
it into a web application, `Receiver.receive_sync` into Flask or Django. With
``session.watch(webhooks=receiver)`` a watch polls as soon as an event arrives.
"""

from twelvetasks.values.errors import Refusal
from twelvetasks.values.events import (
    AnalysisCanceled,
    AnalysisFailed,
    AnalysisReady,
    Event,
    EventAnalysis,
    EventModel,
    EventTask,
    TaskFailed,
    TaskReady,
    UnknownEvent,
)
from twelvetasks.values.field_docs import with_field_docs
from twelvetasks.webhooks.handling import ANSWERS, aiohttp_handler, asgi_handler
from twelvetasks.webhooks.reading import read_event
from twelvetasks.webhooks.receiver import Receiver
from twelvetasks.webhooks.signature import verify

__all__ = ["ANSWERS", "Receiver", "Refusal", "aiohttp_handler", "asgi_handler", "read_event"]
__all__ += ["AnalysisCanceled", "AnalysisFailed", "AnalysisReady", "Event", "EventAnalysis"]
__all__ += ["EventModel", "EventTask", "TaskFailed", "TaskReady", "UnknownEvent", "verify"]

for _name in __all__:
    with_field_docs(globals()[_name])
