"""A record counts an import, names its corpus, and goes where that corpus goes and nowhere else."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from model.corpora.import_record import (
    carry_ledger,
    carry_record,
    digest_of_file,
    make_record,
    origins_of,
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


def test_a_cleaned_corpus_tells_what_it_was_and_a_ledger_of_another_does_not(corpus: Path) -> None:
    digest = digest_of_file(corpus)
    ledger = corpus.with_name("ledger.json")

    assert origins_of(corpus) == [digest]
    ledger.write_text(json.dumps({"kept_sha256": digest, "source_sha256": "a" * 64}))
    assert origins_of(corpus) == [digest, "a" * 64]
    for kept, source in (("b" * 64, "a" * 64), (digest, None), ([digest], "a" * 64)):
        ledger.write_text(json.dumps({"kept_sha256": kept, "source_sha256": source}))
        assert origins_of(corpus) == [digest]


def test_a_record_writes_down_the_cleaned_corpora_it_came_through_each_once(
    corpus: Path, folder: Path, tmp_path: Path
) -> None:
    write_record(corpus, make_record(corpus, 2, PASSED, None))
    first = digest_of_file(corpus)
    (tmp_path / "next").mkdir()

    assert carry_record(corpus, folder, ["k1", first])
    assert carry_record(folder / "kept.jsonl", tmp_path / "next", ["k2", "k1"])
    assert carry_record(tmp_path / "next" / "kept.jsonl", tmp_path / "next", ["k2", "k1"])

    told = json.loads((tmp_path / "next" / "import.json").read_text())
    assert (told["sha256"], told["through"]) == (first, ["k1", "k2"])


def test_the_record_of_another_corpus_stays_where_it_is(corpus: Path, folder: Path) -> None:
    write_record(corpus, make_record(corpus, 2, PASSED, None))

    assert not carry_record(corpus, folder, ["0" * 64])
    assert list(folder.iterdir()) == []


def test_what_a_folder_tells_of_the_corpus_before_is_taken_away(
    corpus: Path, folder: Path, tmp_path: Path
) -> None:
    write_record(corpus, make_record(corpus, 2, PASSED, None))
    digest = digest_of_file(corpus)
    ledger = {"version": "cleaning/1", "kept_sha256": digest, "source_sha256": "a" * 64}
    corpus.with_name("ledger.json").write_text(json.dumps(ledger))
    other = tmp_path / "other" / "corpus.jsonl"
    other.parent.mkdir()
    other.write_text("")
    for carry in (carry_ledger, carry_record):
        carry(corpus, folder, origins_of(corpus))
    assert {path.name for path in folder.iterdir()} == {"import.json", "ledger.json"}

    for carry in (carry_ledger, carry_record):
        carry(folder / "another.jsonl", folder, ["0" * 64])
    assert len(list(folder.iterdir())) == 2  # they are those of a neighbour in the same folder
    for carry in (carry_ledger, carry_record):
        carry(other, folder, origins_of(other))

    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("text", ["[1]", "{}", "no", '{"sha256": null}', '{"sha256": [1]}'])
def test_somebody_elses_file_of_that_name_stays_where_it_is(
    corpus: Path, folder: Path, text: str
) -> None:
    corpus.with_name("import.json").write_text(text)

    assert not carry_record(corpus, folder, [digest_of_file(corpus)])
    assert list(folder.iterdir()) == []
    for carry, name in ((carry_record, "import.json"), (carry_ledger, "ledger.json")):
        (folder / name).write_text(text)
        carry(corpus, folder, [digest_of_file(corpus)])
        assert (folder / name).read_text() == text
