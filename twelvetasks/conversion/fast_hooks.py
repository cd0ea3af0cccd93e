"""Fast hooks: how objects of the usual shape become models, in functions generated for each model.

The reason for a second way beside the hooks that cattrs generates: those call a function for each
field, and attrs sets each field of a frozen class by one more. With them a page takes six to nine
times as long, and a whole client needs 1.6 to 2.3 times the CPU; with dicts instead of rows it
needs 6 to 16 percent more (`python -m tests.benchmarks structure`). Three things differ:

- msgspec reads a body into *rows*: structs whose types it has checked, without unknown fields.
- All fields of a model are read in the lines of one function.
- They are set on a *draft*, a subclass of the same layout that is not frozen. It becomes the model
  when it is whole.

Who needs no models, as data frames do, asks for a page of `AsRow[Task]`: the items of a page then
stay rows, which are checked together (see `row_checks`), or become models if one is not usual.
Who writes items out again asks for `AsSent[Task]`: these rows encode as what was sent.

The hooks are registered with cattrs like any other. They refuse nothing: what is not usual goes to
the general hook of the model, and what they take they read as that does.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, TypeVar, get_args, get_origin

import attrs
import msgspec

from twelvetasks.conversion.glance import Glance, glance_decoder
from twelvetasks.conversion.model_types import field_types, is_model, status_of, without_none
from twelvetasks.conversion.row_checks import RowChecks
from twelvetasks.values.fields import (
    NO_EXTRA,
    AnyData,
    Count,
    Extra,
    beside_names,
    json_names,
    older_names,
    repeated_fields,
)
from twelvetasks.values.models import PageInfo
from twelvetasks.values.query import ListQuery
from twelvetasks.values.timestamps import parse_timestamp

Hook = Callable[[Any, Any], Any]

ModelT = TypeVar("ModelT")

AS_ROW = "as a row"

AsRow = Annotated[ModelT, AS_ROW]
"""A model, or a msgspec struct with attributes of the same names. In a struct a status is a plain
string, a time the RFC 3339 text that was sent, and a list of values a list."""

AsSent = Annotated[ModelT, "as sent"]
"""A model, or a msgspec struct that msgspec encodes as the JSON that `to_json` gives. In a struct a
time is the text that was sent, and what was not sent is `msgspec.UNSET`."""

LARGEST = 2**63 - 1
"""The largest whole number that msgspec compares with a bound; a larger one is not usual."""

MOST_SHARED = 1000
"""Values that are remembered to be shared: an account has few indexes, and videos few sizes."""

MOST_GLANCED = 2**18
"""Bytes of a body that is read at a glance: a page of 50 tasks has some 15,000."""

# `fromisoformat` takes more than RFC 3339. Of what has 24 characters with T, dot and Z in their
# places it takes two things more: week dates, which have no "-" there, and the hour 24.
_USUAL_TIME = (
    "len(value) == 24 and value[10] == 'T' and value[19] == '.' and value[23] == 'Z'"
    " and value[7] == '-' and (value[12] != '4' or value[11] != '2')"
)
_READ_TIME = f"read_usual_time(value) if {_USUAL_TIME} else parse_timestamp(value)"


@attrs.frozen(kw_only=True)
class _Kind:
    """How the values of one kind are read."""

    wire: Any
    """The type that msgspec checks in a row."""
    check: str = ""
    """The condition under which a value of a dict is not usual; empty for none."""
    read: str = ""
    """The expression that makes of a value what the model holds; empty if it is that already."""
    read_row: str | None = None
    """The same for a value of a row, if it is another."""
    wire_kept: Any = None
    """The type that msgspec checks in a row that is kept, if it is another."""
    inner: _Functions | None = None
    """Those of the model that the field holds, or holds a list of; None for another value."""


_KINDS: dict[Any, _Kind] = {
    str: _Kind(wire=str, check="type(value) is not str"),
    bool: _Kind(wire=bool, check="type(value) is not bool"),
    int: _Kind(
        wire=Annotated[int, msgspec.Meta(ge=-LARGEST, le=LARGEST)],
        check=f"type(value) is not int or abs(value) > {LARGEST}",
        read="shared(value, value)",
    ),
    Count: _Kind(
        wire=Annotated[int, msgspec.Meta(ge=0, le=LARGEST)],
        check=f"type(value) is not int or not 0 <= value <= {LARGEST}",
    ),
    float: _Kind(
        wire=Annotated[int, msgspec.Meta(ge=-LARGEST, le=LARGEST)] | float,
        check=f"type(value) is not float and (type(value) is not int or abs(value) > {LARGEST})",
    ),
    datetime: _Kind(wire=str, check="type(value) is not str", read=_READ_TIME),
    AnyData: _Kind(wire=Any, read="any_data(value, None)"),
    tuple[str, ...]: _Kind(
        wire=list[str],
        check="type(value) is not list or not strings.issuperset(map(type, value))",
        read="tuple(value)",
    ),
}


@attrs.frozen(kw_only=True)
class _Functions:
    """The generated functions of a model, and the rows that they read."""

    row: type[msgspec.Struct]
    kept_row: type[msgspec.Struct]
    """A row that is not made a model: what was not sent is None in it."""
    checks: RowChecks
    """What is to be true of such rows beyond their types."""
    sent_checks: RowChecks
    """What is to be true of rows that encode as what was sent."""
    from_row: Callable[[Any], Any]
    from_dict: Callable[[Any], Any]


class FastHooks:
    """The fast hooks of models, each made after those of the models inside it.

    `general` gives a model's general hook; `any_data` refuses, by a ValueError, what is nested too
    deeply.
    """

    def __init__(self, general: Callable[[Any], Hook], any_data: Hook) -> None:
        self._general = general
        self._any_data = any_data
        self._functions: dict[Any, _Functions] = {}
        self._decoders: dict[Any, Callable[[bytes], Any]] = {}
        self._glances: dict[tuple[type[Any], str], Callable[[bytes], Any] | None] = {}
        self._shared: dict[Any, Any] = {}
        """Values that many items have, such as the id of an index, so that they share one."""

    def decode(self, body: bytes, model: Any) -> Any:
        """Read a body as a row of the model. Raises ValueError if it is not usual."""
        if model not in self._decoders:
            if not is_model(model):
                raise ValueError("only models have rows")
            self._decoders[model] = msgspec.json.Decoder(self._of(model).row).decode
        return self._decoders[model](body)

    def glance(self, body: bytes, query: ListQuery[Any]) -> Glance | None:
        """Return what a page's body tells at a glance; None if the page is to be read whole."""
        kind = type(query), query.sort_key.name
        if kind not in self._glances:
            row = self._of(PageInfo).row
            self._glances[kind] = glance_decoder(query.resource.page, query.sort_key.name, row)
        decode = self._glances[kind]
        if decode is None or len(body) > MOST_GLANCED:
            return None
        try:
            glanced = decode(body)
            page_info = self._of(PageInfo).from_row(glanced.page_info)
            return Glance.of(glanced.data, page_info, query)
        except Exception:  # noqa: BLE001 - a resource's own functions may expect more of an item
            return None

    def hook(self, model: Any) -> Hook:
        """Return the fast hook of a model."""
        functions, shared = self._of(model), self._shared

        def structure(sent: Any, _: Any) -> Any:
            """Structure a row, or a JSON value that is read already."""
            if len(shared) > MOST_SHARED:
                shared.clear()
            is_row = type(sent) is functions.row
            return functions.from_row(sent) if is_row else functions.from_dict(sent)

        return structure

    def _of(self, model: Any) -> _Functions:
        if model not in self._functions:
            self._functions[model] = self._made(model)
        return self._functions[model]

    def _made(self, model: Any) -> _Functions:
        names = json_names(get_origin(model) or model)
        known, repeated = frozenset(names.values()), repeated_fields(get_origin(model) or model)
        scope: dict[str, Any] = {
            "Draft": _draft_of(get_origin(model) or model),
            "NO_EXTRA": NO_EXTRA,
            "UNSET": msgspec.UNSET,
            "any_data": self._any_data,
            "general": self._general(model),
            "keep_rest": _rest_keeper(known, self._any_data),
            "known": known,
            "model": get_origin(model) or model,
            "new": object.__new__,
            "older": frozenset(older_names(get_origin(model) or model).values()),
            "parse_timestamp": parse_timestamp,
            "read_usual_time": datetime.fromisoformat,
            "shared": self._shared.setdefault,
            "strings": frozenset((str,)),
            "tell_names": _name_teller(names),
        }
        # Undocumented fields that come often enough for their objects to be usual all the same.
        beside: tuple[str, ...] = getattr(scope["model"], "_often_beside", ())
        scope["keep_beside"] = _beside_keeper(beside, self._any_data)
        wires, kept_wires = [], []
        checks = RowChecks(any_data=self._any_data, data=[*beside])
        sent_checks = RowChecks(any_data=None, data=checks.data, times=checks.times)
        from_row = ["def from_row(sent):", " draft, nulls = new(Draft), False"]
        from_dict = [
            "def from_dict(sent):",
            " if type(sent) is not dict: return general(sent, model)",
            " get, draft, nulls = sent.get, new(Draft), False",
        ]
        for field, type_ in field_types(model).items():
            bare, optional = without_none(type_)
            optional = optional or bare == AnyData
            kind = self._kind_of(bare, field, scope)
            if field in repeated:
                kind = attrs.evolve(kind, read="shared(value, value)")
            wire = kind.wire | None | msgspec.UnsetType if optional else kind.wire
            wires.append((field, wire, msgspec.UNSET) if optional else (field, wire))
            kept = kind.wire if kind.wire_kept is None else kind.wire_kept
            kept_wires.append((field, kept | None, None) if optional else (field, kept))
            if bare is datetime:
                checks.times.append(field)
            elif bare == AnyData:
                checks.data.append(field)
            elif bare is float:
                sent_checks.numbers.append(field)
            elif kind.inner is not None:
                is_list = get_origin(bare) is tuple
                checks.add(field, kind.inner.checks, is_list=is_list)
                sent_checks.add(field, kind.inner.sent_checks, is_list=is_list)
            read_row = kind.read if kind.read_row is None else kind.read_row
            from_row += [
                f" value = sent.{field}",
                *_setting(field, "", read_row, optional=optional),
            ]
            from_dict += [
                f" value = get({names[field]!r}, UNSET)",
                *_setting(field, kind.check, kind.read, optional=optional),
            ]
        unset = [f" draft.{name} = None" for name in beside_names(scope["model"])]
        end = [*unset, " draft.__class__ = model", " return draft"]
        has_beside = " or ".join(f"sent.{name} is not UNSET" for name in beside) or "False"
        from_row += [
            f" draft.extra = keep_beside(sent) if {has_beside} else NO_EXTRA",
            " draft._spelling = tell_names(sent) if nulls else None",
            *end,
        ]
        from_dict += [
            " if nulls or not known.issuperset(sent):",
            "  if not older.isdisjoint(sent): return general(sent, model)",
            "  draft.extra, draft._spelling = keep_rest(sent)",
            " else: draft.extra, draft._spelling = NO_EXTRA, None",
            *end,
        ]
        extra = ["def extra(sent):", f" return keep_beside(sent) if {has_beside} else NO_EXTRA"]
        generated = (from_row, from_dict, extra)
        exec("\n".join(itertools.chain(*generated)), scope)  # noqa: S102 - made of the models' own names only

        def struct(kind: str, fields: list[Any]) -> type[msgspec.Struct]:
            return msgspec.defstruct(
                f"{scope['model'].__name__}{kind}",
                [*fields, *((name, Any, msgspec.UNSET) for name in beside)],
                namespace={"extra": property(scope["extra"])},
                kw_only=True,
                rename=names,
                forbid_unknown_fields=True,
                gc=False,
            )

        return _Functions(
            row=struct("Row", wires),
            kept_row=struct("KeptRow", kept_wires),
            checks=checks,
            sent_checks=sent_checks,
            from_row=scope["from_row"],
            from_dict=scope["from_dict"],
        )

    def _kind_of(self, type_: Any, field: str, scope: dict[str, Any]) -> _Kind:
        """Return how a field is read: as one of the kinds above, a status, a model, or models."""
        if type_ in _KINDS:
            return _KINDS[type_]
        if (status := status_of(type_)) is not None:
            scope[f"{field}_names"] = {member.value: member for member in status}
            return attrs.evolve(_KINDS[str], read=f"{field}_names.get(value, value)")
        is_list = get_origin(type_) is tuple
        member = get_args(type_)[0] if is_list else type_
        (form,) = getattr(member, "__metadata__", ("a model",))
        inner = self._of(member if form == "a model" else get_args(member)[0])
        scope[f"{field}_row"], scope[f"{field}_dict"] = inner.from_row, inner.from_dict
        if not is_list:
            return _Kind(
                wire=inner.row,
                read=f"{field}_dict(value)",
                read_row=f"{field}_row(value)",
                wire_kept=inner.kept_row,
                inner=inner,
            )
        scope[f"{field}_checked"] = (inner.checks if form == AS_ROW else inner.sent_checks).checked
        row: Any = inner.kept_row if form == AS_ROW else inner.row
        one_by_one = f"tuple([{field}_row(one) for one in value])"
        return _Kind(
            wire=list[row],
            check="type(value) is not list",
            read=f"tuple([{field}_dict(one) for one in value])",
            read_row=one_by_one if form == "a model" else f"{field}_checked(value)",
            wire_kept=list[inner.kept_row],  # type: ignore[name-defined]
            inner=inner,
        )


