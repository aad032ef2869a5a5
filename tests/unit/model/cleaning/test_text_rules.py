"""Each rule on what a text is made of: what it takes, and what it must leave alone."""

from __future__ import annotations

from collections import Counter

import pytest

from model.cleaning import text_rules as rules
from model.cleaning.rules import flag_row
from model.cleaning.settings import CleaningSettings
from model.corpora.schema import CorpusRow
from model.deidentify import deidentify_text

SETTINGS = CleaningSettings()
FINDINGS = "The heart is normal in size. There is a 9 mm nodule in the left upper lobe."
IMPRESSION = "9 mm nodule in the left upper lobe."


def with_texts(
    findings: str = FINDINGS, impression: str = IMPRESSION, language: str = "en"
) -> CorpusRow:
    return CorpusRow("r1", findings=findings, impression=impression, language=language)


def test_no_rule_takes_a_sound_report() -> None:
    row = with_texts()

    assert not rules.has_encoding_damage(row, SETTINGS.encoding_damage)
    assert not rules.is_no_report(row, SETTINGS.not_a_report)
    assert not rules.has_empty_part(row, SETTINGS.empty_part)
    assert not rules.has_templated_part(row, SETTINGS.templated_part)
    assert not rules.is_too_short(row, SETTINGS.too_short)
    assert not rules.is_too_long(row, SETTINGS.too_long)
    assert not rules.is_other_language(row, SETTINGS.other_language)
    assert not rules.has_addendum(row, SETTINGS.addendum)


@pytest.mark.parametrize(
    "piece",
    [
        "\ufffd",
        "patient\u2019s".encode().decode("cp1252"),
        "fr\u00fcher".encode().decode("latin-1"),
        "gr??e".replace("??", "?"),
        "normal\\.br\\",
        "a&nbsp;b",
        "previously<BR>described",
        "\x1c",
        "it\\u2019s",
    ],
)
def test_damage_by_a_wrong_character_set_is_found(piece: str) -> None:
    row = with_texts(impression=f"Nodule {piece} seen.")

    assert rules.has_encoding_damage(row, SETTINGS.encoding_damage)


@pytest.mark.parametrize(
    "text",
    [
        "Über dem Erguss, öffnend.",
        "Size < 5 mm and > 3 mm.",
        "Stable? Yes.",
        "心影正常。",
        "și fără",
        "A & B",
    ],
)
def test_sound_letters_of_other_languages_are_no_damage(text: str) -> None:
    assert not rules.has_encoding_damage(with_texts(text), SETTINGS.encoding_damage)


@pytest.mark.parametrize(
    ("findings", "impression"),
    [
        ("Dear Dr Lee, thank you for your letter about the chest.", "Yours."),
        ("The bus leaves at noon and the tickets cost ten coins.", "Be there."),
        ("0001 0002 #### ==== 12:44 7f:3a", "0x00"),
    ],
)
def test_what_speaks_of_no_body_is_no_report(findings: str, impression: str) -> None:
    assert rules.is_no_report(with_texts(findings, impression), SETTINGS.not_a_report)


@pytest.mark.parametrize("text", ["", "None.", "See above.", "XXXX", "n/a", "-", "see report"])
def test_a_part_that_is_missing_or_points_elsewhere_is_empty(text: str) -> None:
    assert rules.has_empty_part(with_texts(impression=text), SETTINGS.empty_part)
    assert rules.has_empty_part(with_texts(findings=text), SETTINGS.empty_part)


@pytest.mark.parametrize("text", ["Normal.", "See above 3 cm mass.", "No change.", "正常。"])
def test_a_short_answer_is_not_empty(text: str) -> None:
    assert not rules.has_empty_part(with_texts(impression=text), SETTINGS.empty_part)


@pytest.mark.parametrize(
    "text",
    [
        "Nodule of [ ] mm.",
        "A ___ mm nodule.",
        "[normal/abnormal] heart",
        "{size} nodule",
        "LUNGS:\nHEART:",
        "[select side]",
        "<<impression>>",
    ],
)
def test_a_blank_that_was_never_filled_in_is_found(text: str) -> None:
    assert rules.has_templated_part(with_texts(text), SETTINGS.templated_part)


@pytest.mark.parametrize(
    "text", ["LUNGS: clear. HEART: normal.", "Seen by Dr. [NAME] on [DATE].", "Size [5 mm]."]
)
def test_headings_with_text_and_the_marks_of_deidentification_are_no_blanks(text: str) -> None:
    assert not rules.has_templated_part(with_texts(text), SETTINGS.templated_part)


def test_lengths_are_counted_in_words() -> None:
    limits = SETTINGS.too_long

    assert rules.is_too_short(with_texts("Clear lungs."), SETTINGS.too_short)
    assert rules.is_too_long(with_texts("word " * 901), limits)
    assert not rules.is_too_long(with_texts("word " * 900), limits)
    assert rules.is_too_long(with_texts(impression="word " * 251), limits)


@pytest.mark.parametrize(
    "text",
    ["ADDENDUM: clip seen.", "This report was amended.", "Nachtrag vom Abend.", "Late entry: none"],
)
def test_an_addendum_is_found(text: str) -> None:
    assert rules.has_addendum(with_texts(f"{FINDINGS}\n{text}"), SETTINGS.addendum)


def test_the_denial_of_an_addendum_is_none() -> None:
    assert not rules.has_addendum(with_texts(f"{FINDINGS} No addendum."), SETTINGS.addendum)


GERMAN = "Das Herz ist normal groß und die Lunge ist frei, kein Erguss auf der linken Seite."
ROMANIAN = "Cordul este normal și nu se observă lichid, fără leziuni la baza stângă."


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (FINDINGS, "en"),
        (GERMAN, "de"),
        (ROMANIAN, "ro"),
        ("心影正常双肺清晰", "zh"),
    ],
)
@pytest.mark.parametrize("declared", ["en", "de", "ro", "zh"])
def test_another_language_than_declared_is_found(text: str, written: str, declared: str) -> None:
    row = with_texts(text, text, declared)

    assert rules.is_other_language(row, SETTINGS.other_language) == (written != declared)


def test_a_language_is_known_by_each_of_its_codes() -> None:
    swiss, english = (with_texts(GERMAN, GERMAN, declared) for declared in ("de-CH", "eng"))

    assert not rules.is_other_language(swiss, SETTINGS.other_language)
    assert rules.is_other_language(english, SETTINGS.other_language)


def test_a_text_with_few_small_words_is_not_judged() -> None:
    row = with_texts("Normal chest.", "Normal.", "de")

    assert not rules.is_other_language(row, SETTINGS.other_language)


def test_a_language_without_a_table_is_not_judged() -> None:
    assert not rules.is_other_language(with_texts(language="fi"), SETTINGS.other_language)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("text", ["X" * 5000 + "a", "a." * 5000, "A: " * 5000 + "a", "[" * 5000])
def test_no_text_keeps_a_rule_busy(text: str) -> None:
    row = with_texts(text, text)

    assert flag_row(row, SETTINGS) >= 0
    assert deidentify_text(text, Counter()).count("[NAME]") == 0
