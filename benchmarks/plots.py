"""Draws the plots as small SVG files: text as text, nothing of the run's time in them, for light and dark pages."""

from __future__ import annotations

import importlib
import importlib.util
import io
import re
from collections.abc import Sequence
from typing import Any

from benchmarks.section import Plot

COLOURS = ("#2f81f7", "#e3873d", "#8b949e", "#57ab5a", "#b083f0", "#e5534b")
"""Of the series in turn: this project's is the first."""

_INK = "#010203"  # stands for the text's colour until the file says how that is chosen
_STYLE = "<style>svg{color:#1f2328}@media(prefers-color-scheme:dark){svg{color:#d1d7e0}}</style>"
_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "pybridge",
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def can_draw() -> bool:
    """Whether matplotlib is there (`pip install -e '.[bench]'`)."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(plot: Plot) -> str:
    """A plot as SVG."""
    matplotlib: Any = importlib.import_module("matplotlib")
    figures: Any = importlib.import_module("matplotlib.figure")
    with matplotlib.rc_context(_SETTINGS):
        bars = plot.kind == "bars"
        categories = list(dict.fromkeys(str(x) for points in plot.series.values() for x, _ in points))
        height = 1.2 + 0.17 * len(categories) * (len(plot.series) + 1) if bars else 4
        figure = figures.Figure(figsize=(7.5, height), layout="constrained")
        axes = figure.add_subplot()
        axes.set_title(plot.title, loc="left", fontweight="bold", fontsize=11)
        if bars:
            _bars(axes, plot, categories)
        else:
            _lines(axes, plot)
        axes.legend(frameon=False, fontsize=9, loc="best")
        sink = io.StringIO()
        figure.savefig(sink, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _finished(sink.getvalue())


def _bars(axes: Any, plot: Plot, categories: Sequence[str]) -> None:
    """Lying bars, the first group on top, each with its figure."""
    thick = 0.8 / len(plot.series)
    for number, (name, points) in enumerate(plot.series.items()):
        values = {str(x): y for x, y in points}
        places = [i + (number - (len(plot.series) - 1) / 2) * thick for i, x in enumerate(categories) if x in values]
        drawn = axes.barh(
            places, [values[x] for x in categories if x in values], thick, label=name, color=COLOURS[number % 6]
        )
        axes.bar_label(
            drawn, fmt=lambda value: f"{value:,.0f}" if value >= 10 else f"{value:.1f}", padding=2, fontsize=8
        )
    axes.set_yticks(range(len(categories)), categories)
    axes.invert_yaxis()
    if plot.log_y:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    axes.margins(x=0.1)
    axes.set_xlabel(plot.y_label)


def _lines(axes: Any, plot: Plot) -> None:
    for number, (name, points) in enumerate(plot.series.items()):
        axes.plot(*zip(*points, strict=True), label=name, color=COLOURS[number % 6], marker="o", markersize=4)
    if plot.log_x:
        axes.set_xscale("log")
    if plot.log_y:
        axes.set_yscale("log")
    for axis, log in ((axes.xaxis, plot.log_x), (axes.yaxis, plot.log_y)):
        if log:
            axis.set_major_formatter(lambda value, _: f"{value:,g}")
    axes.grid(alpha=0.25)
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)


def _finished(svg: str) -> str:
    svg = svg.replace(_INK, "currentColor")
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"(-?\d+\.\d{2})\d+", r"\1", svg)
    return svg.replace("<defs>", f"{_STYLE}<defs>", 1)
