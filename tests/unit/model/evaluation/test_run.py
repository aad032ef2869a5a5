"""A whole evaluation, without an adapter and with one that a run has just made."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from model.errors import CorpusUnreadableError
from model.evaluation import MEANING, run_evaluation
from model.synth import Counts, write_corpus
from model.training import Recipe, run_training
from model.training.card import add_evaluation

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
        ("[1]\n", "row_not_json"),
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
