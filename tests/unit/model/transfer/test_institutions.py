"""Institutions as folders and files, in anyone's naming."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

from mappings.domain import Modality, Region
from model.corpora.schema import read_corpus
from model.errors import CorpusUnreadableError
from model.transfer.institutions import read_institution, write_training_folder

if TYPE_CHECKING:
    from pathlib import Path


def write_rows(path: Path, count: int, **more: object) -> Path:
    path.parent.mkdir(exist_ok=True)
    rows = [
        {"id": f"r{at}", "findings": f"Clear lungs {at}.", "impression": "Normal."}
        | {"exam": "CT chest"}
        | more
        for at in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_file_is_judged_only(tmp_path: Path) -> None:
    told = read_institution("west", write_rows(tmp_path / "west.jsonl", 3), reports_max=2)

    assert (told.name, len(told.test), told.train, told.truths) == ("west", 2, (), {})
    assert (told.test[0].site, told.systems, told.systems_read) == ("west", ("chest",) * 2, 0)
    assert (told.test[0].modality, told.test[0].region) == (Modality.CT, Region.CHEST)


def test_a_synthetic_corpus_can_be_trained_on_and_knows_its_truth(small_corpus: Path) -> None:
    told = read_institution("synthetic", small_corpus, train_max=5)

    assert (len(told.train), len(told.dev), len(told.test)) == (5, 3, 6)
    assert set(told.truths) == {row.report_id for row in told.test}


def test_what_the_findings_deny_and_the_impression_leaves_out_is_no_truth(tmp_path: Path) -> None:
    truth = [
        {"name": "effusion", "negated": False, "is_reported": True},
        {"name": "granuloma", "negated": False, "is_reported": False},
        {"name": "pneumothorax", "negated": True, "is_reported": False},
    ]
    path = write_rows(tmp_path / "x.jsonl", 1, report_id="one", truth=truth)

    assert read_institution("x", path).truths == {"one": ("effusion",)}


def test_a_line_break_of_another_kind_in_a_report_does_not_end_its_row(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    row = {"findings": "Clear.\x85\u2028", "impression": "Normal.", "truth": []}
    rows = [{"report_id": "one", **row}, {"id": "two", **row}]
    lines = "".join(json.dumps(told, ensure_ascii=False) + "\n" for told in rows)
    path.write_text(lines, encoding="utf-8")

    assert len(read_institution("x", path).test) == 2


def test_a_truth_that_names_nothing_is_refused(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "x.jsonl", 1, report_id="one", truth=[{"is": "odd"}])

    with pytest.raises(CorpusUnreadableError, match="truth_without_name"):
        read_institution("x", path)


def test_the_training_folder_is_complete_and_its_owners_alone(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        write_rows(tmp_path / "in" / f"{split}.jsonl", 2)
    told = read_institution("north", tmp_path / "in")

    folder = write_training_folder(told, tmp_path / "out")

    rows = list(read_corpus(folder / "train.jsonl"))
    assert [(row.region, row.modality) for row in rows] == [(Region.CHEST, Modality.CT)] * 2
    assert stat.S_IMODE((folder / "train.jsonl").stat().st_mode) == 0o600
    assert json.loads((folder / "corpus.json").read_text())["counts"] == {"train": 2, "dev": 2}


def test_the_digest_tells_other_reports_apart(tmp_path: Path) -> None:
    first = read_institution("a", write_rows(tmp_path / "a.jsonl", 2))
    second = read_institution("a", write_rows(tmp_path / "b.jsonl", 2, impression="Other."))

    assert first.sha256 == read_institution("a", tmp_path / "a.jsonl").sha256
    assert first.sha256 != second.sha256
