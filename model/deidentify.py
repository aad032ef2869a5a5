"""Takes out of a report's text what tells who it is about, by rules, and counts what it took.

Each find becomes a mark such as ``[NAME]``; a second run finds nothing. Rules miss names without a
title before them, so a person must look at a sample before a text leaves the house: nothing here
makes a corpus anonymous by itself.

Source: the kinds are those of HIPAA Safe Harbor, 45 CFR 164.514(b)(2), that stand in report text.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from model.corpora.schema import CorpusRow

_MONTH_CHARACTERS = 7


def _after(words: str) -> str:
    """Return a pattern that holds just behind one of the words; underscores are blanks."""
    told = (re.escape(word.replace("_", " ")) for word in words.split())
    return "(?:" + "|".join(rf"(?<=\b{word})" for word in told) + ")"


_NAME = r"[A-Z\u00c0-\u00de][\w'\u2019\u00c0-\u017f-]+"
_PARTICLE = r"(?:van|von|de|der|den|la|le|di|da|al|bin|ter)"
_NAMES = rf"{_NAME}(?:[ \t]+(?:{_PARTICLE}[ \t]+)*(?:[A-Z]\.[ \t]*)?{_NAME}){{0,2}}"
_TITLES = (
    "Dr. Dr Drs. Doctor Prof. Professor Mr. Mr Mrs. Mrs Ms. Ms Miss Herr Herrn Frau med. Mme"
    " Monsieur Madame Sr. Sra. Dna. Dl. Dictated_by: Dictated_by dictated_by:"
    " dictated_by Signed_by: Signed_by signed_by: signed_by Reported_by: Reported_by reported_by:"
    " reported_by Transcribed_by: Transcribed_by transcribed_by: transcribed_by Referred_by:"
    " Referred_by referred_by: referred_by Patient: Patient_Name: Patient_name: Name: RADIOLOGIST:"
    " Radiologist: Discussed_with discussed_with"
)
_NO_NAME = r"(?!(?:Dr|Prof|Mr|Mrs|Ms|Herr|Frau|The|A|An)\b)"
_DEGREES = r"(?:M\.?D\.?|D\.?O\.?|FRCR|FRCPC|RN|PA-C)"
_NUMBERED = (
    "MRN SSN ID PID Accession accession Accession_number accession_number Accession_No"
    " accession_no Record_number record_number Patient_number patient_number Fallnummer"
    " Patientennummer"
)
_PHONES = "tel Tel phone Phone pager Pager fax Fax ext"
_MONTHS = (
    r"(?:jan(?:uary|uar|vier)?|enero|feb(?:ruary|ruar|rero)?|f[\u00e9e]vrier|mar(?:ch|s|zo)?"
    r"|m\u00e4rz|apr(?:il)?|avril|abril|ma[iy]o?|jun[ei]?|juin|junio|jul[yi]?|juillet|julio"
    r"|aug(?:ust)?|ao\u00fbt|agosto|sep(?:t(?:ember|embre|iembre)?)?|o[ck]t(?:ober|obre)?|octubre"
    r"|nov(?:ember|embre|iembre)?|de[cz](?:ember)?|d\u00e9cembre|diciembre)"
)
_YEAR = r"(?:19|20)\d{2}"
_STREETS = "Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Court|Way|Place"

# In this order: what holds a number of its own (an e-mail, a date) goes before plain numbers.
_RULES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("EMAIL", re.compile(r"\b[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")),
    ("URL", re.compile(r"\b(?:https?://|www\.)[^\s<>\"]+", re.IGNORECASE)),
    (
        "ID",
        re.compile(
            rf"{_after(_NUMBERED)}[.:#\s]{{1,4}}(?!\[)[A-Za-z]{{0,4}}-?\d[\w-]*"
            r"|\b\d{3}-\d{2}-\d{4}\b"
        ),
    ),
    (
        "DATE",
        re.compile(
            rf"\b{_YEAR}-\d{{2}}-\d{{2}}(?:T[\d:.]+(?:Z|[+-]\d{{2}}:?\d{{2}})?)?\b"
            rf"|\b\d{{1,2}}([./-])\d{{1,2}}\1(?:{_YEAR}|\d{{2}})\b(?!\s?(?:mm|cm|x\b))"
            rf"|\b\d{{1,2}}(?:st|nd|rd|th|\.)?\s+(?:de\s+)?{_MONTHS}\b\.?,?(?:\s+(?:de\s+)?{_YEAR})?"
            rf"|\b{_MONTHS}\.?\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+{_YEAR}\b"
            rf"|\b{_MONTHS}\.?,?\s+(?:de\s+)?{_YEAR}\b"
            rf"|\b{_YEAR}\u5e74(?:\d{{1,2}}\u6708)?(?:\d{{1,2}}\u65e5)?",
            re.IGNORECASE,
        ),
    ),
    (
        "PHONE",
        re.compile(
            r"(?<![\w.])(?:\+\d{1,3}[\s.-]?)?\(\d{2,5}\)[\s.-]?\d{3,4}[\s.-]?\d{3,5}\b"
            r"|(?<![\w.])\+\d{1,3}(?:[\s.-]?\d{2,4}){2,5}\b"
            r"|(?<![\w.-])\d{3}[-.]\d{3}[-.]\d{4}\b"
            rf"|{_after(_PHONES)}[.:#\s]{{1,3}}\d[\d\s./-]{{2,15}}\d"
        ),
    ),
    (
        "ADDRESS",
        re.compile(
            rf"\b\d{{1,5}}[ \t]+(?:[NSEW]\.?[ \t]+)?{_NAME}(?:[ \t]+{_NAME}){{0,2}}[ \t]+"
            rf"(?:{_STREETS})\b\.?(?:,?[ \t]+(?:Apt|Suite|Unit)\.?[ \t]*\w+)?"
            rf"|\b{_NAME}(?:stra\u00dfe|strasse|str\.|gasse|weg|platz)[ \t]+\d{{1,4}}[a-z]?\b"
            rf"|\b\d{{1,4}},?[ \t]+(?:rue|avenue|boulevard)"
            rf"(?:[ \t]+(?:de|du|des|la|le))*[ \t]+{_NAME}"
            rf"|\b(?:Calle|Strada|Str\.)[ \t]+{_NAME}(?:[ \t]+{_NAME})?,?"
            r"[ \t]+(?:nr\.?[ \t]*)?\d{1,4}\b"
        ),
    ),
    (
        "AGE",  # over 89, as Safe Harbor has it
        re.compile(
            r"\b(?:9\d|1[0-2]\d)(?=[\s-]?(?:year|yr|y/?o\b|jahre|j\u00e4hrig|ans\b|a\u00f1os))",
            re.IGNORECASE,
        ),
    ),
    (
        "NAME",
        re.compile(
            rf"{_after(_TITLES)}[ \t]+{_NO_NAME}{_NAMES}"
            rf"|\b{_NAME}(?:[ \t]+[A-Z]\.)?[ \t]+{_NAME}(?=,?[ \t]+{_DEGREES}\b)"
        ),
    ),
    ("ID", re.compile(r"(?<![\w.,-])(?:[A-Z]{1,4}-?)?\d{6,}(?![\w.,]*\d)")),
)
KINDS: tuple[str, ...] = tuple(dict.fromkeys(kind for kind, _ in _RULES))


@dataclass(slots=True)
class Changes:
    """What was taken out: finds by kind, and rows with at least one."""

    finds: Counter[str] = field(default_factory=Counter)
    rows: int = 0


def deidentify_text(text: str, finds: Counter[str]) -> str:
    """Put a mark in place of each find, and count it by kind.

    Args:
        text: Of a report, in any language; titles and months are known in six.
        finds: Counts by kind, added to.

    Returns:
        The text with its marks; a text that has been through here comes back as it is.
    """
    for kind, pattern in _RULES:
        text = pattern.sub(_marker(kind, finds), text)
    return text


def deidentify_row(row: CorpusRow, changes: Changes) -> CorpusRow:
    """Take names, dates, numbers and addresses out of a row's texts; cut its date to the month."""
    finds: Counter[str] = Counter()
    done = replace(
        row,
        findings=deidentify_text(row.findings, finds),
        impression=deidentify_text(row.impression, finds),
        indication=None if row.indication is None else deidentify_text(row.indication, finds),
        exam_display=None if row.exam_display is None else deidentify_text(row.exam_display, finds),
        date=None if row.date is None else row.date[:_MONTH_CHARACTERS],
    )
    changes.finds.update(finds)
    changes.rows += bool(finds)
    return done


def _marker(kind: str, finds: Counter[str]) -> Callable[[re.Match[str]], str]:
    def mark(found: re.Match[str]) -> str:
        finds[kind] += 1
        lead = found.group()[: len(found.group()) - len(found.group().lstrip(" \t.:#\n"))]
        return f"{lead}[{kind}]"

    return mark
