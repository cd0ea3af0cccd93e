"""The items of one list: every one the account holds, which of them match, and in which order.

A record is immutable and *is* its JSON, encoded once. Each pair of conditions and sort key in use
has its own sorted view, which every change updates in place. One lock guards all of it.
"""

from __future__ import annotations

import json
import threading
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, cast

import attrs
import msgspec

from twelvetasks.testing import instants
from twelvetasks.testing.filters import Condition
from twelvetasks.testing.kinds import Declared, Kind
from twelvetasks.testing.parameters import Selection, SortKey
from twelvetasks.testing.worlds import Visibility, World

_VIEWS_KEPT = 32
_MILLISECOND = 1_000
_SECOND = 1_000_000


@attrs.frozen(eq=False, weakref_slot=False)
class Record:
    """One item as the account holds it."""

    id: str
    scope: str | None
    sequence: int
    created: int
    updated: int
    listed: bytes
    alone: bytes | None
    """JSON of the fields that only a single retrieval shows; None where there are none."""

    @property
    def fields(self) -> dict[str, Any]:
        """Decode what a list shows of the item."""
        return cast("dict[str, Any]", msgspec.json.decode(self.listed))

    @property
    def all_fields(self) -> dict[str, Any]:
        """Decode what a single retrieval shows of the item."""
        return self.fields | (msgspec.json.decode(self.alone) if self.alone else {})

    @property
    def whole(self) -> bytes:
        """Return the JSON of a single retrieval."""
        return self.listed if self.alone is None else self.listed[:-1] + b"," + self.alone[1:]


@attrs.frozen
class Page:
    """The result of reading one page."""

    records: Sequence[Record]
    total: int
    """How many items matched at that instant, on all pages."""


_ViewName = tuple[str | None, tuple[Condition, ...], SortKey]
"""The scope, the conditions and the sort key of a view."""


