"""Text that stands under no heading of its own."""

from __future__ import annotations

import pytest

from mappings.sections import CodedText, read_narrative
from mappings.unheaded_text import is_prose


def findings(*lines: str) -> str | None:
    return read_narrative([CodedText("body", line) for line in lines]).sections.findings


@pytest.mark.parametrize("text", ["Head MRI", "MRI.", "CT w. contrast", ""])
def test_a_title_is_no_prose(text: str) -> None:
    assert not is_prose(text)


def test_a_long_line_makes_prose_however_many_short_ones_stand_before_it() -> None:
    titles = "CT of the chest\n" * 100

    assert not is_prose(titles)
    assert is_prose(f"{titles}no focal consolidation and no effusion of either side")


@pytest.mark.parametrize(
    "line",
    [
        "HISTORY: Cough. COMPARISON: None. The lungs are clear. The heart is normal.",
        "EXAM: CHEST 2 VIEWS No comparison. The lungs are clear. The heart is normal.",
        "COUGH CHEST 2 VIEWS No comparison. The lungs are clear. The heart is normal.",
    ],
)
def test_findings_may_follow_the_comparison_on_its_line(line: str) -> None:
    assert findings("RADIOLOGY REPORT", "", line) == "The lungs are clear. The heart is normal."


@pytest.mark.parametrize(
    "line",
    [
        "COMPARISON: CT of 2019. Prior MRI is not available.",
        "COMPARISON: CT of 2019. MRI of 2020. Outside radiograph of 2021.",
        "COMPARISON: CT of 2019. The MRI was compared as well. It is normal.",
        "COMPARISON: CT of 2019. The lungs are clear",
    ],
)
def test_more_of_a_comparison_is_no_findings(line: str) -> None:
    assert findings("EXAM: CT", line) is None


def test_what_stands_under_report_is_findings_and_the_title_before_it_is_not() -> None:
    assert (
        findings("CT of the chest.", "", "IMPRESSION: Normal.", "REPORT: The lungs are clear.")
        == "The lungs are clear."
    )


def test_a_comparison_beside_findings_keeps_all_its_sentences() -> None:
    lines = ("COMPARISON: None. The prior was lost. It is gone.", "FINDINGS: Nodule.")

    sections = read_narrative([CodedText("body", line) for line in lines]).sections

    assert sections.comparison == "None. The prior was lost. It is gone."
