"""What a draft says: each rate counts its own reports, and gives none where it cannot read."""

from __future__ import annotations

import pytest

from mappings.domain import Exam, Findings, Modality, Region
from model.evaluation.content import copied_share, is_short_normal, read_content

pytest.importorskip("rouge_score")


def findings(text: str, language: str = "en") -> Findings:
    exam = Exam(modality=Modality.DX, region=Region.CHEST)
    return Findings(text=text, indication=None, exam=exam, site="north", language=language)


@pytest.mark.parametrize(
    ("impression", "expected"),
    [
        ("No acute cardiopulmonary abnormality.", True),
        ("1. Normal chest.", True),
        ("1. No acute disease. 2. The lungs are clear.", True),
        ("Stable cardiomegaly. No acute disease.", False),
        ("Small left effusion.", False),
        ("No acute abnormality is seen in the chest on these two views today.", False),
    ],
)
def test_a_short_normal_impression_is_known(impression: str, *, expected: bool) -> None:
    assert is_short_normal(impression) is expected


def test_an_abnormal_report_counts_for_missed_and_a_normal_one_for_invented() -> None:
    told = findings("There is a small left pleural effusion.")

    missed = read_content(told, "Small left effusion.", "No acute disease.")
    invented = read_content(told, "No acute disease.", "Small left effusion.")

    assert (missed["missed_abnormal"], missed["invented_abnormal"]) == (1.0, None)
    assert (invented["missed_abnormal"], invented["invented_abnormal"]) == (None, 1.0)


@pytest.mark.parametrize(
    ("draft", "fault"),
    [
        ("4 mm nodule of the right upper lobe.", "number_fault"),
        ("3 mm nodule of the left upper lobe.", "side_fault"),
        ("3 mm nodule of the right upper lobe. Pneumothorax.", "unsupported_finding"),
    ],
)
def test_a_fault_of_a_draft_is_counted(draft: str, fault: str) -> None:
    told = findings("There is a 3 mm nodule in the right upper lobe.")
    right = "3 mm nodule of the right upper lobe."

    assert read_content(told, right, draft)[fault] == 1.0
    assert read_content(told, right, right)[fault] == 0.0


def test_another_language_than_english_gives_no_rate_but_lengths() -> None:
    content = read_content(findings("双肺清晰。", "zh"), "未见异常。", "双肺清晰。")

    counted = {name for name, value in content.items() if value is not None}
    assert counted == {"copied", "words"}
    assert (content["copied"], content["words"]) == (1.0, 4.0)


def test_only_runs_of_three_words_are_copied() -> None:
    source = ["a", "small", "left", "effusion", "is", "seen"]

    assert copied_share(source, ["new", "small", "left", "effusion", "now"]) == pytest.approx(0.6)
    assert copied_share(source, ["small", "left", "heart"]) == 0.0
    assert copied_share(source, []) is None
