"""Between the API's JSON and the models: the doors to the converters.

Importing the package makes no converter and imports no cattrs: `converters` does, when it is first
called.
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from twelvetasks.values.errors import Known

if TYPE_CHECKING:
    from twelvetasks.conversion.converters import Converters

T = TypeVar("T")


@functools.cache
def converters() -> Converters:
    """Return the converters, which the first call makes."""
    from twelvetasks.conversion.converters import make_converters  # noqa: PLC0415 - imports cattrs

    return make_converters()


def read_json(body: bytes, kind: type[T], **known: Unpack[Known]) -> T:
    """Structure a response's body as `kind`, any model or any other type of JSON value.

    Raises ResponseError, with the place of the fault and what else is `known`, such as the page.
    """
    return converters().read(body, kind, **known)


def structure(sent: Any, kind: type[T], **known: Unpack[Known]) -> T:
    """Make a model from the JSON value that the API uses for it.

    Raises ResponseError, with `json_path`, if the value is not of that kind.
    """
    return converters().structure(sent, kind, **known)


def to_dict(model: Any) -> dict[str, Any]:
    """Return the API's own JSON object for a model, unknown fields included.

    Takes a task, a page, a webhook event or any value inside one. Timestamps are strings, `Task.id`
    is ``_id``, and what the platform had left out stays out::

        task = await session.tasks().first()
        twelvetasks.to_dict(task)  # {"_id": "62a1...", "status": "ready", ...}
    """
    written: dict[str, Any] = converters().fast.unstructure(model)
    return written


def to_json(model: Any) -> str:
    """Return the API's own JSON text for a model: `to_dict`, encoded."""
    return json.dumps(to_dict(model), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
