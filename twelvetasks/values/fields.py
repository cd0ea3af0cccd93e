"""What models share: how they are shown, their names in JSON, and what is kept beside them.

A model is an attrs class with `extra_field` and `spelling_field`. The converters read it and write
it again so that nothing is lost: unknown fields, nulls and older names come back as they were.
"""

# Annotations are objects here, because classes of other modules inherit those of `Model`.
import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import attrs

from twelvetasks.values.display import brief_repr, fields_html
from twelvetasks.values.suggestions import missing_field

Count = Annotated[int, "not negative"]
"""A number of things, or of pages."""

AnyData = Annotated[Any, "as it came"]
"""Any JSON value, unless it is nested too deeply."""


class Extra(Mapping[str, Any]):
    """A read-only mapping of the fields that this version of twelvetasks does not know.

    Unlike `types.MappingProxyType` it can be pickled and deep-copied.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, Any] = {}) -> None:
        self._fields = dict(fields)

    def __getitem__(self, key: str) -> Any:
        return self._fields[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return repr(self._fields)


NO_EXTRA = Extra()


def _as_extra(fields: Mapping[str, Any]) -> Extra:
    return fields if isinstance(fields, Extra) else Extra(fields)


def extra_field() -> Any:
    """Make the field of a model that keeps what this version does not know."""
    return attrs.field(default=NO_EXTRA, converter=_as_extra, hash=False)


def spelling_field() -> Any:
    """Make the field of a model that keeps which names the JSON object had; None for the usual.

    Usual are the names of all fields that are not None: no nulls, no older names.
    """
    return attrs.field(default=None, alias="_spelling", repr=False, eq=False)


def extra_last(_: type, fields: "list[attrs.Attribute[Any]]") -> "list[attrs.Attribute[Any]]":
    """Order the fields of a model: attrs has those that it inherits from `Model` first."""
    return sorted(fields, key=lambda field: field.name in ("extra", "_spelling"))


@attrs.frozen(kw_only=True, repr=False)
class Model:
    """The base of models: they show what is known of them, and pydantic and FastAPI take them.

    `conversion.pydantic_schema` makes the schema, as the JSON is known there. It is loaded by name,
    and only for pydantic: values import nothing above them, and pydantic is optional.
    """

    extra: Mapping[str, Any] = extra_field()
    """Fields that this version of twelvetasks does not know, read-only."""
    _spelling: frozenset[str] | None = spelling_field()

    if not TYPE_CHECKING:  # type checkers would take any name

        def __getattr__(self, name: str) -> NoReturn:
            raise missing_field(self, name)

    def __repr__(self) -> str:
        return brief_repr(self)

    def _repr_html_(self) -> str:
        return fields_html(self)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        home = importlib.import_module("twelvetasks.conversion.pydantic_schema")
        return home.model_schema(source, handler)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        home = importlib.import_module("twelvetasks.conversion.pydantic_schema")
        return home.model_json_schema(cls, schema, handler)


def beside_field() -> Any:
    """Make a field that is not in the JSON object; None unless it is set afterwards."""
    return attrs.field(default=None, metadata={"beside": True}, repr=False, eq=False)


def loose_field(*, factory: Callable[[], Any] | None = None) -> Any:
    """Make a field that has its default where the API sends what cannot be read.

    What was sent instead is kept in `extra`.
    """
    default = None if factory is None else attrs.Factory(factory)
    return attrs.field(default=default, metadata={"loose": True})


def loose_names(model: type[Any]) -> frozenset[str]:
    """Return the JSON names of a model's loose fields."""
    names = json_names(model)
    fields = attrs.fields(model)
    return frozenset(names[field.name] for field in fields if "loose" in field.metadata)


def sent_as(name: str, *, older: str | None = None) -> dict[str, str]:
    """Return the `metadata` of a field that has another name in JSON, or once had an older one."""
    return {"name": name} | ({"older": older} if older is not None else {})


def repeated_field() -> Any:
    """Make the field of a text that many items of a list have in common; None unless it is sent."""
    return attrs.field(default=None, metadata={"repeated": True})


def repeated_fields(model: type[Any]) -> frozenset[str]:
    """Return the names of a model's fields that `repeated_field` made."""
    fields = attrs.fields(model)
    return frozenset(field.name for field in fields if "repeated" in field.metadata)


def json_names(model: type[Any]) -> dict[str, str]:
    """Map each field of a model that is in the JSON to its name there."""
    kept_beside = ("extra", "_spelling", *beside_names(model))
    return {
        field.name: field.metadata.get("name", field.name)
        for field in attrs.fields(model)
        if field.name not in kept_beside
    }


def beside_names(model: type[Any]) -> tuple[str, ...]:
    """Name the fields of a model that `beside_field` made."""
    return tuple(field.name for field in attrs.fields(model) if "beside" in field.metadata)


def older_names(model: type[Any]) -> dict[str, str]:
    """Map the JSON name of each field that has an older name to that name."""
    return {
        field.metadata["name"]: field.metadata["older"]
        for field in attrs.fields(model)
        if "older" in field.metadata
    }
