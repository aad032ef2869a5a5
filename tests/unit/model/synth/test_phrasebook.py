"""An invented report in another language: both texts say what the truth says."""

from __future__ import annotations

import random
import re
from functools import cache
from typing import TYPE_CHECKING

import pytest

from mappings.sections import CodedText, read_narrative
from model.synth.denials import is_same_name
from model.synth.language import chapter, language_named, languages, regions_of
from model.synth.phrasebook import compose_in, styles_of

if TYPE_CHECKING:
    from mappings.domain import Region
    from model.synth.report import Composed

MANY = range(30)
SHELVES = [(language, shelf) for language in languages() for shelf in ("seen", "held_back")]
# Headings of a report, as docs/SECTIONS.md lists them: indication, findings, impression.
HEADINGS = {
    "de": ("Klinische Angaben", "Befund", "Beurteilung"),
    "es": ("Datos clínicos", "Hallazgos", "Impresión diagnóstica"),
    "fr": ("Indication", "Résultats", "Conclusion"),
    "ro": ("Date clinice", "Descriere", "Concluzii"),
    "zh": ("临床资料", "影像所见", "诊断意见"),
}


def composed(language: str, region: Region, index: int, *, is_held_back: bool) -> Composed:
    rng = random.Random(f"{language}/{region}/{index}")  # noqa: S311 - a corpus is no secret
    styles = styles_of(language)
    return compose_in(
        language,
        rng,
        region=region,
        style=styles[index % len(styles)],
        is_held_back=is_held_back,
    )


@cache
def reports(language: str, shelf: str) -> list[tuple[Region, Composed]]:
    return [
        (region, composed(language, region, index, is_held_back=shelf == "held_back"))
        for region in regions_of(language)
        for index in MANY
    ]


def sides_in(language: str, text: str) -> set[str]:
    """The sides whose forms begin a word of a text."""
    return {
        side
        for side, forms in language_named(language).sides.items()
        if any(
            re.search(rf"(?<![^\W\d一-鿿]){re.escape(form)}", text, re.IGNORECASE)
            for form in forms.values()
        )
    }


def sizes_in(language: str, text: str) -> set[int]:
    """Every length of a text in mm."""
    number = r"\d+(?:[.,]\d+)?"
    decimal = language_named(language).decimal
    lengths: set[int] = set()
    for numbers, unit in re.findall(
        rf"({number}(?:\s?(?:[cm]m)?\s?[x\u00d7]\s?{number})*)\s?(mm|cm)", text
    ):
        for found in re.findall(number, numbers):
            assert "." not in found or decimal == "."
            factor = 10 if unit == "cm" else 1
            lengths.add(round(float(found.replace(",", ".")) * factor))
    return lengths


@pytest.mark.parametrize(("language", "shelf"), SHELVES)
def test_the_truth_of_a_finding_agrees_with_both_texts(language: str, shelf: str) -> None:
    for _, report in reports(language, shelf):
        for one in report.stated:
            flat = " ".join(report.findings.split())
            texts = [one.text] if not one.kind.is_reported else [one.text, one.summary]
            for text in texts:
                assert sides_in(language, text) == ({one.side} if one.side else set()), text
                assert (one.size_mm or -1) in sizes_in(language, text) | {-1}, text
                assert not (one.size_mm is None and sizes_in(language, text)), text
            assert " ".join(one.text.split()) in flat
            assert not one.kind.is_reported or one.summary[1:] in report.impression


@pytest.mark.parametrize(("language", "shelf"), SHELVES)
def test_a_degree_is_said_in_both_texts(language: str, shelf: str) -> None:
    degrees = language_named(language).degrees
    for region, report in reports(language, shelf):
        rows = {row.name: row for row in chapter(language, region).findings}
        for one in report.stated:
            named = rows[one.kind.name].degree
            assert bool(one.severity) == bool(named)
            if named and one.severity:
                forms = degrees[named][one.severity].values()
                for text in (one.text, one.summary or one.text):
                    assert any(form.casefold() in text.casefold() for form in forms), text


@pytest.mark.parametrize(("language", "shelf"), SHELVES)
def test_nothing_is_denied_that_is_there(language: str, shelf: str) -> None:
    for _, report in reports(language, shelf):
        names = {one.kind.name for one in report.stated}

        assert not any(is_same_name(one, other) for one in names for other in report.denied)


@pytest.mark.parametrize(("language", "shelf"), SHELVES)
def test_the_impression_names_what_is_due_and_nothing_else(language: str, shelf: str) -> None:
    grammar = language_named(language)
    for region, report in reports(language, shelf):
        due = [one for one in report.stated if one.kind.is_reported]
        normal = {row.text for row in chapter(language, region).normal}

        assert report.impression.count(grammar.stop) >= len(due)
        assert (report.impression in normal) == (not due), report.impression


@pytest.mark.parametrize(("language", "shelf"), SHELVES)
def test_no_slot_is_left_and_no_blank_is_doubled(language: str, shelf: str) -> None:
    for _, report in reports(language, shelf):
        for text in (report.exam_display, report.indication, report.findings, report.impression):
            assert text
            assert not re.search(r"[{}]|  | [.,\u3002\uff0c]|\.\.", text), text


@pytest.mark.parametrize("language", languages())
def test_a_report_takes_its_sentences_from_one_shelf(language: str) -> None:
    for shelf in ("seen", "held_back"):
        for _, report in reports(language, shelf):
            for id_ in report.template_ids:
                assert ("held_back" in id_) == (shelf == "held_back"), id_


@pytest.mark.parametrize("language", languages())
def test_the_same_chance_gives_the_same_report(language: str) -> None:
    region, first = reports(language, "seen")[0]

    assert composed(language, region, 0, is_held_back=False) == first
    assert composed(language, region, 1, is_held_back=False) != first


@pytest.mark.parametrize("language", languages())
def test_some_reports_are_healthy_and_some_deny(language: str) -> None:
    composed_ones = [report for _, report in reports(language, "seen")]

    assert any(not report.stated for report in composed_ones)
    assert any(report.denied for report in composed_ones)
    assert any(len(report.stated) > 1 for report in composed_ones)


@pytest.mark.parametrize(("language", "shelf"), SHELVES)
def test_the_section_reader_reads_a_whole_report(language: str, shelf: str) -> None:
    headings, colon = HEADINGS[language], "\uff1a" if language == "zh" else ":"
    for _, report in reports(language, shelf)[::5]:
        texts = (report.indication, report.findings, report.impression)
        whole = "\n\n".join(
            f"{heading}{colon}\n{text}" for heading, text in zip(headings, texts, strict=True)
        )

        sections = read_narrative([CodedText(None, whole)]).sections

        assert (sections.indication, sections.findings, sections.impression) == texts
