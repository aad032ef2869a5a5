"""Hand-made drafts against a hand-made truth: each fault is counted, and nothing else is."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from mappings.domain import Modality, Region
from model.evaluation.truth import KnownReport, judge, sizes_mm

FINDINGS = (
    "LUNGS: A nodule in the right upper lobe measures 12 mm. Previously 8 mm.\n"
    "PLEURA: Small left pleural effusion. No pneumothorax.\n"
    "BONES: Mild degenerative change of the thoracic spine."
)
PERFECT = (
    "1. Small left pleural effusion.\n2. 12 mm nodule in the right upper lobe, previously 8 mm."
)
FAULTLESS = {
    "has_wrong_side": False,
    "has_wrong_number": False,
    "has_false_finding": False,
    "is_missed_abnormal": False,
    "is_invented_abnormal": False,
    "missed": (),
}


def finding(
    name: str, side: str | None = None, size_mm: int | None = None, *, is_reported: bool = True
) -> dict[str, Any]:
    return {
        "name": name,
        "side": side,
        "size_mm": size_mm,
        "negated": False,
        "severity": None,
        "is_reported": is_reported,
    }


TRUTH = [
    finding("pleural effusion", "left"),
    finding("pulmonary nodule", "right", 12),
    finding("degenerative change of the spine", is_reported=False),
    finding("pneumothorax") | {"negated": True, "is_reported": False},
]


def known(truth: list[dict[str, Any]], findings: str) -> KnownReport:
    return KnownReport(
        report_id="r",
        findings=findings,
        modality=Modality.CT,
        region=Region.CHEST,
        truth=tuple(truth),
    )


def faults(
    draft: str, truth: list[dict[str, Any]] = TRUTH, findings: str = FINDINGS
) -> dict[str, Any]:
    judged = asdict(judge(known(truth, findings), draft))
    return {name: value for name, value in judged.items() if FAULTLESS.get(name, value) != value}


def test_a_perfect_draft_has_no_fault() -> None:
    judged = judge(known(TRUTH, FINDINGS), PERFECT)

    assert faults(PERFECT) == {}
    assert (judged.reported, judged.is_normal) == (2, False)


@pytest.mark.parametrize(
    "draft",
    [
        PERFECT.replace("left", "right"),
        PERFECT.replace("left", "bilateral"),
        PERFECT.replace("right upper", "left upper"),
    ],
)
def test_a_side_that_the_finding_does_not_have_is_wrong_and_the_finding_missed(draft: str) -> None:
    found = faults(draft)

    assert found.pop("has_wrong_side") is True
    assert found.keys() <= {"missed"}


@pytest.mark.parametrize("size", ["13 mm", "1.3 cm", "12 cm", "8 mm"])
def test_a_size_that_the_finding_does_not_have_is_wrong(size: str) -> None:
    found = faults(PERFECT.replace("12 mm", size))

    assert found["has_wrong_number"] is True


def test_a_size_given_to_another_finding_is_wrong() -> None:
    assert faults(PERFECT.replace("Small left", "12 mm left")) == {"has_wrong_number": True}


def test_sizes_are_held_to_the_finding_of_their_side() -> None:
    truth = [finding("pulmonary nodule", "right", 12), finding("pulmonary nodule", "left", 8)]
    findings = "A nodule in the right lung measures 12 mm. A nodule in the left lung measures 8 mm."

    assert faults("12 mm nodule on the right. 8 mm nodule on the left.", truth, findings) == {}
    swapped = faults("8 mm nodule on the right. 12 mm nodule on the left.", truth, findings)
    assert swapped == {"has_wrong_number": True, "missed": ("pulmonary nodule",) * 2}


def test_millimetres_and_centimetres_are_the_same_size() -> None:
    assert faults(PERFECT.replace("12 mm", "1.2 cm")) == {}
    assert sizes_mm("1.1 x 1.0 cm, previously 7 mm") == (11.0, 10.0, 7.0)
    assert sizes_mm("T12, image 7, 3 cmH2O") == ()


@pytest.mark.parametrize(
    ("draft", "missed"),
    [
        ("Small left pleural effusion.", ("pulmonary nodule",)),
        ("12 mm nodule in the right upper lobe.", ("pleural effusion",)),
        ("No pleural effusion. 12 mm nodule in the right upper lobe.", ("pleural effusion",)),
        ("Small pleural effusion. 12 mm nodule on the right.", ("pleural effusion",)),
        ("Small left pleural effusion. Nodule in the right upper lobe.", ("pulmonary nodule",)),
    ],
)
def test_a_finding_is_missed_when_name_side_or_size_is_not_there(
    draft: str, missed: tuple[str, ...]
) -> None:
    assert faults(draft) == {"missed": missed}


def test_a_finding_that_is_not_there_is_false_and_a_denied_one_is_not() -> None:
    assert faults(f"{PERFECT} Large pneumothorax.") == {"has_false_finding": True}
    assert faults(f"{PERFECT} No pneumothorax.") == {}


def test_a_true_finding_of_no_weight_may_be_named() -> None:
    assert faults(f"{PERFECT} Mild degenerative change of the spine.") == {}


def test_a_denial_ends_where_the_sentence_turns() -> None:
    assert faults(f"{PERFECT} No pneumothorax, but a rib fracture.") == {"has_false_finding": True}


NORMAL = "The lungs are clear. Mild degenerative change of the thoracic spine."


def test_a_normal_report_called_abnormal_is_counted_even_in_unknown_words() -> None:
    truth = [finding("degenerative change of the spine", is_reported=False)]

    assert faults("No acute cardiopulmonary abnormality.", truth, NORMAL) == {}
    assert faults("Mild degenerative change of the spine.", truth, NORMAL) == {}
    assert faults("Abnormal density in the lung.", truth, NORMAL) == {"is_invented_abnormal": True}
    assert faults("Small pneumothorax.", truth, NORMAL) == {
        "is_invented_abnormal": True,
        "has_false_finding": True,
    }


def test_an_abnormal_report_is_missed_when_nothing_that_is_due_is_named() -> None:
    def is_missed(draft: str) -> bool:
        return "is_missed_abnormal" in faults(draft)

    assert is_missed("No acute cardiopulmonary abnormality.")
    assert is_missed("Mild degenerative change of the spine.")
    assert is_missed("Large pneumothorax.")
    assert not is_missed("Pleural effusion.")
    assert not is_missed("Small right pleural effusion.")


def test_what_names_no_finding_is_held_to_the_reports_text() -> None:
    assert faults(f"{PERFECT} Unchanged on the right.") == {}
    assert faults(f"{PERFECT} It was 9 mm before.") == {"has_wrong_number": True}
