"""What a draft says: each rate counts its own reports, and gives none where it cannot read."""

from __future__ import annotations

import pytest

from mappings.domain import Exam, Findings, Modality, Region
from model.evaluation.content import FAULTS, copied_share, is_short_normal, read_content

pytest.importorskip("rouge_score")


def findings(text: str, language: str = "en", region: Region | None = Region.CHEST) -> Findings:
    exam = Exam(modality=Modality.DX, region=region)
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


def rates(region: Region | None, reference: str, draft: str, language: str = "en") -> object:
    content = read_content(findings("Seen.", language, region), reference, draft)
    return content["missed_abnormal"], content["invented_abnormal"]


PERFORATION = "Acute appendicitis. No evidence of perforation."


@pytest.mark.parametrize("region", [Region.ABDOMEN, Region.PELVIS])
def test_outside_the_chest_an_impression_is_normal_that_names_no_finding(region: Region) -> None:
    assert rates(region, PERFORATION, "No acute abnormality.") == (1.0, None)
    assert rates(region, PERFORATION, PERFORATION) == (0.0, None)
    assert rates(region, "No acute abnormality.", PERFORATION) == (None, 1.0)
    assert rates(region, "Normal study.", "The bowel is unremarkable.") == (None, 0.0)
    # No word of model/labels, and yet nothing normal.
    assert rates(region, "Testicular torsion.", "Normal scrotal ultrasound.") == (1.0, None)
    assert rates(region, "Normal study.", "Ectopic pregnancy.") == (None, 1.0)


@pytest.mark.parametrize("region", [Region.CHEST, None])
def test_the_words_of_the_chest_judge_where_the_region_is_chest_or_unknown(
    region: Region | None,
) -> None:
    assert rates(region, PERFORATION, "No acute abnormality.") == (None, 0.0)
    assert rates(region, "Unchanged.", "The heart is unremarkable.") == (1.0, None)


@pytest.mark.parametrize("region", [Region.CHEST, Region.ABDOMEN, None])
@pytest.mark.parametrize(
    ("language", "abnormal", "normal"),
    [
        ("de", "Pleuraerguss links.", "Unauffälliger Befund."),
        ("fr", "Épanchement pleural gauche.", "Examen normal."),
        ("es", "Derrame pleural izquierdo.", "Estudio normal."),
        ("ro", "Pleurezie stângă.", "Examen normal."),
        ("zh-CN", "左侧胸腔积液。", "未见异常。"),
    ],
)
def test_other_languages_are_judged_by_the_findings_they_name(
    region: Region | None, language: str, abnormal: str, normal: str
) -> None:
    assert rates(region, abnormal, normal, language) == (1.0, None)
    assert rates(region, normal, abnormal, language) == (None, 1.0)


@pytest.mark.parametrize(
    ("language", "text", "draft"),
    [
        ("de", "Kleiner Pleuraerguss links. Zyste von 5 mm.", "Pleuraerguss rechts, 7 mm."),
        ("fr", "Épanchement pleural gauche. Kyste de 5 mm.", "Épanchement pleural droit, 7 mm."),
        ("es", "Derrame pleural izquierdo. Quiste de 5 mm.", "Derrame pleural derecho, 7 mm."),
        ("ro", "Pleurezie stângă. Chist de 5 mm.", "Pleurezie dreaptă, 7 mm."),
        ("zh", "左侧胸腔积液。囊肿 5 mm。", "右侧胸腔积液, 7 mm。"),
    ],
)
def test_the_faults_are_counted_wherever_the_checks_have_words(
    language: str, text: str, draft: str
) -> None:
    told = findings(text, language)

    content, right = read_content(told, text, draft), read_content(told, text, text)

    assert (content["side_fault"], content["number_fault"]) == (1.0, 1.0)
    assert {right[name] for name in FAULTS} == {0.0}


def test_a_finding_made_up_and_one_left_out_are_counted_in_another_language() -> None:
    told = findings("Pneumothorax links.", "de")

    content = read_content(told, "Pneumothorax links.", "Lungenembolie.")

    assert (content["unsupported_finding"], content["left_out"]) == (1.0, 1.0)


def test_a_language_without_words_gives_no_rate_but_lengths() -> None:
    told = findings("Versamento pleurico a sinistra.", "it")

    content = read_content(told, "Versamento a sinistra.", "Versamento pleurico a destra.")

    counted = {name for name, value in content.items() if value is not None}
    assert counted == {"copied", "words"}
    assert content["words"] == 4.0


def test_only_runs_of_three_words_are_copied() -> None:
    source = ["a", "small", "left", "effusion", "is", "seen"]

    assert copied_share(source, ["new", "small", "left", "effusion", "now"]) == pytest.approx(0.6)
    assert copied_share(source, ["small", "left", "heart"]) == 0.0
    assert copied_share(source, []) is None
