"""Draft reports by a recipe, and by the recipe without each of its parts.

The kind of impression is decided first; candidates are what the nearest training reports of that
kind say and, for reports that are not short normal ones, what the adapter writes; the one that
agrees most with all of them is the draft.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from model.checks.numbers import find_number_fault
from model.checks.sides import find_side_fault
from model.checks.support import find_unsupported
from model.corpora.asking import findings_of
from model.costs import Cost, Meter
from model.drafting.abnormality import Predicted, predict_abnormality
from model.drafting.adapter import learned_rows, prepare_adapter, with_exemplars, write_drafts
from model.evaluation.content import calls_normal
from model.evaluation.neighbours import NeighbourIndex, most_agreed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from mappings.domain import Findings
    from model.corpora.schema import CorpusRow
    from model.drafting.adapter import Nearest
    from model.drafting.recipe import DraftingRecipe

EXEMPLARS_FROM = 100
"""Nearest reports that are looked at for exemplars."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a recipe may draw on beside its reports.

    Attributes:
        adapter: Folder of an adapter trained before; None to take or make the recipe's own.
        base: Folder of the base model; None for the demo base.
        cache: Where adapters are kept; None for the user's cache folder.
        report: Called after each step of a training with step, loss and dev loss.
        on_start: Called with the steps done and those of the whole training.
        advance: Called with the number of reports that the adapter has just drafted.
    """

    adapter: Path | None = None
    base: Path | None = None
    cache: Path | None = None
    report: Callable[[int, float, float | None], None] = lambda *_: None
    on_start: Callable[[int, int], None] = lambda *_: None
    advance: Callable[[int], None] = lambda _: None


@dataclass(slots=True)
class Drafted:
    """What a recipe gave.

    Attributes:
        drafts: Contender and its draft of each report, None where it is too long for the adapter;
            the recipe's own is the first.
        costs: Of each part by its name, once for all contenders.
        curve: Threshold, invented and missed share of training, cross-validated.
    """

    drafts: dict[str, list[str | None]] = field(default_factory=dict, repr=False)
    costs: dict[str, Cost] = field(default_factory=dict)
    curve: tuple[tuple[float, float, float], ...] = ()

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the cost of what is done inside."""
        meter = Meter()
        yield
        self.costs[part] = meter.read()


def draft_by_recipe(
    recipe: DraftingRecipe,
    reports: Sequence[CorpusRow],
    train: Sequence[CorpusRow],
    means: Means | None = None,
    *,
    is_ablated: bool = False,
) -> Drafted:
    """Draft every report.

    Args:
        recipe: How.
        reports: What is drafted; their impressions are not looked at.
        train: Reports to learn from, none of them drafted here.
        means: What else there is.
        is_ablated: Draft also by the recipe without each of its parts.

    Raises:
        EngineUnavailableError: Weights or libraries are missing.
        RecipeRefusedError: The training recipe cannot be run.
    """
    drafted = Drafted()
    case = _Case(recipe, reports, train, means or Means(), drafted)
    for name, one in contenders(recipe, is_ablated=is_ablated).items():
        with drafted.timed(f"choosing: {name}"):
            drafted.drafts[name] = [case.draft(place, one) for place in range(len(reports))]
    if is_ablated and recipe.adapter is not None:
        drafted.drafts[greedy_of(recipe)] = case.first_drafts()
    return drafted


def contenders(recipe: DraftingRecipe, *, is_ablated: bool) -> dict[str, DraftingRecipe]:
    """Return the recipe by its name, and without each of its parts where that is asked."""
    without: dict[str, dict[str, Any]] = {
        "no-checks": {"checks": False},
        "no-adapter": {"adapter": None},
        "no-classes": {"classes": None},
        "neighbours-only": {"adapter": None, "classes": None, "checks": False},
    }
    told = {recipe.name: recipe}
    for part, change in without.items() if is_ablated else ():
        one = recipe.model_copy(update=change)
        if one not in told.values():
            told[f"{recipe.name}-{part}"] = one
    return told


def names_of(recipe: DraftingRecipe, *, is_ablated: bool) -> tuple[str, ...]:
    """Return the names of all that ``draft_by_recipe`` drafts as, known before it does."""
    is_greedy = is_ablated and recipe.adapter is not None
    return (*contenders(recipe, is_ablated=is_ablated), *([greedy_of(recipe)] * is_greedy))


def greedy_of(recipe: DraftingRecipe) -> str:
    """Name the adapter's likeliest drafts."""
    return f"{recipe.name}-greedy"


