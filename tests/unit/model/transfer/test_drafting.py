"""Drafts in pieces: taken up where they were left, written anew when made of something else."""

from __future__ import annotations

import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from model.prompt import PromptPlan
from model.transfer import drafting
from model.transfer.drafting import draft_reports, key_of, pace_alone
from tests.unit.model.transfer_samples import CHARACTERS_MAX, CopyingWriter, make_rows

if TYPE_CHECKING:
    from pathlib import Path

    from model.transfer.drafting import Drafted

ROWS = make_rows("r", 5)
PLAN = PromptPlan()
COPIES = tuple(row.findings.split(".")[0] + "." for row in ROWS)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafting, "CHUNK_REPORTS", 2)


def draft(file: Path, writer: CopyingWriter, key: str = "k") -> Drafted:
    return draft_reports(ROWS, lambda: writer, PLAN, file=file, key=key)


def test_every_report_gets_a_draft_and_the_whole_is_timed(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    writer = CopyingWriter()

    told = draft_reports(
        ROWS,
        lambda: writer,
        PLAN,
        file=tmp_path / "x",
        key="k",
        report=lambda done, whole: seen.append((done, whole)),
    )

    assert told.drafts == COPIES
    assert (told.pace.reports, told.pace.tokens) == (5, sum(len(one.split()) for one in COPIES))
    assert seen == [(0, 5), (2, 5), (4, 5), (5, 5)]
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600


def test_what_was_written_is_not_written_again(tmp_path: Path) -> None:
    first = draft(tmp_path / "x", CopyingWriter())
    writer = CopyingWriter()

    assert draft(tmp_path / "x", writer) == first
    assert writer.calls == 0


def test_a_run_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "x"
    draft(file, CopyingWriter())
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:2]) + lines[2][:20])
    writer = CopyingWriter()

    assert draft(file, writer).drafts == COPIES
    assert writer.calls == 2


def test_another_key_begins_anew(tmp_path: Path) -> None:
    draft(tmp_path / "x", CopyingWriter())
    writer = CopyingWriter()

    assert draft(tmp_path / "x", writer, key="other").drafts == COPIES
    assert writer.calls == 3


def test_the_pace_is_measured_once(tmp_path: Path) -> None:
    writer = CopyingWriter()
    first = pace_alone(ROWS, lambda: writer, PLAN, file=tmp_path / "x", key="k")
    calls = writer.calls

    assert pace_alone(ROWS, lambda: writer, PLAN, file=tmp_path / "x", key="k") == first
    assert writer.calls == calls == 6  # one more than reports: the first is not timed
    assert first[1] == 7


def test_a_key_tells_its_parts_apart() -> None:
    assert key_of("a", "bc") != key_of("ab", "c")


def test_a_report_too_long_for_the_writer_has_no_draft_and_is_not_counted(tmp_path: Path) -> None:
    rows = (ROWS[0], replace(ROWS[1], findings="Clear. " * CHARACTERS_MAX), *ROWS[2:])

    first = draft_reports(rows, CopyingWriter, PLAN, file=tmp_path / "x", key="k")
    again = draft_reports(rows, pytest.fail, PLAN, file=tmp_path / "x", key="k")

    assert first.drafts == (COPIES[0], None, *COPIES[2:])
    assert first.pace.reports == 4
    assert again == first
