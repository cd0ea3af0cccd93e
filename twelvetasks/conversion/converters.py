"""The cattrs converters: how each kind of value that the API sends is read, and written again.

There are two, set up alike: `fast` has the fast hooks for what is usual and no bookkeeping, `exact`
has cattrs' detailed validation, which says where a fault is. Both take the same and read it alike.
Any attrs class with the fields of `twelvetasks.values.fields` is a model and needs no entry here.
"""

from __future__ import annotations

import functools
import math
import operator
import re
import reprlib
import types
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar, Unpack, cast, get_args, get_origin

import attrs
from cattrs import AttributeValidationNote, BaseValidationError, Converter, IterableValidationNote
from cattrs.cols import list_structure_factory
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from twelvetasks.conversion.decoding import decode_json
from twelvetasks.conversion.fast_hooks import FastHooks, Hook
from twelvetasks.conversion.model_types import field_types, is_model, status_of, without_none
from twelvetasks.values.errors import REPORT_IT, Known, ResponseError
from twelvetasks.values.fields import AnyData, Count, json_names, loose_names, older_names
from twelvetasks.values.malformed import Malformed
from twelvetasks.values.timestamps import format_timestamp, parse_timestamp

T = TypeVar("T")

MOST_VALUES = 100_000
"""Values of a body: a page of 50 tasks has fewer than 2,000. Each takes up to 240 bytes."""

LARGEST = 10**308
"""The largest whole number: a larger one fits no float, so a decimal number cannot be larger."""

DEEPEST = 64
"""Levels of lists and objects in an unknown field: more could be neither shown nor written."""

_BRIEF = reprlib.Repr()
_BRIEF.maxlevel = 2
_BRIEF.maxstring = 60


def _text(value: Any, _: Any = None) -> str:
    if isinstance(value, str):
        return value
    raise TypeError(f"expected a string, not {_shown(value)}")


def _flag(value: Any, _: Any = None) -> bool:
    if isinstance(value, bool):
        return value
    raise TypeError(f"expected true or false, not {_shown(value)}")


def _whole_number(value: Any, _: Any = None) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return _bounded(value)
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
        return _bounded(value) if isinstance(value, int) else value
    raise TypeError(f"expected a number, not {_shown(value)}")


def _bounded(value: int) -> int:
    if -LARGEST <= value <= LARGEST:
        return value
    raise ValueError("expected a number of at most 308 digits")


def _moment(value: Any, _: Any = None) -> datetime:
    text = _text(value)
    try:
        return parse_timestamp(text)
    except ValueError:
        raise ValueError(
            f"{_shown(text)} is not an RFC 3339 date-time such as 2022-06-09T04:50:00.879Z"
        ) from None


def _any_data(value: Any, _: Any = None) -> Any:
    if isinstance(value, (dict, list)) and _is_deep(value):
        raise ValueError(f"it is nested more than {DEEPEST} deep")
    return value


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


def _shown(value: Any) -> str:
    shown = _BRIEF.repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


_VALUES: dict[Any, Hook] = {
    str: _text,
    bool: _flag,
    int: _whole_number,
    float: _number,
    datetime: _moment,
    Count: _count,
    AnyData: _any_data,
}


_NUMBERS = (int, float, Count)

LONGEST_NUMBER = 40
"""Characters of a string that may be a number."""


def make_converters() -> Converters:
    """Make both converters."""
    fast = make_general_converter(detailed=False)
    fast_hooks = FastHooks(lambda model: _general_hook(model, fast), _any_data)
    fast.register_structure_hook_factory(is_model, fast_hooks.hook)
    return Converters(fast_hooks=fast_hooks, fast=fast, exact=make_general_converter(detailed=True))


def make_general_converter(*, detailed: bool) -> Converter:
    """Set up a converter whose hooks wrap cattrs' own; a detailed one says where a fault is."""
    converter = Converter(detailed_validation=detailed, omit_if_default=True)
    for kind, read in _VALUES.items():
        if isinstance(kind, type):
            converter.register_structure_hook(kind, read)
        else:
            converter.register_structure_hook_func(functools.partial(operator.eq, kind), read)
    converter.register_structure_hook_factory(_is_status, _status_hook)
    converter.register_structure_hook_factory(
        _is_tuple,
        lambda kind: _list_hook(get_args(kind)[0], converter),
    )
    converter.register_structure_hook_factory(
        is_model, lambda model: _general_hook(model, converter)
    )
    converter.register_unstructure_hook_func(
        lambda kind: isinstance(kind, type) and issubclass(kind, datetime), format_timestamp
    )
    converter.register_unstructure_hook_func(
        _is_status, lambda status: None if status is None else str(status)
    )
    converter.register_unstructure_hook_factory(
        is_model, lambda model: _unstructure_hook(model, converter)
    )
    return converter


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _is_status(kind: Any) -> bool:
    return status_of(kind) is not None