class _Case:
    """All that the contenders of one recipe share, made once."""

    def __init__(
        self,
        recipe: DraftingRecipe,
        reports: Sequence[CorpusRow],
        train: Sequence[CorpusRow],
        means: Means,
        drafted: Drafted,
    ) -> None:
        self._reports, self._train = reports, train
        self._is_other = np.array(
            [not calls_normal(findings_of(row), row.impression) for row in train]
        )
        with drafted.timed("neighbours"):
            index = NeighbourIndex([row.findings for row in train])
            self._near = np.array([index.similarities(row.findings) for row in reports])
        self._written: list[list[str] | None] = [[] for _ in reports]
        self._held_other: list[bool] | None = None
        if recipe.classes is None and recipe.adapter is None:
            return
        with drafted.timed("similarities within training"):
            among = np.array([index.similarities(row.findings) for row in train])
        if recipe.classes is not None:
            with drafted.timed("classifier"):
                predicted: Predicted = predict_abnormality(
                    train, among, reports, self._near, recipe.classes, recipe.seed
                )
            self._held_other, drafted.curve = predicted.is_abnormal, predicted.curve
        if recipe.adapter is not None:
            self._write(recipe, among, means, drafted)

    def _write(
        self,
        recipe: DraftingRecipe,
        among: np.ndarray[Any, Any],
        means: Means,
        drafted: Drafted,
    ) -> None:
        """Let the adapter draft what is held not to be a short normal one."""
        plan = recipe.adapter
        if plan is None:
            return
        adapter = means.adapter
        if adapter is None:
            rows = learned_rows(self._train, lambda place: self._others(among[place]), plan)
            with drafted.timed("training"):
                adapter = prepare_adapter(
                    plan,
                    rows,
                    seed=recipe.seed,
                    base=means.base,
                    cache=means.cache,
                    report=means.report,
                    on_start=means.on_start,
                )
        places = [
            place
            for place in range(len(self._reports))
            if self._held_other is None or self._held_other[place]
        ]
        asked = [
            with_exemplars(self._reports[place], self._others(self._near[place]), self._train, plan)
            for place in places
        ]
        with drafted.timed("writing"):
            written = write_drafts(
                plan, adapter, asked, base=means.base, seed=recipe.seed, advance=means.advance
            )
        for place, texts in zip(places, written, strict=True):
            self._written[place] = texts and [text for text in texts if text.strip()]

    def draft(self, place: int, recipe: DraftingRecipe) -> str | None:
        """Return one report's draft; None where the adapter should write and cannot take it."""
        report, texts = self._reports[place], self._written[place]
        findings = findings_of(report)
        held = None if recipe.classes is None or self._held_other is None else self._held_other
        is_kind = self._is_other == held[place] if held is not None else None
        near = _nearest(self._near[place], recipe.neighbours, is_kind)
        voters = [(self._train[at].impression, near_by**recipe.power) for at, near_by in near]
        if recipe.adapter is not None:
            if texts is None:
                return None
            if held is not None:
                texts = [text for text in texts if calls_normal(findings, text) != held[place]]
            vote = recipe.adapter.weight * sum(vote for _, vote in voters) / max(1, len(texts))
            voters += [(text, vote) for text in texts]
        candidates = [text for text, _ in voters]
        if recipe.checks:
            candidates = [text for text in candidates if _is_passed(findings, text)] or candidates
        return most_agreed(candidates, voters, report.language)

    def first_drafts(self) -> list[str | None]:
        """Return the adapter's likeliest drafts; the nearest one's impression where it has none."""
        nearest = (self._train[int(np.argmax(near))].impression for near in self._near)
        return [
            None if texts is None else (*texts, instead)[0]
            for texts, instead in zip(self._written, nearest, strict=True)
        ]

    def _others(self, similarities: np.ndarray[Any, Any]) -> Nearest:
        """Return the nearest of the training reports that are not short normal ones."""
        return _nearest(similarities, EXEMPLARS_FROM, self._is_other)


def _nearest(
    similarities: np.ndarray[Any, Any], count: int, is_kind: np.ndarray[Any, Any] | None
) -> Nearest:
    """Return places and similarities of the nearest of a kind, where there are any of it."""
    order = np.argsort(-similarities, kind="stable")
    if is_kind is not None and is_kind.any():
        order = order[is_kind[order]]
    return [(int(place), float(similarities[place])) for place in order[:count]]


def _is_passed(findings: Findings, text: str) -> bool:
    return not (
        find_number_fault(findings.text, text)
        or find_side_fault(findings, text)
        or find_unsupported(findings, text)
    )
