"""The list of analysis tasks.

All that depends on ``GET /analyze/tasks`` is here. Source: the API reference, "List async
analysis tasks", and the official SDK 1.3.6; the filter `video_id` is in the OpenAPI specification
of 2026-07-30 only. The list takes no sort parameters: newest first.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

import attrs

from twelvetasks.values.checks import member_of, text
from twelvetasks.values.fields import AnyData, Model, extra_last, sent_as
from twelvetasks.values.models import SystemMetadata
from twelvetasks.values.query import ListQuery, filter_field
from twelvetasks.values.resources import CREATED_AT, Resource


class AnalysisStatus(StrEnum):
    """The states of an analysis task that the API documents. Each equals its string."""

    QUEUED = "queued"
    """Waiting to be processed."""
    PENDING = "pending"
    """Waiting to start."""
    PROCESSING = "processing"
    """The video is being analyzed."""
    READY = "ready"
    """The result is there."""
    FAILED = "failed"
    """There is no result; `AnalysisTask.error` says why."""
    CANCELED = "canceled"
    """There is no result, because the task, or its batch, was canceled."""


AnalysisStatusName = Literal["queued", "pending", "processing", "ready", "failed", "canceled"]
"""The strings that equal the members of `AnalysisStatus`."""


class AnalysisMode(StrEnum):
    """What an analysis gives. Each equals its string."""

    GENERAL = "general"
    """Text, by a prompt."""
    TIME_BASED_METADATA = "time_based_metadata"
    """Segments of the video with metadata."""


AnalysisModeName = Literal["general", "time_based_metadata"]
"""The strings that equal the members of `AnalysisMode`."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=extra_last)
class VideoSource(Model):
    """The video that is analyzed."""

    type: str | None = None
    """Which of the next fields there is: ``url``, ``asset_id``, ``video_id``, ``base64_string``."""
    url: str | None = None
    """The address of the video."""
    asset_id: str | None = None
    """The asset."""
    video_id: str | None = None
    """The indexed video."""
    index_id: str | None = None
    """The index of the video; not always there."""
    system_metadata: SystemMetadata | None = None
    """What the platform found out about the video, such as its duration; not always there."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=extra_last)
class AnalysisRequest(Model):
    """What was asked for."""

    analysis_mode: AnalysisMode | str | None = None
    """An `AnalysisMode` if it is one of those documented, else the string as it came."""
    prompt: str | None = None
    """The prompt; in a list its first 30 characters."""
    prompt_v2: AnyData = attrs.field(default=None, hash=False)
    """The structured prompt, as it came."""
    image: AnyData = attrs.field(default=None, hash=False)
    """The images, as they came."""
    response_format: AnyData = attrs.field(default=None, hash=False)
    """The format of the result, as it came."""
    temperature: float | None = None
    """From 0 to 1."""
    max_tokens: AnyData = attrs.field(default=None, hash=False)
    """The length of the result, in tokens, or ``unlimited``."""
    min_segment_duration: float | None = None
    """Seconds."""
    max_segment_duration: float | None = None
    """Seconds."""
    start_time: float | None = None
    """Seconds from the beginning of the video where the analysis begins."""
    end_time: float | None = None
    """Seconds from the beginning of the video where the analysis ends."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=extra_last)
class AnalysisUsage(Model):
    """How many tokens an analysis took."""

    output_tokens: int | None = None
    """Of the generated text."""
    input_tokens: int | None = None
    """Of the input."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=extra_last)
class AnalysisResult(Model):
    """What an analysis gave."""

    generation_id: str | None = None
    """The id of the generation."""
    data: str | None = None
    """The text; JSON in the mode ``time_based_metadata``."""
    finish_reason: str | None = None
    """``stop``, or ``length`` if the text was cut off."""
    usage: AnalysisUsage | None = None
    """How many tokens it took."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=extra_last)
class AnalysisError(Model):
    """Why a task has failed or was canceled, or why the result of a ready one is partial."""

    code: str | None = None
    """The platform's code, such as ``user_canceled``; not always there."""
    message: str | None = None
    """The platform's words."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=extra_last)
class WebhookDelivery(Model):
    """How the delivery of a webhook went."""

    url: str | None = None
    """Where it was sent."""
    delivered: bool | None = None
    """Whether it was accepted there."""
    attempts: int | None = None
    """How often it was sent."""
    last_error: str | None = None
    """Why the last attempt failed."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=extra_last)
class AnalysisTask(Model):
    """A task that analyzes a video. What the platform left out, or sent as null, is None."""

    id: str = attrs.field(metadata=sent_as("task_id"))
    """The API's ``task_id``."""
    custom_id: str | None = None
    """The id that was given when the task was created."""
    batch_id: str | None = None
    """The batch that the task was created in."""
    status: AnalysisStatus | str | None = None
    """An `AnalysisStatus` if it is one of those documented, else the string as it came."""
    created_at: datetime | None = None
    """Aware. Never changes."""
    completed_at: datetime | None = None
    """When it became ready, failed, or was canceled. Aware."""
    video_source: VideoSource | None = None
    """The video."""
    request_params: AnalysisRequest | None = None
    """What was asked for."""
    result: AnalysisResult | None = None
    """What the analysis gave; only a ready task has it."""
    error: AnalysisError | None = None
    """Why it has failed, was canceled, or is partial."""
    webhooks: tuple[WebhookDelivery, ...] | None = None
    """How the deliveries of its webhooks went."""


ANALYSIS_TASKS = Resource(
    path="analyze/tasks",
    item=AnalysisTask,
    noun="analysis tasks",
    singular="analysis task",
    sort_keys=(CREATED_AT,),
    successes=[AnalysisStatus.READY],
    failures=[AnalysisStatus.FAILED, AnalysisStatus.CANCELED],
    # Three statuses are under way, and the list takes one.
    under_way={"status": None},
)
"""The analysis tasks."""


def _status(value: AnalysisStatus | AnalysisStatusName | None) -> AnalysisStatus | None:
    return None if value is None else member_of(AnalysisStatus, "status", value)


def _mode(value: AnalysisMode | AnalysisModeName | None) -> AnalysisMode | None:
    return None if value is None else member_of(AnalysisMode, "analysis_mode", value)


@attrs.frozen(kw_only=True, repr=False)
class AnalysisTaskQuery(ListQuery[AnalysisTask]):
    """Filters of a listing of analysis tasks, checked: ``GET /analyze/tasks``.

    Raises InvalidArgumentError, which names the parameter and its value, for a value that the
    endpoint does not accept. None leaves a filter out.

    ::

        query = twelvetasks.AnalysisTaskQuery(status="ready", analysis_mode="general")
        async for task in session.list(query):
            ...
    """

    resource = ANALYSIS_TASKS

    status: AnalysisStatus | None = attrs.field(default=None, converter=_status)
    """Only tasks in this state, as `AnalysisStatus` or str."""
    analysis_mode: AnalysisMode | None = attrs.field(default=None, converter=_mode)
    """Only tasks of this mode, as `AnalysisMode` or str."""
    video_url: str | None = filter_field(text)
    """Only tasks of the video at exactly this address."""
    asset_id: str | None = filter_field(text)
    """Only tasks of this asset."""
    video_id: str | None = filter_field(text)
    """Only tasks of this indexed video."""
