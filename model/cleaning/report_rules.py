"""The rules that hold a report's parts against each other and against its exam.

Exam words are known in English alone: another language is never called the wrong exam.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from mappings.domain import Exam, Findings, Modality
from mappings.languages import primary_of
from model.checks.sides import find_side_fault, split_by_side
from model.cleaning.near_duplicates import SHINGLE_WORDS, words_of
from model.cleaning.text_rules import beginnings, word_lists

if TYPE_CHECKING:
    from collections.abc import Mapping

    from model.cleaning import settings
    from model.corpora.schema import CorpusRow

# What is said of an earlier or a wished-for exam says nothing about this one.
_STATEMENT = re.compile(r"[^.;\n]+")
_OTHER_STUDY = re.compile(
    r"\b(?:compar|prior|previous|earlier|recommend|suggest|advis|consider|correlat|further|follow"
    r"|could be|would be|if clinically|evaluat|subsequent)"
)
_OWN_WORD_WEIGHT = 3
"""How many different words of another region one of the own region outweighs."""
_ALIKE = {Modality.CR: "XR", Modality.DX: "XR", Modality.RF: "XR", Modality.PT: "CT"}


def is_wrong_exam(row: CorpusRow, limits: settings.WrongExam) -> bool:
    """Whether the text speaks of another region, or another kind of images, than the exam."""
    if primary_of(row.language) != "en":
        return False
    statements = _STATEMENT.findall(f"{row.findings}\n{row.impression}".lower())
    own = ". ".join(one for one in statements if _OTHER_STUDY.search(one) is None)
    return _is_other_region(row, own, limits.words_min) or _is_other_modality(row, own)


def is_impression_longer(row: CorpusRow, limits: settings.ImpressionLonger) -> bool:
    """Whether the impression has more words than the findings."""
    return len(words_of(row.impression)) > limits.ratio_max * len(words_of(row.findings))


def is_impression_copied(row: CorpusRow, limits: settings.ImpressionCopied) -> bool:
    """Whether the impression is the findings once more."""
    findings, impression = words_of(row.findings), words_of(row.impression)
    if not findings or findings == impression:
        return bool(findings)
    if len(impression) < max(limits.words_min, limits.findings_share_min * len(findings)):
        return False
    known = set(zip(*_shifted(findings), strict=False))
    runs = list(zip(*_shifted(impression), strict=False))
    return sum(map(known.__contains__, runs)) >= limits.share_min * len(runs) > 0


def has_side_contradiction(row: CorpusRow, _: settings.SideContradiction) -> bool:
    """Whether the impression names a side that the findings do not have."""
    is_sided = any(piece.is_named_here for piece in split_by_side(row.impression))
    if not is_sided or not row.findings.strip():
        return False
    exam = Exam(display=row.exam_display, modality=row.modality, region=row.region)
    findings = Findings(
        text=row.findings,
        indication=row.indication,
        exam=exam,
        site=row.site,
        language=row.language,
    )
    return find_side_fault(findings, row.impression) is not None


def _shifted(words: list[str]) -> list[list[str]]:
    return [words[start:] for start in range(SHINGLE_WORDS)]


def _is_other_region(row: CorpusRow, text: str, words_min: int) -> bool:
    """Whether another region has so many words that a few in passing of the own do not count."""
    if row.region is None or row.region.value not in _region_patterns():
        return False
    beside = word_lists()["beside"].get(row.region.value, ())
    counts = {
        name: len(set(pattern.findall(text)))
        for name, pattern in _region_patterns().items()
        if name not in beside
    }
    own = counts.pop(row.region.value)
    return max(counts.values()) >= words_min + _OWN_WORD_WEIGHT * own


def _is_other_modality(row: CorpusRow, text: str) -> bool:
    if row.modality is None:
        return False
    own = _ALIKE.get(row.modality, row.modality.value)
    found = {name for name, pattern in _modality_patterns().items() if pattern.search(text)}
    if own == "XR":
        found -= {"CT"}  # "ground-glass" and "hyperdense" are said of radiographs, too
    return bool(found) and own not in found and own in {*_modality_patterns(), "XR"}


@cache
def _region_patterns() -> Mapping[str, re.Pattern[str]]:
    return {name: beginnings(words) for name, words in word_lists()["regions"].items()}


@cache
def _modality_patterns() -> Mapping[str, re.Pattern[str]]:
    return {name: beginnings(words) for name, words in word_lists()["modalities"].items()}
