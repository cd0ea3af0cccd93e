"""The lists of embedding tasks: that of version 2 of the endpoint, and the older one.

All that depends on ``GET /embed-v2/tasks`` and ``GET /embed/tasks`` is here. Source: the API
reference, "List async embedding tasks", and the official SDK 1.3.6. The platform keeps embedding
tasks for seven days, and takes no sort parameters: newest first.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Literal

import attrs

from twelvetasks.values.checks import aware_moment, member_of
from twelvetasks.values.fields import AnyData, Model, extra_last, sent_as
from twelvetasks.values.query import ListQuery, filter_field
from twelvetasks.values.resources import CREATED_AT, Resource


class EmbeddingStatus(StrEnum):
    """The states of an embedding task that the API documents. Each equals its string."""

    PROCESSING = "processing"
    """The embeddings are being made."""
    READY = "ready"
    """The embeddings can be retrieved."""
    FAILED = "failed"
    """The embeddings could not be made."""


EmbeddingStatusName = Literal["processing", "ready", "failed"]
"""The strings that equal the members of `EmbeddingStatus`."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=extra_last)
class EmbeddingMetadata(Model):
    """What an embedding was made of. Which fields there are depends on the kind of media."""

    input_url: str | None = None
    """The address of the media, if one was given."""
    input_filename: str | None = None
    """The name of the file, if one was uploaded."""
    duration: float | None = None
    """Seconds of the whole video or audio."""
    video_clip_length: float | None = None
    """Seconds of each clip."""
    video_embedding_scope: tuple[str, ...] | None = None
    """The scopes asked for, such as ``clip``."""
    video_embedding_option: tuple[str, ...] | None = None
    """The options asked for, such as ``visual-text``."""
    audio_embedding_scope: tuple[str, ...] | None = None
    """The scopes asked for."""
    audio_embedding_option: tuple[str, ...] | None = None
    """``audio`` or ``transcription``."""
    start_offset_sec: float | None = None
    """Seconds from the beginning of the audio where processing begins."""
    end_offset_sec: float | None = None
    """Seconds from the beginning of the audio where processing ends."""
    image_embedding_scope: tuple[str, ...] | None = None
    """The scopes asked for."""
    image_embedding_option: tuple[str, ...] | None = None
    """The options asked for."""
    document_embedding_scope: tuple[str, ...] | None = None
    """The scopes asked for."""
    document_embedding_option: tuple[str, ...] | None = None
    """The options asked for."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=extra_last)
class Embedding(Model):
    """The embedding of one kind of media."""

    metadata: EmbeddingMetadata | None = None
    """What it was made of."""
    segments: AnyData = attrs.field(default=None, hash=False)
    """The vectors, as they came; only a task of the older list that is retrieved alone has them."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=extra_last)
class EmbeddingError(Model):
    """Why an embedding task has failed."""

    message: str | None = None
    """The platform's words."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=extra_last)
class EmbeddingTask(Model):
    """A task that makes embeddings. What the platform left out, or sent as null, is None."""

    id: str = attrs.field(metadata=sent_as("_id"))
    """The API's ``_id``."""
    model_name: str | None = None
    """The model that makes the embeddings, such as ``marengo3.0``."""
    status: EmbeddingStatus | str | None = None
    """An `EmbeddingStatus` if it is one of those documented, else the string as it came."""
    created_at: datetime | None = None
    """Aware. Never changes."""
    updated_at: datetime | None = None
    """Aware."""
    video_embedding: Embedding | None = None
    """The embedding of a video."""
    audio_embedding: Embedding | None = None
    """The embedding of an audio file."""
    image_embedding: Embedding | None = None
    """The embedding of an image."""
    document_embedding: Embedding | None = None
    """The embedding of a document."""
    data: AnyData = attrs.field(default=None, hash=False)
    """The embeddings, as they came; only a ready task that is retrieved alone carries them."""
    usage: AnyData = attrs.field(default=None, hash=False)
    """Counts of tokens; only a task that is retrieved alone carries them."""
    metadata: AnyData = attrs.field(default=None, hash=False)
    """What is known of the media; only a task that is retrieved alone carries it."""
    error: EmbeddingError | None = None
    """Why it has failed."""


EMBEDDING_TASKS = Resource(
    path="embed-v2/tasks",
    item=EmbeddingTask,
    noun="embedding tasks",
    singular="embedding task",
    sort_keys=(CREATED_AT,),
    successes=[EmbeddingStatus.READY],
    failures=[EmbeddingStatus.FAILED],
    under_way={"status": EmbeddingStatus.PROCESSING},
)
"""The embedding tasks of version 2 of the endpoint."""

OLDER_EMBEDDING_TASKS = attrs.evolve(EMBEDDING_TASKS, path="embed/tasks")
"""The embedding tasks of version 1 of the endpoint."""


def _status(value: EmbeddingStatus | EmbeddingStatusName | None) -> EmbeddingStatus | None:
    return None if value is None else member_of(EmbeddingStatus, "status", value)


@attrs.frozen(kw_only=True, repr=False)
class EmbeddingTaskQuery(ListQuery[EmbeddingTask]):
    """Filters of a listing of embedding tasks, checked: ``GET /embed-v2/tasks``.

    Raises InvalidArgumentError, which names the parameter and its value, for a value that the
    endpoint does not accept. None leaves a filter out.

    ::

        query = twelvetasks.EmbeddingTaskQuery(status="failed")
        async for task in session.list(query):
            ...
    """

    resource: ClassVar[Resource[Any]] = EMBEDDING_TASKS

    status: EmbeddingStatus | None = attrs.field(default=None, converter=_status)
    """Only tasks in this state, as `EmbeddingStatus` or str."""
    started_at: datetime | None = filter_field(aware_moment)
    """Only tasks created after this time. Aware; sent as UTC. None for the last seven days."""
    ended_at: datetime | None = filter_field(aware_moment)
    """Only tasks created before this time. Aware; sent as UTC."""


@attrs.frozen(kw_only=True, repr=False)
class OlderEmbeddingTaskQuery(EmbeddingTaskQuery):
    """The same for version 1 of the endpoint: ``GET /embed/tasks``.

    ::

        query = twelvetasks.OlderEmbeddingTaskQuery(status="ready")
        count = await session.list(query).count()
    """

    resource: ClassVar[Resource[Any]] = OLDER_EMBEDDING_TASKS
