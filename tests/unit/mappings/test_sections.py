"""The narrative into its sections."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.domain import Sections
from mappings.sections import CodedText, is_prose, read_narrative


def body(*lines: str) -> Sections:
    return read_narrative([CodedText("body", line) for line in lines]).sections


def uncoded(text: str) -> Sections:
    return read_narrative([CodedText(None, text)]).sections


def test_headed_text_is_split_and_keeps_its_lines() -> None:
    sections = uncoded(
        "A. PROBE, M.D.\n\n****FINAL REPORT****\n\n"
        "EXAMINATION:\nChest CT\n\nINDICATION: Cough\nfor weeks\n\n"
        "COMPARISON: None.\nTECHNIQUE: Axial.\n\nFINDINGS:\nLungs  are\nclear.\n\nHeart good. \n\n"
        "IMPRESSION:\nNormal. \n\nSigned by: A. Probe\non Monday"
    )

    assert sections == Sections(
        findings="Lungs  are\nclear.\n\nHeart good.",
        impression="Normal.",
        indication="Cough\nfor weeks",
        comparison="None.",
        technique="Axial.",
    )


def test_one_line_with_all_its_headings_is_split() -> None:
    sections = uncoded("INDICATION: Cough. FINDINGS: Lungs clear. IMPRESSION: Normal.")

    assert (sections.indication, sections.findings) == ("Cough.", "Lungs clear.")
    assert sections.impression == "Normal."


@pytest.mark.parametrize(
    "lines",
    [
        ("EXAMINATION: Head MRI", ""),
        ("CT CHEST WITHOUT CONTRAST",),
        ("EXAM: CT chest w. contrast", "abdomen"),
        ("****PRELIMINARY REPORT****", "", "-----"),
        ("", " "),
        ("Dictated by: Dr. A. Probe. He is a very good doctor and often writes much.",),
        ("TECHNIQUE: The patient was scanned from the apex to the base of the lungs.",),
    ],
)
def test_titles_banners_signatures_and_blank_lines_are_no_findings(lines: tuple[str, ...]) -> None:
    assert body(*lines).findings is None


@pytest.mark.parametrize(
    "lines",
    [
        ("Lungs clear.",),
        ("EXAMINATION: CT chest", "", "There is a nodule.", "", "Heart normal."),
        ("EXAMINATION: CT chest", "There is a nodule.", "", "Heart normal."),
        (
            "EXAMINATION:",
            "CT",
            "",
            "INDICATION: Cough.",
            "",
            "There is a nodule.",
            "Heart normal.",
        ),
        ("Dictated by: A. Probe", "", "There is a nodule. Heart normal."),
        ("the lungs are clear and the heart is normal in size",),
        ("右肺上叶见结节。",),
    ],
)
def test_prose_without_a_heading_is_findings(lines: tuple[str, ...]) -> None:
    findings = body(*lines).findings

    assert findings is not None
    assert findings == "\n".join(lines)[-len(findings) :]
    assert "EXAM" not in findings
    assert "Cough" not in findings


def test_uncoded_prose_needs_a_heading() -> None:
    assert uncoded("The lungs are clear. The heart is normal.") == Sections()


def test_a_heading_in_a_body_block_splits_it() -> None:
    sections = body(
        "CT CHEST", "History: Cough.", "FINDINGS:", "Lungs clear.", "IMPRESSION: Normal."
    )

    assert sections.findings == "Lungs clear."
    assert sections.impression == "Normal."
    assert sections.indication == "Cough."


def test_the_word_impression_does_not_remain_in_the_impression() -> None:
    texts = ["IMPRESSION: ", "1. Normal.", "2. Stable.", "Dictated by: A. Probe"]

    sections = read_narrative([CodedText("impression", text) for text in texts]).sections

    assert sections.impression == "1. Normal.\n2. Stable."


@pytest.mark.parametrize("text", ["", "IMPRESSION:", "IMPRESSION:\n[ ]", "Impression: ____"])
def test_an_empty_impression_is_none(text: str) -> None:
    assert read_narrative([CodedText("impression", text)]).sections.impression is None


def test_a_side_heading_within_findings_loses_nothing() -> None:
    sections = uncoded(
        "FINDINGS: Lungs clear. Comparison: stable.\nComparison: CT of 2019.\nRib fracture.\n"
        "\nTECHNIQUE: Axial.\n\nLeft effusion.\nIMPRESSION: Normal."
    )

    assert sections.findings == (
        "Lungs clear. Comparison: stable.\nComparison: CT of 2019.\nRib fracture.\nLeft effusion."
    )
    assert sections.technique == "Axial."


def test_an_organs_label_is_part_of_the_findings() -> None:
    assert (
        uncoded("FINDINGS:\nLUNGS: Clear.\nHEART: Normal.").findings
        == "LUNGS: Clear.\nHEART: Normal."
    )


def test_an_addendum_follows_the_findings_and_is_none_alone() -> None:
    addendum = CodedText("addendum", "The fracture is on the left.")

    both = read_narrative([CodedText("findings", "Fracture."), addendum]).sections
    alone = read_narrative([addendum]).sections

    assert both.findings == "Fracture.\nThe fracture is on the left."
    assert alone.findings is None


def test_an_impression_within_an_addendum_is_an_impression() -> None:
    sections = read_narrative([CodedText("addendum", "ADDENDUM IMPRESSION: Fracture.")]).sections

    assert sections.impression == "Fracture."


def test_a_findings_code_needs_no_sentence() -> None:
    assert (
        read_narrative([CodedText("findings", "Unremarkable")]).sections.findings == "Unremarkable"
    )


def test_a_recommendation_is_a_section_and_what_is_none_of_them_is_left_out() -> None:
    sections = body("Date: 2026-01-01", "FINDINGS: Nodule.", "RECOMMENDATION: CT in 3 months.")

    assert sections == Sections(findings="Nodule.", recommendation="CT in 3 months.")


@pytest.mark.parametrize("text", ["Head MRI", "MRI.", "CT w. contrast", ""])
def test_a_title_is_no_prose(text: str) -> None:
    assert not is_prose(text)


@given(
    st.lists(
        st.tuples(st.sampled_from(["body", "impression", None]), st.text(max_size=80)), max_size=6
    )
)
def test_any_text_is_read(texts: list[tuple[str | None, str]]) -> None:
    read_narrative([CodedText(section, text) for section, text in texts])


@given(st.text(alphabet="abc .,\n", min_size=1).filter(lambda text: text.strip(" .,\n")))
def test_what_stands_under_findings_comes_back_to_the_letter(text: str) -> None:
    trimmed = text.split("\n")
    while trimmed and not trimmed[0].strip(" .,"):
        trimmed.pop(0)
    while trimmed and not trimmed[-1].strip(" .,"):
        trimmed.pop()

    assert (
        uncoded(f"FINDINGS:\n{text}\nIMPRESSION:\nNormal.").findings == "\n".join(trimmed).strip()
    )


def test_what_stands_before_the_findings_heading_is_no_findings() -> None:
    sections = body("The patient was scanned on the new scanner.", "FINDINGS:", "Lungs clear.")

    assert sections.findings == "Lungs clear."


def test_a_conclusion_without_a_heading_is_a_persons_impression() -> None:
    sections = body("FINDINGS: The lungs are clear.", "[IMPRESSION] No acute disease.")

    assert sections.findings == "The lungs are clear."
    assert sections.impression == "No acute disease."


def test_a_conclusion_alone_leaves_no_findings() -> None:
    sections = body("IMPRESSION 1. The lungs are clear. No acute disease.")

    assert sections.findings is None
    assert sections.impression is not None
