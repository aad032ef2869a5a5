"""The results as SVG: intervals side by side. The same results make the same bytes."""

from __future__ import annotations

import importlib.util
import io
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model.study.analysis import Analysis
    from model.study.estimates import Interval

Row = tuple[str, float, "Interval | None"]
"""Label, value, interval."""


def draw_plots(analysis: Analysis) -> dict[str, str]:
    """Return SVG texts by name; none when matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        return {}
    plots = {}
    if analysis.ratings:
        rows = [(one.scale, one.difference, one.interval) for one in analysis.ratings]
        plots["ratings"] = _draw(rows, "model minus reference, points of 1 to 5", centre=0)
    shares = [
        (f"{one.grouping} {one.name}", one.chief.value, one.chief.wilson)
        for one in analysis.groups
        if one.chief and one.chief.value is not None
    ]
    if shares:
        if analysis.turing:
            plots["groups"] = _draw(shares, "share right about the writer", centre=0.5)
        else:
            plots["groups"] = _draw(shares, "share at least as good as the reference", centre=None)
    if analysis.timing:
        timed: list[Row] = [("all", analysis.timing.difference, analysis.timing.interval)]
        timed += [
            (f"{one.grouping} {one.name}", one.seconds, None)
            for one in analysis.groups
            if one.seconds is not None
        ]
        plots["time"] = _draw(timed, "seconds with the draft minus without", centre=0)
    return plots


def _draw(rows: Sequence[Row], meaning: str, *, centre: float | None) -> str:
    """Draw a point with its interval in each row, and a line at what chance alone would give."""
    import matplotlib as mpl

    settings = mpl.rc_context({"svg.hashsalt": "prelim", "svg.fonttype": "none"})
    with settings, warnings.catch_warnings():
        # Text stays text: a site's name in letters that are not installed here is drawn by whoever
        # shows the file.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7, 1.1 + 0.34 * len(rows)), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        for place, (_, value, interval) in enumerate(rows):
            if interval:
                axes.plot([interval.low, interval.high], [place, place], color="tab:blue")
            axes.plot([value], [place], "o", color="tab:blue")
        if centre is not None:
            axes.axvline(centre, color="grey", linewidth=0.8, linestyle="--")
        axes.set_yticks(range(len(rows)), [label.replace("$", r"\$") for label, _, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel(meaning)
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None})
    return written.getvalue()
