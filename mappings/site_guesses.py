"""Guesses from sample messages, each at one part of a site's mapping.

A guess needs several reports that agree, and is only a proposal: a person reads it before it is
used. No guess is taken from a name of a person, and no code that comes once with many digits.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mappings.exam_codes import ExamEntry
from mappings.exam_names import read_name
from mappings.headings import DEFAULT_HEADINGS, HEADINGS
from mappings.hl7_status import choose_status, read_observation_status
from mappings.site_samples import NUMBER_FIELDS, count_by_report, is_telling
from mappings.sites import ACCESSION_FIELDS
from mappings.tables import read_table
from mappings.unheaded_text import is_prose

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mappings.domain import ReportStatus, StudyReport
    from mappings.site_samples import SampleReport

_T = TypeVar("_T")
_MOST, _HALF = 0.8, 0.5
_NUMBER_MIN = 4
_RUN = re.compile(r"(\d+)|([A-Za-z]+)")
_WORD = re.compile(r"[^\W\d_]+")
_HEADING_LINE = re.compile(r"[\s*=_-]*([^\W\d_a-z][^\n:\uff1a\da-z]{1,39}?)\s*[:\uff1a]")
_HEADING_WORDS_MAX = 5
_HEADING_REPORTS_MIN = 2
_HEADING_SHARE_MIN = 0.05
_EXAM_REPORTS_MIN = 5
_STATUS_WORD = re.compile(r"[^\W\d_][^\W\d_ /-]*(?:[ /-][^\W\d_]+){0,3}")
_SECTIONS = {*("findings", "impression", "indication", "comparison", "technique", "recommendation")}
_IDEOGRAPHS = re.compile(r"[\u3400-\u9fff]")
_KANA = re.compile(r"[\u3040-\u30ff]")
_LANGUAGE_WORDS: dict[str, set[str]] = defaultdict(set)
for _row in read_table("language_words"):
    _LANGUAGE_WORDS[_row["language"]].add(_row["word"])


class NumberField(NamedTuple):
    """How well a field serves as accession number: shares of the reports."""

    name: str
    present: float
    own: float
    """It holds a number that is not another patient's and not the exam's code."""
    told: float
    """The same number stands in the report's text."""


def rate_number_fields(samples: Sequence[SampleReport]) -> list[NumberField]:
    """Rate each field in which an accession number may stand, in the order of looking."""
    return [_rate(name, samples) for name in NUMBER_FIELDS]


def _rate(name: str, samples: Sequence[SampleReport]) -> NumberField:
    held = [(sample, sample.numbers.get(name, "")) for sample in samples]
    patients: dict[str, set[str | None]] = defaultdict(set)
    for sample, value in held:
        patients[value].add(sample.patient)
    good = [
        (sample, value)
        for sample, value in held
        if len(value) >= _NUMBER_MIN
        and any(letter.isdigit() for letter in value)
        and len(patients[value]) == 1
        and value not in {sample.exam_code, *sample.exam_display.split()}
    ]
    shapes = Counter(_RUN.sub(lambda run: "9" if run[1] else "A", value) for _, value in good)
    alike = shapes.most_common(1)[0][1] if shapes else 0
    total = max(1, len(samples))
    return NumberField(
        name,
        present=sum(bool(value) for _, value in held) / total,
        own=alike / total,
        told=sum(value in sample.text for sample, value in good) / total,
    )


def guess_accession(fields: Sequence[NumberField]) -> tuple[str, ...]:
    """Choose the fields for the accession number, the one that the texts repeat first.

    Returns:
        Empty when no field holds a number of its own in half of the reports. Order numbers
        (OBR-2, OBR-19, ORC-2) are taken only where the texts repeat them.
    """
    good = [
        field
        for field in fields
        if field.own >= _HALF and (field.name in ACCESSION_FIELDS or field.told >= _HALF)
    ]
    return tuple(field.name for field in sorted(good, key=lambda field: -round(field.told, 1)))


def guess_observation_codes(
    samples: Sequence[SampleReport], silent: Iterable[bool]
) -> dict[str, str]:
    """Guess what unknown OBX-3 codes hold.

    Args:
        samples: The reports.
        silent: For each, whether it has no findings by the shipped tables.

    Returns:
        Code -> section: by its name where that is a heading; ``body`` where it holds prose in
        reports that have no findings otherwise.
    """
    names: dict[str, Counter[str]] = defaultdict(Counter)
    prose: Counter[str] = Counter()
    told = count_by_report(
        [line.code for line in sample.lines if line.section is None and line.is_text]
        for sample in samples
    )
    for sample, is_silent in zip(samples, silent, strict=True):
        texts: dict[str, list[str]] = defaultdict(list)
        for line in sample.lines:
            if line.code in told and line.section is None and line.is_text:
                names[line.code][" ".join(line.name.upper().split())] += 1
                texts[line.code].append(line.text)
        prose.update(code for code in texts if is_silent and is_prose("\n".join(texts[code])))
    found = {}
    for code, reports in told.items():
        if not is_telling(code, reports):
            continue
        section = HEADINGS.get(names[code].most_common(1)[0][0])
        if section is None and prose[code] >= _HALF * reports:
            section = "body"
        if section is not None:
            found[code] = section
    return found


