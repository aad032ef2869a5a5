"""The demonstration shows every shipped message and what became of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from daemon.demo import SAMPLES, demo_settings
from tests.process.conftest import run_prelim

if TYPE_CHECKING:
    from pathlib import Path

import pytest

pytestmark = pytest.mark.process


def test_every_shipped_message_is_shown_with_what_became_of_it(tmp_path: Path) -> None:
    code, out, _ = run_prelim("demo", "--engine", "extractive", "--json", "--data", str(tmp_path))

    records = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert {record["source"] for record in records} == {file.name for file in SAMPLES.glob("*.hl7")}
    posted = [record for record in records if record["state"] == "POSTED"]
    assert len(posted) >= 8
    assert all(record["observation"]["valueString"] == record["draft"] for record in posted)
    reasons = {record["reason"] for record in records if record["state"] != "POSTED"}
    assert {"impression_present", "not_radiology"} <= reasons
    assert "REJECTED" in {record["state"] for record in records}


def test_people_see_findings_draft_and_the_stored_observation(tmp_path: Path) -> None:
    code, out, _ = run_prelim("demo", "--engine", "extractive", "--data", str(tmp_path))

    assert code == 0
    assert "DRAFT" in out
    assert '"status": "preliminary"' in out
    assert "entries whole" in out
    assert out.rstrip().endswith("says what would be done with your own messages.")


def test_a_journal_that_no_demo_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").touch()

    code, _, err = run_prelim("demo", "--engine", "extractive", "--data", str(tmp_path))

    assert code == 2
    assert "--data: this folder holds a journal that no demo made" in err


@pytest.mark.parametrize(("told", "expected"), [(None, 4), ("0", 0), ("1", 1)])
def test_refused_drafts_are_followed_by_others_unless_the_settings_say_how_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str | None, expected: int
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PRELIM_MODEL__REDRAFTS", raising=False)
    if told is not None:
        monkeypatch.setenv("PRELIM_MODEL__REDRAFTS", told)

    settings = demo_settings({"data": tmp_path, "model": {"engine": "extractive"}})

    assert (settings.model.redrafts, settings.model.engine) == (expected, "extractive")
