"""The cattrs converters: how each kind of value that the API sends is read, and written again.

There are two, set up alike: one without bookkeeping, which takes the fast path for what is as
usual, and one with cattrs' detailed validation, which tells where a fault is. Both take the same
and read it alike.
"""

from __future__ import annotations

import reprlib
import types
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar, cast, get_args, get_origin

import attrs
from cattrs import AttributeValidationNote, BaseValidationError, Converter, IterableValidationNote
from cattrs.cols import list_structure_factory
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from twelvetasks.conversion.fastpath import STATUSES, FastPath, Hook
from twelvetasks.values.errors import REPORT_IT, ResponseError
from twelvetasks.values.events import (
    Event,
    EventModel,
    EventTask,
    TaskFailed,
    TaskReady,
    UnknownEvent,
)
from twelvetasks.values.fields import AnyData, Count, json_names, older_names
from twelvetasks.values.models import (
    HlsStream,
    PageInfo,
    SystemMetadata,
    Task,
    TaskPage,
    TaskStatus,
)
from twelvetasks.values.timestamps import format_timestamp, parse_timestamp

__all__ = ["DEEPEST", "Converters", "made"]

T = TypeVar("T")
_LISTED = frozenset((HlsStream, PageInfo, SystemMetadata, Task, TaskPage))
"""What comes by the thousand, and is worth a fast path."""

_MODELS = (
    *(HlsStream, PageInfo, SystemMetadata, Task, TaskPage),
    *(EventModel, EventTask, Event, TaskReady, TaskFailed, UnknownEvent),
)
_OUR_OWN = ("extra", "_spelling")

DEEPEST = 64
"""Levels of lists and objects in an unknown field: more could be neither shown nor written."""

_BRIEF = reprlib.Repr()
_BRIEF.maxlevel = 2
_BRIEF.maxstring = 60


def _text(value: Any, _: Any = None) -> str:
    if isinstance(value, str):
        return value
    raise TypeError(f"expected a string, not {_shown(value)}")


def _whole_number(value: Any, _: Any = None) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise TypeError(f"expected a whole number, not {_shown(value)}")


def _count(value: Any, _: Any = None) -> int:
    number = _whole_number(value)
    if number < 0:
        raise ValueError(f"expected a number that is not negative, not {number}")
    return number


def _number(value: Any, _: Any = None) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise TypeError(f"expected a number, not {_shown(value)}")


def _moment(value: Any, _: Any = None) -> datetime:
    text = _text(value)
    try:
        return parse_timestamp(text)
    except ValueError:
        raise ValueError(
            f"{_shown(text)} is not an RFC 3339 date-time such as 2022-06-09T04:50:00.879Z"
        ) from None


def _status(value: Any, _: Any = None) -> TaskStatus | str:
    return STATUSES.get(text := _text(value), text)


def _shown(value: Any) -> str:
    shown = _BRIEF.repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def _check_extra(name: str, value: Any) -> None:
    if isinstance(value, (dict, list)) and _is_deep(value):
        raise ValueError(f"the field {_shown(name)} is nested more than {DEEPEST} deep")


def _is_deep(value: Any) -> bool:
    """Whether a value is nested too deeply; found level by level, so it is itself no recursion."""
    level = [value]
    for _ in range(DEEPEST + 1):
        holders = [held for held in level if isinstance(held, (dict, list))]
        if not holders:
            return False
        level = [
            inner
            for holder in holders
            for inner in (holder.values() if isinstance(holder, dict) else holder)
        ]
    return True


def _any_data(value: Any, _: Any = None) -> Any:
    if _is_deep(value):
        raise ValueError(f"it is nested more than {DEEPEST} deep")
    return value


def _optional(read: Callable[[Any, Any], T]) -> Callable[[Any, Any], T | None]:
    def read_or_none(value: Any, _: Any) -> T | None:
        return None if value is None else read(value, None)

    return read_or_none


_VALUES: dict[Any, Callable[[Any, Any], Any]] = {
    str: _text,
    int: _whole_number,
    float: _number,
    datetime: _moment,
    TaskStatus | str: _status,
}


def _converter(fast: FastPath | None = None) -> Converter:
    """Set a converter up, with fast hooks or, without, one that tells where faults are."""
    detailed = fast is None
    converter = Converter(detailed_validation=detailed, omit_if_default=True)
    for kind, read in _VALUES.items():
        _register(converter, kind, read)
        _register(converter, kind | None, _optional(read))
    _register(converter, Count, _count)
    _register(converter, AnyData, _any_data)
    converter.register_unstructure_hook_func(
        lambda kind: isinstance(kind, type) and issubclass(kind, datetime), format_timestamp
    )
    converter.register_unstructure_hook_func(
        lambda kind: kind in (TaskStatus | str, TaskStatus | str | None),
        lambda status: None if status is None else str(status),
    )
    converter.register_structure_hook_factory(
        _is_tuple, lambda kind: _list_hook(get_args(kind)[0], converter)
    )
    for model in _MODELS:
        hook = _structure_hook(model, converter, detailed)
        if fast is not None and model in _LISTED:
            hook = fast.add(
                model,
                hook,
                names=json_names(model),
                older=frozenset(older_names(model).values()),
                check_extra=_check_extra,
            )
        converter.register_structure_hook(model, hook)
        converter.register_unstructure_hook(model, _unstructure_hook(model, converter))
    return converter


