"""Between the API's JSON and the models.

A body takes the fast path if it is as usual, else that of the general converter; only if that
fails, too, the exact one is asked where the fault is. `structuring` makes all three, when they are
first needed: importing the package does no such work, and imports no cattrs.
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from twelvetasks.values.errors import REPORT_IT, ResponseError

if TYPE_CHECKING:
    from twelvetasks.conversion.converters import Converters
    from twelvetasks.values.events import Event, EventModel, EventTask
    from twelvetasks.values.models import HlsStream, PageInfo, SystemMetadata, Task, TaskPage

__all__ = ["converters", "read_json", "structure", "to_dict", "to_json"]

T = TypeVar("T")


@functools.cache
def converters() -> Converters:
    """Give the converters, which the first call makes."""
    from twelvetasks.conversion import converters as structuring  # noqa: PLC0415 - cattrs takes its time to be imported

    return structuring.made()


def read_json(
    body: bytes, kind: type[T], *, request_id: str | None = None, page: int | None = None
) -> T:
    """Structure a response's body as `kind`, or raise ResponseError with the place of the fault."""
    if (read := converters().fast_path.read(body, kind)) is not None:
        return cast("T", read)
    try:
        sent = msgspec.json.decode(body)
    except (RecursionError, ValueError) as error:
        raise ResponseError(
            f"the body is not JSON ({error})",
            advice=REPORT_IT,
            request_id=request_id,
            page=page,
        ) from None
    try:
        return structure(sent, kind)
    except ResponseError as error:
        error.request_id, error.page = request_id, page
        raise


def structure(sent: Any, kind: type[T]) -> T:
    """Make a model from the JSON value that the API uses for it.

    Raises ResponseError, with `json_path`, if the value is not of that shape.
    """
    return converters().structure(sent, kind)


def to_dict(
    model: HlsStream | PageInfo | SystemMetadata | Task | TaskPage | Event | EventModel | EventTask,
) -> dict[str, Any]:
    """Give back the API's own JSON object for a model, unknown fields included.

    Timestamps are strings, `Task.id` is ``_id``, and what the platform had left out stays out.
    """
    written: dict[str, Any] = converters().fast.unstructure(model)
    return written


def to_json(
    model: HlsStream | PageInfo | SystemMetadata | Task | TaskPage | Event | EventModel | EventTask,
) -> str:
    """Give back the API's own JSON text for a model: `to_dict`, encoded."""
    return json.dumps(to_dict(model), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