def _setting(field: str, check: str, read: str, *, optional: bool) -> Iterator[str]:
    """Write how a value is checked, read and set."""
    refuse = [f"if {check}: return general(sent, model)"] if check else []
    lines = [*refuse, f"draft.{field} = {read or 'value'}"]
    if optional:
        yield f" if value is UNSET: draft.{field} = None"
        yield f" elif value is None: draft.{field}, nulls = None, True"
        yield " else:"
        yield from (f"  {line}" for line in lines)
    else:
        yield from (f" {line}" for line in lines)


def _rest_keeper(
    known: frozenset[str], any_data: Hook
) -> Callable[[dict[str, Any]], tuple[Extra, frozenset[str]]]:
    """Make the function that keeps what is unknown, and which names there were, nulls included."""

    def keep_rest(sent: dict[str, Any]) -> tuple[Extra, frozenset[str]]:
        unknown = {name: any_data(value, None) for name, value in sent.items() if name not in known}
        return Extra(unknown) if unknown else NO_EXTRA, _spelling(*filter(known.__contains__, sent))

    return keep_rest


def _beside_keeper(beside: tuple[str, ...], any_data: Hook) -> Callable[[Any], Extra]:
    """Make the function that gives what of these fields a row has, as a model's `extra`."""

    def keep_beside(row: msgspec.Struct) -> Extra:
        there = {
            name: any_data(value, None)
            for name in beside
            if (value := getattr(row, name)) is not msgspec.UNSET
        }
        return Extra(there) if there else NO_EXTRA

    return keep_beside


def _name_teller(names: Mapping[str, str]) -> Callable[[msgspec.Struct], frozenset[str]]:
    """Make the function that tells which names there were in what became a row."""

    def tell_names(row: msgspec.Struct) -> frozenset[str]:
        # It has fields after these, for what is undocumented.
        values = zip(names.values(), msgspec.structs.astuple(row), strict=False)
        return _spelling(*[name for name, value in values if value is not msgspec.UNSET])

    return tell_names


@functools.lru_cache(maxsize=256)
def _spelling(*names: str) -> frozenset[str]:
    """Share one set among the many objects that have the same names."""
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
