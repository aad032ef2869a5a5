"""One adapter asked in four ways: with neither modality nor site, with one of them, with both.

MIRA's question, on reports of the house and of others. The adapter should have been taught all four
(``prompt: {variant: mixed}`` in its recipe): one that was taught a single way is asked in ways that
it never met, and loses by that alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from model.corpora.asking import prompts_of
from model.costs import Cost, Meter
from model.evaluation.by_reference import run_comparison
from model.evaluation.intervals import holm
from model.evaluation.reports import on_same_reports
from model.prompt import VARIANTS, PromptPlan, Variant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mappings.domain import Prompt
    from model.corpora.asking import Writer
    from model.corpora.schema import CorpusRow
    from model.evaluation.by_reference import Comparison, Source, Test

AGAINST: Variant = "both"


@dataclass(frozen=True, slots=True)
class ReportSet:
    """Reports to draft: the house's own (internal), or a file of others (external)."""

    name: str
    source: Source
    reports: tuple[CorpusRow, ...]


@dataclass(frozen=True, slots=True)
class AblatedSet:
    """Every variant on one set.

    Attributes:
        name: Of the set.
        with_modality: Reports of the set that have a modality to tell.
        with_site: Reports that have a style, or a site's name where names are told.
        left_out: Reports that are too long for the base in some variant.
        costs: By variant; None where its prompts are another's word for word, and so its drafts.
        comparison: The numbers; a contender a variant.
    """

    name: str
    with_modality: int
    with_site: int
    left_out: int
    costs: Mapping[Variant, Cost | None]
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class Ablation:
    """All sets; ``tests`` by set, corrected by Holm-Bonferroni over all sets together.

    ``plan`` says what every variant tells besides; its own variant is what the adapter was taught.
    """

    plan: PromptPlan
    sets: tuple[AblatedSet, ...]
    tests: tuple[tuple[str, Test], ...]


def run_ablation(
    sets: Sequence[ReportSet],
    writer: Writer,
    plan: PromptPlan,
    advance: Callable[[int], None] = lambda _: None,
) -> Ablation:
    """Draft every report of every set with each variant, and score.

    Args:
        sets: One or more, of one report or more.
        writer: Base and adapter.
        plan: Whether exam, indication and a site's name are told; its variant is replaced.
        advance: Called with the number of drafts just written or taken over.

    Raises:
        PromptRefusedError: No report of a set is short enough for the base.
    """
    done = tuple(_ablate(one, writer, plan, advance) for one in sets)
    return Ablation(plan, done, _corrected(done))


def _ablate(
    asked: ReportSet, writer: Writer, plan: PromptPlan, advance: Callable[[int], None]
) -> AblatedSet:
    drafts: dict[str, list[str]] = {}
    costs: dict[Variant, Cost | None] = {}
    askable = {
        variant: prompts_of(asked.reports, plan.model_copy(update={"variant": variant}), writer)
        for variant in VARIANTS
    }
    reports, prompts = on_same_reports(asked.reports, askable, asked.name)
    left_out = len(asked.reports) - len(reports)
    advance(left_out * len(VARIANTS))
    for variant in VARIANTS:
        same = next((one for one in drafts if _ask_the_same(prompts, one, variant)), None)
        if same is not None:
            drafts[variant], costs[variant] = drafts[same], None
            advance(len(reports))
            continue
        meter = Meter()
        drafts[variant] = [texts[0] for texts in writer.write(prompts[variant], advance=advance)]
        costs[variant] = meter.read()
    return AblatedSet(
        name=asked.name,
        with_modality=_differing(prompts, "modality"),
        with_site=_differing(prompts, "site"),
        left_out=left_out,
        costs=costs,
        comparison=run_comparison(reports, drafts, source=asked.source, against=AGAINST),
    )


def _ask_the_same(prompts: Mapping[Variant, Sequence[Prompt]], one: str, other: Variant) -> bool:
    pairs = zip(prompts[one], prompts[other], strict=True)  # type: ignore[index]
    return all(first.pieces == second.pieces for first, second in pairs)


def _differing(prompts: Mapping[Variant, Sequence[Prompt]], variant: Variant) -> int:
    """Count the reports of which a variant tells something that ``none`` does not."""
    pairs = zip(prompts["none"], prompts[variant], strict=True)
    return sum(first.pieces != second.pieces for first, second in pairs)


def _corrected(sets: Sequence[AblatedSet]) -> tuple[tuple[str, Test], ...]:
    """Take the tests of all sets as one family."""
    found = [(one.name, test) for one in sets for test in one.comparison.tests]
    by_chance = holm([test.difference.randomisation_p for _, test in found])
    by_rank = holm([test.difference.wilcoxon_p for _, test in found])
    return tuple(
        (name, replace(test, randomisation_p=chance, wilcoxon_p=rank))
        for (name, test), chance, rank in zip(found, by_chance, by_rank, strict=True)
    )
