"""What a writer loses away from home, and what a model gains over the nearest training report.

Home is the institution trained on. Away from home other reports are judged, so those are two
samples; model and baseline are judged on the same reports. Intervals are bootstrapped over reports;
there are many, and none is corrected for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.transfer.ratios import gap_between, gap_on_same
from model.transfer.transferring import BASELINES, MODEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.transfer.ratios import Gap
    from model.transfer.transferring import Row, Transfer

COMPARED = ("rouge_l", "f1", "called_normal")
ALL_OTHERS = "all others"
IN_HOUSE = "in-house"
EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class Away:
    """A writer on another institution (or all others) against itself at home."""

    trained_on: str
    writer: str
    metric: str
    where: str
    gap: Gap


@dataclass(frozen=True, slots=True)
class Gain:
    """A model against a baseline of the same training institution, on the same reports."""

    trained_on: str
    baseline: str
    metric: str
    where: str
    gap: Gap


def away_from_home(transfer: Transfer) -> tuple[Away, ...]:
    """Compare each writer away with itself at home; without others there is nothing to tell."""
    return tuple(
        Away(row.trained_on, row.writer, metric, where, gap)
        for row in transfer.rows
        for metric in COMPARED
        for where, parts in _places_away(row, metric)
        if (gap := gap_between(parts, row.scored[row.trained_on].parts[metric])) is not None
    )


def gains_over_baselines(transfer: Transfer) -> tuple[Gain, ...]:
    """Compare each model with its baselines, at home and on all others together."""
    rows = {(row.trained_on, row.writer): row for row in transfer.rows}
    return tuple(
        Gain(source, baseline, metric, where, gap)
        for source, writer in rows
        if writer == MODEL
        for baseline in BASELINES
        for metric in COMPARED
        for where in (IN_HOUSE, EXTERNAL)
        if (
            gap := gap_on_same(
                _parts(rows[source, MODEL], metric, where),
                _parts(rows[source, baseline], metric, where),
            )
        )
        is not None
    )


def _places_away(row: Row, metric: str) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    """Yield every other institution, and all of them where there are several."""
    others = [name for name in row.scored if name != row.trained_on]
    if len(others) > 1:
        yield ALL_OTHERS, _parts(row, metric, EXTERNAL)
    for name in others:
        yield name, row.scored[name].parts[metric]


def _parts(row: Row, metric: str, where: str) -> list[tuple[float, float]]:
    return [
        part
        for name, scored in row.scored.items()
        if (name == row.trained_on) == (where == IN_HOUSE)
        for part in scored.parts[metric]
    ]
