"""Any corpus folder is read; what cannot be used is counted."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from model.errors import CorpusUnreadableError
from model.prompt import PromptPlan
from model.training.data import TrainingData, read_training_data
from tests.unit.model.training.test_rows import END, Letters

if TYPE_CHECKING:
    from pathlib import Path

ROW = {"report_id": "r", "findings": "Lungs clear.", "impression": "Normal."}


class WithEnd(Letters):
    eos_token_id = END


def write(folder: Path, **splits: list[dict[str, Any]]) -> Path:
    for split, rows in splits.items():
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_text(text)
    return folder


def read(folder: Path, tokens_max: int = 2_000) -> TrainingData:
    return read_training_data(folder, WithEnd(), PromptPlan(), tokens_max=tokens_max)


def test_a_folder_without_anything_beside_its_rows_is_enough(tmp_path: Path) -> None:
    data = read(write(tmp_path, train=[ROW, ROW], dev=[ROW]))

    assert (len(data.train), len(data.dev)) == (2, 1)
    assert data.facts["counts"] == {"train": 2, "dev": 1}
    digest = hashlib.sha256((tmp_path / "train.jsonl").read_bytes()).hexdigest()
    assert data.facts["sha256"]["train"] == digest
    assert data.facts["seen"] == {
        "language": {"en": 2},
        "region": {"untold": 2},
        "modality": {"untold": 2},
        "site": {"unknown": 2},
    }
    assert (data.facts["corpus"], data.facts["cleaning"]) == (None, None)


def test_rows_that_cannot_be_used_are_counted_by_their_reason(tmp_path: Path) -> None:
    long = ROW | {"findings": "Clear. " * 400}
    bad = [ROW | {"findings": " "}, ROW | {"impression": ""}, ROW | {"impression": "\0"}, long]

    data = read(write(tmp_path, train=[*bad, ROW], dev=[ROW]))

    assert len(data.train) == 1
    assert data.facts["passed_over"] == {
        "control_token_in_report": 1,
        "findings_empty": 1,
        "impression_empty": 1,
        "longer_than_context": 1,
    }


def test_corpus_and_ledger_are_told_where_they_are(tmp_path: Path) -> None:
    write(tmp_path, train=[ROW], dev=[ROW])
    (tmp_path / "corpus.json").write_text('{"generator": "x"}')
    ledger = {"rows": 3, "kept": 2, "rules": [{"rule": "duplicate", "taken": 1}]}
    (tmp_path / "ledger.json").write_text(json.dumps(ledger))

    assert read(tmp_path).facts["corpus"] == {"generator": "x"}
    assert read(tmp_path).facts["cleaning"] == ledger
    (tmp_path / "ledger.json").write_text("no")
    with pytest.raises(CorpusUnreadableError, match="not_json"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["corpus.json", "ledger.json"])
@pytest.mark.parametrize("text", ["[1]", '"x"', '{"rules": [1]}', '{"rules": 5}'])
def test_a_file_that_no_command_wrote_is_refused_before_anything_is_trained(
    name: str, text: str, tmp_path: Path
) -> None:
    write(tmp_path, train=[ROW], dev=[ROW])
    (tmp_path / name).write_text(text)

    with pytest.raises(CorpusUnreadableError, match="not_written_by_prelim") as caught:
        read(tmp_path)

    assert caught.value.where.endswith(name)


def test_half_a_character_in_a_report_stops_no_training(tmp_path: Path) -> None:
    row = ROW | {"findings": "Clear. \ud83d", "impression": "Normal \udc00."}

    assert len(read(write(tmp_path, train=[row], dev=[row])).train) == 1


def test_a_split_of_which_nothing_can_be_used_is_refused(tmp_path: Path) -> None:
    write(tmp_path, train=[ROW], dev=[ROW | {"impression": ""}])

    with pytest.raises(CorpusUnreadableError, match="no_usable_rows"):
        read(tmp_path)


def test_the_prompts_plan_is_that_of_the_recipe(tmp_path: Path) -> None:
    row = ROW | {"indication": "Cough and fever"}
    folder = write(tmp_path, train=[row], dev=[row])

    told = read(folder).train[0]
    untold = read_training_data(
        folder, WithEnd(), PromptPlan(indication=False), tokens_max=2_000
    ).train[0]

    assert "Cough" in WithEnd().decode(list(told.token_ids[:-1]))
    assert "Cough" not in WithEnd().decode(list(untold.token_ids[:-1]))
