"""The fast path of `convert`: functions generated for each model, for objects as they usually come.

A hook of cattrs calls a function for each field, and attrs sets each field of a frozen class by one
more; together they cost more than all the rest. Here msgspec reads a body whose fields are all
known, and checks their types; an object with other fields is checked field by field in the lines
that read it. The fields are set on a *draft*: a subclass of the same layout that is not frozen, and
that becomes the model when it is whole. What is not as usual goes to the general hook, which alone
knows what else may be taken. No fast function may take what that refuses, or read it differently.
Pure.
"""

from __future__ import annotations

import functools
import operator
import types
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, get_args, get_origin

import attrs
import msgspec

from twelvetasks.values.fields import NO_EXTRA, Count, Extra
from twelvetasks.values.models import TaskStatus
from twelvetasks.values.timestamps import parse_timestamp

__all__ = ["STATUSES", "FastPath", "Hook"]

Hook = Callable[[Any, Any], Any]

STATUSES: Mapping[str, TaskStatus] = {status.value: status for status in TaskStatus}
"""The documented statuses by the API's names for them."""

LARGEST = 2**63 - 1
"""Whole numbers of which msgspec has bounds; any other is not as usual."""

_USUAL_TIME = (
    "len(value) == 24 and value[23] == 'Z' and value[4:20:3] == '--T::.'"
    " and (value[11] < '2' or value[11:13] < '24')"
)
"""The form that `datetime.fromisoformat` and RFC 3339 read alike."""


@attrs.frozen(kw_only=True)
class _Kind:
    """How values of one kind are read."""

    wire: Any
    """The type that msgspec is to check."""
    check: str = ""
    """The condition under which a value is not as usual."""
    read: tuple[str, ...] = ()
    """The lines that make of it what the model holds."""
    fill: tuple[str, ...] | None = None
    """The same for what msgspec has checked, if they are others."""


_KINDS: dict[Any, _Kind] = {
    str: _Kind(wire=str, check="type(value) is not str"),
    int: _Kind(
        wire=Annotated[int, msgspec.Meta(ge=-LARGEST, le=LARGEST)],
        check="type(value) is not int",
    ),
    Count: _Kind(
        wire=Annotated[int, msgspec.Meta(ge=0, le=LARGEST)],
        check="type(value) is not int or value < 0",
    ),
    float: _Kind(
        wire=int | float,
        check="type(value) is not float and type(value) is not int",
    ),
    TaskStatus | str: _Kind(
        wire=str,
        check="type(value) is not str",
        read=("value = statuses.get(value, value)",),
    ),
    datetime: _Kind(
        wire=str,
        check="type(value) is not str",
        read=(
            f"if {_USUAL_TIME}: value = read_usual_time(value)",
            "else: value = parse_timestamp(value)",
        ),
    ),
}


class FastPath:
    """The fast functions of the models, each made after those of the models inside it."""

    def __init__(self) -> None:
        self._hooks: dict[type[Any], Hook] = {}
        self._wires: dict[type[Any], type[msgspec.Struct]] = {}
        self._fills: dict[type[Any], Callable[[Any], Any]] = {}
        self._decoders: dict[type[Any], Callable[[bytes], Any]] = {}

    def read(self, body: bytes, model: type[Any]) -> Any:
        """Read a body, or give None if it is not as usual."""
        decode = self._decoders.get(model)
        if decode is None:
            return None
        try:
            return self._fills[model](decode(body))
        except (RecursionError, ValueError):
            return None

    def add(
        self,
        model: type[Any],
        general: Hook,
        *,
        names: Mapping[str, str],
        older: frozenset[str],
        check_extra: Callable[[str, Any], None],
    ) -> Hook:
        """Make the fast functions of a model, and give the hook for objects that are read already.

        `names` maps each field to its name in the JSON; objects with one of the `older` names are
        not usual. `check_extra` raises ValueError for an unknown field that cannot be kept.
        """
        fields = [field for field in attrs.fields(model) if field.name in names]
        scope: dict[str, Any] = {
            "Draft": _draft_of(model),
            "NO_EXTRA": NO_EXTRA,
            "UNSET": msgspec.UNSET,
            "general": general,
            "keep_rest": _rest_keeper(frozenset(names.values()), check_extra),
            "model": model,
            "new": object.__new__,
            "older": older,
            "parse_timestamp": parse_timestamp,
            "read_usual_time": datetime.fromisoformat,
            "statuses": STATUSES,
            "strings": frozenset((str,)),
            "tell_names": _name_teller(names),
        }
        wires = []
        hook = [
            "def structure(sent, _):",
            "  if type(sent) is not dict: return general(sent, model)",
            "  get, unread, draft = sent.get, len(sent), new(Draft)",
        ]
        fill = ["def fill(sent):", "  draft, nulls = new(Draft), False"]
        for field in fields:
            type_, optional = _without_none(field.type)
            kind = self._kind_of(type_, field.name, scope)
            wires.append(
                (field.name, kind.wire | None | msgspec.UnsetType, msgspec.UNSET)
                if optional
                else (field.name, kind.wire)
            )
            hook += _reading(field.name, names[field.name], kind, optional=optional)
            fill += _filling(field.name, kind, optional=optional)
        hook += [
            "  if unread:",
            "    if not older.isdisjoint(sent): return general(sent, model)",
            "    draft.extra, draft._spelling = keep_rest(sent)",
            "  else:",
            "    draft.extra, draft._spelling = NO_EXTRA, None",
            "  draft.__class__ = model",
            "  return draft",
        ]
        fill += [
            "  draft.extra, draft._spelling = NO_EXTRA, tell_names(sent) if nulls else None",
            "  draft.__class__ = model",
            "  return draft",
        ]
        exec("\n".join(hook + fill), scope)  # noqa: S102 - made of the models' own names only
        self._hooks[model], self._fills[model] = scope["structure"], scope["fill"]
        self._wires[model] = msgspec.defstruct(
            model.__name__,
            wires,
            kw_only=True,
            rename=dict(names),
            forbid_unknown_fields=True,
            gc=False,
        )
        self._decoders[model] = msgspec.json.Decoder(self._wires[model]).decode
        return self._hooks[model]

    def _kind_of(self, type_: Any, name: str, scope: dict[str, Any]) -> _Kind:
        """Give how a field is read: one of the kinds above, a model, or a list of one of both."""
        if type_ in _KINDS:
            return _KINDS[type_]
        is_list = get_origin(type_) is tuple
        member = get_args(type_)[0] if is_list else type_
        if member is str:
            return _Kind(
                wire=list[str],
                check="type(value) is not list or not strings.issuperset(map(type, value))",
                read=("value = tuple(value)",),
            )
        scope[f"{name}_kind"] = member
        scope[f"structure_{name}"], scope[f"fill_{name}"] = self._hooks[member], self._fills[member]
        if is_list:
            return _Kind(
                wire=list[self._wires[member]],  # type: ignore[name-defined]
                check="type(value) is not list",
                read=(f"value = tuple([structure_{name}(one, {name}_kind) for one in value])",),
                fill=(f"value = tuple([fill_{name}(one) for one in value])",),
            )
        return _Kind(
            wire=self._wires[member],
            read=(f"value = structure_{name}(value, {name}_kind)",),
            fill=(f"value = fill_{name}(value)",),
        )


