"""`--kind`: which list of the platform a command is about, and the query that its options make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import attrs
import click

from twelvetasks.cli.command import Decorator, option
from twelvetasks.values.analysis_batches import AnalysisBatchQuery
from twelvetasks.values.analysis_tasks import AnalysisTaskQuery
from twelvetasks.values.embedding_tasks import EmbeddingTaskQuery, OlderEmbeddingTaskQuery
from twelvetasks.values.indexed_assets import IndexedAssetQuery
from twelvetasks.values.models import SortBy, SortOption
from twelvetasks.values.query import ListQuery
from twelvetasks.values.tasks import TaskQuery

TASKS = "tasks"

KINDS: dict[str, type[ListQuery[Any]]] = {
    TASKS: TaskQuery,
    "indexed-assets": IndexedAssetQuery,
    "embedding-tasks": EmbeddingTaskQuery,
    "older-embedding-tasks": OlderEmbeddingTaskQuery,
    "analysis-tasks": AnalysisTaskQuery,
    "analysis-batches": AnalysisBatchQuery,
}
"""The lists that commands can be about, and the query of each."""

UNSORTED: dict[str, StrEnum] = {"sort_by": SortBy.CREATED_AT, "sort_option": SortOption.DESC}
"""The order of a list that takes no sort parameters."""


def _kind_option(offered: Iterable[str]) -> Decorator:
    return option(
        "--kind KIND",
        type=click.Choice(list(KINDS)),
        default=TASKS,
        # So that --status and --columns know it whatever the order of the options.
        is_eager=True,
        shell_complete=lambda _, __, begun: [one for one in offered if one.startswith(begun)],
        help=f"Which list of the platform: {', '.join(offered)}.",
    )


kind_option: Decorator = _kind_option(KINDS)
watched_kind_option: Decorator = _kind_option(
    [kind for kind, query in KINDS.items() if query.resource.can_be_watched]
)

scope_option: Decorator = option(
    "--index-id ID", help="The index of the asset, for --kind indexed-assets."
)


def model_of(context: click.Context | None) -> Any:
    """Return the class of the items that a command is about."""
    return KINDS[context.params.get("kind", TASKS) if context else TASKS].resource.item


def query_of(kind: str, options: Mapping[str, Any]) -> ListQuery[Any]:
    """Make the query of a kind from options; None means that one was not given.

    Raises click.UsageError for an option that the list does not take, or that it needs.
    """
    query = KINDS[kind]
    fields = attrs.fields_dict(query)
    given = {name: value for name, value in options.items() if value is not None}
    if "sort_by" not in fields:
        given = {name: value for name, value in given.items() if UNSORTED.get(name) != value}
    for name in given:
        if name not in fields:
            order = "is newest first and " if name in UNSORTED else ""
            raise click.UsageError(f"The list of {kind} {order}takes no {_flag(name)}")
    for name in query.resource.scope:
        if name not in given:
            raise click.UsageError(f"--kind {kind} needs {_flag(name)}")
    if len(statuses := given.get("status", ())) == 1:
        (given["status"],) = statuses
    return query(**given)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