class Items:
    """A list that can change while it is read; every method is thread-safe."""

    def __init__(
        self, kind: Kind, clock: Callable[[], datetime], world: World, *, conforming: bool = False
    ) -> None:
        self._kind = kind
        self._conforming = conforming
        self._clock = clock
        self._visibility: Visibility[Record] = Visibility(world)
        self._lock = threading.RLock()
        self._records: dict[str, Record] = {}
        self._views: dict[_ViewName, _View] = {}
        self._sequence = 0
        self._last_instant = 0
        times = ("created_at", "updated_at") if kind.timed else ("created_at",)
        status = ("status",) if kind.steps else ()
        self._always = {kind.id_field, *times, *status, *kind.defaults}

    def load(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Add existing items; one without `updated_at` was never updated."""
        with self._lock:
            self._views.clear()
            for item in items:
                fields = dict(item)
                if "updated_at" not in fields and "created_at" in fields:
                    fields["updated_at"] = fields["created_at"]
                self._keep(self._completed(fields))

    def add(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Add an item; raises `ValueError` if its id is taken."""
        with self._lock:
            record = self._keep(self._completed(dict(fields)))
            self._visibility.changed(record.id, None)
            for view in self._views.values():
                view.insert(record)
            return record.all_fields

    def update(self, id: str, fields: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002
        """Set fields of an item; raises `KeyError` if there is none with this id."""
        with self._lock:
            before = self._records[id]
            changed = before.all_fields | dict(fields)
            if changed[self._kind.id_field] != id:
                raise ValueError(f"the {self._kind.id_field} of an item cannot be changed")
            if "updated_at" not in fields and self._kind.timed:
                changed["updated_at"] = instants.rfc3339(self._now())
            after = self._record(changed, before.scope, before.sequence)
            self._records[id] = after
            self._visibility.changed(id, before)
            for view in self._views.values():
                view.remove(before)
                view.insert(after)
            return after.all_fields

    def delete(self, id: str) -> None:  # noqa: A002
        """Remove an item, whatever its status; raises `KeyError` if there is none with this id."""
        with self._lock:
            record = self._records.pop(id)
            self._visibility.changed(id, record)
            for view in self._views.values():
                view.remove(record)

    def get(self, id: str) -> Record | None:  # noqa: A002
        """Return the item with this id."""
        return self._records.get(id)

    def read(self, id: str) -> Record | None:  # noqa: A002
        """Return the item with this id as a read sees it."""
        with self._lock:
            return self._visibility.unseen().get(id, self._records.get(id))

    def unfinished(self) -> list[str]:
        """Return the ids of the items that have not ended."""
        with self._lock:
            final = self._kind.final
            records = self._records.items()
            return [one for one, record in records if record.fields.get("status") not in final]

    def every(self, selection: Selection) -> list[Record]:
        """Return all that matches, in order, whatever page the selection names."""
        with self._lock:
            ordered = self._view(selection).ordered
            return ordered[::-1] if selection.descending else ordered[:]

    def page(self, selection: Selection) -> Page:
        """Read one page, at one instant."""
        with self._lock:
            view = self._view(selection)
            ordered: Sequence[Record] = view.ordered
            if unseen := self._visibility.unseen():
                ordered = view.instead(unseen)
            ordered = self._visibility.ordered(
                ordered,
                key=view.time,
                name=lambda record: record.id,
                plan=(selection.page, selection.page_limit, selection.descending),
            )
            total = len(ordered)
            before = min((selection.page - 1) * selection.page_limit, total)
            after = min(before + selection.page_limit, total)
            if selection.descending:
                return Page(ordered[total - after : total - before][::-1], total)
            return Page(ordered[before:after], total)

    def _view(self, selection: Selection) -> _View:
        name = (selection.scope, selection.conditions, selection.sort_by)
        view = self._views.pop(name, None)
        if view is None:
            view = _View(name, self._records.values())
            while len(self._views) >= _VIEWS_KEPT:
                del self._views[next(iter(self._views))]
        self._views[name] = view
        return view

    def _keep(self, fields: dict[str, Any]) -> Record:
        kind = self._kind
        if fields[kind.id_field] in self._records:
            raise ValueError(f"the {kind.id_field} {fields[kind.id_field]!r} is taken already")
        scope = fields.get(kind.scope) if kind.scope else None
        if kind.scope and scope is None:
            raise ValueError(f"an item of {kind.name} needs its {kind.scope}")
        record = self._record(fields, scope, self._sequence)
        self._sequence += 1
        self._records[record.id] = record
        return record

    def _completed(self, fields: dict[str, Any]) -> dict[str, Any]:
        kind = self._kind
        if not fields.keys() >= self._always:
            now = instants.rfc3339(self._now())
            created = fields.get("created_at", now)
            filled = {"created_at": created} | ({"updated_at": now} if kind.timed else {})
            if kind.steps:
                filled["status"] = kind.steps[-1]
            filled |= kind.defaults
            if kind.id_field not in fields:
                seconds = _sort_key(created) // _SECOND
                filled[kind.id_field] = f"{seconds & 0xFFFFFFFF:08x}fa5e0000{self._sequence:08x}"
            filled |= fields
            fields = {kind.id_field: filled[kind.id_field]} | filled
        return fields

    def _record(self, fields: dict[str, Any], scope: str | None, sequence: int) -> Record:
        """Encode an item once and for all."""
        kind = self._kind
        if kind.scope is not None and kind.scope not in kind.declared:
            fields = {name: value for name, value in fields.items() if name != kind.scope}
        if self._conforming:
            fields = _declared(fields, kind.declared)
        alone = None
        if not kind.alone.isdisjoint(fields):
            alone = _encoded({name: fields[name] for name in kind.alone if name in fields})
            fields = {name: value for name, value in fields.items() if name not in kind.alone}
        return Record(
            fields[kind.id_field],
            scope,
            sequence,
            _sort_key(fields.get("created_at")),
            _sort_key(fields.get("updated_at")),
            _encoded(fields),
            alone,
        )

    def _now(self) -> int:
        """Read the clock so that no two changes share a written time and none goes back."""
        instant = instants.microseconds(self._clock()) // _MILLISECOND * _MILLISECOND
        self._last_instant = max(instant, self._last_instant + _MILLISECOND)
        return self._last_instant


class _View:
    """The matching records in ascending order; equal times stay in order of insertion."""

    __slots__ = ("_conditions", "_key", "_scope", "ordered")

    def __init__(self, name: _ViewName, records: Iterable[Record]) -> None:
        self._scope, self._conditions, sort_by = name
        time = "created" if sort_by == "created_at" else "updated"
        self._key: Callable[[Record], tuple[int, int]] = attrgetter(time, "sequence")
        self.ordered = [record for record in records if self._matches(record)]
        self.ordered.sort(key=self._key)

    def insert(self, record: Record) -> None:
        if self._matches(record):
            insort(self.ordered, record, key=self._key)

    def time(self, record: Record) -> int:
        """Return the sort key without the order of insertion."""
        return self._key(record)[0]

    def instead(self, others: Mapping[str, Record | None]) -> list[Record]:
        """Return the view with other versions of some tasks, or without them where None."""
        ordered = [record for record in self.ordered if record.id not in others]
        for record in others.values():
            if record is not None and self._matches(record):
                insort(ordered, record, key=self._key)
        return ordered

    def remove(self, record: Record) -> None:
        place = bisect_left(self.ordered, self._key(record), key=self._key)
        if place < len(self.ordered) and self.ordered[place] is record:
            del self.ordered[place]

    def _matches(self, record: Record) -> bool:
        if record.scope != self._scope:
            return False
        if not self._conditions:
            return True
        fields = record.all_fields
        return all(condition.match(fields) for condition in self._conditions)


def _sort_key(time: object) -> int:
    """Return the instant, or 0, older than any task, for what is not a time."""
    if isinstance(time, datetime):
        time = instants.written(time)
    return (instants.parsed(time) or 0) if isinstance(time, str) else 0


def _declared(fields: Mapping[str, Any], declared: Declared) -> dict[str, Any]:
    """Leave out what the specification does not declare, and null."""
    kept = {}
    for name, value in fields.items():
        if value is None or name not in declared:
            continue
        inner = declared[name]
        kept[name] = _declared(value, inner) if inner and isinstance(value, Mapping) else value
    return kept


def _encoded(fields: dict[str, Any]) -> bytes:
    return json.dumps(
        fields, default=instants.written, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    ).encode()
