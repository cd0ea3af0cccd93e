"""What a list endpoint can be asked for: a page size, an order, and filters.

Making a query checks everything that can be checked without a request. To query another list,
subclass `ListQuery`, or `SortedQuery` if the list takes ``sort_by`` and ``sort_option``; each field
that the subclass adds is a filter.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

import attrs
from yarl import URL

from twelvetasks.values.checks import content, is_identifier, member_of, refuse, whole_number
from twelvetasks.values.display import brief_repr
from twelvetasks.values.models import SortBy, SortOption
from twelvetasks.values.ranges import Range
from twelvetasks.values.resources import Resource, SortKey
from twelvetasks.values.timestamps import utc_timestamp

ItemT = TypeVar("ItemT")

SortByName = Literal["created_at", "updated_at"]
"""The strings that equal the members of `SortBy`."""

SortOptionName = Literal["asc", "desc"]
"""The strings that equal the members of `SortOption`."""


def filter_field(validator: Any, converter: Any = None) -> Any:
    """Make the field of a filter that may be left out, as None."""
    return attrs.field(
        default=None,
        validator=attrs.validators.optional(validator),
        converter=None if converter is None else attrs.converters.optional(converter),
    )


def _ids_in_the_path(query: ListQuery[Any], _: object, __: object) -> None:
    for name in query.resource.scope:
        if not is_identifier(value := getattr(query, name)):
            refuse(name, value, "must be an id")


def _page_limit(query: ListQuery[Any], field: attrs.Attribute[Any], value: object) -> None:
    whole_number(field.name, value, least=1, most=query.resource.max_page_limit)


@attrs.frozen(kw_only=True, repr=False)
class ListQuery(Generic[ItemT]):
    """A query of a list: filters, order and page size.

    A list takes no sort parameters, and is newest first, unless its query is a `SortedQuery`.
    Raises InvalidArgumentError, which names the parameter, for a value that the list cannot take.

    Example, of a list of dicts that has one filter::

        import attrs
        from operator import itemgetter

        @attrs.frozen(kw_only=True)
        class RunQuery(ListQuery[dict]):
            resource = Resource(
                path="analyze/tasks",
                item=dict,
                id_of=itemgetter("task_id"),
                sort_keys=(SortKey(name="created_at", read=itemgetter("created_at")),),
            )

            status: str | None = None

        listing = session.list(RunQuery(status="ready"))
    """

    resource: ClassVar[Resource[Any]]
    """The list."""

    page_limit: int = attrs.field(
        default=attrs.Factory(lambda query: query.resource.max_page_limit, takes_self=True),
        # Every query has this field, and validators run when all fields are set.
        validator=[_page_limit, _ids_in_the_path],
    )
    """Items on each page, from 1 on. The most, which is the default, makes the fewest requests."""

    def __repr__(self) -> str:
        return brief_repr(self, last=OWN)

    @property
    def sort_key(self) -> SortKey[ItemT]:
        """What the items are ordered by."""
        return self.resource.sort_keys[0]

    @property
    def ascending(self) -> bool:
        """Whether the items with the smallest sort keys come first."""
        return False

    @property
    def precedes(self) -> Callable[[datetime, datetime], bool]:
        """The function that returns whether a sort key comes strictly before another."""
        return operator.lt if self.ascending else operator.gt

    @property
    def stamp(self) -> ListQuery[ItemT] | None:
        """The same items, ordered so that changed ones come first; None if there is no such order.

        That is newest first by a key that every change updates; or, if no filter can begin to
        match later, by one that is set once, at the beginning.
        """
        return self if self._lasts and not self.ascending else None

    @property
    def grows_at_its_end(self) -> bool:
        """Whether whatever enters or moves comes last, so that all before it can only move up."""
        return self.ascending and (self.sort_key.changes or self._lasts)

    @property
    def _lasts(self) -> bool:
        """Whether no filter can begin to match an item later."""
        return all(name in self.resource.lasting_filters for name, _ in self.filters)

    @property
    def order(self) -> list[tuple[str, str]]:
        """The query parameters that set the order; none if it is fixed."""
        return []

    @property
    def filters(self) -> list[tuple[str, str]]:
        """The query parameters that filter: those of many values repeated, times in UTC."""
        params: list[tuple[str, str]] = []
        for field in _filters_of(type(self)):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if value is not None:
                params += _sent(field.name, value)
        return params

    def params(self, *, page: int = 1, page_limit: int | None = None) -> list[tuple[str, str]]:
        """Return the query parameters for one page."""
        size = self.page_limit if page_limit is None else page_limit
        paging = [("page", _text(page)), ("page_limit", _text(size))]
        return [*paging, *self.order, *self.filters]

    @property
    def path(self) -> str:
        """Where the list is, below the API's base URL."""
        resource = self.resource
        return resource.path.format_map(
            {name: content(getattr(self, name)) for name in resource.scope}
        )

    @property
    def under_way(self) -> Self:
        """The same query, restricted to what has not ended as far as the list's filters allow."""
        return attrs.evolve(self, **self.resource.under_way) if self.resource.under_way else self

    def url(self, base_url: URL, *, page: int = 1, page_limit: int | None = None) -> URL:
        """Render one page of the query below the API's base URL."""
        url = base_url / self.path
        return url.with_query(self.params(page=page, page_limit=page_limit))

    @property
    def identity(self) -> str:
        """What decides which items are listed, and in which order: all but the paging."""
        return str(URL(self.path).with_query([*self.order, *self.filters]))


