"""Statistics as charts: Vega-Lite draws them once, as SVG that needs no script.

A chart is described as data here and drawn by vl-convert, which this module alone imports (extra
`html`). Colours are names of CSS variables, so that the page decides between light and dark.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from twelvetasks.stats.rows import (
    FAILED,
    READY,
    UNDER_WAY,
    Row,
    is_partial,
    kind_of,
    tasks_text,
    time_names,
)
from twelvetasks.stats.summary import IndexingTimes, Period
from twelvetasks.values.display import duration_text

try:
    import vl_convert
except ModuleNotFoundError as _missing:
    raise ImportError(
        "twelvetasks.stats.page needs its extra: pip install 'twelvetasks[html]'",
        name=_missing.name,
    ) from None

_KINDS = {READY: "var(--ready)", UNDER_WAY: "var(--under-way)", FAILED: "var(--failed)"}
_WIDTH = 420
"""Pixels of a chart: a page has two side by side, and a narrow one can show it as it is."""

_MOST_DATES = 6
_LEAST_BINS = 6
_EDGE_CHARACTERS = 56
"""How many characters of labels have room below the bins."""

_BAR_SHARE = 0.45
"""The part of a period that each of its two bars takes."""

_BAR_WITH_LABEL = re.compile(
    r'(<path aria-label="([^"]*)" role="graphics-symbol" aria-roledescription="bar"[^>]*)/>'
)
_STYLE: dict[str, Any] = {
    "autosize": {"type": "fit-x", "contains": "padding"},
    "background": None,
    "font": "system-ui, sans-serif",
    "padding": {"left": 24, "right": 24, "top": 4, "bottom": 4},
    "view": {"stroke": None},
    "axis": {
        "domainColor": "var(--line)",
        "gridColor": "var(--line)",
        "labelColor": "var(--muted)",
        "labelFontSize": 12,
        "labelLimit": 170,
        "tickColor": "var(--line)",
        "title": None,
    },
    "axisY": {"domain": False, "ticks": False, "labelPadding": 8},
    "legend": {
        "labelColor": "var(--ink)",
        "labelFontSize": 12,
        "orient": "top",
        "symbolType": "square",
        "title": None,
    },
    "text": {"color": "var(--ink)", "fontSize": 12},
    "rule": {"color": "var(--ink)"},
}


def draw_statuses(counts: Sequence[tuple[str, int]]) -> str:
    """Draw a bar for each status, with its count at its end."""
    total = sum(count for _, count in counts)
    rows = [
        {
            "status": name,
            "tasks": count,
            "kind": kind_of(name),
            "label": f"{count:,}",
            "said": f"{name}: {tasks_text(count)}, {count / total:.1%}",
        }
        for name, count in counts
    ]
    y = {"field": "status", "type": "nominal", "sort": [name for name, _ in counts]}
    x = _number("tasks", axis=_axis(counts[0][1]))
    layers = [_bars(x=x, color=_by_kind(legend=None)), _labels(x, align="left", dx=4)]
    chart = {"encoding": {"y": y}, "layer": layers}
    return _drawn("Tasks by status", rows, chart, step=28)


def draw_indexes(indexes: Sequence[Row]) -> str:
    """Draw a bar for each index, stacked by ready, under way and failed."""
    rows = [
        {
            "index": row.name,
            "tasks": count,
            "kind": kind,
            "order": order,
            "said": f"{row.name}: {tasks_text(count)} {kind}",
        }
        for row in indexes
        for order, (kind, count) in enumerate(row.kinds.items())
        if count
    ]
    y = {"field": "index", "type": "nominal", "sort": [row.name for row in indexes]}
    most = max(row.total for row in indexes)
    x = _number("tasks", stack="zero", axis=_axis(most, room=12))
    bars = _bars(x=x, color=_by_kind(legend={}), order={"field": "order"})
    ends = [{"index": row.name, "all": row.total, "label": row.failure_rate} for row in indexes]
    rates = _labels(_number("all"), ends, align="left", dx=4)
    chart = {"encoding": {"y": y}, "layer": [bars, rates]}
    return _drawn("Tasks by index", rows, chart, step=26)


def draw_indexing_times(times: IndexingTimes) -> str:
    """Draw the histogram with lines at median and 95th percentile."""
    start = times.histogram[0].start
    width = (times.histogram[0].end or start + 1) - start
    edges = [duration_text(each.start) for each in times.histogram]
    last = times.histogram[-1].end
    edges.append("" if last is None else duration_text(last))
    rows = [
        {
            "from": number,
            "to": number + 1,
            "tasks": each.count,
            "opacity": 1 if each.end is not None else 0.45,
            "stroke": None if each.end is not None else "var(--ready)",
            "said": f"{name}: {tasks_text(each.count)}",
        }
        for number, (name, each) in enumerate(zip(time_names(times), times.histogram, strict=True))
    ]
    marks = [
        {
            "at": min((seconds - start) / width, len(times.histogram)),
            "label": f"{name} {duration_text(seconds)}",
            "height": height,
        }
        for name, seconds, height in (("median", times.median, -20), ("p95", times.p95, -5))
    ]
    # A few bins stay as narrow as bins are.
    shown = max(len(rows), _LEAST_BINS)
    stride = -(-shown * (max(map(len, edges)) + 1) // _EDGE_CHARACTERS)
    at = _number("at")
    right_half = f"datum.at > {shown / 2}"
    layers = [
        _upright_bars(
            max(each.count for each in times.histogram),
            (0, shown),
            {place: edges[place] for place in range(0, len(edges), stride)},
            fill={"value": "var(--ready)"},
            stroke=_unscaled("stroke", "nominal"),
            strokeDash={"value": [3, 3]},
            fillOpacity=_unscaled("opacity", "quantitative"),
        ),
        {
            "data": {"values": marks},
            "mark": {"type": "rule", "strokeDash": [4, 3], "strokeWidth": 1.5},
            "encoding": {"x": at},
        },
        _labels(
            at,
            marks,
            align={"expr": f"{right_half} ? 'right' : 'left'"},
            dx={"expr": f"{right_half} ? -4 : 4"},
            y={"expr": "datum.height"},
        ),
    ]
    if last is None:
        label = f"{edges[-2]}+: {times.histogram[-1].count:,}"
        layers.append(_labels(at, [{"at": len(rows), "label": label}], align="right", y=24))
    return _drawn("Indexing times", rows, {"layer": layers}, height=190)


def draw_days(periods: Sequence[Period], last_day: date) -> str:
    """Draw two bars for each period: what was created and what became ready.

    A last period that goes beyond the `last_day` of the data is drawn pale.
    """
    rows = [
        {
            "from": start + part * period.days * _BAR_SHARE,
            "to": start + (part + 1) * period.days * _BAR_SHARE,
            "tasks": count,
            "kind": kind,
            "opacity": 0.45 if is_partial(period, last_day) else 1,
            "said": f"{period.start}: {count:,} {kind}",
        }
        for period in periods
        for start in [period.start.toordinal()]
        for part, (kind, count) in enumerate(
            (("created", period.created), ("became ready", period.ready))
        )
    ]
    end = periods[-1].start.toordinal() + periods[0].days
    # Fewer days than two weeks stay as narrow as days are.
    start = min(periods[0].start.toordinal(), end - 14)
    scale = {"domain": ["created", "became ready"], "range": ["var(--created)", "var(--ready)"]}
    bars = _upright_bars(
        max(max(period.created, period.ready) for period in periods),
        (start, end),
        _date_labels([period.start for period in periods]),
        color={"field": "kind", "type": "nominal", "scale": scale, "legend": {}},
        opacity=_unscaled("opacity", "quantitative"),
    )
    return _drawn("Tasks by day", rows, bars, height=200)


def _date_labels(days: Sequence[date]) -> dict[int, list[str]]:
    """Label some of the days, evenly; with the year below the first and where it changes."""
    labels = {}
    year = 0
    for day in days[:: -(-len(days) // _MOST_DATES)]:
        years = [f"{day.year}"] if day.year != year else []
        labels[day.toordinal()] = [f"{day:%b} {day.day}", *years]
        year = day.year
    return labels


def _axis(most: int, *, room: int = 36) -> dict[str, Any]:
    """Tick whole tasks only, however few there are, and no more than have room for their digits."""
    count = max(min(5, room // (len(f"{most:,}") + 1)), 1)
    steps = (digit * 10**power for power in itertools.count() for digit in (1, 2, 5))
    step = next(step for step in steps if most // step <= count)
    return {"format": ",d", "values": [*range(0, most + 1, step)]}


def _number(field: str, **more: Any) -> dict[str, Any]:
    return {"field": field, "type": "quantitative", **more}


def _unscaled(field: str, kind: str) -> dict[str, Any]:
    return {"field": field, "type": kind, "scale": None, "legend": None}


def _labels(
    x: dict[str, Any], rows: list[dict[str, Any]] | None = None, **mark: Any
) -> dict[str, Any]:
    """Write the label of each row, of the chart's own or of these."""
    encoding = {"x": x, "text": {"field": "label"}}
    layer = {"mark": {"type": "text", **mark}, "encoding": encoding}
    return layer if rows is None else {"data": {"values": rows}, **layer}


