"""A transfer study: train on one institution after the other, draft for all, score and count.

What is done is kept in the study's folder (adapters/, drafts/, costs/), and a run that was cut off
goes on from there. Baselines that know no more than the training institution draft beside each.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from model.engines.weights import digest_of
from model.errors import PromptRefusedError
from model.evaluation.contenders import Means, draft_all
from model.evaluation.reports import on_same_reports
from model.transfer.drafting import draft_reports, key_of, pace_alone
from model.transfer.institutions import digest_of_rows, with_test, write_training_folder
from model.transfer.label_quality import LabelQuality, judge_labeller
from model.transfer.pace import Pace, Rates, give_back_memory
from model.transfer.scoring import Scored, score_institution

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from model.corpora.asking import Writer
    from model.training import Recipe
    from model.transfer.institutions import Institution

MODEL = "model"
BASELINES = ("nearest", "constant")
FINISHED = "finished.json"
"""Written last into an adapter's folder: what it was made of."""


@dataclass(frozen=True, slots=True)
class Study:
    """What is asked for.

    Attributes:
        institutions: All that are judged.
        train_on: Names of those that are trained on; each has reports to train on.
        recipe: How.
        out: The study's folder.
        base: Folder of the base model; None for the demo base.
        adapters: Folders of what was trained before, by the name of the institution.
        rates: Assumptions about energy and money.
        latency_reports: How many reports are timed one by one.
        report: Called with what is being done, how much of it is done, and its whole.
    """

    institutions: tuple[Institution, ...]
    train_on: tuple[str, ...]
    recipe: Recipe
    out: Path
    base: Path | None = None
    adapters: Mapping[str, Path] = field(default_factory=dict)
    rates: Rates = field(default_factory=Rates)
    latency_reports: int = 20
    report: Callable[[str, int, int], None] = lambda *_: None


@dataclass(frozen=True, slots=True)
class Row:
    """One writer on all institutions: the model, or a baseline, of a training institution."""

    trained_on: str
    writer: str
    scored: Mapping[str, Scored]


@dataclass(frozen=True, slots=True)
class ModelCost:
    """What the model of one training institution costs.

    Attributes:
        trained_on: The institution.
        parameters: Numbers of the model in use.
        trained_parameters: Those of them that were trained; None where no card tells it.
        training_wall_s: Seconds of training; None where it was trained before.
        training_cpu_s: Processor seconds of training.
        alone: One report after the other.
        together: Batches of them, over all institutions.
    """

    trained_on: str
    parameters: int
    trained_parameters: int | None
    training_wall_s: float | None
    training_cpu_s: float | None
    alone: Pace
    together: tuple[Pace, ...]


@dataclass(frozen=True, slots=True)
class Transfer:
    """All numbers of a study; nothing of a report's text.

    Attributes:
        study: With the reports that were judged.
        rows: Who drafted, and how well.
        costs: Of each model.
        labeller: How right the labeller is.
        left_out: Reports of each institution that are judged for nobody: they are too long for
            one of the models.
    """

    study: Study
    rows: tuple[Row, ...]
    costs: tuple[ModelCost, ...]
    labeller: tuple[LabelQuality, ...]
    left_out: Mapping[str, int]


def run_transfer(study: Study) -> Transfer:
    """Run a study, or what is left of it.

    Raises:
        EngineUnavailableError: Weights or libraries are missing.
        RecipeRefusedError: The recipe cannot be run on this base.
        PromptRefusedError: No report of an institution is short enough for every model.
    """
    sources = [one for one in study.institutions if one.name in study.train_on]
    drafts: dict[str, dict[str, Sequence[str | None]]] = {}
    costs: list[ModelCost] = []
    for source in sources:
        folder, trained = _trained(study, source)
        give_back_memory()
        drafts[source.name], cost = _drafted(study, source, folder, trained)
        costs.append(cost)
    return _judged(study, sources, drafts, costs)


