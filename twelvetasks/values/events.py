"""Webhook events, as frozen attrs values.

Only the ids and the type of an event are required. An event of an unknown type is kept as it came:
the platform may add types at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from twelvetasks.values.analysis_tasks import AnalysisError, AnalysisStatus, VideoSource
from twelvetasks.values.fields import AnyData, Model, extra_field, extra_last, spelling_field
from twelvetasks.values.models import SystemMetadata
from twelvetasks.values.tasks import TaskStatus


@attrs.frozen(kw_only=True, field_transformer=extra_last)
class EventModel(Model):
    """A model that indexed the video."""

    name: str | None = None
    """Its name, such as ``marengo2.7``."""
    options: tuple[str, ...] | None = None
    """The kinds of information it used, such as ``visual`` and ``audio``."""


@attrs.frozen(kw_only=True, field_transformer=extra_last)
class EventTask(Model):
    """The task of an event, as far as the event describes it. Retrieve the task for the rest."""

    id: str
    """The task's id: that of `Task.id`."""
    status: TaskStatus | str | None = None
    """A `TaskStatus` if it is one of those documented, else the string as it came."""
    metadata: SystemMetadata | None = None
    """What the platform knows about the video file."""
    models: tuple[EventModel, ...] | None = None
    """The models that the video was indexed with."""
    tags: tuple[str, ...] | None = None
    """The tags of its index."""


@attrs.frozen(kw_only=True)
class Event(Model):
    """A webhook event: a `TaskReady`, a `TaskFailed`, or an `UnknownEvent`."""

    id: str
    """The event's own id, the same in each delivery attempt."""
    type: str
    """The API's name of the event, such as ``index.task.ready``."""
    created_at: datetime | None = None
    """When the platform made the event. Aware."""
    extra: Mapping[str, Any] = extra_field()
    """Fields that this version of twelvetasks does not know, read-only."""
    _spelling: frozenset[str] | None = spelling_field()


@attrs.frozen(kw_only=True)
class TaskReady(Event):
    """``index.task.ready``: a video is indexed."""

    data: EventTask
    """The task."""


@attrs.frozen(kw_only=True)
class TaskFailed(Event):
    """``index.task.failed``: a video could not be indexed.

    No reason is documented; whatever the platform adds is in ``data.extra``.
    """

    data: EventTask
    """The task."""


@attrs.frozen(kw_only=True, field_transformer=extra_last)
class EventAnalysis(Model):
    """The analysis task of an event. Retrieve the task for its result."""

    id: str
    """The task's id: that of `AnalysisTask.id`."""
    custom_id: str | None = None
    """The id that was given when the task was created."""
    status: AnalysisStatus | str | None = None
    """An `AnalysisStatus` if it is one of those documented, else the string as it came."""
    created_at: datetime | None = None
    """When the task was created. Aware."""
    video_source: VideoSource | None = None
    """The video."""
    error: AnalysisError | None = None
    """Why it has failed or was canceled, or why the result of a ready task is partial."""


@attrs.frozen(kw_only=True)
class AnalysisReady(Event):
    """``analyze.task.ready``: an analysis task has a result."""

    data: EventAnalysis
    """The task."""


@attrs.frozen(kw_only=True)
class AnalysisFailed(Event):
    """``analyze.task.failed``: an analysis task has failed."""

    data: EventAnalysis
    """The task, with its `error`."""


@attrs.frozen(kw_only=True)
class AnalysisCanceled(Event):
    """``analyze.task.canceled``: an analysis task was canceled."""

    data: EventAnalysis
    """The task."""


@attrs.frozen(kw_only=True)
class UnknownEvent(Event):
    """An event of any other type, with its data as they came."""

    data: AnyData = attrs.field(default=None, hash=False)
    """The JSON value, of any shape."""
