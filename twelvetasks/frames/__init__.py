"""Listings as Arrow record batches, and as data frames of pandas and polars.

Needs ``pip install 'twelvetasks[arrow]'``, or one of the extras ``pandas`` and ``polars``. pyarrow
is imported when one of the names below is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twelvetasks.frames.batches import BatchStream
from twelvetasks.frames.extras import is_installed, require

if TYPE_CHECKING:
    from twelvetasks.frames.columns import SCHEMA, batch_of, record_batch, schema_of

__all__ = ["SCHEMA", "BatchStream", "batch_of", "record_batch", "schema_of"]

_COLUMNS = ("SCHEMA", "batch_of", "record_batch", "schema_of")


def __getattr__(name: str) -> Any:
    if name not in _COLUMNS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    require("pyarrow")
    from twelvetasks.frames import columns  # noqa: PLC0415 - it imports an extra

    return getattr(columns, name)


def __dir__() -> list[str]:
    # `help` looks at each of these.
    return sorted(__all__ if is_installed("pyarrow") else set(__all__).difference(_COLUMNS))
