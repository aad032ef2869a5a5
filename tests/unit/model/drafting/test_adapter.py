"""An adapter is trained once for what it comes from, and asked as it was taught."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch")
pytest.importorskip("rouge_score")

from mappings.domain import Region
from model.corpora.schema import CorpusRow
from model.drafting.adapter import learned_rows, prepare_adapter, with_exemplars, write_drafts
from model.drafting.recipe import AdapterPlan
from model.training.recipe import Recipe
from tests.unit.model.drafting_samples import make_reports
from tests.unit.model.marks import TRAINING
from tests.unit.model.tiny_base import make_corpus, make_tiny_base

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = TRAINING
PLAN = AdapterPlan(
    training=Recipe(name="tiny", steps=2, tokens_per_batch=2_000, learning_rate=1e-3, dev_rows=1),
    samples=2,
)


def test_only_reports_that_are_not_short_normal_are_learned_and_none_sees_itself() -> None:
    train = make_reports("t", 2)

    rows = learned_rows(train, lambda place: [(place, 1.0), (1, 0.5), (3, 0.4)], PLAN)

    assert len(rows) == 6
    assert rows[0].style == "As in: Moderate cardiomegaly without edema."
    assert rows[2].style is not None
    assert rows[2].style.startswith("As in: Small left pleural effusion. | Moderate")


def test_what_is_short_normal_of_a_chest_is_learned_of_another_region() -> None:
    told = "Acute appendicitis. No evidence of perforation."
    train = [CorpusRow(one, impression=told, region=one) for one in (Region.CHEST, Region.ABDOMEN)]

    rows = learned_rows(train, lambda _: [], PLAN)

    assert [row.report_id for row in rows] == ["abdomen"]


def test_exemplars_that_are_too_long_for_a_style_are_passed_over() -> None:
    train = [CorpusRow("a", impression="long " * 40), CorpusRow("b", impression="Short.")]

    report = with_exemplars(CorpusRow("c"), [(0, 0.9), (1, 0.1)], train, PLAN)

    assert report.style == "As in: Short."
    assert with_exemplars(CorpusRow("c"), [(0, 0.9)], train, PLAN).style is None


def test_an_adapter_is_the_same_with_other_workers_and_another_with_other_batches(
    tmp_path: Path,
) -> None:
    base = make_tiny_base(tmp_path / "base", make_corpus(tmp_path / "corpus"))
    rows = learned_rows(make_reports("t", 2), lambda _: [(1, 0.5)], PLAN)

    def prepare(**changes: object) -> Path:
        told = PLAN.training.model_copy(update={"device": "cpu", "accumulation": 2, **changes})
        plan = PLAN.model_copy(update={"training": told})
        return prepare_adapter(plan, rows, seed=1, base=base, cache=tmp_path / "cache")

    assert prepare() == prepare(workers=2)
    assert prepare() != prepare(accumulation=1)


def test_an_adapter_is_trained_once_and_writes_its_drafts(tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "base", make_corpus(tmp_path / "corpus"))
    train = make_reports("t", 2)
    rows = learned_rows(train, lambda _: [(1, 0.5)], PLAN)
    started: list[int] = []

    def prepare() -> Path:
        return prepare_adapter(
            PLAN,
            rows,
            seed=1,
            base=base,
            cache=tmp_path / "cache",
            on_start=lambda _, steps: started.append(steps),
        )

    adapter = prepare()

    assert prepare() == adapter
    assert started == [2]
    left = [path.suffix for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert ".jsonl" not in left  # no text is left behind
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0
    drafts = write_drafts(PLAN, adapter, rows[:2], base=base, seed=1)
    assert [len(texts or ()) for texts in drafts] == [3, 3]
    long = replace(rows[0], findings="Clear lungs. " * 900)
    assert write_drafts(PLAN, adapter, [long], base=base, seed=1) == [None]
    settings = base / "config.json"
    settings.write_text(settings.read_text().replace("{", '{"note": "another base", ', 1))
    assert prepare() != adapter  # the name of a base's folder says nothing of what is in it
    assert started == [2, 2]
