"""How a peer looks in every plot, and the two kinds of plot there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tests.benchmarks import _peers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {
    _peers.ITERATED: "#1f5fbf",
    _peers.AWAITED: "#5b9bea",
    _peers.EXACT: "#12a594",
    _peers.SDK: "#d9730d",
    _peers.GATHERED: "#8e4ec6",
    _peers.SEMAPHORE: "#c2298a",
    _peers.FLOOR_OF_JSON: "#7d8590",
    _peers.FLOOR: "#b6bcc4",
    _peers.SINGLE: "#7d8590",
    _peers.BACKING_OFF: "#8e4ec6",
}
"""Ours are blue and green, the others warm, the floors grey."""

OURS = COLOURS[_peers.ITERATED]
OTHER = "#7d8590"
TARGET = "#c62828"


def bars(axes: Axes, values: Mapping[str, float], label: str) -> None:
    """Draw a bar for each peer, the first at the top, with its value behind it."""
    names = list(values)
    colours = [
        COLOURS.get(name, OURS if name.startswith("twelvetasks") else OTHER) for name in names
    ]
    drawn = axes.barh(names, list(values.values()), color=colours, height=0.7)
    axes.bar_label(drawn, fmt="%.3g", padding=4, fontsize=9)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel(label)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#e5e7eb")


def target(axes: Axes, value: float, label: str) -> None:
    """Mark a target across bars by a dashed line."""
    axes.axvline(value, color=TARGET, linestyle="--", linewidth=1.2, label=label)
    axes.legend(loc="lower right", frameon=False, fontsize=9)


def lines(
    axes: Axes,
    sizes: Sequence[int],
    values: Mapping[str, Sequence[float]],
    label: str,
) -> None:
    """Draw a line for each peer over the number of tasks; a peer may end early."""
    for name, drawn in values.items():
        axes.plot(
            sizes[: len(drawn)],
            drawn,
            marker="o",
            markersize=4,
            color=COLOURS.get(name, OTHER),
            label=name,
        )
    axes.set_xscale("log")
    axes.set_xlabel("tasks in the account")
    axes.set_ylabel(label)
    axes.grid(color="#e5e7eb")
    axes.legend(frameon=False, fontsize=9)
