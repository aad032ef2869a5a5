"""A finding that the draft has and the findings have not, and one that must not be left out.

What a draft may name is in ``vocabulary.py``. A draft that names one of these is held to the
findings: they must state it, or something that stands for it, outside what they deny. A guess at a
cause ("may represent pneumonia") is held only to what they deny. An organ that they call normal
throughout has nothing wrong in the draft (English only). A finding that cannot wait for the next
reader, once stated, must be in the draft. A language without a vocabulary passes.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from model.checks.vocabulary import vocabulary_of
from model.checks.wording import Fault
from model.normality import is_abnormal
from model.sentences import split_sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mappings.domain import Findings
    from model.checks.vocabulary import Concept

_ORGANS = {
    "adrenal": r"adrenals?",
    "appendix": r"append(?:ix|iceal|icitis)",
    "gallbladder": r"gallbladder|chole\w*|gallstones?",
    "heart": r"heart(?! strain)|cardi\w+|ventric\w+",
    "kidney": r"kidneys?|renal|\w*nephro\w*",
    "liver": r"liver|hepat\w*",
    "pancreas": r"pancrea\w*",
    "spleen": r"spleen|splen\w*",
    "thyroid": r"thyroid",
    "uterus": r"uter(?:us|ine)",
}


def find_unsupported(findings: Findings, draft: str) -> Fault | None:
    """Find the first finding of the draft that the report does not state.

    Args:
        findings: The report; its words are taken as the truth.
        draft: The draft's text.
    """
    words = vocabulary_of(findings.language)
    if words is None:
        return None
    known = [sentence.text for sentence in split_sentences(findings.text)]
    whole = words.read(findings.text)
    stated = " . ".join(words.asserted(sentence) for sentence in known)
    evident = " . ".join(words.evident(sentence) for sentence in known)
    for sentence in split_sentences(draft):
        said = words.asserted(sentence.text)
        sure = words.guess.sub("", said)
        span = (sentence.start, sentence.end)
        for concept in words.concepts:
            if not concept.named.search(said) or concept.is_supported(stated, evident):
                continue
            if concept.named.search(whole):
                return Fault("denied_by_findings", span)
            if concept.named.search(sure):
                return Fault("not_in_findings", span)
        if words.is_english and is_abnormal(sentence.text) and _names_a_normal_organ(said, known):
            return Fault("organ_normal_in_findings", span)
    return None


def find_left_out(findings: Findings, draft: str) -> Fault | None:
    """Find a finding that cannot wait and that the draft does not name.

    Args:
        findings: The report. What it calls old, unchanged or doubtful is not due.
        draft: The draft's text.

    Returns:
        A fault whose reason names the concept, such as ``left_out_pneumothorax``.
    """
    words = vocabulary_of(findings.language)
    if words is None:
        return None
    said = " . ".join(words.asserted(sentence.text) for sentence in split_sentences(draft))
    for sentence in split_sentences(findings.text):
        stated = words.asserted(sentence.text)
        if words.not_new.search(stated):
            continue
        for concept in words.concepts:
            if concept.critical and concept.critical.search(stated) and not _is_told(concept, said):
                return Fault(f"left_out_{concept.name.replace(' ', '_')}")
    return None


def _is_told(concept: Concept, said: str) -> bool:
    assert concept.critical
    return bool(concept.named.search(said) or concept.critical.search(said))


def _names_a_normal_organ(said: str, known: Sequence[str]) -> bool:
    for pattern in _organs():
        if not pattern.search(said):
            continue
        about = [sentence for sentence in known if pattern.search(sentence)]
        if about and not any(is_abnormal(sentence) for sentence in about):
            return True
    return False


@cache
def _organs() -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(rf"\b(?:{word})\b", re.IGNORECASE) for word in _ORGANS.values())