def find_headings(samples: Sequence[SampleReport]) -> dict[str, int]:
    """Count the headings in capitals that the shipped table does not know.

    A heading stands in several reports of several patients, is no word of anybody's name in them,
    and names no part of the body ("LIVER:").
    """
    least = max(_HEADING_REPORTS_MIN, _HEADING_SHARE_MIN * len(samples))
    found = count_by_report(_unknown_headings(sample) for sample in samples)
    patients: dict[str, set[str | None]] = defaultdict(set)
    for sample in samples:
        for heading in _unknown_headings(sample):
            patients[heading].add(sample.patient)
    persons = frozenset(word for sample in samples for word in sample.person_words)
    return {
        heading: reports
        for heading, reports in found.items()
        if reports >= least
        and len(patients[heading]) >= _HEADING_REPORTS_MIN
        and persons.isdisjoint(_WORD.findall(heading))
    }


def _unknown_headings(sample: SampleReport) -> set[str]:
    found = set()
    for line in sample.text.split("\n"):
        match = _HEADING_LINE.match(line)
        if match is None or any(DEFAULT_HEADINGS.find(line)):
            continue
        heading = " ".join(match[1].split())
        if len(heading.split()) <= _HEADING_WORDS_MAX and read_name(heading).region is None:
            found.add(heading)
    return found


def guess_headings(unknown: Mapping[str, int]) -> dict[str, str]:
    """Guess the section of unknown headings by a known one within ("MRI FINDINGS")."""
    found = {}
    for heading in unknown:
        words = heading.split()
        parts = [
            " ".join(words[start:end])
            for start in range(len(words))
            for end in range(len(words), start, -1)
        ]
        section = next((HEADINGS[part] for part in parts if part in HEADINGS), None)
        if section in _SECTIONS:
            found[heading] = section
    return found


def find_status_words(samples: Sequence[SampleReport]) -> dict[str, int]:
    """Count the words of OBX-11 and OBR-25 that the shipped table does not know."""
    return {
        word: reports
        for word, reports in count_by_report(
            [
                *(line.status for line in sample.lines if not read_observation_status(line.status)),
                "" if choose_status([], sample.result_status) else sample.result_status,
            ]
            for sample in samples
        ).items()
        if _STATUS_WORD.fullmatch(word)
    }


def guess_status_words(unknown: Mapping[str, int]) -> dict[str, ReportStatus]:
    """Guess the status of unknown words by a known one within ("PRELIM READ")."""
    found = {}
    for word in unknown:
        parts = [part for part in _WORD.findall(word) if len(part) >= _NUMBER_MIN]
        known = {status for status in map(read_observation_status, parts) if status is not None}
        if len(known) == 1:
            found[word] = known.pop()
    return found


def guess_exams(studies: Sequence[StudyReport]) -> dict[tuple[str, str], ExamEntry]:
    """Guess what each exam code means: what its name says, unless the reports say otherwise.

    Where the name is silent, what five reports or more agree on: a code for any exam ("Radiology
    event") must not get the region of the few that were seen.

    Returns:
        (code, system) -> entry with the name that is sent most; None where nothing is sure.
    """
    by_code: dict[tuple[str, str], list[StudyReport]] = defaultdict(list)
    for study in studies:
        if study.exam.code:
            by_code[study.exam.code, study.exam.system or ""].append(study)
    return {
        key: _guess_exam(of_code)
        for key, of_code in sorted(by_code.items())
        if is_telling(key[0], len(of_code))
    }


def _guess_exam(studies: Sequence[StudyReport]) -> ExamEntry:
    display = Counter(study.exam.display for study in studies).most_common(1)[0][0]
    name = read_name(display or "", studies[0].language)
    return ExamEntry(
        _agreed(name.modality, [study.exam.modality for study in studies]),
        _agreed(name.region, [study.exam.region for study in studies]),
        _agreed(name.laterality, [study.exam.laterality for study in studies]),
        display,
    )


def _agreed(named: _T | None, values: Sequence[_T | None]) -> _T | None:
    known = [value for value in values if value is not None]
    if named is not None:
        return named if all(value == named for value in known) else None
    return known[0] if len(known) >= _EXAM_REPORTS_MIN and len(set(known)) == 1 else None


def guess_language(texts: Iterable[str]) -> str:
    """Guess the language of report texts by their small words, Chinese and Japanese by script."""
    joined = "\n".join(texts)
    if len(_IDEOGRAPHS.findall(joined)) > _MOST * len(_WORD.findall(joined)) / 2:
        kana, ideographs = len(_KANA.findall(joined)), len(_IDEOGRAPHS.findall(joined))
        return "ja" if kana * 10 > ideographs else "zh"
    counts = Counter(
        language
        for word in _WORD.findall(joined.lower())
        for language, words in _LANGUAGE_WORDS.items()
        if word in words
    )
    return counts.most_common(1)[0][0] if counts else "en"
