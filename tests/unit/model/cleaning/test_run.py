"""A whole cleaning: every row is accounted for, and the same corpus gives the same bytes."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from model.cleaning.run import clean_corpus
from model.cleaning.settings import RULES, CleaningSettings
from model.corpora.schema import CorpusRow, read_corpus, write_corpus_file

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "QUETZALCANARY"
LONG = " ".join(f"Finding number {number} is seen in the lung." for number in range(20))
SOUND = CorpusRow("sound", findings=f"{LONG} {CANARY}", impression="Findings in the lung.")
ROWS = [
    SOUND,
    replace(SOUND, report_id="again"),
    replace(SOUND, report_id="near", findings=LONG),
    *[CorpusRow(f"empty{number}", impression=CANARY) for number in range(30)],
]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    write_corpus_file(path, ROWS)
    return path


def lines_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_row_is_kept_or_removed_by_a_named_rule(source: Path, tmp_path: Path) -> None:
    ledger, _ = clean_corpus(source, tmp_path / "out", CleaningSettings())

    kept = list(read_corpus(tmp_path / "out" / "kept.jsonl"))
    removed = lines_of(tmp_path / "out" / "removed.jsonl")
    assert kept == [SOUND]
    assert {one["report_id"] for one in removed} == {row.report_id for row in ROWS[1:]}
    assert removed[0] == {
        "report_id": "again",
        "rule": "duplicate",
        "rules": ["duplicate", "near_duplicate"],
        "like": "sound",
    }
    assert (ledger.rows, ledger.kept) == (33, 1)


def test_the_funnel_adds_up(source: Path, tmp_path: Path) -> None:
    ledger, _ = clean_corpus(source, tmp_path / "out", CleaningSettings())

    assert tuple(one.rule for one in ledger.rules) == RULES
    left = ledger.rows
    for one in ledger.rules:
        left -= one.taken
        assert one.left == left
        assert one.taken <= one.alone
    assert left == ledger.kept
    counted = {one.rule: (one.alone, one.taken) for one in ledger.rules}
    assert counted["empty_part"] == (30, 30)
    assert counted["duplicate"] == (30, 1)
    assert counted["near_duplicate"] == (31, 1)


def test_the_same_corpus_gives_the_same_bytes(source: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        clean_corpus(source, tmp_path / name, CleaningSettings())

    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one", "two")
    )
    assert one == two
    assert len(one) == 7


def test_the_ledger_names_the_very_bytes(source: Path, tmp_path: Path) -> None:
    ledger, _ = clean_corpus(source, tmp_path / "out", CleaningSettings())

    kept = (tmp_path / "out" / "kept.jsonl").read_bytes()
    assert ledger.kept_sha256 == sha256(kept).hexdigest()
    assert ledger.source_sha256 == sha256(source.read_bytes()).hexdigest()


def test_samples_of_each_rule_are_for_their_owner_alone(source: Path, tmp_path: Path) -> None:
    clean_corpus(source, tmp_path / "out", CleaningSettings(samples_per_rule=5))

    path = tmp_path / "out" / "samples.jsonl"
    rules = [one["rule"] for one in lines_of(path)]
    assert rules.count("empty_part") == 5
    assert rules.count("duplicate") == rules.count("near_duplicate") == 1
    for name in ("samples.jsonl", "kept.jsonl", "removed.jsonl"):
        assert stat.S_IMODE((tmp_path / "out" / name).stat().st_mode) == 0o600


def test_no_text_of_a_report_stands_outside_the_private_files(source: Path, tmp_path: Path) -> None:
    clean_corpus(source, tmp_path / "out", CleaningSettings())

    for name in ("ledger.json", "report.md", "report.html", "funnel.svg", "removed.jsonl"):
        assert CANARY not in (tmp_path / "out" / name).read_text()
    assert CANARY in (tmp_path / "out" / "samples.jsonl").read_text()


def test_the_corpus_itself_is_not_touched(source: Path, tmp_path: Path) -> None:
    before = source.read_bytes()

    clean_corpus(source, tmp_path / "out", CleaningSettings())

    assert source.read_bytes() == before
