"""Statistics as one HTML page without network access, scripts or other files.

Every text from outside is escaped, and the page's own policy forbids the browser to load or run
anything. `charts` draws the charts; a table below each has its numbers. The page is light or dark
as the browser prefers.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Sequence

from twelvetasks.stats.charts import draw_days, draw_indexes, draw_indexing_times, draw_statuses
from twelvetasks.stats.rows import (
    DASH,
    EPOCH,
    covered_days,
    index_rows,
    is_partial,
    period_name,
    status_rows,
    tasks_text,
    time_names,
    undated_note,
)
from twelvetasks.stats.summary import TaskStats, indexing_time
from twelvetasks.values.display import duration_text, minute_text, printable
from twelvetasks.values.tasks import Task

MOST_PERIODS = 53
"""Most bars of the chart by day; more days are merged into weeks or longer periods."""

MOST_NAMES = 20
"""Most bars of the charts by status and by index; the rest is merged."""

_STYLE = """
:root {
  color-scheme: light dark;
  --paper: #f4f6f8; --card: #fff; --ink: #1b1f24; --muted: #57606a; --line: #d8dee4;
  --ready: #006b50; --failed: #c8401f; --under-way: #b87a00; --created: #68a0d8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #0d1117; --card: #161b22; --ink: #e6edf3; --muted: #9aa4af; --line: #30363d;
    --ready: #2fb58c; --failed: #f4714e; --under-way: #e0a93b; --created: #3b6ea5;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 76rem; padding: 2rem 1rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif;
}
h1 { font-size: 1.6rem; margin: 0; }
h2 { font-size: 1.1rem; margin: 0; }
p { margin: 0 0 .75rem; color: var(--muted); }
header p { margin: 0; }
main {
  display: grid; gap: 1rem; grid-template-columns: repeat(2, minmax(0, 1fr));
  margin-top: .75rem;
}
section, .tile {
  background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem;
}
.wide, .tiles { grid-column: 1 / -1; }
.tiles { display: grid; gap: 1rem; grid-template-columns: repeat(6, minmax(0, 1fr)); margin: 0; }
.tile dt { color: var(--muted); }
.tile dd { margin: 0; font-size: 1.6rem; font-weight: 600; }
.tile dd small { display: block; font-size: .85rem; font-weight: 400; color: var(--muted); }
figure { margin: 0; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { font-family: system-ui, sans-serif; font-variant-numeric: tabular-nums; }
svg path[aria-label]:hover { opacity: .75; }
details { margin-top: .5rem; overflow-x: auto; }
summary { color: var(--muted); cursor: pointer; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .75rem .25rem 0; text-align: left; border-top: 1px solid var(--line); }
th { color: var(--muted); font-weight: 500; border-top: 0; white-space: nowrap; }
td { white-space: nowrap; }
.rows td:nth-child(n+5) { white-space: normal; overflow-wrap: anywhere; min-width: 11rem; }
.rows { overflow-x: auto; }
@media (max-width: 64rem) { .tiles { grid-template-columns: repeat(3, minmax(0, 1fr)); } }
@media (max-width: 72rem) {
  .rows thead { display: none; }
  .rows table, .rows td { display: block; }
  .rows tbody {
    display: grid; grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr));
  }
  .rows tr { display: block; border-top: 1px solid var(--line); padding: .4rem 0; }
  .rows td:nth-child(n) {
    border: 0; padding: 0 0 0 8rem; text-indent: -8rem; min-width: 0;
    white-space: normal; overflow-wrap: anywhere;
  }
  .rows td::before {
    content: attr(data-label); display: inline-block; width: 8rem; text-indent: 0;
    color: var(--muted);
  }
}
@media (max-width: 48rem) {
  main { grid-template-columns: minmax(0, 1fr); }
  .tile { padding: .6rem; }
  .tile dd { font-size: 1.2rem; }
}
@media (max-width: 28rem) { .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
@media print { details { display: none; } section { break-inside: avoid; } }
"""


def stats_page(stats: TaskStats, *, title: str = "Video indexing tasks", subtitle: str = "") -> str:
    """Return a complete HTML document that shows the statistics; encode it as UTF-8.

    It loads nothing and runs nothing. Drawing the charts takes about a second of CPU time, and
    needs the extra: ``pip install 'twelvetasks[html]'``.
    """
    style = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{style}'"
    lines = [line for line in (subtitle, _range(stats)) if line]
    said = "".join(f"<p>{_text(line)}</p>\n" for line in lines)
    sections = [
        _tiles(stats),
        _statuses(stats),
        _indexing_times(stats),
        _days(stats),
        _indexes(stats),
        _slowest(stats),
        _failed(stats),
    ]
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_text(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>{_text(title)}</h1>
{said}</header>
<main>
{"".join(sections)}</main>
</body>
</html>
"""


def _range(stats: TaskStats) -> str:
    days = covered_days(stats)
    if days is None:
        return ""
    first, last = days
    return f"Data from {first} to {last} (UTC)" if first < last else f"Data of {first} (UTC)"


def _tiles(stats: TaskStats) -> str:
    counts, times = stats.by_status, stats.indexing_times
    failed = counts.get("failed", 0)
    ended = failed + counts.get("ready", 0)
    rate = f"<small>{failed / ended:.1%} of the ended</small>" if ended else ""
    tiles = [
        ("Tasks", f"{stats.total:,}", ""),
        ("Ready", f"{counts.get('ready', 0):,}", ""),
        ("Failed", f"{failed:,}", rate),
        ("Under way", f"{stats.total - ended:,}", ""),
        ("Median time", duration_text(times.median) if times else DASH, ""),
        ("95% within", duration_text(times.p95) if times else DASH, ""),
    ]
    shown = "".join(
        f'<div class="tile"><dt>{name}</dt><dd>{value}{more}</dd></div>'
        for name, value, more in tiles
    )
    return f'<dl class="tiles">{shown}</dl>\n'


def _statuses(stats: TaskStats) -> str:
    rows = status_rows(stats.by_status, MOST_NAMES)
    if not rows:
        return _section("Status", "There are no tasks.")
    table = _table(("Status", "Tasks"), ((name, f"{count:,}") for name, count in rows))
    return _section("Status", "", table, draw_statuses(rows))


def _indexing_times(stats: TaskStats) -> str:
    heading, times = "Indexing time", stats.indexing_times
    unknown = f" It is not known of {tasks_text(stats.untimed, 'ready')}." if stats.untimed else ""
    if times is None:
        return _section(heading, f"No task with a known time is ready.{unknown}")
    note = (
        "From created to last changed, which is normally when it became ready, of "
        f"{tasks_text(times.count, 'ready')}; {duration_text(times.shortest)} to "
        f"{duration_text(times.longest)}.{unknown}"
    )
    names = time_names(times)
    counts = (f"{each.count:,}" for each in times.histogram)
    table = _table(("Time", "Tasks"), zip(names, counts, strict=True))
    return _section(heading, note, table, draw_indexing_times(times))


def _days(stats: TaskStats) -> str:
    periods, days = stats.by_period(MOST_PERIODS, since=EPOCH), covered_days(stats)
    if not periods or days is None:
        return ""
    each = period_name(periods[0].days)
    partial = is_partial(periods[-1], days[1])
    pale = f" The last {each} is pale, because the data ends on {days[1]}." if partial else ""
    rows = (
        (period.start.isoformat(), f"{period.created:,}", f"{period.ready:,}") for period in periods
    )
    return _section(
        f"Throughput by {each}",
        f"Tasks created and tasks become ready in each {each}, by UTC.{pale}{undated_note(stats)}",
        _table(("From", "Created", "Became ready"), rows),
        draw_days(periods, days[1]),
    )


def _indexes(stats: TaskStats) -> str:
    rows = index_rows(stats.by_index, MOST_NAMES)
    if not rows:
        return ""
    table = _table(
        ("Index", "Tasks", "Ready", "Under way", "Failed", "Failure rate"),
        (
            (row.name, *(f"{n:,}" for n in (row.total, *row.kinds.values())), row.failure_rate)
            for row in rows
        ),
    )
    note = "At the end of each bar: the share of failed tasks among those that have ended."
    return _section("Index", note, table, draw_indexes(rows))


def _slowest(stats: TaskStats) -> str:
    if not stats.slowest:
        return ""
    rows = ((duration_text(indexing_time(task) or 0), *_about(task)) for task in stats.slowest)
    table = _table(("Time", "Task", "Created (UTC)", "Index", "File"), rows)
    return _section("The slowest", "", table)


def _failed(stats: TaskStats) -> str:
    if not stats.latest_failed:
        return ""
    count = stats.by_status["failed"]
    note = f"The last {len(stats.latest_failed):,} of {count:,}."
    rows = (
        (minute_text(task.updated_at), *_about(task), task.error_reason or DASH)
        for task in stats.latest_failed
    )
    table = _table(("Failed (UTC)", "Task", "Created (UTC)", "Index", "File", "Reason"), rows)
    return _section("The failed", note, table)


def _about(task: Task) -> tuple[str, str, str, str]:
    file = (task.system_metadata and task.system_metadata.filename) or DASH
    return task.id, minute_text(task.created_at) or DASH, task.index_id or DASH, file


def _section(heading: str, note: str, table: str = "", chart: str = "") -> str:
    """Put HTML below a heading and a note, which are escaped; a table without a chart is wide."""
    opening = '<section class="wide">' if table and not chart else "<section>"
    said = f"<p>{_text(note)}</p>\n" if note else ""
    shown = f'<div class="rows">{table}</div>\n' if table else ""
    if chart:
        numbers = f"<details><summary>Numbers</summary>{table}</details>"
        shown = f"<figure>{chart}</figure>\n{numbers}\n"
    return f"{opening}\n<h2>{_text(heading)}</h2>\n{said}{shown}</section>\n"


def _table(headings: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    heading = "".join(f'<th scope="col">{_text(cell)}</th>' for cell in headings)
    labels = [f'<td data-label="{_text(cell)}">' for cell in headings]
    body = "".join(
        f"<tr>{''.join(f'{td}{_text(cell)}</td>' for td, cell in zip(labels, row, strict=True))}"
        "</tr>\n"
        for row in rows
    )
    return f"<table><thead><tr>{heading}</tr></thead>\n<tbody>{body}</tbody></table>"


def _text(text: str) -> str:
    return html.escape(printable(text))
