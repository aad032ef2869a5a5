"""What a bench leaves: a table to read, JSON to compare with, SVG to show."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Check:
    """Something that was promised, and whether it was so in this run."""

    promise: str
    measured: str
    is_met: bool | None
    """None when it could not be measured: a peer is not installed."""

    def __str__(self) -> str:
        """Write one line."""
        word = {True: "met", False: "NOT MET", None: "not measured"}[self.is_met]
        return f"{word:>12}  {self.promise}: {self.measured}"


def describe_machine() -> dict[str, Any]:
    """Say where the figures come from: they are floors on a machine with other work to do."""
    cpu, told = platform.processor(), Path("/proc/cpuinfo")
    if told.exists():
        lines = told.read_text(encoding="utf-8").splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if "model name" in line), cpu)
    return {
        "cpus": os.cpu_count(),
        "cpu": cpu,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": [round(load, 2) for load in os.getloadavg()],
    }


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; the first column is text, the others are numbers."""
    cells = [list(columns), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[number]) for row in cells) for number in range(len(columns))]
    print(f"\n{title}")
    for row in cells:
        first, *rest = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join((row[0].ljust(len(first)), *rest)).rstrip())
    print()


def save_json(out: Path, name: str, data: Mapping[str, Any]) -> None:
    """Write ``out/name.json``."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{name}.json"
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"written: {path}")


def save_bars(path: Path, title: str, unit: str, series: Mapping[str, Mapping[str, float]]) -> None:
    """Draw grouped horizontal bars on a logarithmic axis as SVG.

    Args:
        path: Where to write; nothing is written when matplotlib is not installed.
        title: Over the plot.
        unit: Under the axis.
        series: By group (a colour each), the value of each bar by its label.
    """
    try:
        import matplotlib as mpl
    except ModuleNotFoundError:
        print(f"not written, for matplotlib is not installed: {path}")
        return
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "prelim"  # the same figures make the same file
    from matplotlib import pyplot as plt

    labels = list(dict.fromkeys(label for values in series.values() for label in values))
    height = 0.8 / len(series)
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.55 * len(labels)))
    for number, (group, values) in enumerate(series.items()):
        places = [labels.index(label) + number * height for label in values]
        bars = axes.barh(places, list(values.values()), height, label=group)
        axes.bar_label(bars, fmt="{:,.4g}", padding=3, fontsize=8)
    axes.set_yticks([place + 0.4 - height / 2 for place in range(len(labels))], labels)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.margins(x=0.15)
    axes.set_xlabel(unit)
    axes.set_title(title, loc="left")
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)
    print(f"written: {path}")
