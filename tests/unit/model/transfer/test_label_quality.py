"""The labeller judged where the truth is known."""

from __future__ import annotations

from model.transfer.label_quality import judge_labeller, quality_on
from tests.unit.model.transfer_samples import make_institutions


def test_right_invented_and_missed_labels_are_counted() -> None:
    told = quality_on(
        "en",
        [
            ("Left pleural effusion.", ("pleural effusion",)),
            ("Left pneumothorax.", ("pleural effusion", "sixth toe")),
        ],
    )

    assert (told.reports, told.found, told.invented, told.missed) == (2, 1, 1, 1)
    assert (told.precision, told.recall) == (0.5, 0.5)
    assert told.uncovered == (("sixth toe", 1),)


def test_a_name_is_labelled_by_the_same_table() -> None:
    told = quality_on("de", [("Rippenfraktur links.", ("rib fracture",))])

    assert (told.found, told.invented, told.missed) == (1, 0, 0)


def test_nothing_found_and_nothing_due_have_no_rate() -> None:
    told = quality_on("en", [("Normal chest.", ())])

    assert (told.precision, told.recall) == (None, None)


def test_only_reports_with_a_known_truth_count() -> None:
    (told,) = judge_labeller(make_institutions())

    assert (told.language, told.reports, told.found, told.missed) == ("en", 12, 8, 0)
    assert (told.precision, told.recall) == (1.0, 1.0)
