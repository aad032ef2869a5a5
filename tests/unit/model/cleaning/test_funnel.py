"""Each rule alone, and all in order: of what is alike the first row that is left is kept."""

from __future__ import annotations

from dataclasses import replace

from model.cleaning.funnel import KEPT, NOBODY, run_funnel
from model.cleaning.settings import CleaningSettings
from model.corpora.schema import CorpusRow

ALL_ON = CleaningSettings()
LONG = " ".join(f"Finding number {number} is seen in the lung." for number in range(20))
SOUND = CorpusRow("sound", findings=LONG, impression="Many findings in the lung.")


def same_as(row: CorpusRow, report_id: str, **changes: str) -> CorpusRow:
    return replace(row, report_id=report_id, **changes)  # type: ignore[arg-type]


def test_a_row_is_taken_by_the_first_rule_it_breaks_and_flagged_by_all() -> None:
    funnel = run_funnel([SOUND, CorpusRow("bad", findings="Addendum.", impression="")], ALL_ON)

    assert [funnel.rule_of(place) for place in (0, 1)] == [None, "empty_part"]
    assert funnel.is_flagged(1, "addendum")
    assert not funnel.is_flagged(0, "addendum")


def test_of_equal_rows_the_first_is_kept_and_the_others_name_it() -> None:
    rows = [SOUND, same_as(SOUND, "again", findings=LONG.upper()), same_as(SOUND, "third")]

    funnel = run_funnel(rows, ALL_ON)

    assert [funnel.rule_of(place) for place in range(3)] == [None, "duplicate", "duplicate"]
    assert list(funnel.likeness) == [NOBODY, 0, 0]


def test_a_row_that_an_earlier_rule_took_makes_no_other_a_duplicate() -> None:
    wrong_language = same_as(SOUND, "first", language="de")

    funnel = run_funnel([wrong_language, SOUND], ALL_ON)

    assert [funnel.rule_of(place) for place in (0, 1)] == ["other_language", None]
    assert funnel.is_flagged(1, "duplicate")  # alone it would have been taken


def test_a_near_row_is_taken_and_named() -> None:
    near = same_as(SOUND, "near", findings=LONG + " Thank you.")

    funnel = run_funnel([SOUND, near], ALL_ON)

    assert funnel.rule_of(1) == "near_duplicate"
    assert list(funnel.likeness) == [NOBODY, 0]


def test_a_rule_that_is_off_takes_nothing_and_still_counts() -> None:
    off = CleaningSettings.model_validate(
        {"duplicate": {"enabled": False}, "near_duplicate": {"enabled": False}}
    )

    funnel = run_funnel([SOUND, same_as(SOUND, "again")], off)

    assert list(funnel.taken_by) == [KEPT, KEPT]
    assert funnel.is_flagged(1, "duplicate")


def test_duplicates_may_be_asked_for_within_a_patient_alone() -> None:
    within = CleaningSettings.model_validate(
        {"duplicate": {"same_patient_only": True}, "near_duplicate": {"enabled": False}}
    )
    rows = [
        same_as(SOUND, "a", patient_key="p1"),
        same_as(SOUND, "b", patient_key="p2"),
        same_as(SOUND, "c", patient_key="p1"),
        same_as(SOUND, "d"),
    ]

    funnel = run_funnel(rows, within)

    assert [funnel.rule_of(place) for place in range(4)] == [None, None, "duplicate", None]
    assert funnel.likeness[2] == 0


def test_equal_rows_whose_duplicates_are_kept_are_near_each_other() -> None:
    only_near = CleaningSettings.model_validate({"duplicate": {"enabled": False}})

    funnel = run_funnel([SOUND, same_as(SOUND, "again")], only_near)

    assert funnel.rule_of(1) == "near_duplicate"


def test_every_row_read_is_told() -> None:
    told: list[int] = []

    run_funnel([SOUND, SOUND, SOUND], ALL_ON, told.append)

    assert sum(told) == 3


def test_no_rows_give_an_empty_funnel() -> None:
    assert len(run_funnel([], ALL_ON).report_ids) == 0
