"""A draft is what agrees most with the neighbours of its kind, and with the adapter's drafts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("sklearn")
pytest.importorskip("rouge_score")

from model.drafting import by_recipe
from model.drafting.by_recipe import Means, contenders, draft_by_recipe, names_of
from model.drafting.recipe import AdapterPlan, ClassFilter, DraftingRecipe
from model.training.recipe import Recipe
from tests.unit.model.drafting_samples import ALL_CLEAR, make_reports

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from model.corpora.schema import CorpusRow

PLAN = AdapterPlan(training=Recipe(name="t", steps=1, tokens_per_batch=100, learning_rate=1e-3))
TRAIN, ASKED = make_reports("t", 6), make_reports("q", 1)


def writing(*texts: str) -> Callable[..., list[list[str]]]:
    """Stand in for the adapter: the same texts for every report it is asked for."""

    def write_drafts(
        plan: AdapterPlan, adapter: Path, reports: Sequence[CorpusRow], **_: object
    ) -> list[list[str]]:
        assert all(row.style and row.style.startswith("As in: ") for row in reports)
        return [list(texts) for _ in reports]

    return write_drafts


def test_the_kind_decides_whose_words_are_taken() -> None:
    recipe = DraftingRecipe(name="mine", neighbours=10, classes=ClassFilter())

    drafted = draft_by_recipe(recipe, ASKED, TRAIN)

    assert drafted.drafts["mine"] == [row.impression for row in ASKED]
    assert [*drafted.costs][-1] == "choosing: mine"
    assert len(drafted.curve) == 7


def test_without_classes_what_most_neighbours_say_is_said() -> None:
    recipe = DraftingRecipe(name="mine", neighbours=36, power=0)

    assert set(draft_by_recipe(recipe, ASKED, TRAIN).drafts["mine"]) == {ALL_CLEAR}


def test_an_adapter_drafts_the_abnormal_ones_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(by_recipe, "write_drafts", writing("Large hiatal hernia.", ALL_CLEAR))
    plan = PLAN.model_copy(update={"weight": 50.0})
    recipe = DraftingRecipe(name="mine", classes=ClassFilter(), adapter=plan)

    drafts = draft_by_recipe(recipe, ASKED, TRAIN, Means(adapter=tmp_path)).drafts["mine"]

    assert drafts == [ALL_CLEAR, "Large hiatal hernia."] * 3


def test_a_draft_that_a_check_refuses_is_no_candidate(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(by_recipe, "write_drafts", writing("Effusion of 4 cm on the right."))
    plan = PLAN.model_copy(update={"weight": 50.0})
    recipe = DraftingRecipe(name="mine", classes=ClassFilter(), adapter=plan, checks=True)

    drafted = draft_by_recipe(recipe, ASKED, TRAIN, Means(adapter=tmp_path), is_ablated=True)

    assert "Effusion of 4 cm on the right." not in drafted.drafts["mine"]
    assert "Effusion of 4 cm on the right." in drafted.drafts["mine-no-checks"]
    assert tuple(drafted.drafts) == names_of(recipe, is_ablated=True)
    assert drafted.drafts["mine-greedy"][1] == "Effusion of 4 cm on the right."


def test_a_report_too_long_for_the_adapter_has_no_draft_by_whatever_asks_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def write_drafts(
        _plan: AdapterPlan, _adapter: Path, reports: Sequence[CorpusRow], **_: object
    ) -> list[list[str] | None]:
        return [None, *(["Large hiatal hernia."] for _ in reports[1:])]

    monkeypatch.setattr(by_recipe, "write_drafts", write_drafts)
    recipe = DraftingRecipe(name="mine", classes=ClassFilter(), adapter=PLAN)

    drafted = draft_by_recipe(recipe, ASKED, TRAIN, Means(adapter=tmp_path), is_ablated=True)

    told = {name: [text is None for text in texts] for name, texts in drafted.drafts.items()}
    assert told["mine"] == told["mine-greedy"] == [False, True, *[False] * 4]
    assert not any(told["mine-no-adapter"])


def test_without_a_folder_an_adapter_is_prepared_from_the_abnormal_reports_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    learned: list[CorpusRow] = []

    def prepare_adapter(_plan: AdapterPlan, rows: Sequence[CorpusRow], **_: object) -> Path:
        learned.extend(rows)
        return tmp_path

    monkeypatch.setattr(by_recipe, "prepare_adapter", prepare_adapter)
    monkeypatch.setattr(by_recipe, "write_drafts", writing("Large hiatal hernia."))
    recipe = DraftingRecipe(name="mine", classes=ClassFilter(), adapter=PLAN)

    drafted = draft_by_recipe(recipe, ASKED, TRAIN)

    assert {row.report_id for row in learned} == {
        row.report_id for row in TRAIN if row.impression != ALL_CLEAR
    }
    assert "training" in drafted.costs


def test_each_part_is_left_out_once() -> None:
    whole = DraftingRecipe(name="m", classes=ClassFilter(), adapter=PLAN, checks=True)

    told = contenders(whole, is_ablated=True)

    assert list(told) == ["m", "m-no-checks", "m-no-adapter", "m-no-classes", "m-neighbours-only"]
    assert list(contenders(whole, is_ablated=False)) == ["m"]
    assert names_of(whole, is_ablated=True) == (*told, "m-greedy")
    assert names_of(whole, is_ablated=False) == ("m",)
