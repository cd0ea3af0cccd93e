"""What the fields of a model are: the types that their annotations name."""

from __future__ import annotations

import types
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar, Union, get_args, get_origin

import attrs

from twelvetasks.values.fields import json_names


def is_model(kind: Any) -> bool:
    """Whether a type is an attrs class that keeps what its objects were, such as `Task`."""
    class_ = get_origin(kind) or kind
    return attrs.has(class_) and hasattr(attrs.fields(class_), "_spelling")


def status_of(kind: Any) -> type[StrEnum] | None:
    """Return the enum of a field that holds one of its members or, if it knows none, a string."""
    members = [member for member in get_args(kind) if member not in (str, types.NoneType)]
    is_union = get_origin(kind) in (types.UnionType, Union)
    if not is_union or len(members) != 1 or str not in get_args(kind):
        return None
    only: Any = members[0]
    return only if isinstance(only, type) and issubclass(only, StrEnum) else None


def field_types(model: Any) -> dict[str, Any]:
    """Map each field of a model that is in the JSON to its type, without type variables."""
    class_ = get_origin(model) or model
    attrs.resolve_types(class_, include_extras=True)
    names = json_names(class_)
    variables: tuple[TypeVar, ...] = getattr(class_, "__parameters__", ())
    given = dict(zip(variables, get_args(model), strict=False))
    return {
        field.name: _filled(field.type, given)
        for field in attrs.fields(class_)
        if field.name in names
    }


def _filled(type_: Any, given: Mapping[TypeVar, Any]) -> Any:
    parameters = getattr(type_, "__parameters__", ())
    return type_[tuple(given.get(one, Any) for one in parameters)] if parameters else type_


def without_none(kind: Any) -> tuple[Any, bool]:
    """Split a field's type into what it is if it is not None, and whether it may be None."""
    members = get_args(kind) if get_origin(kind) in (types.UnionType, Union) else ()
    if types.NoneType not in members:
        return kind, False
    return Union[tuple(one for one in members if one is not types.NoneType)], True  # noqa: UP007
