"""The ablation for people and for programs: sets side by side, each variant with its interval."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from model.evaluation.plots import plot_bars
from model.evaluation.report import TESTS_HEAD, WARNING, as_dict, format_test, format_value
from model.pages import Page, Section
from model.prompt import VARIANTS

if TYPE_CHECKING:
    from model.comparing.ablation import AblatedSet, Ablation
    from model.costs import Cost
    from model.evaluation.by_reference import Numbers, Part

SHOWN = (
    "rouge_1",
    "rouge_2",
    "rouge_l",
    "bleu_4",
    "missed_abnormal",
    "invented_abnormal",
    "side_fault",
    "number_fault",
    "unsupported_finding",
    "words",
)
PLOTTED = ("rouge_l", "missed_abnormal")
IN_PARTS = ("rouge_l", "missed_abnormal", "invented_abnormal")


def ablation_page(ablation: Ablation) -> Page:
    """Lay out an ablation."""
    wholes = [replace(one.comparison.parts[0], name=one.name) for one in ablation.sets]
    return Page(
        title="Prompts that tell modality, site, both or neither",
        lead=f"One adapter; in percent, with 95 % intervals. {WARNING}",
        plots={metric: plot_bars(wholes, metric) for metric in PLOTTED},
        sections=sections_of(ablation),
        notes=(*_notes(ablation), *ablation.sets[0].comparison.notes),
    )


def sections_of(ablation: Ablation) -> list[Section]:
    """Return the tables: the sets side by side, their costs, their parts, the tests."""
    sections = [_side_by_side(ablation), _costs(ablation)]
    sections += [_parts(one) for one in ablation.sets if len(one.comparison.parts) > 1]
    if ablation.tests:
        sections.append(_tests(ablation))
    return sections


def ablation_as_dict(ablation: Ablation) -> dict[str, Any]:
    """Return the numbers for JSON, without the drafts."""
    return {
        "taught": ablation.plan.variant,
        "told_besides": ablation.plan.model_dump(exclude={"variant"}),
        "sets": {
            one.name: {
                "with_modality": one.with_modality,
                "with_site": one.with_site,
                "left_out": one.left_out,
                "costs": {
                    variant: None if cost is None else asdict(cost)
                    for variant, cost in one.costs.items()
                },
                **{
                    key: value
                    for key, value in as_dict(one.comparison).items()
                    if key not in {"tests", "meaning", "left_out"}
                },
            }
            for one in ablation.sets
        },
        "tests": [{"set": name, **asdict(test)} for name, test in ablation.tests],
        "meaning": dict(ablation.sets[0].comparison.meaning),
    }


def _side_by_side(ablation: Ablation) -> Section:
    wholes = [one.comparison.parts[0] for one in ablation.sets]
    heads = [
        f"{one.name}, {whole.reports} reports"
        + (f", {one.left_out} too long left out" if one.left_out else "")
        for one, whole in zip(ablation.sets, wholes, strict=True)
    ]
    rows = [
        (metric, variant, *(format_value(whole.contenders[variant], metric) for whole in wholes))
        for metric in SHOWN
        for variant in VARIANTS
    ]
    return Section("Internal and external", ("metric", "told", *heads), tuple(rows), 2)


def _costs(ablation: Ablation) -> Section:
    rows = [
        (one.name, variant, *_cost_cells(one.costs[variant], one.comparison.parts[0].reports))
        for one in ablation.sets
        for variant in VARIANTS
    ]
    head = ("set", "told", "wall s", "CPU s", "wall s a report")
    return Section("What drafting cost", head, tuple(rows))


def _cost_cells(cost: Cost | None, reports: int) -> tuple[str, str, str]:
    if cost is None:
        return ("the same prompts as another", "-", "-")
    return (f"{cost.wall_s:.1f}", f"{cost.cpu_s:.1f}", f"{cost.wall_s / reports:.2f}")


def _parts(one: AblatedSet) -> Section:
    rows = [
        (part.name, str(part.reports), metric, *_values(part, metric))
        for part in one.comparison.parts[1:]
        for metric in IN_PARTS
    ]
    return Section(f"Parts of {one.name}", ("part", "reports", "metric", *VARIANTS), tuple(rows))


def _values(part: Part, metric: str) -> list[str]:
    def told(numbers: Numbers) -> str:
        return format_value(numbers, metric).split(" ")[0]

    return [told(part.contenders[variant]) for variant in VARIANTS]


def _tests(ablation: Ablation) -> Section:
    rows = tuple((name, *format_test(test)) for name, test in ablation.tests)
    title = "Against both, paired; p corrected by Holm-Bonferroni over all rows of its column"
    return Section(title, ("set", "told", *TESTS_HEAD[1:]), rows)


def _notes(ablation: Ablation) -> list[str]:
    plan = ablation.plan
    told = {"exam": plan.exam, "indication": plan.indication, "site's name": plan.site_name}
    notes = ["Told besides: " + (", ".join(name for name in told if told[name]) or "nothing") + "."]
    if plan.variant != "mixed":
        notes.append(
            f"The adapter was taught one variant alone ({plan.variant}): in the others it is asked"
            " in a way that it never met."
        )
    if plan.exam:
        notes.append("An exam's title may name the modality where no variant tells it.")
    for one in ablation.sets:
        total = one.comparison.parts[0].reports
        notes.append(
            f"{one.name}: {one.with_modality} of {total} reports have a modality to tell,"
            f" {one.with_site} a site."
        )
    return notes
