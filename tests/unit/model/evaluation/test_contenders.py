"""Who drafts: each contender gives a text for each report, and the baselines know only training."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mappings.domain import Region
from model.corpora.schema import CorpusRow
from model.engines.extractive import ALL_NORMAL
from model.errors import CorpusUnreadableError
from model.evaluation import contenders, engine_drafts
from model.evaluation.contenders import BASELINES, Means, draft_all, missing_baseline
from tests.unit.model.evaluation.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("numpy")
pytest.importorskip("rouge_score")


def row(findings: str, impression: str, **fields: str) -> CorpusRow:
    told = {"region": Region.CHEST} | fields
    return CorpusRow(report_id=findings, findings=findings, impression=impression, **told)  # type: ignore[arg-type]


TRAIN = [
    row("The lungs are clear.", "Normal chest."),
    row("Clear lungs, normal heart.", "Normal chest."),
    row("Small left effusion.", "Left effusion."),
    row("Fracture of the radius.", "Radius fracture.", region=Region.MUSCULOSKELETAL),
]
REPORTS = [
    row("There is a small left effusion.", "Effusion."),
    row("Lungs clear.", "Normal."),
    row("Radius fracture.", "Fracture.", region=Region.MUSCULOSKELETAL),
    row("Foie normal.", "Normal.", language="fr"),
]


def test_every_baseline_drafts_every_report() -> None:
    drafts = draft_all(BASELINES, REPORTS, Means(TRAIN))

    assert list(drafts) == list(BASELINES)
    assert {len(texts) for texts in drafts.values()} == {len(REPORTS)}
    assert drafts["nearest"][:2] == ["Left effusion.", "Normal chest."]
    assert drafts["extractive"][0] == "There is a small left effusion."


def test_the_constant_is_what_training_says_most_of_that_region_and_language() -> None:
    drafts = draft_all(["constant"], REPORTS, Means(TRAIN))

    assert drafts["constant"] == ["Normal chest.", "Normal chest.", "Radius fracture.", ALL_NORMAL]


def test_without_training_the_constant_is_a_plain_normal() -> None:
    assert set(draft_all(["constant"], REPORTS, Means())["constant"]) == {ALL_NORMAL}


def test_the_adapter_drafts_by_its_own_engine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engine, done = Recorder(), list[int]()
    monkeypatch.setattr(engine_drafts, "load_adapter", lambda *_: engine)

    drafts = draft_all(["adapter"], REPORTS, Means(adapter=tmp_path, advance=done.append))

    assert drafts["adapter"][0] == "There is a small left effusion."
    assert {one.prompt.adapter for batch in engine.batches for one in batch} == {"adapter"}
    assert sum(done) == len(REPORTS)


def test_the_redrafted_adapter_is_a_contender_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(engine_drafts, "load_adapter", lambda *_: Recorder())

    means = Means(adapter=tmp_path, redrafts_max=1)
    drafts = draft_all(["redrafted", "adapter"], REPORTS, means)

    assert list(drafts) == ["redrafted", "adapter"]


def test_what_is_too_long_for_one_has_no_draft_by_it() -> None:
    long = row("Effusion. " * 2_000, "Effusion.")

    drafts = draft_all(["constant", "extractive"], [long, REPORTS[0]], Means(TRAIN))

    assert drafts["extractive"] == [None, "There is a small left effusion."]
    assert drafts["constant"] == ["Normal chest.", "Normal chest."]


def test_drafts_of_ones_own_come_last(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    told = [{"report_id": report.report_id, "draft": report.impression} for report in REPORTS]
    path.write_text("\n".join(map(json.dumps, told)))

    drafts = draft_all(["constant"], REPORTS, Means(drafts=(("mine", path),)))

    assert list(drafts) == ["constant", "mine"]
    assert drafts["mine"] == [report.impression for report in REPORTS]


def test_drafts_of_ones_own_that_do_not_fit_are_refused_before_anybody_drafts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(contenders, "ExtractiveEngine", None)
    path = tmp_path / "mine.jsonl"
    path.write_text('{"report_id": "x", "draft": "Normal."}\n')

    with pytest.raises(CorpusUnreadableError):
        draft_all(["extractive"], REPORTS, Means(drafts=(("mine", path),)))


def test_it_is_noted_where_no_baseline_is_among_the_contenders() -> None:
    assert missing_baseline(["adapter", "redrafted"]) == missing_baseline([])
    assert "constant, nearest" in missing_baseline(["adapter"])[0]
    assert all(missing_baseline(["adapter", name]) == [] for name in BASELINES)
