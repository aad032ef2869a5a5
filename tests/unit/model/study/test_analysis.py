"""The whole analysis: what was put in is found, and by site and modality too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model.study.analysis import analyse
from model.study.questions import SCALES
from model.study.readings import join_answers
from tests.unit.model.study_samples import like_the_model, run_study

if TYPE_CHECKING:
    from pathlib import Path


def test_a_model_that_all_prefer_is_found(tmp_path: Path) -> None:
    found = analyse(join_answers(run_study(tmp_path, answer=like_the_model)))

    assert (found.readers_answered, found.answered, found.items) == (3, 36, 36)
    assert {one.scale: one.difference for one in found.ratings} == dict.fromkeys(SCALES, 2)
    assert found.preference is not None
    assert found.preference.at_least_as_good.value == 1
    assert (found.preference.votes.for_first, found.preference.votes.for_second) == (12, 0)
    assert found.turing is None


def test_a_machine_that_all_take_for_a_human_is_found(tmp_path: Path) -> None:
    found = analyse(join_answers(run_study(tmp_path, kind="turing", answer=like_the_model)))

    assert found.turing is not None
    assert found.preference is None
    assert found.turing.said_human["model"].value == 1
    assert found.turing.right.value == 0
    assert found.turing.agreement.value == pytest.approx(1)
    assert found.ratings[0].difference == 2


def test_the_time_saved_is_found(tmp_path: Path) -> None:
    study = run_study(tmp_path, count=3, timed=12, answer=like_the_model)

    found = analyse(join_answers(study))

    assert found.timing is not None
    assert found.timing.difference == pytest.approx(-40)


def test_random_answers_leave_nothing_below_the_level_of_the_family(tmp_path: Path) -> None:
    found = analyse(join_answers(run_study(tmp_path, count=30)))

    assert min(test.p_holm for test in found.family if test.p_holm is not None) > 0.05


def test_all_tests_are_of_one_family(tmp_path: Path) -> None:
    found = analyse(join_answers(run_study(tmp_path, timed=6)))

    assert [test.name for test in found.family] == [
        *(f"rating: {one.scale}" for one in found.ratings),
        "better text",
        "at least as good, across sites",
        "drafting time",
    ]
    assert all(t.p_holm >= t.p for t in found.family if t.p is not None and t.p_holm is not None)


def test_sites_and_modalities_have_numbers_of_their_own(tmp_path: Path) -> None:
    found = analyse(join_answers(run_study(tmp_path, timed=6, answer=like_the_model)))

    groups = {(one.grouping, one.name): one for one in found.groups}
    assert set(groups) == {
        ("site", "north"), ("site", "south"), ("modality", "CT"), ("modality", "CR")
    }  # fmt: skip
    assert sum(one.cases for one in found.groups if one.grouping == "site") == 12
    north = groups["site", "north"]
    assert north.chief is not None
    assert (north.chief.value, north.differences["harm"]) == (1, 2)
    assert north.seconds == pytest.approx(-40)


def test_the_same_seed_gives_the_same_numbers(tmp_path: Path) -> None:
    answers = join_answers(run_study(tmp_path))

    assert analyse(answers, 3) == analyse(answers, 3)
    assert analyse(answers, 3) != analyse(answers, 4)