def _reading(field: str, name: str, kind: _Kind, *, optional: bool) -> Iterator[str]:
    """Write how a field of an object that is read already is checked and set."""
    yield f"  value = get({name!r})"
    yield "  if value is not None:"
    yield "    unread -= 1"
    if kind.check:
        yield f"    if {kind.check}: return general(sent, model)"
    yield from (f"    {line}" for line in kind.read)
    if not optional:
        yield "  else: return general(sent, model)"
    yield f"  draft.{field} = value"


def _filling(field: str, kind: _Kind, *, optional: bool) -> Iterator[str]:
    """Write how a field that msgspec has read and checked is set."""
    lines = kind.read if kind.fill is None else kind.fill
    yield f"  value = sent.{field}"
    if optional:
        yield "  if value is UNSET: value = None"
        yield "  elif value is None: nulls = True"
        if lines:
            yield "  else:"
            yield from (f"    {line}" for line in lines)
    else:
        yield from (f"  {line}" for line in lines)
    yield f"  draft.{field} = value"


def _rest_keeper(
    known: frozenset[str], check_extra: Callable[[str, Any], None]
) -> Callable[[dict[str, Any]], tuple[Extra, frozenset[str]]]:
    """Make the function that keeps what is unknown, and which names there were, nulls included."""

    def keep_rest(sent: dict[str, Any]) -> tuple[Extra, frozenset[str]]:
        unknown = {name: value for name, value in sent.items() if name not in known}
        for name, value in unknown.items():
            check_extra(name, value)
        return Extra(unknown) if unknown else NO_EXTRA, _spelling(*filter(known.__contains__, sent))

    return keep_rest


def _name_teller(names: Mapping[str, str]) -> Callable[[msgspec.Struct], frozenset[str]]:
    """Make the function that tells which names there were in what msgspec has read."""

    def tell_names(sent: msgspec.Struct) -> frozenset[str]:
        there = (name for field, name in names.items() if getattr(sent, field) is not msgspec.UNSET)
        return _spelling(*there)

    return tell_names


@functools.lru_cache(maxsize=256)
def _spelling(*names: str) -> frozenset[str]:
    """Give one set for the many objects that have the same names."""
    return frozenset(names)


def _draft_of(model: type[Any]) -> type[Any]:
    """Make the subclass whose instances can be filled: Python's own stores, not attrs' refusal."""
    own = {
        "__slots__": (),
        # One place of the type serves both: it is Python's own only if neither is overridden.
        "__setattr__": object.__setattr__,
        "__delattr__": object.__delattr__,
    }
    return type(f"{model.__name__}Draft", (model,), own)


def _without_none(kind: Any) -> tuple[Any, bool]:
    """Split a field's type into what it is if it is not None, and whether it may be None."""
    members = get_args(kind) if isinstance(kind, types.UnionType) else ()
    if types.NoneType not in members:
        return kind, False
    rest = [member for member in members if member is not types.NoneType]
    return functools.reduce(operator.or_, rest), True