def _status_hook(kind: Any) -> Hook:
    names = {member.value: member for member in status_of(kind) or ()}
    optional = types.NoneType in get_args(kind)

    def structure_status(value: Any, _: Any) -> Any:
        return None if value is None and optional else names.get(text := _text(value), text)

    return structure_status


def _list_hook(member: Any, converter: Converter) -> Hook:
    """Wrap what cattrs generates for a list: it would take any iterable, even a string, apart."""
    kind = cast("type[list[Any]]", types.GenericAlias(list, member))
    generated = list_structure_factory(kind, converter)

    def structure_list(sent: Any, _: Any) -> Any:
        if type(sent) is not list:
            raise TypeError(f"expected a list, not {_shown(sent)}")
        return tuple(generated(sent, kind))

    return structure_list


def _general_hook(model: Any, converter: Converter) -> Hook:
    """Wrap what cattrs generates so that unknown fields, nulls and older names are remembered."""
    class_ = get_origin(model) or model
    known = frozenset(json_names(class_).values())
    older = older_names(class_)
    numbers, loose = _number_names(model), loose_names(class_)
    generated = make_dict_structure_fn(
        model,
        converter,
        _cattrs_detailed_validation=converter.detailed_validation,
        **_overrides(class_) | _overrides_of_variables(model, converter),
    )

    def structure_model(sent: Any, _: Any) -> Any:
        if type(sent) is not dict:
            raise TypeError(f"expected an object, not {_shown(sent)}")
        odd = _odd_values(sent, numbers, loose)
        if not odd and sent.keys() <= known and None not in sent.values():
            return generated(sent, model)
        renamed = {name: value for name, value in sent.items() if name not in odd}
        renamed |= {name: number for name, number in odd.items() if number is not None}
        for new, old in older.items():
            if new not in renamed and old in renamed:
                renamed[new] = renamed.pop(old)
        extra = {key: value for key, value in renamed.items() if key not in known}
        for key, value in extra.items():
            if isinstance(value, (dict, list)) and _is_deep(value):
                raise ValueError(f"the field {_shown(key)} is nested more than {DEEPEST} deep")
        spelling = frozenset(sent.keys() - extra.keys())
        extra |= {name: sent[name] for name in odd if sent[name] is not None}
        return attrs.evolve(generated(renamed, model), extra=extra, _spelling=spelling)

    return structure_model


def _number_names(model: Any) -> dict[str, Hook]:
    """Map the JSON names of a model's numbers to what reads them."""
    names = json_names(get_origin(model) or model)
    kinds = {field: without_none(type_)[0] for field, type_ in field_types(model).items()}
    return {names[field]: _VALUES[kind] for field, kind in kinds.items() if kind in _NUMBERS}


def _odd_values(
    sent: dict[str, Any], numbers: dict[str, Hook], loose: frozenset[str]
) -> dict[str, Any]:
    """Find what is not of its kind, but is passed over or read all the same: numbers in strings.

    Gives the number for each, or None for what cannot be read.
    """
    odd: dict[str, Any] = {}
    for name in sent.keys() & (numbers.keys() | loose):
        value, read = sent[name], numbers.get(name)
        if value is None and read is not None:
            continue
        number = _in_string(value) if read is not None and isinstance(value, str) else value
        is_readable = isinstance(value, dict) if read is None else _reads(read, number)
        if not is_readable and name in loose:
            odd[name] = None
        elif is_readable and number is not value:
            odd[name] = number
    return odd


def _in_string(text: str) -> Any:
    """Read the number in a string; give the string if there is none."""
    for read in (int, float) if len(text) < LONGEST_NUMBER else ():
        with suppress(ValueError):
            return read(text)
    return text


def _reads(read: Hook, value: Any) -> bool:
    try:
        read(value, None)
    except (TypeError, ValueError, OverflowError):
        return False
    return not isinstance(value, float) or math.isfinite(value)


def _unstructure_hook(model: type[Any], converter: Converter) -> Callable[[Any], dict[str, Any]]:
    older = older_names(model)
    order = [one for name in json_names(model).values() for one in (name, older.get(name)) if one]
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
            there = spelling | written.keys()
            written = {name: written.get(name) for name in order if name in there}
        written.update(value.extra)
        return written

    return unstructure_model


def _overrides(model: type[Any]) -> dict[str, Any]:
    names = json_names(model)
    renamed = {name: override(rename=key) for name, key in names.items() if name != key}
    kept_beside = [field.name for field in attrs.fields(model) if field.name not in names]
    return renamed | {name: override(omit=True) for name in kept_beside}


