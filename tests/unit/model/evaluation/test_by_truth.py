"""A whole evaluation, without an adapter and with one that a run has just made."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from model.errors import CorpusUnreadableError, PromptRefusedError
from model.evaluation import MEANING, engine_drafts, run_evaluation
from model.evaluation.by_truth import baseline_draft, normal_sentence
from model.evaluation.truth import known_report
from model.synth import Counts, read_rows, write_corpus
from model.synth.corpus import report_row
from model.synth.lexicon import group_of
from model.training import Recipe, run_training
from model.training.card import add_evaluation
from tests.unit.model.evaluation.recorder import CHARACTERS_MAX, Recorder

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("rouge_score")

BASELINES = ["nearest neighbour", "extractive", "constant", "reference"]
RECIPE = Recipe(name="tiny", steps=1, tokens_per_batch=900, learning_rate=0.01, warmup_steps=0)


def test_every_system_is_scored_on_the_same_reports(small_corpus: Path) -> None:
    evaluation = run_evaluation(data=small_corpus, adapter=None)

    content = (small_corpus / "test.jsonl").read_bytes()
    assert list(evaluation.systems) == BASELINES
    assert all(list(scores) == list(MEANING) for scores in evaluation.systems.values())
    assert evaluation.sha256 == hashlib.sha256(content).hexdigest()
    assert (evaluation.reports, evaluation.counts["rouge_l"]) == (6, 6)
    assert len(evaluation.drafts) == 6 * len(BASELINES)
    ends = evaluation.as_dict()["intervals"]
    assert list(ends) == BASELINES
    assert all(list(each) == list(MEANING) for each in ends.values())
    assert ends["reference"]["rouge_l"] == (1.0, 1.0)
    assert ends["nearest neighbour"]["rouge_l"][0] < ends["nearest neighbour"]["rouge_l"][1]


def test_a_limit_takes_the_first_reports_and_another_split_its_own(small_corpus: Path) -> None:
    evaluation = run_evaluation(data=small_corpus, adapter=None, limit=2, split="dev")

    assert evaluation.reports == 2
    assert {row["report_id"].split("-")[2] for row in evaluation.drafts} == {"dev"}


def test_reports_in_other_languages_are_counted_and_not_judged(tmp_path: Path) -> None:
    write_corpus(tmp_path, counts=Counts(train=0, dev=0, test=9), languages=("en", "de"))

    evaluation = run_evaluation(data=tmp_path, adapter=None)

    assert (evaluation.reports, evaluation.other_languages) == (7, 2)
    assert set(evaluation.as_dict()["parts"]["language"]) == {"en"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no_english_report"),
        ('{"report_id": "r", "findings": "Clear.", "impression": "Normal."}\n', "--systems"),
        ("[1]\n", "report_id_missing"),
        ("no\n", "row_not_json"),
    ],
)
def test_a_corpus_that_has_no_truth_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    for name in ("train.jsonl", "test.jsonl"):
        (tmp_path / name).write_text(text)

    with pytest.raises(CorpusUnreadableError, match=reason):
        run_evaluation(data=tmp_path, adapter=None)


def test_without_training_reports_there_is_no_neighbour(small_corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_bytes(b"")
    (tmp_path / "test.jsonl").write_bytes((small_corpus / "test.jsonl").read_bytes())

    assert list(run_evaluation(data=tmp_path, adapter=None).systems) == BASELINES[1:]


def test_the_numbers_are_json_and_hold_no_report(small_corpus: Path) -> None:
    evaluation = run_evaluation(data=small_corpus, adapter=None)

    text = json.dumps(evaluation.as_dict())
    assert json.loads(text)["meaning"].keys() == evaluation.counts.keys()
    assert evaluation.drafts[0]["findings"] not in text
    assert evaluation.drafts[0]["findings"] not in repr(evaluation)


def test_a_report_too_long_for_the_adapter_is_counted_and_left_out_of_every_system(
    small_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = read_rows(small_corpus / "test.jsonl")
    first["findings"] += " Clear." * CHARACTERS_MAX
    (tmp_path / "test.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in (first, *others))
    )
    (tmp_path / "train.jsonl").write_bytes((small_corpus / "train.jsonl").read_bytes())
    monkeypatch.setattr(engine_drafts, "load_adapter", lambda *_: Recorder())
    done: list[int] = []

    evaluation = run_evaluation(data=tmp_path, adapter=tmp_path, advance=done.append)

    assert (evaluation.reports, evaluation.left_out, sum(done)) == (5, 1, 6)
    assert set(evaluation.counts.values()) <= {evaluation.counts["missed_finding"], *range(6)}
    assert evaluation.as_dict()["left_out"] == 1
    assert {row["report_id"] for row in evaluation.drafts} == {row["report_id"] for row in others}
    with pytest.raises(PromptRefusedError, match="no_report_short_enough"):
        run_evaluation(data=tmp_path, adapter=tmp_path, limit=1)


def test_the_nearest_report_of_training_lends_its_impression(small_corpus: Path) -> None:
    evaluation = run_evaluation(data=small_corpus, adapter=None, split="train")

    assert evaluation.systems["nearest neighbour"]["rouge_l"] == 1.0


def test_the_constant_is_the_normal_sentence_of_region_and_kind_of_exam() -> None:
    reports = [known_report(report_row(2, "test", index), index) for index in range(30)]

    said = {(one.region, group_of(one.modality), normal_sentence(one)) for one in reports}

    assert ("chest", "XR", "No acute cardiopulmonary abnormality.") in said
    assert ("chest", "CT", "No acute abnormality in the chest.") in said
    assert len(said) == len({one[:2] for one in said})


def test_a_baseline_says_that_it_is_one() -> None:
    draft = baseline_draft("Normal.", "reference")

    assert draft.engine.engine_version == "baseline/reference"
    assert draft.engine.is_demo


@pytest.mark.model
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("torch_as_it_was")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_adapter_is_scored_and_its_card_takes_the_numbers(
    tiny_base: Path, small_corpus: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    run_training(RECIPE, data=small_corpus, out=tmp_path, base=tiny_base)
    done: list[int] = []

    evaluation = run_evaluation(
        data=small_corpus, adapter=tmp_path, base=tiny_base, limit=2, advance=done.append
    )
    add_evaluation(tmp_path, evaluation.as_dict())

    assert list(evaluation.systems) == ["adapter", *BASELINES]
    assert evaluation.systems["adapter"]["rouge_l"] < 0.5  # type: ignore[operator]
    assert sum(done) == 2
    assert "| adapter | " in (tmp_path / "CARD.md").read_text()
