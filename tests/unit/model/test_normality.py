"""Normal is only what is known to be normal; what is unsure or unknown counts as abnormal."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.normality import is_abnormal, problems

NORMAL = [
    "The lungs are clear.",
    "Heart size is normal.",
    "There is no pleural effusion or pneumothorax.",
    "No focal consolidation, pleural effusion, or pneumothorax.",
    "No large pneumothorax, small effusion or fracture.",
    "No evidence of hydronephrosis, stone or mass in either kidney.",
    "Neither mass nor adenopathy.",
    "No fracture or dislocation is seen.",
    "Hydronephrosis and stones are not seen.",
    "The appendix is not visualized.",
    "The 3 mm nodule is no longer seen.",
    "Bowel is not dilated.",
    "Otherwise normal.",
    "The liver is otherwise unremarkable.",
    "Negative for fracture.",
    "The trachea is midline.",
    "Osseous structures are intact.",
    "The cardiomediastinal silhouette is within normal limits.",
    "No suspicious osseous lesion.",
    "No interval change.",
    "No change in heart size.",
    "No increase in the size of the heart.",
    "Lungs: Clear.",
    "1. No fracture.",
    "- Normal spleen",
    "Fat planes are preserved, no narrowing.",
    "The kidneys are\nnormal.",
    "A pneumothorax can be excluded.",
    "Pulmonary embolism is ruled out.",
    "A fracture has been excluded on these views.",
    "A pneumothorax is not found on these images.",
    "A hernia has not been observed.",
    "An abscess has not developed.",
    "Nothing indicates a fracture.",
    "Nothing suggests pneumonia.",
    "There is nothing to suggest pneumonia.",
    "The peritoneal cavity is unremarkable.",
    "The nasal cavity is clear.",
]
ABNORMAL = [
    "There is a 5 mm nodule.",
    "Small left pleural effusion.",
    "Unchanged cardiomegaly.",
    "Stable 4 mm nodule.",
    "A fracture cannot be excluded.",
    "No fracture, occult injury cannot be definitely excluded.",
    "Early pneumonia is not entirely excluded.",
    "A fracture is not ruled out.",
    "A pneumothorax cannot be excluded.",
    "A 2 cm cavity, normal heart.",
    "A laceration interrupts the normal enhancement of the spleen.",
    "Ectatic aorta of normal course.",
    "Foreign body beside the normal esophagus.",
    "Retraction of the nipple, normal skin.",
    "A mass is excluded from the field of view.",
    "The costophrenic angles are excluded.",
    "Left kidney: None.",
    "There is an effusion and a fracture can be excluded.",
    "The left kidney has not developed.",
    "The right upper lobe mass has not shown any growth.",
    "The pneumothorax has not been shown to resolve.",
    "The known aneurysm has not developed a leak.",
    "The effusion has not appeared larger.",
    "A fracture can be excluded only with CT.",
    "Nothing suggests that the mass has resolved.",
    "There is nothing to suggest healing of the fracture.",
    "The aortic dissection is not shown to extend below the diaphragm.",
    "The source of the hemorrhage was not found.",
    "The apex of the large pneumothorax is not shown on this film.",
    "A nodule that was not visible on the prior study now measures 8 mm.",
    "A nodule that was not seen on the prior study now measures 8 mm.",
    "The gallbladder was not found.",
    "The right lung has not been shown.",
    "It is difficult to exclude an occult fracture.",
    "Possibly normal.",
    "Heart size is at the upper limits of normal.",
    "No change in the 5 mm nodule.",
    "No significant interval change of the 5 mm nodule.",
    "No progression of the metastases.",
    "Fracture without displacement.",
    "Without contrast the liver shows a mass.",
    "No fracture with a small effusion.",
    "No pneumothorax, but a small effusion.",
    "No pneumothorax; left effusion.",
    "No pneumothorax, there is a left effusion.",
    "No pneumothorax and there is a left effusion.",
    "No pneumothorax, small left pleural effusion.",
    "Normal heart, left effusion.",
    "The heart is normal except for a small effusion.",
    "5 mm nodule, otherwise normal.",
    "Sequelae of an old operation, otherwise normal.",
    "Small effusion is present and pneumothorax is not seen.",
    "There is an effusion and a fracture is not seen.",
    "The kidney is not normal.",
    "The lungs are no longer clear.",
    "Loss of the normal lumbar lordosis.",
    "Straightening of the normal cervical lordosis.",
    "Fluid in the pelvis, normal uterus.",
    "The left kidney is small.",
    "The normal architecture of the breast is distorted.",
    "Gallbladder is surgically absent.",
    "Hips are asymmetric.",
    "Keine Fraktur.",
    "右肺上叶见结节。",
    "Liver: 2 cm cyst.",
    "9 mm.",
]
NO_FINDING = [
    "",
    "...",
    "Lungs:",
    "Technique: Axial images of the chest.",
    "Comparison: None.",
    "Frontal and lateral views of the chest.",
    "Comparison is made with the study of last year",
    "The prior study is available for comparison.",
]


@pytest.mark.parametrize("sentence", NORMAL)
def test_what_is_known_to_be_normal_is_not_abnormal(sentence: str) -> None:
    assert not is_abnormal(sentence)


@pytest.mark.parametrize("sentence", ABNORMAL)
def test_what_is_wrong_unsure_or_unknown_is_abnormal(sentence: str) -> None:
    assert is_abnormal(sentence)


@pytest.mark.parametrize("sentence", NO_FINDING)
def test_what_states_no_finding_is_not_abnormal(sentence: str) -> None:
    assert not is_abnormal(sentence)


def test_a_finding_told_with_the_views_is_not_lost() -> None:
    assert is_abnormal("Two views of the chest show a pleural effusion.")


@pytest.mark.parametrize("finding", ["effusion", "fracture", "mass", "nodule", "stenosis"])
@pytest.mark.parametrize(
    "frame",
    ["{} is seen.", "Small {}.", "Unchanged {}.", "No change in the {}.", "Normal, but {}."],
)
def test_a_finding_is_abnormal_in_every_frame_that_states_it(finding: str, frame: str) -> None:
    assert is_abnormal(frame.format(finding))
    assert not is_abnormal(f"No {finding}.")


@given(st.text(alphabet="xyzqw ", min_size=3).filter(lambda text: len(text.strip()) > 2))
def test_words_that_no_one_knows_are_abnormal(text: str) -> None:
    assert is_abnormal(f"{text} qq.")


@given(st.text())
def test_any_text_gets_an_answer(text: str) -> None:
    assert is_abnormal(text) in {True, False}


@pytest.mark.parametrize(
    "unit", ["word ", "is not ", "no ", "1", "left ", "A nodule is not seen ", "nodule, "]
)
def test_a_long_statement_takes_no_longer_than_its_length(unit: str) -> None:
    started_s = time.process_time()
    is_abnormal(unit * (20_000 // len(unit)))

    assert time.process_time() - started_s < 2  # a square would be six and more


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Left nephrolithiasis.", "Stones in the left kidney."),
        ("Opacity in the left lung.", "Left lower lobe pneumonia."),
        ("A nodule.", "The mass is unchanged."),
        ("Degenerative change.", "Osteophytes and spondylosis."),
        ("Hemorrhage.", "hemorrhagic"),
    ],
)
def test_words_for_the_same_problem_have_one_name(one: str, other: str) -> None:
    assert problems(one) == problems(other) != frozenset()


def test_different_problems_have_different_names() -> None:
    assert problems("Effusion.").isdisjoint(problems("Fracture."))
    assert problems("Effusion and fracture.") == problems("Effusion.") | problems("Fracture.")


def test_a_word_of_change_names_no_problem() -> None:
    assert problems("New and increased, with loss of height.") == frozenset()
