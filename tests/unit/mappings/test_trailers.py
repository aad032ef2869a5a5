"""Signatures, courtesies and banners."""

from __future__ import annotations

import pytest

from mappings.headings import DEFAULT_HEADINGS
from mappings.phrases import fold
from mappings.trailers import find_trailers, is_noise


def is_trailer(line: str) -> bool:
    marks = DEFAULT_HEADINGS.find(line)
    text = "\n" + line
    inline = find_trailers(text, fold(text), [len(text)])
    return bool(inline) or any(mark.section == "trailer" for mark in marks)


@pytest.mark.parametrize(
    "line",
    [
        "Dictated by: A. Probe",
        "DICTATED BY A. Probe",
        "Electronically signed by A. Probe",
        "This document has been electronically signed by: A",
        "*** END OF REPORT ***",
        "Requested By: Muster,Max M.D.",
        "Pending review by: A. Probe",
        "Read by: A. Probe",
        "Transcribed by AP on 2026-01-01",
        "Attending Radiologist: A. Probe",
        "Normal. Electronically signed by A. Probe",
        "Normal chest Transcribed by - AB",
        "Normal. A. PROBE, M.D. on Monday",
        "Diktiert von: Dr. A. Muster",
        "Mit freundlichen Gruessen",
        "Sign\u00e9 \u00e9lectroniquement",
        "Firmado electronicamente por A. Ejemplo",
        "Semnat electronic de dr. A. Model",
        "Sf\u00e2r\u015fit de raport",
        "\u62a5\u544a\u533b\u5e08\uff1a\u5f20\u4e09",
        "\u672a\u89c1\u5f02\u5e38\u3002\u5ba1\u6838\u533b\u5e08\u674e\u56db",
        "\u8aad\u5f71\u533b\uff1a\u5c71\u7530",
    ],
)
def test_a_signature_is_known(line: str) -> None:
    assert is_trailer(line)


@pytest.mark.parametrize(
    "line",
    [
        "dictated by the position of the arm",
        "Reviewed by comparison with the prior study",
        "The study was compared with the prior",
        "This report",
        "",
        "The end of reporting",
        "Thank you for referring this patient. The lungs are clear.",
        "vielen Dank f\u00fcr die Zuweisung. Die Lunge ist frei.",
    ],
)
def test_prose_is_no_signature(line: str) -> None:
    assert not is_trailer(line)


@pytest.mark.parametrize(
    "line", ["", "  ", "-----", "********FINAL REPORT********", "Wet Read", "[ ]"]
)
def test_blank_lines_rules_and_banners_are_noise(line: str) -> None:
    assert is_noise(line)


@pytest.mark.parametrize("line", ["Report of a nodule", "5 mm", "结节"])
def test_text_is_no_noise(line: str) -> None:
    assert not is_noise(line)
