"""The narrative into its sections."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mappings.domain import Sections
from mappings.sections import CodedText, read_narrative


def body(*lines: str) -> Sections:
    return read_narrative([CodedText("body", line) for line in lines]).sections


VECTORS = Path(__file__).parents[2] / "vectors" / "sections"
CASES = [
    pytest.param(case, id=f"{path.stem}: {case['layout']}")
    for path in sorted(VECTORS.glob("*.yaml"))
    for case in yaml.safe_load(path.read_text(encoding="utf-8"))
]
NAMES = ("findings", "impression", "indication", "comparison", "technique", "recommendation")
PIECES = st.sampled_from(
    [
        "FINDINGS:",
        "Impression: ",
        "IMPRESSION NO ",
        "Befund",
        "\u6240\u898b\uff1a",
        "\u3010\u5370\u8c61\u3011",
        "Comparison: None. ",
        "HISTORY",
        "Dictated by A. Probe",
        "ADDENDUM:",
        "Diagnosis:",
        "REPORT",
        "***",
        "Dr. A was notified by telephone. ",
        "The lungs are clear. ",
        "Heart",
        " ",
        "\t",
        "\n",
        "\n\n",
        "\u0130",
        "\u3002",
        "1. ",
    ]
)


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


@pytest.mark.parametrize("case", CASES)
def test_a_report_of_any_language_and_layout_comes_apart_to_the_letter(
    case: dict[str, Any],
) -> None:
    texts = [
        CodedText(case["code"], text.replace("~", "\n"), place)
        for place, text in enumerate(case["text"])
    ]

    sections = read_narrative(texts).sections

    read = {name: getattr(sections, name) for name in NAMES}
    assert {name: text for name, text in read.items() if text is not None} == case["sections"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["body", "findings", "impression", "addendum", None]),
            st.lists(PIECES | st.text(max_size=8), max_size=12).map("".join),
        ),
        max_size=5,
    )
)
def test_a_section_is_what_its_spans_point_at(parts: list[tuple[str | None, str]]) -> None:
    texts = [CodedText(code, text, 2 * place) for place, (code, text) in enumerate(parts)]

    sections = read_narrative(texts).sections

    for name in NAMES:
        pointed = [
            parts[place // 2][1][start:end] for place, start, end in sections.spans.get(name, ())
        ]
        assert getattr(sections, name) == ("\n".join(pointed) if pointed else None)


def test_a_span_points_into_the_obx_that_held_the_text() -> None:
    texts = ["CT CHEST", "FINDINGS: Lungs", "clear.", "IMPRESSION: Normal. Dictated by A. Probe"]

    spans = read_narrative(
        [CodedText("body", text, i) for i, text in enumerate(texts)]
    ).sections.spans

    assert spans == {"findings": ((1, 10, 15), (2, 0, 6)), "impression": ((3, 12, 19),)}


def test_an_impression_heading_without_text_does_not_hide_the_impression_elsewhere() -> None:
    sections = body("FINDINGS: The trachea is midline. Impression No acute disease.", "IMPRESSION:")

    assert sections.findings == "The trachea is midline."
    assert sections.impression == "No acute disease."


def test_who_was_told_of_a_result_is_no_part_of_an_impression_unless_it_is_all_of_it() -> None:
    told = "Dr. A. Probe was notified by telephone at 3 p.m. on Monday."

    assert body("IMPRESSION: 1. Embolism. " + told).impression == "1. Embolism."
    assert body("IMPRESSION: Embolism. " + told + " 2. Nodule.").impression == (
        "Embolism.\n2. Nodule."
    )
    assert body("IMPRESSION: " + told).impression == told


def test_a_diagnosis_is_an_impression_unless_one_stands_beside_it() -> None:
    alone = body("DIAGNOSIS: Fracture.", "FINDINGS: Cortical step of the radius.")
    beside = body("DIAGNOSIS: Fall.", "FINDINGS: Cortical step.", "IMPRESSION: Fracture.")

    assert alone.impression == "Fracture."
    assert (beside.indication, beside.impression) == ("Fall.", "Fracture.")


@pytest.mark.parametrize(
    "text",
    [
        "*" * 200_000,
        " " * 200_000 + ":",
        "FINDINGS:" + "*" * 100_000 + " Comparison: x" * 5_000,
        "X Findings: " * 15_000,
        "Comparison: " * 15_000,
        "IMPRESSION: x notified by telephone " * 5_000,
        "IMPRESSION: " + "x notified by telephone " * 5_000,
        "\nHISTORY" * 20_000,
        "\nHISTORY\n" + "\n-" * 50_000 + "\nHISTORY" * 5_000,
        "Transcribed by " * 10_000,
        "A. B, M.D. " * 15_000,
        "\u6240\u898b\uff1a" * 30_000,
        "\u3010" * 100_000 + "\u5370\u8c61" + "\u3011" * 100_000,
        "Exam: No comparison" * 10_000,
        "EXAM: a\n" * 20_000,
        ". " * 100_000,
    ],
)
def test_any_text_takes_no_longer_than_its_length(text: str) -> None:
    start_s = time.process_time()

    read_narrative([CodedText("body", text)])

    assert time.process_time() - start_s < 3