def _upright_bars(
    most: int, domain: tuple[int, int], labels: Mapping[int, str | list[str]], **encoding: Any
) -> dict[str, Any]:
    """Draw each row from its place `from` to its place `to`, and label some places."""
    axis = {
        "grid": False,
        "values": [*labels],
        "labelExpr": f"{labels}[datum.value]",
        "labelAlign": "left",
        "labelOverlap": False,
    }
    scale = {"domain": [*domain], "nice": False, "zero": False}
    x, y = _number("from", scale=scale, axis=axis), _number("tasks", axis=_axis(most))
    return _bars(x=x, x2={"field": "to"}, y=y, y2={"datum": 0}, **encoding)


def _bars(**encoding: Any) -> dict[str, Any]:
    return {
        "mark": {"type": "bar", "binSpacing": 1},
        "encoding": encoding | {"description": {"field": "said", "type": "nominal"}},
    }


def _by_kind(*, legend: dict[str, Any] | None) -> dict[str, Any]:
    scale = {"domain": [*_KINDS], "range": [*_KINDS.values()]}
    return {"field": "kind", "type": "nominal", "scale": scale, "legend": legend}


def _drawn(
    name: str,
    rows: list[dict[str, Any]],
    chart: dict[str, Any],
    *,
    height: int | None = None,
    step: int = 0,
) -> str:
    spec = {
        "data": {"values": rows},
        "width": _WIDTH,
        "height": height or {"step": step},
        "config": _STYLE,
        **chart,
    }
    drawn = vl_convert.vegalite_to_svg(spec, show_warnings=False)
    # A title is what a pointer that rests on a bar is shown.
    titled = _BAR_WITH_LABEL.sub(r"\1><title>\2</title></path>", drawn)
    return titled.replace("<svg ", f'<svg role="graphics-document" aria-label="{name}" ', 1)