def _judged(
    study: Study,
    sources: Sequence[Institution],
    drafts: Mapping[str, Mapping[str, Sequence[str | None]]],
    costs: Sequence[ModelCost],
) -> Transfer:
    """Score everybody on the same reports of each institution, baselines beside."""
    judged: list[Institution] = []
    scored: dict[tuple[str, str], dict[str, Scored]] = {}
    for whole in study.institutions:
        written: dict[tuple[str, str], Sequence[str | None]] = {}
        for source in sources:
            written[source.name, MODEL] = drafts[source.name][whole.name]
            knowing_no_more = draft_all(BASELINES, whole.test, Means(train=source.train))
            written |= {(source.name, name): texts for name, texts in knowing_no_more.items()}
        reports, texts_of = on_same_reports(whole.test, written, whole.name)
        judged.append(with_test(whole, reports))
        for who, texts in texts_of.items():
            scored.setdefault(who, {})[whole.name] = score_institution(judged[-1], texts)
    return Transfer(
        study=replace(study, institutions=tuple(judged)),
        rows=tuple(Row(*who, told) for who, told in scored.items()),
        costs=tuple(costs),
        labeller=judge_labeller(judged),
        left_out={
            one.name: len(whole.test) - len(one.test)
            for one, whole in zip(judged, study.institutions, strict=True)
        },
    )


def _trained(study: Study, source: Institution) -> tuple[Path, Mapping[str, float]]:
    """Train, or find what was trained before; return its folder and what training took."""
    if source.name in study.adapters:
        return study.adapters[source.name], {}
    from model.training import run_training

    folder = study.out / "adapters" / source.name
    base = "" if study.base is None else digest_of(study.base)
    rows = (digest_of_rows(source.train), digest_of_rows(source.dev))
    key = key_of(study.recipe.model_dump_json(), base, *rows)
    kept = _read(folder / FINISHED)
    if kept.get("key") != key:
        steps = 0

        def on_start(done: int, whole: int) -> None:
            nonlocal steps
            steps = whole
            study.report(f"train on {source.name}", done, whole)

        trained = run_training(
            study.recipe,
            data=write_training_folder(source, study.out / "data" / source.name),
            out=folder,
            base=study.base,
            report=lambda step, *_: study.report(f"train on {source.name}", step, steps),
            on_start=on_start,
            resume=True,
        )
        kept = {"key": key, "wall_s": trained.wall_s, "cpu_s": trained.cpu_s}
        (folder / FINISHED).write_text(json.dumps(kept) + "\n", encoding="utf-8")
    return folder, {name: kept[name] for name in ("wall_s", "cpu_s")}


def _drafted(
    study: Study, source: Institution, folder: Path, trained: Mapping[str, float]
) -> tuple[dict[str, Sequence[str | None]], ModelCost]:
    """Draft for every institution with one model."""

    @cache
    def load() -> Writer:
        from model.training.writer import load_writer

        return load_writer(folder, study.base, threads=study.recipe.threads)

    plan = study.recipe.prompt
    made_of = (digest_of(folder), plan.model_dump_json())
    drafts: dict[str, Sequence[str | None]] = {}
    paces: list[Pace] = []
    for target in study.institutions:
        drafted = draft_reports(
            target.test,
            load,
            plan,
            file=_folder(study, "drafts") / f"{source.name}--{target.name}.jsonl",
            key=key_of(*made_of, target.sha256),
            report=partial(study.report, f"{source.name} on {target.name}"),
        )
        drafts[target.name] = drafted.drafts
        paces.append(drafted.pace)
    at_home = zip(source.test, drafts[source.name], strict=True)
    sample = [report for report, draft in at_home if draft is not None][: study.latency_reports]
    if not sample:
        raise PromptRefusedError("every_report_too_long", source.name)
    alone, parameters = pace_alone(
        sample,
        load,
        plan,
        file=_folder(study, "costs") / f"{source.name}.json",
        key=key_of(*made_of, digest_of_rows(sample)),
    )
    told = _read(folder / "card.json").get("trained_parameters")
    return drafts, ModelCost(
        trained_on=source.name,
        parameters=parameters,
        trained_parameters=None if told is None else int(told),
        training_wall_s=trained.get("wall_s"),
        training_cpu_s=trained.get("cpu_s"),
        alone=alone,
        together=tuple(paces),
    )


def _folder(study: Study, name: str) -> Path:
    folder = study.out / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _read(file: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told
