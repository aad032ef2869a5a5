"""Headings in a text."""

from __future__ import annotations

import time

import pytest

from mappings.headings import DEFAULT_HEADINGS, Headings, find_unmarked
from mappings.phrases import fold


def found(line: str) -> list[tuple[str, str]]:
    marks = [one for one in DEFAULT_HEADINGS.find(line) if one.is_sure]
    return [(one.section, line[one.end :]) for one in marks]


def concludes(text: str) -> bool:
    """Say whether a person's conclusion is seen in a text that has no better heading."""
    unmarked = find_unmarked("\n" + text, fold("\n" + text), {"impression"})
    marks = [*DEFAULT_HEADINGS.find(text), *unmarked]
    return any(one.section == "impression" for one in marks)


@pytest.mark.parametrize(
    ("line", "section", "rest"),
    [
        ("FINDINGS:", "findings", ""),
        ("Findings: Clear.", "findings", " Clear."),
        ("  ** IMPRESSION **", "impression", ""),
        ("IMPRESSION", "impression", ""),
        ("Impression", "impression", ""),
        ("IMPRESSION - Normal.", "impression", "Normal."),
        ("Clinical  History: cough", "indication", " cough"),
        ("COMPARISON (CT 2019): none", "comparison", " none"),
        ("CONCLUSION:", "impression", ""),
        ("FINDINGS/IMPRESSION: Clear.", "impression", " Clear."),
    ],
)
def test_a_heading_at_the_start_of_a_line_is_found(line: str, section: str, rest: str) -> None:
    assert found(line) == [(section, rest)]


@pytest.mark.parametrize(
    "line",
    [
        "findings",
        "history of fall",
        "Findings are stable.",
        "the impression of a mass: none",
        "LUNGS: clear",
        "no change; history: none known",
        "in comparison: stable",
    ],
)
def test_prose_is_no_heading(line: str) -> None:
    assert found(line) == []


@pytest.mark.parametrize(
    "line",
    [
        "Lungs clear. IMPRESSION: Normal.",
        "Lungs clear. Impression: Normal.",
        "clear IMPRESSION: Normal.",
    ],
)
def test_an_impression_in_the_middle_of_a_line_is_not_missed(line: str) -> None:
    assert found(line) == [("impression", " Normal.")]


def test_a_sites_own_headings_are_looked_for() -> None:
    own = Headings({"BEFUND": "findings", "BEURTEILUNG": "impression"})

    assert [one.section for one in own.find("Befund: frei. Beurteilung: normal.")] == [
        "findings",
        "impression",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "*" * 200_000,
        " " * 200_000 + ":",
        "A: " * 50_000,
        "FINAL " * 40_000,
        "FINDINGS" + " " * 200_000 + "x",
        "IMPRESSION" + " " * 200_000 + "on",
        "A: IMPRESSION" + " " * 200_000 + "x",
    ],
)
def test_a_long_line_takes_no_longer_than_its_length(line: str) -> None:
    start_s = time.process_time()

    DEFAULT_HEADINGS.find(line)
    list(find_unmarked("\n" + line, fold("\n" + line), {"findings", "impression"}))

    assert time.process_time() - start_s < 2


@pytest.mark.parametrize(
    "line",
    [
        "[IMPRESSION] Normal.",
        "<b>IMPRESSION</b> Normal.",
        "IMPRESSION- Normal.",
        "IMPRESSION. Normal.",
        "IMPRESSION 1: Normal.",
        "Impression #1: Normal.",
        "IMPRESSION NO ACUTE DISEASE",
        "IMPRESSION of CT CHEST: Normal.",
        "*****  IMPRESSION  *****",
        "Clear. IMPRESSION NO ACUTE DISEASE",
        "Clear. IMPRESSION- Normal.",
        "CONCLUSION; normal.",
        "IMP. Normal.",
    ],
)
def test_a_conclusion_that_no_heading_sets_off_is_found(line: str) -> None:
    assert concludes(f"The lungs are clear.\n{line}")


@pytest.mark.parametrize(
    "text",
    [
        "Extrinsic impression on the esophagus.",
        "THE DISC LEAVES AN\nIMPRESSION ON THE CORD. NO FRACTURE.",
        "BASILAR IMPRESSION IS PRESENT.",
        "The mass leaves an\nimpression. No fracture.",
        "Impression on the cord.",
        "At the conclusion of the procedure.",
    ],
)
def test_what_leaves_an_impression_concludes_nothing(text: str) -> None:
    assert not concludes(text)


@pytest.mark.parametrize(
    "line", ["Beurteilung: o. B.", "IMPRESIÓN: normal", "CONCLUZII: normal", "诊断意见\uff1a正常"]
)
def test_an_impression_in_another_language_is_an_impression(line: str) -> None:
    assert found(line)[0][0] == "impression"


@pytest.mark.parametrize("line", ["F\u0130ND\u0130NGS: x", "f\u0131nd\u0131ngs: x"])
def test_a_heading_with_the_letters_of_another_alphabet_is_read(line: str) -> None:
    assert found(line) == [("findings", " x")]
