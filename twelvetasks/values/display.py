"""How values show themselves: their fields that are known, in the API's words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any

import attrs

from twelvetasks.values.timestamps import format_timestamp

__all__ = ["brief_repr"]


def brief_repr(value: Any) -> str:
    """Show an attrs value without the fields that are None, or that hold nothing unknown."""
    fields = (
        (field.name, getattr(value, field.name))
        for field in attrs.fields(type(value))
        if field.repr
    )
    shown = (
        f"{name}={_shown(held)}"
        for name, held in fields
        if held is not None and not (isinstance(held, Mapping) and not held)
    )
    return f"{type(value).__name__}({', '.join(shown)})"


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return format_timestamp(value)
    if isinstance(value, Enum):
        return repr(value.value)
    if isinstance(value, tuple):
        return f"({', '.join(map(_shown, value))}{',' * (len(value) == 1)})"
    return repr(value)
