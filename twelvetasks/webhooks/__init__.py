"""Webhooks: be told by the platform when a task is ready or has failed, instead of asking.

`Receiver` verifies what comes and hands it over; `aiohttp_handler` and `asgi_handler` put it into a
web application; ``session.watch(webhooks=receiver)`` is the stream that joins it with a watch.
"""

from twelvetasks.values.errors import Refusal
from twelvetasks.values.events import (
    Event,
    EventModel,
    EventTask,
    TaskFailed,
    TaskReady,
    UnknownEvent,
)
from twelvetasks.webhooks.aiohttp_web import aiohttp_handler
from twelvetasks.webhooks.asgi import asgi_handler
from twelvetasks.webhooks.reading import read_event
from twelvetasks.webhooks.receiver import Receiver
from twelvetasks.webhooks.signature import verify

__all__ = [
    "Event",
    "EventModel",
    "EventTask",
    "Receiver",
    "Refusal",
    "TaskFailed",
    "TaskReady",
    "UnknownEvent",
    "aiohttp_handler",
    "asgi_handler",
    "read_event",
    "verify",
]