def _sort_by(value: SortBy | SortByName) -> SortBy:
    return member_of(SortBy, "sort_by", value)


def _sort_option(value: SortOption | SortOptionName) -> SortOption:
    return member_of(SortOption, "sort_option", value)


def _is_known(query: ListQuery[Any], field: attrs.Attribute[Any], value: SortBy) -> None:
    known = [key.name for key in query.resource.sort_keys]
    if value not in known:
        refuse(field.name, value.value, f"must be one of {', '.join(known)}")


@attrs.frozen(kw_only=True, repr=False)
class SortedQuery(ListQuery[ItemT]):
    """A query of a list that takes ``sort_by`` and ``sort_option``.

    Raises InvalidArgumentError if the list cannot be sorted that way. `TaskQuery` is one::

        query = TaskQuery(sort_by="updated_at", sort_option="asc")
        assert isinstance(query, SortedQuery) and query.ascending
    """

    sort_by: SortBy = attrs.field(
        default=SortBy.CREATED_AT, converter=_sort_by, validator=_is_known
    )
    """What the items are ordered by. Takes a `SortBy` or its string."""
    sort_option: SortOption = attrs.field(default=SortOption.DESC, converter=_sort_option)
    """The direction of the order. Takes a `SortOption` or its string."""

    @property
    def sort_key(self) -> SortKey[ItemT]:
        """What the items are ordered by."""
        return next(key for key in self.resource.sort_keys if key.name == self.sort_by)

    @property
    def ascending(self) -> bool:
        """Whether the items with the smallest sort keys come first."""
        return self.sort_option is SortOption.ASC

    @property
    def stamp(self) -> ListQuery[ItemT] | None:
        """The same items, ordered so that changed ones come first; None without such an order."""
        if (own := super().stamp) is not None:
            return own
        if self.sort_key.changes and not self.ascending:
            return self
        changing = next((key for key in self.resource.sort_keys if key.changes), None)
        if changing is None:
            return None
        sort_by = SortBy(changing.name)
        return attrs.evolve(self, sort_by=sort_by, sort_option=SortOption.DESC)

    @property
    def order(self) -> list[tuple[str, str]]:
        """The query parameters that set the order."""
        return [("sort_by", self.sort_by.value), ("sort_option", self.sort_option.value)]


OWN = ("sort_by", "sort_option", "page_limit")
"""The fields that are no filters."""


@functools.lru_cache(maxsize=256)
def _filters_of(query: type[ListQuery[Any]]) -> tuple[attrs.Attribute[Any], ...]:
    no_filters = (*OWN, *query.resource.scope)
    return tuple(field for field in attrs.fields(query) if field.name not in no_filters)


def _sent(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Write a filter as the platform reads it."""
    if isinstance(value, Range):
        yield from _sent(name, value.bounds)
    elif isinstance(value, Mapping):
        for key in sorted(value):
            yield from _sent(f"{name}[{key}]", value[key])
    else:
        values = value if isinstance(value, tuple) else (value,)
        yield from ((name, _text(one)) for one in values)


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return utc_timestamp(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return content(value) if isinstance(value, str) else _plain_number(value)


def _plain_number(value: float) -> str:
    """Write a number without exponent and without a fraction of zero."""
    if type(value) is int:
        return str(value)
    # numpy's floats and the members of enums have a repr of their own.
    exact = int.__repr__(value) if isinstance(value, int) else float.__repr__(value)
    from decimal import Decimal  # noqa: PLC0415 - few queries need it

    written = format(Decimal(exact), "f")
    return written.rstrip("0").rstrip(".") if "." in written else written
