"""A record counts an import, names its corpus, and goes where that corpus goes and nowhere else."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from model.corpora.import_record import (
    carry_record,
    digest_of_file,
    make_record,
    write_record,
)
from model.corpora.messages import Passed
from model.corpora.schema import CorpusRow, write_corpus_file
from model.deidentify import Changes, deidentify_row

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [
    CorpusRow("r1", findings="Told Dr. Lee on 03/12/2024.", impression="Mr. Lee is well."),
    CorpusRow("r2", findings="Lungs clear.", impression="Normal."),
]
PASSED = Passed(Counter({"not_final": 2, "no_findings": 1}))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    write_corpus_file(tmp_path / "corpus.jsonl", ROWS)
    return tmp_path / "corpus.jsonl"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "split").mkdir()
    return tmp_path / "split"


def test_what_was_read_is_what_was_written_and_what_was_passed_over(corpus: Path) -> None:
    changes = Changes()
    for row in ROWS:
        deidentify_row(row, changes)

    record = make_record(corpus, 2, PASSED, changes)

    assert (record.read, record.rows) == (5, 2)
    assert list(record.passed_over.items()) == [("no_findings", 1), ("not_final", 2)]
    assert list(record.deidentified.items()) == [("DATE", 1), ("NAME", 2)]
    assert (record.is_deidentified, record.changed_rows) == (True, 1)
    assert record.sha256 == hashlib.sha256(corpus.read_bytes()).hexdigest()


def test_texts_that_were_looked_through_in_vain_are_not_those_left_alone(corpus: Path) -> None:
    in_vain, alone = (make_record(corpus, 2, PASSED, told) for told in (Changes(), None))

    assert in_vain.deidentified == alone.deidentified == {}
    assert (in_vain.is_deidentified, alone.is_deidentified) == (True, False)


def test_a_record_is_written_beside_its_corpus_and_carried_from_folder_to_folder(
    corpus: Path, folder: Path, tmp_path: Path
) -> None:
    record = make_record(corpus, 2, PASSED, None)
    path = write_record(corpus, record)
    digests = [digest_of_file(corpus)]
    (tmp_path / "next").mkdir()

    assert carry_record(corpus, folder, digests)
    assert carry_record(folder / "kept.jsonl", tmp_path / "next", digests)

    assert path == corpus.with_name("corpus.jsonl.import.json")
    assert json.loads(path.read_text()) == record.as_dict()
    assert (tmp_path / "next" / "import.json").read_bytes() == path.read_bytes()


def test_the_record_of_another_corpus_stays_where_it_is(corpus: Path, folder: Path) -> None:
    write_record(corpus, make_record(corpus, 2, PASSED, None))

    assert not carry_record(corpus, folder, ["0" * 64])
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("text", ["[1]", "{}", "no", '{"sha256": null}', '{"sha256": [1]}'])
def test_somebody_elses_file_of_that_name_stays_where_it_is(
    corpus: Path, folder: Path, text: str
) -> None:
    corpus.with_name("import.json").write_text(text)

    assert not carry_record(corpus, folder, [digest_of_file(corpus)])
    assert list(folder.iterdir()) == []
