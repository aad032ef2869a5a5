"""Drafts without a model: copies the sentences of the findings that state something abnormal.

Deterministic, and unsure in one direction only: what it does not know to be normal, it copies. It
knows English; a sentence in any other language is copied. Labelled as a demo engine: it summarises
nothing.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from mappings.domain import Draft, EngineIdentity, FinishReason
from model.engine import Prepared
from model.sentences import split_sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mappings.domain import Prompt

ENGINE_VERSION = "extractive/1"
ALL_NORMAL = "No acute abnormality."
CHARACTERS_PER_TOKEN = 6

_UNSURE = re.compile(
    r"\b(?:cannot|can not|could not|can't|not) (?:be )?"
    r"(?:entirely |completely |fully |definitively )?"
    r"(?:exclude|rule out|ruled out|excluded)|\b(?:may|might|could|possib\w+|probab\w+|suspicio\w+"
    r"|concern\w*|questionable|suggest\w*|likely|worrisome|indeterminate|borderline|upper limits?"
    r"|equivocal|versus|consistent with|compatible with)\b",
    re.IGNORECASE,
)
_TURN = re.compile(
    r"\b(?:but|however|although|though|except|apart from|aside from|other than|save for)\b|[;:]"
    r"|,(?=\s*(?:there (?:is|are)|a |an |\d))",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"\b(?:no|without|nor|neither|negative for|free of|absence of|rather than|denies)\b"
    r"(?:(?!\b(?:with|in|unchanged|stable|known)\b).)*"
    r"|\b(?:is|are|was|were)(?: also)? (?:not|no longer) (?:\w+ ){0,2}?"
    r"(?:seen|identified|visuali[sz]ed|present|evident|demonstrated|appreciated|detected|enlarged|dilated|thickened|displaced)\b"
    r"|\bnot (?:significantly |abnormally )?(?:enlarged|dilated|thickened|displaced|distended)\b",
    re.IGNORECASE,
)
_NORMAL = re.compile(
    r"\b(?:normal\w*|unremarkable|clear|intact|preserved|maintained|patent|symmetric\w*|midline"
    r"|within normal limits|age[- ]appropriate|well[- ](?:aerated|expanded|inflated|aligned)|smooth"
    r"|anatomic(?: alignment)?|homogeneous|negative|in (?:good|satisfactory|expected) position"
    r"|of normal|sharp|non[- ]?dilated|resolved|satisfactory|not)\b",
    re.IGNORECASE,
)
_ABNORMAL = re.compile(
    r"\b(?:abnormal|nodul|mass|lesion|opaci|consolidat|infiltrat|effusion|pneumothora|pneumomedias"
    r"|oedema|edema|atelecta|fractur|disloc|sublux|enlarge|dilat|thicken|calcif|stenos|occlu"
    r"|thromb|embol|hemorrhag|haemorrhag|hematoma|haematoma|infarct|ischemi|ischaemi|hernia|tear|rupture|cyst|stone"
    r"|calculus|calculi|hydroneph|obstruct|perforat|abscess|collection|degenerat|osteophyt"
    r"|narrowing|spondyl|scolio|lytic|sclero|erosion|emphysema|fibro|scar|bronchiect|cardiomeg"
    r"|hepatomeg|splenomeg|steato|fatty|hypodens|hyperdens|hypoatten|hyperatten|enhancing|diverticul"
    r"|inflam|strand|adenopath|lymphaden|aneurysm|dissect|tortuo|elevat|depress|deform|displac"
    r"|angulat|swelling|catheter|tube|pacemaker|sternotomy|prosthes|hardware"
    r"|post[- ]?(?:op|surg)|status post|absent|surgical|increas|decreas|worsen|new|metast"
    r"|bulg|protru|extru|ascites|free (?:air|fluid)|air[- ]fluid|ground[- ]glass|hyperinflat"
    r"|congest|blunt|prominen|asymmetr|shift|granulom)\w*",
    re.IGNORECASE,
)
# What tells how the study was made, or against what it was read, is no finding.
_STUDY = re.compile(
    r"^(?:(?:technique|comparison|indication|history|exam\w*|procedure|contrast)\s*:"
    r"|(?:frontal|lateral|ap|pa|portable|single|two|three|\d+)\b[^.]*\bviews?\b"
    r"|(?:comparison|compared) (?:is made )?(?:to|with)\b[^,]*$"
    r"|(?:axial|helical|multi\w+) [^.]*\b(?:images|obtained|performed|acquired)\b)",
    re.IGNORECASE,
)
_HEADING = re.compile(r"^\s*(?:[-*•]\s*|\d{1,2}[.)]\s+)?(?:[A-Za-z][A-Za-z ,/&-]{1,40}:\s*)?")
_SECTION = re.compile(r"^\s*(?:findings?|report|impression)\s*:\s*", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{2,}|\d")


class ExtractiveEngine:
    """An engine without weights."""

    def __init__(
        self, *, delay_s: float = 0.0, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Take the extra seconds that each batch shall last, for load tests."""
        self._delay_s = delay_s
        self._sleep = sleep

    def prepare(self, prompt: Prompt) -> Prepared:
        """Take any prompt: an adapter's name means nothing here."""
        return Prepared(prompt)

    def generate(self, batch: Sequence[Prepared]) -> list[Draft]:
        """Copy what is abnormal, for each prompt."""
        if self._delay_s:
            self._sleep(self._delay_s)
        return [self._draft(prepared.prompt) for prepared in batch]

    def identity(self, adapter: str | None, template_version: str) -> EngineIdentity:
        """Return this engine, whatever the adapter."""
        del adapter
        return EngineIdentity(
            engine="extractive",
            engine_version=ENGINE_VERSION,
            base=None,
            base_digest=None,
            adapter=None,
            adapter_digest=None,
            template_version=template_version,
            dtype=None,
            is_demo=True,
        )

    def probe(self) -> None:
        """Nothing can break."""

    def _draft(self, prompt: Prompt) -> Draft:
        text, is_whole = extract_impression(
            prompt.findings, prompt.output_tokens_max * CHARACTERS_PER_TOKEN
        )
        return Draft(
            text=text,
            finish=FinishReason.STOP if is_whole else FinishReason.LENGTH,
            prompt_tokens=len(prompt.findings.split()),
            output_tokens=len(text.split()),
            engine=self.identity(prompt.adapter, prompt.template_version),
        )