def _overrides_of_variables(model: Any, converter: Converter) -> dict[str, Any]:
    """Map a generic model's fields to types: cattrs finds no variable in ``... | None``."""
    if get_origin(model) is None:
        return {}
    names = json_names(get_origin(model))

    def read_as(type_: Any) -> Hook:
        return lambda value, _: converter.structure(value, type_)

    return {
        name: override(rename=names[name], struct_hook=read_as(type_))
        for name, type_ in field_types(model).items()
    }


@attrs.frozen(kw_only=True)
class Converters:
    """The two converters, and the fast hooks of the first."""

    fast_hooks: FastHooks
    fast: Converter
    exact: Converter

    def read(self, body: bytes, kind: type[T], **known: Unpack[Known]) -> T:
        """Structure a body; raise ResponseError if it is not JSON, or not of its kind."""
        if is_too_many_values(body):
            fault = f"the body has more than {MOST_VALUES:,} values"
            raise ResponseError(fault, advice=REPORT_IT, **known)
        try:
            return self.fast.structure(self.fast_hooks.decode(body, kind), kind)
        except (RecursionError, ValueError):
            pass  # It is not usual, or wrong.
        try:
            sent = decode_json(body)
        except ValueError as error:
            fault = f"the body is not JSON ({error})"
        else:
            return self.structure(sent, kind, **known)
        raise ResponseError(fault, advice=REPORT_IT, **known)

    def read_page(self, body: bytes, kind: type[T], **known: Unpack[Known]) -> T:
        """Structure a page; an item that is not of its kind becomes a `Malformed` in its place."""
        try:
            return self.read(body, kind, **known)
        except ResponseError as error:
            if not (error.json_path or "").startswith("$.data["):
                raise
        sent = decode_json(body)
        item = get_args(without_none(field_types(kind)["data"])[0])[0]
        advice = 'List with on_malformed="skip" to pass over what cannot be read'
        items = []
        for at, one in enumerate(sent["data"]):
            made = self._exactly(one, item, f"$.data[{at}]", known, advice=advice, raw=one)
            items.append(Malformed(made) if isinstance(made, ResponseError) else made)
        page: Any = self.structure(sent | {"data": []}, kind, **known)
        return cast("T", attrs.evolve(page, data=tuple(items)))

    def structure(self, sent: Any, kind: type[T], **known: Unpack[Known]) -> T:
        """Make a model; raise ResponseError, with `json_path`, if the value is not of its kind."""
        try:
            return self.fast.structure(sent, kind)
        except (KeyError, TypeError, ValueError):
            pass
        made = self._exactly(sent, kind, "$", known, advice=REPORT_IT)
        if isinstance(made, ResponseError):
            raise made
        return made

    def _exactly(
        self, sent: Any, kind: type[T], path: str, known: Known, *, advice: str, raw: Any = None
    ) -> T | ResponseError:
        """Make a model of the value at a path; return the error if it is not of its kind."""
        try:
            return self.exact.structure(sent, kind)
        except (BaseValidationError, KeyError, TypeError, ValueError) as error:
            path, fault = _first_fault(error, sent, path)
        words = f"the answer is malformed at {path}: {fault}"
        return ResponseError(words, advice=advice, json_path=path, raw=raw, **known)


def is_too_many_values(body: bytes) -> bool:
    """Whether a body has more values than `MOST_VALUES`; nothing is made of it to find out.

    Each value but the first follows a comma, or a bracket that opens the list or object it is in.
    """
    if len(body) <= MOST_VALUES or _count_openings(body, 0, len(body)) <= MOST_VALUES:
        return False
    # Text may be full of commas. Nearly each string comes after one of its own, so this ends soon.
    count = begin = 0
    for string in _STRING.finditer(body):
        count += _count_openings(body, begin, string.start())
        if count > MOST_VALUES:
            return True
        begin = string.end()
    return count + _count_openings(body, begin, len(body)) > MOST_VALUES


def _count_openings(body: bytes, begin: int, end: int) -> int:
    return sum(body.count(sign, begin, end) for sign in (b",", b"[", b"{"))


_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)


def _first_fault(error: Exception, sent: Any, path: str) -> tuple[str, str]:
    """Follow cattrs' notes down to the first fault: its JSON path and what is wrong there."""
    while isinstance(error, BaseValidationError):
        model = get_origin(error.cl) or error.cl
        error = error.exceptions[0]
        for note in getattr(error, "__notes__", ()):
            if isinstance(note, IterableValidationNote):
                path += f"[{note.index}]"
                sent = sent[note.index] if isinstance(note.index, int) else None
            elif isinstance(note, AttributeValidationNote):
                name = json_names(model).get(note.name, note.name)
                older = older_names(model).get(name, name)
                if isinstance(sent, dict) and name not in sent and older in sent:
                    name = older
                path += f".{name}"
                sent = sent.get(name) if isinstance(sent, dict) else None
    return path, "it is missing" if isinstance(error, KeyError) else str(error)
