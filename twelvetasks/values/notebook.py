"""What a notebook shows of tasks, pages and reports: small tables of HTML.

Everything in them is text of the account, so everything is escaped; there is no style, script or
link, and the notebook's own looks apply. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from html import escape
from typing import Any

import attrs

from twelvetasks.values.models import SystemMetadata, Task, TaskPage
from twelvetasks.values.report import ListingReport
from twelvetasks.values.timestamps import format_timestamp

__all__ = ["page_html", "report_html", "task_html"]

_COLUMNS = ("id", "status", "created_at", "updated_at", "index_id", "filename", "duration")


def task_html(task: Task) -> str:
    """Show what is known of a task, a row for each field."""
    return _table((), _rows(task))


def page_html(page: TaskPage) -> str:
    """Show the tasks of a page, a row for each."""
    info = page.page_info
    caption = (
        f"page {info.page} of {info.total_page}, {len(page.tasks)} of {info.total_results} tasks"
    )
    return _table(_COLUMNS, map(_summary, page.tasks), caption=caption)


def report_html(report: ListingReport) -> str:
    """Show what a listing has done, a row for each figure."""
    return _table(
        (), ((field.name, getattr(report, field.name)) for field in attrs.fields(type(report)))
    )


def _summary(task: Task) -> tuple[Any, ...]:
    video = task.system_metadata or SystemMetadata()
    return (
        *(task.id, task.status, task.created_at, task.updated_at, task.index_id),
        *(video.filename, video.duration),
    )


def _rows(model: Any, prefix: str = "") -> Iterable[tuple[str, Any]]:
    for field in attrs.fields(type(model)):
        value = getattr(model, field.name)
        if not field.repr or value is None or (field.name == "extra" and not value):
            continue
        if attrs.has(type(value)):
            yield from _rows(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", value


def _table(heads: Iterable[str], rows: Iterable[Iterable[Any]], *, caption: str = "") -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return (
        "<table>"
        + (f"<caption>{escape(caption)}</caption>" if caption else "")
        + (f"<thead><tr>{head}</tr></thead>" if head else "")
        + f"<tbody>{body}</tbody></table>"
    )


def _cell(value: Any) -> str:
    if value is None:
        return "<td></td>"
    return (
        f"<td>{escape(format_timestamp(value) if isinstance(value, datetime) else str(value))}</td>"
    )
