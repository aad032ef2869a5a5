"""Answers find their sources by the key, whatever the order in which the texts were shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from model.errors import StudyInputError
from model.study.readings import by_case_and_source, join_answers
from tests.unit.model.study_samples import like_the_model, run_study

if TYPE_CHECKING:
    from pathlib import Path


def test_the_ratings_of_a_comparison_go_to_the_text_that_was_rated(tmp_path: Path) -> None:
    answers = join_answers(run_study(tmp_path, answer=like_the_model))

    assert {(one.source, one.ratings["harm"]) for one in answers.readings} == {
        ("model", 5),
        ("reference", 3),
    }
    assert {one.better for one in answers.preferences} == {"model"}
    assert (answers.answered, answers.items, len(answers.readings)) == (36, 36, 72)


def test_same_is_neithers(tmp_path: Path) -> None:
    study = run_study(tmp_path, answer=lambda question, _: {"better": "same"}.get(question.name, 4))

    assert {one.better for one in join_answers(study).preferences} == {"same"}


def test_the_writers_of_a_turing_study_are_told_as_sources(tmp_path: Path) -> None:
    answers = join_answers(run_study(tmp_path, kind="turing", answer=like_the_model))

    assert {(one.source, one.said) for one in answers.readings} == {
        ("model", "reference"),
        ("reference", "model"),
    }
    assert answers.preferences == ()


def test_times_go_to_the_arm_they_were_taken_in(tmp_path: Path) -> None:
    answers = join_answers(run_study(tmp_path, count=4, timed=6, answer=like_the_model))

    assert len(answers.timings) == 18
    assert {(one.has_draft, one.seconds) for one in answers.timings} == {(True, 60), (False, 100)}


def test_readings_are_found_by_case_source_and_reader(tmp_path: Path) -> None:
    answers = join_answers(run_study(tmp_path))
    found = by_case_and_source(answers.readings)

    assert len(found) == 12
    assert {tuple(source) for source in found.values()} == {("model", "reference")}
    assert set(found["case-0"]["model"]) == {"R01", "R02", "R03"}


def test_a_study_without_answers_or_key_is_refused(tmp_path: Path) -> None:
    study = run_study(tmp_path)
    for path in (study / "answers").iterdir():
        path.unlink()

    with pytest.raises(StudyInputError, match="no_answers_yet"):
        join_answers(study)
    (study / "key.json").write_text("[]")
    with pytest.raises(StudyInputError, match="not_a_key"):
        join_answers(study)


def test_an_answer_that_the_key_does_not_know_is_refused_by_its_place(tmp_path: Path) -> None:
    study = run_study(tmp_path)
    path = study / "answers" / "R02.json"
    rows = json.loads(path.read_text())
    rows[3]["item"] = "R09-001"
    path.write_text(json.dumps(rows))

    with pytest.raises(StudyInputError) as caught:
        join_answers(study)

    assert caught.value.where == "R02.json[3].item"
