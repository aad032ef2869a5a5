"""What a draft may not add, and what it may not leave out; all texts are invented."""

from __future__ import annotations

import pytest

from mappings.domain import Exam, Findings
from model.checks.support import concepts, find_left_out, find_unsupported


def findings_of(text: str, language: str = "en") -> Findings:
    return Findings(text, None, Exam(), "site", language)


@pytest.mark.parametrize(
    ("text", "draft", "reason"),
    [
        ("A pneumothorax is not seen.", "Pneumothorax.", "denied_by_findings"),
        ("Lungs are clear. No effusion.", "Small effusion.", "denied_by_findings"),
        ("Nothing to suggest appendicitis.", "Acute appendicitis.", "denied_by_findings"),
        ("Hydronephrosis is absent.", "Mild hydronephrosis.", "denied_by_findings"),
        ("No pleural effusion.", "Opacity, possibly effusion.", "denied_by_findings"),
        ("The embolism has resolved.", "Pulmonary embolism.", "denied_by_findings"),
        ("The lungs are clear.", "Pneumothorax.", "not_in_findings"),
        ("3 mm calcified granuloma.", "3 mm stone.", "not_in_findings"),
        ("Mild scoliosis.", "1. Scoliosis.\n2. Compression fracture.", "not_in_findings"),
        (
            "The gallbladder holds stones of up to 8 mm. Pancreas and both kidneys are normal.",
            "8 mm stone in the kidney.",
            "organ_normal_in_findings",
        ),
        (
            "The spleen is enlarged. The liver is normal.",
            "Enlarged liver.",
            "organ_normal_in_findings",
        ),
    ],
)
def test_a_finding_that_the_report_does_not_state_is_found(
    text: str, draft: str, reason: str
) -> None:
    fault = find_unsupported(findings_of(text), draft)

    assert fault is not None
    assert fault.reason == reason


@pytest.mark.parametrize(
    ("text", "draft"),
    [
        ("Filling defects in the pulmonary arteries.", "Pulmonary embolism."),
        ("Patchy opacity in the right lung base.", "Possible pneumonia at the right base."),
        ("The appendix is dilated with fat stranding.", "Acute appendicitis."),
        ("The transverse cardiac diameter is increased.", "Cardiomegaly."),
        ("A pneumothorax is not seen. Rib fracture.", "Rib fracture. No pneumothorax."),
        ("The heart is normal. Dilated right ventricle.", "Right heart strain."),
        ("The lungs are clear.", "No acute abnormality."),
        ("Effusion cannot be excluded.", "Possible effusion."),
        ("Airspace disease at the base.", "Airspace disease, may represent edema or infection."),
    ],
)
def test_what_a_radiologist_would_sum_up_so_is_no_fault(text: str, draft: str) -> None:
    assert find_unsupported(findings_of(text), draft) is None


@pytest.mark.parametrize(
    ("text", "draft", "reason"),
    [
        ("Small left pneumothorax. Rib fracture.", "Rib fracture.", "left_out_pneumothorax"),
        ("There are filling defects in both lungs.", "Effusion.", "left_out_embolism"),
        ("The appendix is dilated to 12 mm.", "12 mm appendicolith.", "left_out_appendicitis"),
        ("Free intraperitoneal air.", "No acute abnormality.", "left_out_free_air"),
        ("Subdural hematoma.", "No pneumothorax, no hematoma.", "left_out_hemorrhage"),
        ("A 3 cm mass in the liver.", "Ascites.", "left_out_mass"),
    ],
)
def test_what_cannot_wait_is_missed_in_a_draft_without_it(
    text: str, draft: str, reason: str
) -> None:
    fault = find_left_out(findings_of(text), draft)

    assert fault is not None
    assert fault.reason == reason


@pytest.mark.parametrize(
    "text",
    [
        "No pneumothorax.",
        "Old healed rib fracture.",
        "The mass is unchanged.",
        "A fracture cannot be excluded.",
        "Nondisplaced sutures.",
        "Small effusion.",
        "The lungs are clear of consolidation, pneumothorax, or effusion.",
        "If there is concern for fracture, consider rib series.",
    ],
)
def test_what_is_denied_old_or_doubtful_may_be_left_out(text: str) -> None:
    assert find_left_out(findings_of(text), "Effusion.") is None


def test_another_language_is_not_judged() -> None:
    findings = findings_of("Kein Pneumothorax.", "de")

    assert find_unsupported(findings, "Pneumothorax.") is None
    assert find_left_out(findings_of("Fraktur, fracture.", "de"), "Erguss.") is None


@pytest.mark.parametrize("concept", concepts(), ids=lambda concept: concept.name)
def test_what_is_named_speaks_for_itself(concept: object) -> None:
    name = concept.name  # type: ignore[attr-defined]
    if concept.named.search(name):  # type: ignore[attr-defined]
        assert find_unsupported(findings_of(f"There is {name}."), f"{name}.") is None
