"""A row and its file: nothing lost, nobody's number in it, for its owner alone."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from mappings.domain import Modality, Region
from model.corpora.schema import (
    CorpusRow,
    Pseudonyms,
    open_private,
    parse_row,
    read_corpus,
    write_corpus_file,
)
from model.errors import CorpusUnreadableError

if TYPE_CHECKING:
    from pathlib import Path

ROW = CorpusRow(
    report_id="r1",
    site="riverside",
    findings="Lungs clear.\nHeart \u00fcber normal.",
    impression="Normal.",
    modality=Modality.CT,
    region=Region.CHEST,
    date="2026-03-04",
    patient_key="abc",
)


def test_a_row_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"

    count = write_corpus_file(path, [ROW, CorpusRow("r2")])

    assert count == 2
    assert list(read_corpus(path)) == [ROW, CorpusRow("r2")]


def test_a_corpus_file_is_for_its_owner_alone_even_when_it_was_there_before(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text("old")
    path.chmod(0o644)

    write_corpus_file(path, [ROW])

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_byte_order_mark_and_half_a_character_are_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text('{"report_id": "r\\udc00", "findings": "Clear \\ud83d."}\n', "utf-8-sig")

    (row,) = read_corpus(path)

    assert (row.report_id, row.findings) == ("r\ufffd", "Clear \ufffd.")
    write_corpus_file(path, [row])
    assert list(read_corpus(path)) == [row]


def test_a_row_nested_without_end_is_refused_as_no_row(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text("[" * 100_000)

    with pytest.raises(CorpusUnreadableError, match="row_not_json"):
        list(read_corpus(path))


def test_no_text_of_a_report_stands_in_a_rows_repr() -> None:
    assert "Lungs" not in repr(ROW)
    assert "Normal" not in repr(ROW)


def test_one_patient_has_one_key_under_one_salt_and_another_under_another() -> None:
    key = Pseudonyms(b"one").of("patient", "ward", "12345")

    assert key == Pseudonyms(b"one").of("patient", "ward", "12345")
    assert key != Pseudonyms(b"two").of("patient", "ward", "12345")
    assert key != Pseudonyms(b"one").of("patient", "war", "d12345")
    assert "12345" not in key


@pytest.mark.parametrize(
    ("line", "reason", "where"),
    [
        ("no json", "row_not_json", "line 2"),
        ('{"findings": "x"}', "report_id_missing", "line 2"),
        ('{"report_id": "a", "findings": 5}', "value_not_text", "line 2, findings"),
        ('{"report_id": "a", "modality": "XX"}', "modality_or_region_unknown", "line 2"),
    ],
)
def test_a_bad_line_is_named_by_its_number_and_not_quoted(
    tmp_path: Path, line: str, reason: str, where: str
) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text(f'{{"report_id": "ok"}}\n{line}\n')

    with pytest.raises(CorpusUnreadableError) as caught:
        list(read_corpus(path))

    assert (caught.value.reason, caught.value.where) == (reason, where)


def test_a_missing_file_is_said_to_be_unreadable(tmp_path: Path) -> None:
    with pytest.raises(CorpusUnreadableError, match="cannot_read_file"):
        list(read_corpus(tmp_path / "none.jsonl"))


def test_unknown_keys_are_left_out() -> None:
    assert parse_row({"report_id": "a", "mrn": "12345"}, 1) == CorpusRow("a")


def test_a_device_or_pipe_keeps_the_mode_that_others_use_it_by(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    pipe.chmod(0o666)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    open_private(pipe).close()

    os.close(reader)
    assert stat.S_IMODE(pipe.stat().st_mode) == 0o666
