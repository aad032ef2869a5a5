"""A transfer study for people and programs: Markdown, HTML, JSON, and a heat map for each metric.

It holds numbers and names of institutions, and nothing of a report's text.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from model.pages import Page, write_page
from model.transfer.gaps import away_from_home, gains_over_baselines
from model.transfer.heat_map import columns_of, draw_heat_map
from model.transfer.scoring import MEANING
from model.transfer.tables import systems_told, tables_of

if TYPE_CHECKING:
    from pathlib import Path

    from model.transfer.scoring import Cell
    from model.transfer.transferring import Transfer

DRAWN = ("rouge_l", "chrf", "precision", "recall", "f1", "called_normal")
TITLE = "Transfer: trained on one institution, judged on all"
WARNING = (
    "Text against text: no label of a clinician, no patient's outcome. A baseline knows only the"
    " reports trained on: nearest copies the impression of the nearest one, constant says what"
    " they say most often of that language and region."
)


def write_report(folder: Path, transfer: Transfer) -> None:
    """Write transfer.json, report.md, report.html and the heat maps."""
    told = tables_of(transfer)
    meanings = [f"{name}: {meaning}." for name, meaning in MEANING.items()]
    page = Page(
        title=TITLE,
        lead=WARNING,
        sections=told,
        notes=[*(f"{one.title}: {one.note}" for one in told), *meanings],
        plots=draw_maps(transfer),
    )
    write_page(folder, page)
    text = json.dumps(as_dict(transfer), indent=1, ensure_ascii=False) + "\n"
    (folder / "transfer.json").write_text(text, encoding="utf-8")


def draw_maps(transfer: Transfer) -> dict[str, str]:
    """Return a heat map for each drawn metric, by its name."""
    columns = columns_of(transfer.rows, systems_told())
    return {metric: draw_heat_map(transfer.rows, metric, columns) for metric in DRAWN}


def as_dict(transfer: Transfer) -> dict[str, Any]:
    """Return the numbers for JSON."""
    study = transfer.study
    return {
        "recipe": study.recipe.model_dump(mode="json"),
        "rates": asdict(study.rates),
        "institutions": {
            one.name: {
                "judged": len(one.test),
                "left_out": transfer.left_out[one.name],
                "sha256": one.sha256,
                "trained": len(one.train),
            }
            for one in study.institutions
        },
        "rows": [
            {
                "trained_on": row.trained_on,
                "writer": row.writer,
                "judged_on": {
                    name: {system: _cell(cell) for system, cell in scored.cells.items()}
                    for name, scored in row.scored.items()
                },
            }
            for row in transfer.rows
        ],
        "away_from_home": [asdict(one) for one in away_from_home(transfer)],
        "gains_over_baselines": [asdict(one) for one in gains_over_baselines(transfer)],
        "costs": [asdict(one) for one in transfer.costs],
        "labeller": [asdict(one) for one in transfer.labeller],
        "meaning": dict(MEANING),
    }


def _cell(cell: Cell) -> dict[str, Any]:
    numbers = {name: None if told is None else asdict(told) for name, told in cell.means.items()}
    return {"reports": cell.reports, **numbers, **cell.wholes}
