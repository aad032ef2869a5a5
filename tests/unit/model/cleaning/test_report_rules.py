"""A report's parts held against each other and against its exam."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mappings.domain import Modality, Region
from model.cleaning import report_rules as rules
from model.cleaning.settings import CleaningSettings
from model.corpora.schema import CorpusRow

SETTINGS = CleaningSettings()
CHEST = CorpusRow(
    "r1",
    findings="The lungs are clear. There is a small left pleural effusion. The heart is normal.",
    impression="Small left pleural effusion.",
    exam_display="XR CHEST 2 VIEWS",
    modality=Modality.DX,
    region=Region.CHEST,
)
KNEE = "There is a fracture of the patella with a joint effusion. The femur and tibia are intact."


def test_a_sound_report_breaks_no_rule() -> None:
    assert not rules.is_wrong_exam(CHEST, SETTINGS.wrong_exam)
    assert not rules.is_impression_longer(CHEST, SETTINGS.impression_longer)
    assert not rules.is_impression_copied(CHEST, SETTINGS.impression_copied)
    assert not rules.has_side_contradiction(CHEST, SETTINGS.side_contradiction)


def test_a_knee_under_a_chest_exam_is_the_wrong_exam() -> None:
    row = replace(CHEST, findings=KNEE, impression="Patella fracture.")

    assert rules.is_wrong_exam(row, SETTINGS.wrong_exam)
    assert not rules.is_wrong_exam(replace(row, region=Region.MUSCULOSKELETAL), SETTINGS.wrong_exam)
    assert not rules.is_wrong_exam(replace(row, region=None), SETTINGS.wrong_exam)
    assert not rules.is_wrong_exam(replace(row, language="de"), SETTINGS.wrong_exam)


@pytest.mark.parametrize(
    ("said", "is_wrong"),
    [
        ("The lesion is hyperintense on T2-weighted images.", True),
        ("Compared with the prior MR, where it was hyperintense.", False),
        ("Further evaluation by Doppler is recommended.", False),
    ],
)
def test_what_another_modality_shows_is_wrong_unless_it_is_of_another_study(
    said: str, *, is_wrong: bool
) -> None:
    row = replace(CHEST, findings=f"{CHEST.findings} {said}")

    assert rules.is_wrong_exam(row, SETTINGS.wrong_exam) == is_wrong


def test_an_impression_with_more_words_than_the_findings_is_longer() -> None:
    row = replace(CHEST, findings="Lungs are clear.", impression="The lungs are clear.")

    assert rules.is_impression_longer(row, SETTINGS.impression_longer)


def test_an_impression_that_is_the_findings_is_copied() -> None:
    whole = replace(CHEST, impression=CHEST.findings.upper())
    most = replace(CHEST, impression=CHEST.findings.partition(". ")[2])
    short = replace(CHEST, impression="There is a small left pleural effusion.")

    assert rules.is_impression_copied(whole, SETTINGS.impression_copied)
    assert rules.is_impression_copied(most, SETTINGS.impression_copied)
    assert not rules.is_impression_copied(short, SETTINGS.impression_copied)


def test_the_other_side_is_a_contradiction() -> None:
    turned = replace(CHEST, impression="Small right pleural effusion.")
    of_nothing = replace(turned, findings="")

    assert rules.has_side_contradiction(turned, SETTINGS.side_contradiction)
    assert not rules.has_side_contradiction(of_nothing, SETTINGS.side_contradiction)