def _register(converter: Converter, kind: Any, hook: Callable[[Any, Any], Any]) -> None:
    if isinstance(kind, type):
        converter.register_structure_hook(kind, hook)
    else:
        converter.register_structure_hook_func(lambda candidate: candidate == kind, hook)


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _list_hook(member: Any, converter: Converter) -> Callable[[Any, Any], Any]:
    """Wrap what cattrs generates for a list: it would take any iterable, even a string, apart."""
    kind = cast("type[list[Any]]", types.GenericAlias(list, member))
    generated = list_structure_factory(kind, converter)

    def structure_list(sent: Any, _: Any) -> Any:
        if type(sent) is not list:
            raise TypeError(f"expected a list, not {_shown(sent)}")
        return tuple(generated(sent, kind))

    return structure_list


def _structure_hook(model: type[Any], converter: Converter, detailed: bool) -> Hook:
    """Wrap what cattrs generates so that unknown fields, nulls and older names are remembered."""
    known = frozenset(json_names(model).values())
    older = older_names(model)
    generated = make_dict_structure_fn(
        model, converter, _cattrs_detailed_validation=detailed, **_overrides(model)
    )

    def structure_model(sent: Any, _: Any) -> Any:
        if type(sent) is not dict:
            raise TypeError(f"expected an object, not {_shown(sent)}")
        if sent.keys() <= known and None not in sent.values():
            return generated(sent, model)
        renamed = dict(sent)
        for new, old in older.items():
            if new not in renamed and old in renamed:
                renamed[new] = renamed.pop(old)
        extra = {key: value for key, value in renamed.items() if key not in known}
        for key, value in extra.items():
            _check_extra(key, value)
        return attrs.evolve(
            generated(renamed, model), extra=extra, _spelling=frozenset(sent.keys() - extra.keys())
        )

    return structure_model


def _unstructure_hook(model: type[Any], converter: Converter) -> Callable[[Any], dict[str, Any]]:
    older = older_names(model)
    generated = make_dict_unstructure_fn(
        model, converter, _cattrs_omit_if_default=True, **_overrides(model)
    )

    def unstructure_model(value: Any) -> dict[str, Any]:
        written = generated(value)
        spelling = value._spelling
        if spelling is not None:
            for new, old in older.items():
                if new in written and old in spelling and new not in spelling:
                    written[old] = written.pop(new)
            written.update(dict.fromkeys(spelling - written.keys()))
        written.update(value.extra)
        return written

    return unstructure_model


def _overrides(model: type[Any]) -> dict[str, Any]:
    renamed = {name: override(rename=key) for name, key in json_names(model).items() if name != key}
    return renamed | {name: override(omit=True) for name in _OUR_OWN}


@attrs.frozen(kw_only=True)
class Converters:
    """The two converters, and the fast path of the first."""

    fast_path: FastPath
    fast: Converter
    exact: Converter

    def structure(self, sent: Any, kind: type[T]) -> T:
        """Make a model; raise ResponseError, with `json_path`, if the value is not of its shape."""
        try:
            return self.fast.structure(sent, kind)
        except (KeyError, TypeError, ValueError):
            pass
        try:
            return self.exact.structure(sent, kind)
        except (BaseValidationError, KeyError, TypeError, ValueError) as error:
            path, fault = _first_fault(error, sent)
        malformed = ResponseError(f"the answer is malformed at {path}: {fault}", advice=REPORT_IT)
        malformed.json_path = path
        raise malformed


def made() -> Converters:
    """Make the converters."""
    fast_path = FastPath()
    return Converters(fast_path=fast_path, fast=_converter(fast_path), exact=_converter())


def _first_fault(error: Exception, sent: Any) -> tuple[str, str]:
    """Follow cattrs' notes down to the first fault: its JSON path and what is wrong there."""
    path = "$"
    while isinstance(error, BaseValidationError):
        note_of = error.cl
        error = error.exceptions[0]
        for note in getattr(error, "__notes__", ()):
            if isinstance(note, IterableValidationNote):
                path += f"[{note.index}]"
                sent = sent[note.index] if isinstance(note.index, int) else None
            elif isinstance(note, AttributeValidationNote):
                name = json_names(note_of).get(note.name, note.name)
                older = older_names(note_of).get(name, name)
                if isinstance(sent, dict) and name not in sent and older in sent:
                    name = older
                path += f".{name}"
                sent = sent.get(name) if isinstance(sent, dict) else None
    return path, "it is missing" if isinstance(error, KeyError) else str(error)
