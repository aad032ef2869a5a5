"""The tables of a transfer report: numbers as people read them, in percent but for costs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.costs import summed
from model.pages import Section
from model.transfer.body_systems import UNKNOWN, body_systems
from model.transfer.gaps import away_from_home, gains_over_baselines
from model.transfer.pace import joined
from model.transfer.scoring import FINDINGS, OVERLAPS, REPORTS_MIN, WHOLE, WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from model.transfer.label_quality import LabelQuality
    from model.transfer.pace import Rates
    from model.transfer.ratios import Gap
    from model.transfer.scoring import Cell
    from model.transfer.transferring import ModelCost, Transfer

BY_SYSTEM = "By body system"
TOO_SMALL = "n too small"
NAMES_SHOWN_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Section):
    """A section with a remark on it."""

    note: str


def tables_of(transfer: Transfer) -> list[Table]:
    """Return every table, in the order a reader needs them."""
    return [
        _institutions(transfer),
        _whole(transfer, "Words, all reports of an institution", (*WORDS, *OVERLAPS)),
        _whole(transfer, "Findings, all reports of an institution", tuple(FINDINGS)),
        _cells(transfer),
        _away(transfer),
        _gains(transfer),
        _costs(transfer),
        _labeller(transfer.labeller),
    ]


def systems_told() -> tuple[str, ...]:
    """Return the body systems as columns: the five, then what is unknown."""
    return (*body_systems(), UNKNOWN)


def _institutions(transfer: Transfer) -> Table:
    rows = [
        (
            one.name,
            str(len(one.train)) if one.name in transfer.study.train_on else "-",
            str(len(one.test)) + _left_out(transfer.left_out[one.name]),
            ", ".join(sorted({row.language for row in one.test})),
            _counts(Counter(one.systems).items()),
            str(one.systems_read),
            "yes" if one.truths else "no",
        )
        for one in transfer.study.institutions
    ]
    note = (
        "Where an exam names no region, the words of the report had to tell the body system: 'read'"
        " counts those. The face goes with the neck, the spine with the musculoskeletal system, the"
        " breast with the chest, the pelvis with the abdomen."
    )
    columns = ("institution", "trained on", "judged", "language", "systems", "read", "truth known")
    return Table("Institutions", columns, tuple(rows), note=note)


def _left_out(count: int) -> str:
    return f" ({count} too long, left out)" if count else ""


def _whole(transfer: Transfer, title: str, metrics: tuple[str, ...]) -> Table:
    rows = [
        (
            row.trained_on,
            row.writer,
            _home(name, row.trained_on),
            *(_with_interval(scored.cells[WHOLE], metric) for metric in metrics),
        )
        for row in transfer.rows
        for name, scored in row.scored.items()
    ]
    note = "Percent, with 95 % bootstrap intervals over reports. * is the institution trained on."
    columns = ("trained on", "writer", "judged on", *metrics)
    return Table(title, columns, tuple(rows), 3, note=note)


def _cells(transfer: Transfer) -> Table:
    metrics = ("rouge_l", "chrf", "precision", "recall", "f1", "called_normal", "invented")
    rows = [
        (
            row.trained_on,
            row.writer,
            _home(name, row.trained_on),
            system,
            str(scored.cells[system].reports),
            *(_number(scored.cells[system], metric) for metric in metrics),
        )
        for row in transfer.rows
        for name, scored in row.scored.items()
        for system in systems_told()
        if system in scored.cells
    ]
    note = f"Percent. Under {REPORTS_MIN} reports there is no number."
    columns = ("trained on", "writer", "judged on", "system", "n", *metrics)
    return Table(BY_SYSTEM, columns, tuple(rows), 4, note=note)


def _away(transfer: Transfer) -> Table:
    rows = [
        (one.trained_on, one.writer, one.metric, one.where, *_gap(one.gap))
        for one in away_from_home(transfer)
    ]
    note = (
        "Another institution minus the one trained on, in points; other reports, so two samples."
        " Institutions differ in how hard they are: read the baselines' loss beside the model's."
    )
    columns = ("trained on", "writer", "metric", "judged on", "difference", "95 %")
    return Table("Away from home", columns, tuple(rows), 4, note=note)


def _gains(transfer: Transfer) -> Table:
    rows = [
        (one.trained_on, one.baseline, one.metric, one.where, *_gap(one.gap))
        for one in gains_over_baselines(transfer)
    ]
    note = "Model minus baseline of the same training institution, on the same reports, in points."
    columns = ("trained on", "against", "metric", "where", "difference", "95 %")
    return Table("Model against baselines", columns, tuple(rows), 4, note=note)


def _costs(transfer: Transfer) -> Table:
    rates = transfer.study.rates
    head = ("figure", *(one.trained_on for one in transfer.costs))
    columns = [_cost(one, rates) for one in transfer.costs]
    rows = tuple((name, *(told[name] for told in columns)) for name in columns[0])
    return Table("What the model costs", head, rows, note=cost_note(transfer))


def cost_note(transfer: Transfer) -> str:
    """Say what was measured and what was assumed."""
    rates = transfer.study.rates
    usages = [pace.usage for cost in transfer.costs for pace in (cost.alone, *cost.together)]
    is_counted = all(usage.counted_joules is not None for usage in usages)
    energy = (
        "Energy of the processor by its own counters (RAPL), all that runs on the machine included"
        if is_counted
        else f"Energy is an estimate: {rates.watts_per_core:g} W for each busy core"
    )
    gpu = (
        f", {rates.watts_per_gpu:g} W for a GPU"
        if any(one.gpu_peak_mb is not None for one in usages)
        else ""
    )
    return (
        f"{energy}{gpu}. Money: {rates.price_per_kwh:g} a kWh, {rates.price_per_machine_hour:g} a"
        " machine hour, in one currency. Alone: one report after the other; together: in batches."
        " Memory is the most that the process held; what shared the machine slowed the times."
    )


def _cost(cost: ModelCost, rates: Rates) -> dict[str, str]:
    together = joined(cost.together)
    usage = summed([cost.alone.usage, together.usage])
    return {
        "parameters": f"{cost.parameters:,}",
        "trained parameters": _maybe(cost.trained_parameters, "{:,}"),
        "memory, MB": _maybe(usage.peak_mb, "{:,.0f}"),
        "GPU memory, MB": _maybe(usage.gpu_peak_mb, "{:,.0f}"),
        "latency alone p50, s": _maybe(cost.alone.p50_s, "{:.2f}"),
        "latency alone p95, s": _maybe(cost.alone.p95_s, "{:.2f}"),
        "tokens per second, alone": _maybe(cost.alone.tokens_per_s, "{:.1f}"),
        "tokens per second, together": _maybe(together.tokens_per_s, "{:.1f}"),
        "reports per hour, together": f"{3600 * together.reports / together.usage.wall_s:.0f}",
        "joules per report, alone": f"{cost.alone.joules_per_report(rates):.1f}",
        "joules per report, together": f"{together.joules_per_report(rates):.1f}",
        "price of 1,000 reports, alone": f"{cost.alone.price_per_1000(rates):.3f}",
        "price of 1,000 reports, together": f"{together.price_per_1000(rates):.3f}",
        "training, s": _maybe(cost.training_wall_s, "{:.0f}"),
        "training, CPU s": _maybe(cost.training_cpu_s, "{:.0f}"),
    }


def _labeller(judged: Sequence[LabelQuality]) -> Table:
    rows = tuple(
        (
            one.language,
            str(one.reports),
            str(one.found + one.missed),
            _maybe(one.precision, "{:.1%}"),
            _maybe(one.recall, "{:.1%}"),
            _counts(one.uncovered[:NAMES_SHOWN_MAX]) or "-",
        )
        for one in judged
    )
    note = (
        "On the impressions judged here whose truth is known. Findings are labelled by word tables,"
        " by no clinician; every number of findings above rests on them. Synthetic wordings say"
        " little about a hospital's."
    )
    columns = ("language", "reports", "findings", "precision", "recall", "findings without a label")
    return Table("How right the labeller is", columns, rows, note=note)


def _home(name: str, trained_on: str) -> str:
    return f"{name} *" if name == trained_on else name


def _with_interval(cell: Cell, metric: str) -> str:
    told = cell.means.get(metric)
    if told is None:
        return _number(cell, metric)
    return f"{told.mean * 100:.1f} ({told.low * 100:.1f}-{told.high * 100:.1f})"


def _number(cell: Cell, metric: str) -> str:
    if cell.reports < REPORTS_MIN:
        return TOO_SMALL
    value = cell.value(metric)
    return "-" if value is None else f"{value * 100:.1f}"


def _gap(gap: Gap) -> tuple[str, str]:
    low, high = gap.low * 100, gap.high * 100
    return f"{gap.difference * 100:+.1f}", f"{low:+.1f} to {high:+.1f}"


def _maybe(value: float | None, shape: str) -> str:
    return "-" if value is None else shape.format(value)


def _counts(counted: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {n}" for name, n in counted)