def extract_impression(findings: str, characters_max: int) -> tuple[str, bool]:
    """Copy the sentences that state something abnormal, in their order.

    Args:
        findings: The report's text.
        characters_max: Sentences are left out from the first one that would pass it.

    Returns:
        The text, ``ALL_NORMAL`` when nothing abnormal is stated; and whether all of it had room.
    """
    abnormal = list(
        dict.fromkeys(
            _tidy(sentence.text)
            for sentence in split_sentences(findings)
            if is_abnormal(sentence.text)
        )
    )
    kept: list[str] = []
    for sentence in abnormal:
        if sum(map(len, kept)) + len(kept) + len(sentence) > characters_max:
            return " ".join(kept), False
        kept.append(sentence)
    return " ".join(kept) or ALL_NORMAL, True


def is_abnormal(sentence: str) -> bool:
    """Whether a sentence of findings states something that is not known to be normal."""
    statement = _HEADING.sub("", sentence).strip()
    if not _WORD.search(statement) or _STUDY.search(sentence.strip()):
        return False
    if _UNSURE.search(statement):
        return True
    return any(_is_part_abnormal(part) for part in _TURN.split(statement))


def _is_part_abnormal(part: str) -> bool:
    rest = _NEGATED.sub(" ", part)
    if _ABNORMAL.search(rest):
        return True
    is_stated = rest != part or _NORMAL.search(rest) is not None
    return _WORD.search(rest) is not None and not is_stated


def _tidy(sentence: str) -> str:
    """One line, without list marker or section heading, ended by a full stop."""
    text = " ".join(_SECTION.sub("", sentence).split())
    text = re.sub(r"^(?:[-*•]\s*|\d{1,2}[.)]\s+)", "", text).rstrip(";,")
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", "。")) else f"{text}."
