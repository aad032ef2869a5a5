"""The table of bases and strategies, as studies print it: what each cost, and what it wrote."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from model.comparing.cells import UNTRAINED
from model.evaluation.plots import plot_bars, plot_missed
from model.evaluation.report import WARNING, as_dict, format_value, left_out_told, sections_of
from model.pages import Page, Section

if TYPE_CHECKING:
    from model.comparing.cells import Cell
    from model.comparing.outcomes import Outcome
    from model.comparing.running import Compared
    from model.evaluation.by_reference import Numbers

METRICS = {
    "ROUGE-1": "rouge_1",
    "ROUGE-2": "rouge_2",
    "ROUGE-L": "rouge_l",
    "BLEU-4": "bleu_4",
    "missed": "missed_abnormal",
    "invented": "invented_abnormal",
}
COSTS = ("trained", "%", "train s", "train CPU s", "peak MB", "GPU MB", "dev loss")
SPEED = ("s alone", "s in batch")
HEAD = ("base", "strategy", *COSTS, *METRICS, *SPEED)
MEANING = {
    "trained, %": "numbers that were trained, and their share of the base's",
    "train s": "wall seconds of the steps with their looks at the dev rows; CPU seconds beside",
    "peak MB": "of the process while it trained, with its libraries; and on the GPU, where one was",
    "dev loss": "of what was kept, nats a token",
    "s alone": "wall seconds of a report drafted by itself, the median of the first three",
    "s in batch": "wall seconds for each of all reports, loading included",
    "constant, nearest, consensus, extractive": "baselines, nothing trained",
}


def strategies_page(compared: Compared) -> Page:
    """Lay out a comparison."""
    whole = compared.comparison.parts[0]
    meanings = (f"{name}: {meaning}." for name, meaning in MEANING.items())
    return Page(
        title="Bases and strategies",
        lead=f"{whole.reports} reports of {compared.comparison.source.name}. {WARNING}",
        plots={
            "rouge_l": plot_bars([replace(whole, name="all")], "rouge_l"),
            "missed": plot_missed(whole),
        },
        sections=[table_of(compared), *sections_of(compared.comparison)],
        notes=(*meanings, *compared.comparison.notes),
    )


def table_of(compared: Compared) -> Section:
    """Return the table: a row for each cell, then the baselines."""
    contenders = compared.comparison.parts[0].contenders
    reports = compared.comparison.parts[0].reports
    rows = [_row(cell, told, contenders.get(cell.name)) for cell, told in compared.cells.items()]
    own = {cell.name for cell in compared.cells}
    rows += [
        ("-", who, *("-" for _ in COSTS), *_values(one), *("-" for _ in SPEED))
        for who, one in contenders.items()
        if who not in own
    ]
    title = f"Bases and strategies on {reports} reports, metrics in percent"
    title += left_out_told(compared.comparison.left_out)
    return Section(title, HEAD, tuple(rows), 2)


def compared_as_dict(compared: Compared) -> dict[str, Any]:
    """Return the numbers for JSON, without the drafts."""
    return {
        "cells": [
            {"name": cell.name, "base": cell.base, "strategy": strategy_of(cell)}
            | ({"not_run": told} if isinstance(told, str) else _numbers(told))
            for cell, told in compared.cells.items()
        ],
        **as_dict(compared.comparison),
    }


def strategy_of(cell: Cell) -> str:
    """Name what is trained; a recipe that has a name of its own is told by both."""
    if cell.recipe is None:
        return UNTRAINED
    kind, name = cell.recipe.strategy.kind, cell.recipe.name
    return kind if kind == name else f"{name} ({kind})"


def _row(cell: Cell, told: Outcome | str, numbers: Numbers | None) -> tuple[str, ...]:
    named = (cell.base, strategy_of(cell))
    if isinstance(told, str) or numbers is None:
        return (*named, f"not run: {told}", *("-" for _ in HEAD[3:]))
    drafting = told.drafting
    batch_s = drafting.cost.wall_s / (len(drafting.drafts) - drafting.too_long)
    speed = (f"{drafting.alone_s:.2f}", f"{batch_s:.2f}")
    return (*named, *_costs(told), *_values(numbers), *speed)


def _costs(told: Outcome) -> tuple[str, ...]:
    trained = told.training
    if trained is None:
        return ("0", "0", *("-" for _ in COSTS[2:]))
    return (
        f"{trained.parameters:,}",
        f"{100 * trained.parameters / told.base_parameters:.3g}",
        f"{trained.cost.wall_s:.0f}",
        f"{trained.cost.cpu_s:.0f}",
        _number(trained.cost.peak_mb, ",.0f"),
        _number(trained.cost.gpu_peak_mb, ",.0f"),
        f"{trained.dev_loss:.3f}",
    )


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _values(numbers: Numbers) -> tuple[str, ...]:
    return tuple(format_value(numbers, metric).split(" ")[0] for metric in METRICS.values())


def _numbers(told: Outcome) -> dict[str, Any]:
    numbers = asdict(told)
    del numbers["drafting"]["drafts"]
    numbers["drafting"]["too_long"] = told.drafting.too_long
    return numbers
