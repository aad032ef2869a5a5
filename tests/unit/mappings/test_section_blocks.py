"""A text cut into blocks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mappings.headings import DEFAULT_HEADINGS
from mappings.section_blocks import cut_blocks, skip_noise


def cut(text: str, default: str | None = "body") -> list[tuple[str | None, str]]:
    text = f"\n{text}"
    blocks = cut_blocks(text, default, DEFAULT_HEADINGS)
    return [(block.section, text[block.start : block.end].strip()) for block in blocks]


def test_a_heading_ends_the_block_before_it_and_is_in_none() -> None:
    assert cut("CT\n1. FINDINGS: Clear.\nIMPRESSION:\nNormal.") == [
        ("body", "CT"),
        ("findings", "Clear."),
        ("impression", "Normal."),
    ]


def test_a_side_section_ends_with_its_paragraph_and_a_title_with_its_line() -> None:
    assert cut("HISTORY: Cough\nfor weeks.\n\nClear.\nEXAM:\nCT\nNodule.") == [
        ("body", ""),
        ("indication", "Cough\nfor weeks."),
        ("body", "Clear."),
        ("title", "CT"),
        ("body", "Nodule."),
    ]


def test_what_a_signature_begins_ends_at_a_blank_line() -> None:
    assert cut("Clear.\nDictated by A. Probe\nat noon\n\nNodule.") == [
        ("body", "Clear."),
        ("trailer", "Dictated by A. Probe\nat noon"),
        ("body", "Nodule."),
    ]


def test_a_signature_in_the_line_ends_the_section() -> None:
    assert cut("FINDINGS: Clear. Transcribed by - AB on Monday")[1:] == [
        ("findings", "Clear."),
        ("trailer", "Transcribed by - AB on Monday"),
    ]


def test_a_negation_that_ends_in_the_word_for_findings_stays_whole() -> None:
    assert cut("Befund: Kein pathologischer Befund: frei.")[1:] == [
        ("findings", "Kein pathologischer Befund: frei.")
    ]


def test_noise_is_skipped_line_by_line() -> None:
    text = "\n---\nFINAL REPORT\n  \nClear."

    assert text[skip_noise(text, 0, len(text)) :] == "Clear."
    assert skip_noise(text, 0, 5) == 5


@given(st.text("aF:\n .-", max_size=40), st.sampled_from(["body", "findings", None]))
def test_blocks_lie_in_order_and_never_over_each_other(text: str, default: str | None) -> None:
    blocks = cut_blocks(f"\n{text} FINDINGS: a\nIMPRESSION:", default, DEFAULT_HEADINGS)

    places = [place for block in blocks for place in (block.start, block.end)]
    assert places == sorted(places)
