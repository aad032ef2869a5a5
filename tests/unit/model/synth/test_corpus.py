"""The corpus: the same bytes from the same seed, and splits that share nothing."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from mappings.domain import Region
from model.corpora.asking import prompt_of
from model.corpora.schema import parse_row
from model.synth import Counts, read_rows, write_corpus
from model.synth.corpus import SPLITS, report_row
from model.synth.lexicon import REGIONS, frames

if TYPE_CHECKING:
    from pathlib import Path

    from model.synth import Corpus

COUNTS = Counts(train=90, dev=12, test=60)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_corpus(tmp_path_factory.mktemp("corpus"), seed=3, counts=COUNTS)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(
    corpus: Corpus, tmp_path: Path
) -> None:
    again = write_corpus(tmp_path / "again", seed=3, counts=COUNTS)
    other = write_corpus(tmp_path / "other", seed=4, counts=COUNTS)

    assert bytes_of(again.folder) == bytes_of(corpus.folder)
    assert other.digests["train"] != corpus.digests["train"]


def test_asking_for_more_reports_changes_none_of_those_before(
    corpus: Corpus, tmp_path: Path
) -> None:
    more = write_corpus(tmp_path, seed=3, counts=Counts(train=95, dev=0, test=0))

    longer = (more.folder / "train.jsonl").read_bytes()
    assert longer.startswith((corpus.folder / "train.jsonl").read_bytes())


def test_the_summary_holds_the_digest_of_each_file(corpus: Corpus) -> None:
    summary = json.loads((corpus.folder / "corpus.json").read_text())

    for split in SPLITS:
        content = (corpus.folder / f"{split}.jsonl").read_bytes()
        assert summary["sha256"][split] == hashlib.sha256(content).hexdigest()
        assert summary["counts"][split] == content.count(b"\n")


def test_no_template_of_the_test_split_is_met_in_training(corpus: Corpus) -> None:
    used = {
        split: {
            template
            for row in read_rows(corpus.folder / f"{split}.jsonl")
            for template in row["template_ids"]
        }
        for split in SPLITS
    }

    assert used["test"]
    assert used["test"].isdisjoint(used["train"] | used["dev"])


def test_a_patient_has_one_report(corpus: Corpus) -> None:
    patients = Counter(
        row["patient_id"] for split in SPLITS for row in read_rows(corpus.folder / f"{split}.jsonl")
    )

    assert set(patients.values()) == {1}


def test_regions_take_turns() -> None:
    regions = [report_row(0, "train", index)["region"] for index in range(14)]

    assert regions == [region.value for region in REGIONS] * 2
    assert set(regions) == {
        "chest", "abdomen", "musculoskeletal", "head", "spine", "breast", "neck"
    }  # fmt: skip


def test_the_corpus_has_all_its_techniques_and_sites() -> None:
    rows = [report_row(0, "train", index) for index in range(140)]

    assert {row["modality"] for row in rows} == {"CR", "CT", "DX", "MG", "MR", "US"}
    assert len({row["site"] for row in rows}) == len(frames().styles)
    assert {row["language"] for row in rows} == {"en"}


def test_a_language_named_twice_gets_two_turns_of_the_regions() -> None:
    languages = ("en", "en", "de")
    rows = [report_row(0, "train", index, languages) for index in range(42)]

    assert Counter(row["language"] for row in rows) == {"en": 28, "de": 14}
    assert {row["region"] for row in rows if row["language"] == "de"} == set(REGIONS)
    assert rows[0] == report_row(0, "train", 0)


def test_progress_counts_every_report(tmp_path: Path) -> None:
    written: list[int] = []

    write_corpus(tmp_path, counts=Counts(train=3, dev=1, test=2), advance=written.append)

    assert sum(written) == 6


def test_a_row_can_be_read_as_a_report_and_as_a_prompt() -> None:
    row = report_row(0, "train", 0)
    report = parse_row(row, 1)

    assert report.region is Region.CHEST
    assert row["findings"].split()[0] in "".join(piece.text for piece in prompt_of(report).pieces)
