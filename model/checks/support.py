"""A finding that the draft has and the findings have not, and one that must not be left out.

What a draft may name is in concepts.yaml. A draft that names one of these is held to the findings:
they must state it, or something that stands for it, outside what they deny. A guess at a cause
("may represent pneumonia") is held only to what they deny. An organ that they call normal
throughout has nothing wrong in the draft. A finding that cannot wait for the next reader, once
stated, must be in the draft. English only: any other language passes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from model.checks.wording import Fault
from model.normality import asserted, is_abnormal
from model.sentences import split_sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mappings.domain import Findings

CONCEPTS_FILE = Path(__file__).with_name("concepts.yaml")
_NOT_NEW = re.compile(
    r"\b(?:chronic|concern|consider|healed|healing|history of|if|known|old|post"
    r"|previous|previously|prior|remote"
    r"|resolved|stable|unchanged|versus|vs|may|might|could|cannot|difficult)\b",
    re.IGNORECASE,
)
# A draft may guess at a cause, as people do, but at none that the findings deny.
_GUESS = re.compile(
    r"\b(?:may|might|could|possib\w+|probab\w+|likely|suspicious|suggest\w*|concerning|versus|vs)\b.*",
    re.IGNORECASE,
)
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


@dataclass(frozen=True, slots=True)
class Concept:
    """A row of concepts.yaml: what names it, what speaks for it, what makes it due."""

    name: str
    named: re.Pattern[str]
    support: re.Pattern[str]
    critical: re.Pattern[str] | None


def find_unsupported(findings: Findings, draft: str) -> Fault | None:
    """Find the first finding of the draft that the report does not state.

    Args:
        findings: The report; its words are taken as the truth.
        draft: The draft's text.
    """
    if not _is_english(findings):
        return None
    known = [sentence.text for sentence in split_sentences(findings.text)]
    stated = " . ".join(asserted(sentence) for sentence in known)
    for sentence in split_sentences(draft):
        said = asserted(sentence.text)
        sure = _GUESS.sub("", said)
        span = (sentence.start, sentence.end)
        for concept in concepts():
            if not concept.named.search(said) or concept.support.search(stated):
                continue
            if concept.named.search(findings.text):
                return Fault("denied_by_findings", span)
            if concept.named.search(sure):
                return Fault("not_in_findings", span)
        if is_abnormal(sentence.text) and _names_a_normal_organ(said, known):
            return Fault("organ_normal_in_findings", span)
    return None


def find_left_out(findings: Findings, draft: str) -> Fault | None:
    """Find a finding that cannot wait and that the draft does not name.

    Args:
        findings: The report. What it calls old, unchanged or doubtful is not due.
        draft: The draft's text.

    Returns:
        A fault whose reason is the row of concepts.yaml, such as ``left_out_pneumothorax``.
    """
    if not _is_english(findings):
        return None
    said = " . ".join(asserted(sentence.text) for sentence in split_sentences(draft))
    for sentence in split_sentences(findings.text):
        stated = asserted(sentence.text)
        if _NOT_NEW.search(stated):
            continue
        for concept in concepts():
            if concept.critical and concept.critical.search(stated) and not _is_told(concept, said):
                return Fault(f"left_out_{concept.name.replace(' ', '_')}")
    return None


@cache
def concepts() -> tuple[Concept, ...]:
    """Read concepts.yaml.

    Raises:
        re.error: A pattern is wrong; the file holds only our own.
    """
    rows = yaml.safe_load(CONCEPTS_FILE.read_text(encoding="utf-8"))
    return tuple(
        Concept(
            name=name,
            named=_at_word(row["named"]),
            support=_at_word(f"{row['named']}|{row['evidence']}"),
            critical=_at_word(row["critical"]) if "critical" in row else None,
        )
        for name, row in rows.items()
    )


def _at_word(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})", re.IGNORECASE)


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


def _is_english(findings: Findings) -> bool:
    return findings.language.lower().startswith("en")
