"""The account: every task it holds, which of them match, and in which order.

A record is immutable and *is* its JSON, encoded once; each (filters, sort field) in use keeps its
own sorted view, which every change amends in place. All of it stands behind one lock.
"""

from __future__ import annotations

import json
import threading
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import attrs
import msgspec

from twelvetasks.testing import instants
from twelvetasks.testing.parameters import Filters, Selection
from twelvetasks.testing.worlds import Visibility, World

DEFAULT_INDEX_ID = "62a0906d47f5678267ec10a6"

_DELETABLE = frozenset(("ready", "failed"))
_VIEWS_KEPT = 32
_MILLISECOND = 1_000
_SECOND = 1_000_000
_ALWAYS_IN_ORDER = ("_id", "created_at", "updated_at", "status", "index_id")
_ALWAYS = frozenset(_ALWAYS_IN_ORDER)


@attrs.frozen(eq=False, weakref_slot=False)
class Record:
    """One task as the account holds it."""

    id: str
    sequence: int
    created: int
    updated: int
    listed: bytes
    alone: bytes | None
    """JSON of the fields that only a single retrieval shows; None where there are none."""

    @classmethod
    def of(cls, fields: dict[str, Any], sequence: int) -> Record:
        """Encode `fields` once and for all."""
        alone = None
        if "hls" in fields:
            fields = fields.copy()
            alone = _encoded({"hls": fields.pop("hls")})
        return cls(
            fields["_id"],
            sequence,
            _sort_key(fields.get("created_at")),
            _sort_key(fields.get("updated_at")),
            _encoded(fields),
            alone,
        )

    @property
    def fields(self) -> dict[str, Any]:
        """Decode what a list shows of the task."""
        return cast("dict[str, Any]", msgspec.json.decode(self.listed))

    @property
    def all_fields(self) -> dict[str, Any]:
        """Decode what a single retrieval shows of the task."""
        return self.fields | (msgspec.json.decode(self.alone) if self.alone else {})

    @property
    def whole(self) -> bytes:
        """Return the JSON of a single retrieval."""
        return self.listed if self.alone is None else self.listed[:-1] + b"," + self.alone[1:]

    @property
    def deletable(self) -> bool:
        """Whether the platform lets its owner delete it."""
        return self.fields.get("status") in _DELETABLE


@attrs.frozen
class Page:
    """The result of reading one page."""

    records: Sequence[Record]
    total: int
    """How many tasks matched at that instant, on all pages."""


class Account:
    """A collection of tasks that can change while it is read; every method is thread-safe."""

    def __init__(self, clock: Callable[[], datetime], world: World) -> None:
        self._clock = clock
        self._visibility: Visibility[Record] = Visibility(world)
        self._lock = threading.RLock()
        self._records: dict[str, Record] = {}
        self._views: dict[tuple[Filters, str], _View] = {}
        self._sequence = 0
        self._last_instant = 0

    def load(self, tasks: Iterable[Mapping[str, Any]]) -> None:
        """Add existing tasks; one without `updated_at` was never updated."""
        with self._lock:
            self._views.clear()
            for task in tasks:
                fields = dict(task)
                if "updated_at" not in fields and "created_at" in fields:
                    fields["updated_at"] = fields["created_at"]
                self._keep(self._completed(fields))

    def add(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Add a task; raises `ValueError` if its `_id` is taken."""
        with self._lock:
            record = self._keep(self._completed(dict(fields)))
            self._visibility.changed(record.id, None)
            for view in self._views.values():
                view.insert(record)
            return record.all_fields

    def update(self, id: str, fields: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002
        """Set fields of a task; raises `KeyError` if there is none with this id."""
        with self._lock:
            before = self._records[id]
            changed = before.all_fields | dict(fields)
            if changed["_id"] != id:
                raise ValueError("the _id of a task cannot be changed")
            if "updated_at" not in fields:
                changed["updated_at"] = instants.rfc3339(self._now())
            after = Record.of(changed, before.sequence)
            self._records[id] = after
            self._visibility.changed(id, before)
            for view in self._views.values():
                view.remove(before)
                view.insert(after)
            return after.all_fields

    def delete(self, id: str) -> None:  # noqa: A002
        """Remove a task, whatever its status; raises `KeyError` if there is none with this id."""
        with self._lock:
            record = self._records.pop(id)
            self._visibility.changed(id, record)
            for view in self._views.values():
                view.remove(record)

    def get(self, id: str) -> Record | None:  # noqa: A002
        """Return the task with this id."""
        return self._records.get(id)

    def read(self, id: str) -> Record | None:  # noqa: A002
        """Return the task with this id as a read sees it."""
        with self._lock:
            return self._visibility.unseen().get(id, self._records.get(id))

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
        name = (selection.filters, selection.sort_by)
        view = self._views.pop(name, None)
        if view is None:
            view = _View(selection.filters, selection.sort_by, self._records.values())
            while len(self._views) >= _VIEWS_KEPT:
                del self._views[next(iter(self._views))]
        self._views[name] = view
        return view

    def _keep(self, fields: dict[str, Any]) -> Record:
        if fields["_id"] in self._records:
            raise ValueError(f"there is a task with the _id {fields['_id']!r} already")
        record = Record.of(fields, self._sequence)
        self._sequence += 1
        self._records[record.id] = record
        return record

    def _completed(self, fields: dict[str, Any]) -> dict[str, Any]:
        if not fields.keys() >= _ALWAYS:
            now = instants.rfc3339(self._now())
            created = fields.get("created_at", now)
            defaults = {
                "created_at": created,
                "updated_at": now,
                "status": "ready",
                "index_id": DEFAULT_INDEX_ID,
            }
            if "_id" not in fields:
                seconds = _sort_key(created) // _SECOND
                defaults["_id"] = f"{seconds & 0xFFFFFFFF:08x}fa5e0000{self._sequence:08x}"
            defaults |= fields
            fields = {name: defaults[name] for name in _ALWAYS_IN_ORDER} | defaults
        return fields

    def _now(self) -> int:
        """Read the clock so that no two changes share a written time and none goes back."""
        instant = instants.microseconds(self._clock()) // _MILLISECOND * _MILLISECOND
        self._last_instant = max(instant, self._last_instant + _MILLISECOND)
        return self._last_instant


class _View:
    """The matching records in ascending order; equal times stay in order of insertion."""

    __slots__ = ("_filters", "_key", "ordered")

    def __init__(self, filters: Filters, sort_by: str, records: Iterable[Record]) -> None:
        self._filters = filters
        self._key = _by_created if sort_by == "created_at" else _by_updated
        every = filters == Filters()
        self.ordered = [record for record in records if every or self._matches(record)]
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
        return self._filters.match(record.fields, record.created, record.updated)


def _sort_key(time: object) -> int:
    """Return the instant, or 0, older than any task, for what is not a time."""
    if isinstance(time, datetime):
        time = instants.written(time)
    return (instants.parsed(time) or 0) if isinstance(time, str) else 0


def _encoded(fields: dict[str, Any]) -> bytes:
    return json.dumps(
        fields,
        default=instants.written,
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
    ).encode()


def _by_created(record: Record) -> tuple[int, int]:
    return record.created, record.sequence


def _by_updated(record: Record) -> tuple[int, int]:
    return record.updated, record.sequence
