"""What a draft says, as far as text alone tells: missed and invented abnormals, faults, copying.

Rules of thumb, not labels of a clinician: compare systems with them, claim nothing more. They read
English; for another language they give no number.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mappings.domain import Region
from mappings.languages import primary_of
from model.checks.numbers import find_number_fault
from model.checks.sides import find_side_fault
from model.checks.support import find_left_out, find_unsupported
from model.checks.vocabulary import vocabulary_of
from model.evaluation.words import words_of
from model.labels.labeller import has_labels, labels_of
from model.normality import is_abnormal
from model.sentences import split_sentences

if TYPE_CHECKING:
    from mappings.domain import Findings

SHORT_WORDS_MAX = 9
COPIED_WORDS_MIN = 3
CHEST_OR_UNKNOWN = (Region.CHEST, None)
FAULTS = ("number_fault", "side_fault", "unsupported_finding", "left_out")
_LIST_NUMBER = re.compile(r"\d+\s*\.")
_SAYS_NORMAL = re.compile(
    r"\b(?:no (?:acute|active|evidence|radiograph|definite|significant)"
    r"|normal|negative|unremarkable|clear)\b"
)
_NAMES_FINDING = re.compile(
    r"cardiomegaly|stable|chronic|scar|granulom|copd|emphys|hyperinfl|hernia|fracture|degener"
    r"|effusion|opacity|atelect|nodule"
)


def is_short_normal(impression: str) -> bool:
    """Whether an English impression of a chest radiograph only says that nothing is wrong.

    It has at most 9 words (list numbers apart), says that nothing acute or abnormal is there, and
    names none of the common chronic or incidental findings of a chest radiograph.
    """
    text = impression.lower()
    return (
        len(_LIST_NUMBER.sub("", text).split()) <= SHORT_WORDS_MAX
        and _SAYS_NORMAL.search(text) is not None
        and _NAMES_FINDING.search(text) is None
    )


def read_content(findings: Findings, reference: str, draft: str) -> dict[str, float | None]:
    """Return what one draft adds to each rate; None where a rate does not count this report.

    ``missed_abnormal`` counts the reports that ``calls_normal`` does not call normal,
    ``invented_abnormal`` the others; the faults are those that the draft checks find, where they
    have words of the language.
    """
    is_normal, is_draft_normal = calls_normal(findings, reference), calls_normal(findings, draft)
    rates: dict[str, float | None] = {
        "missed_abnormal": is_draft_normal if is_normal is False else None,
        "invented_abnormal": not is_draft_normal if is_normal else None,
    }
    rates |= _faults(findings, draft)
    draft_words = words_of(draft, findings.language)
    rates["copied"] = copied_share(words_of(findings.text, findings.language), draft_words)
    rates["words"] = len(draft_words)
    return {name: None if value is None else float(value) for name, value in rates.items()}


def calls_normal(findings: Findings, impression: str) -> bool | None:
    """Whether an impression of this report says that nothing is wrong; None where nothing tells.

    In English, of the chest or of no known region: whether it is a short normal one. Otherwise:
    whether it names no finding of ``model/labels``, where that has words of the language; nor, in
    English, anything that is not known to be normal.
    """
    language, is_english = findings.language, primary_of(findings.language) == "en"
    if is_english and findings.exam.region in CHEST_OR_UNKNOWN:
        return is_short_normal(impression)
    if not has_labels(language):
        return None
    told = split_sentences(impression) if is_english else ()
    return not (labels_of(impression, language) or any(is_abnormal(one.text) for one in told))


def _faults(findings: Findings, draft: str) -> dict[str, bool | None]:
    if vocabulary_of(findings.language) is None:
        return dict.fromkeys(FAULTS)
    found = (
        find_number_fault(findings.text, draft),
        find_side_fault(findings, draft),
        find_unsupported(findings, draft),
        find_left_out(findings, draft),
    )
    return {name: fault is not None for name, fault in zip(FAULTS, found, strict=True)}


def copied_share(source: list[str], draft: list[str]) -> float | None:
    """Return the share of a draft's words in runs of 3 or more that stand so in the source.

    Source: the coverage of Grusky et al. (2018), with single words and pairs left out: chest
    reports share them by chance.
    """
    if not draft:
        return None
    n = COPIED_WORDS_MIN
    runs = {tuple(source[at : at + n]) for at in range(len(source) - n + 1)}
    copied = [False] * len(draft)
    for at in range(len(draft) - n + 1):
        if tuple(draft[at : at + n]) in runs:
            copied[at : at + n] = [True] * n
    return sum(copied) / len(draft)
