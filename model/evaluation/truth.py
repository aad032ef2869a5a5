"""Judge a draft by the corpus's exact truth: sides, sizes, what it leaves out, what it makes up.

Kept apart from model/checks, which sees only the findings' text: two rules written twice can
disagree, and that is how a gap in one of them shows.

A draft is read statement by statement (a sentence or an item of a list). A statement *names* a
finding when one of the finding's words (``Kind.stems``) begins a word of it, outside what it
denies; it is then held to the side and size of the findings it names.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from model.corpora.schema import CorpusRow, parse_row
from model.errors import CorpusUnreadableError
from model.normality import is_abnormal
from model.sentences import split_sentences
from model.synth.lexicon import lexicon

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mappings.domain import Modality, Region

_SIDE = re.compile(r"\b(left|right|bilateral)\b", re.IGNORECASE)
_BOTH = frozenset({"left", "right"})
_NUMBER = r"\d+(?:\.\d+)?"
_SIZE = re.compile(rf"({_NUMBER}(?:\s*x\s*{_NUMBER})*)\s*(mm|cm)\b", re.IGNORECASE)
_MM = {"mm": 1, "cm": 10}
_DENIED = re.compile(
    r"\b(?:no|not|without|neither|nor|free of|rather than)\b(?:(?!\b(?:but|however)\b)[^;])*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownReport(CorpusRow):
    """A report of a synthetic corpus, with the findings that it was written for."""

    modality: Modality
    region: Region
    truth: tuple[Mapping[str, Any], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the truth says of one draft; ``reported`` counts what an impression must name.

    ``is_missed_abnormal``: there is something to name, and the draft names nothing of it.
    ``is_invented_abnormal``: there is nothing, and the draft states something abnormal.
    """

    is_normal: bool
    has_wrong_side: bool
    has_wrong_number: bool
    has_false_finding: bool
    is_missed_abnormal: bool
    is_invented_abnormal: bool
    reported: int
    missed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Statement:
    """``sizes`` in mm, in the order of the text."""

    sides: frozenset[str]
    sizes: tuple[float, ...]
    kinds: frozenset[str]
    is_abnormal: bool


def known_report(told: Mapping[str, Any], number: int) -> KnownReport:
    """Make a report of a synthetic corpus's JSON object; ``number`` is its line.

    Raises:
        CorpusUnreadableError: It is no report, or a house's own, which has no known truth.
    """
    report = asdict(parse_row(told, number))
    if not (isinstance(told.get("truth"), list) and report["modality"] and report["region"]):
        raise CorpusUnreadableError(
            "reports without a known truth: name --systems to hold them against impressions",
            f"line {number}",
        )
    return KnownReport(**report, truth=tuple(told["truth"]))


def judge(report: KnownReport, draft: str) -> Judgement:
    """Hold a draft against what is known of its report.

    Args:
        report: Of a synthetic corpus.
        draft: The text to judge.

    Returns:
        The judgement. A side is wrong when no finding that its statement names lies there; a size
        when it is not in the report, or none of those findings on that side has it as its largest
        diameter. A statement that names nothing that is due in an impression is held to the
        report's text as a whole. A finding is missed when no statement names it with its side
        and its size.
    """
    stated = [one for one in report.truth if not one["negated"]]
    reported = [one for one in stated if one["is_reported"]]
    sides, sizes = _sides(_SIDE.findall(report.findings)), set(sizes_mm(report.findings))
    statements = [_read(report.region, sentence.text) for sentence in split_sentences(draft)]
    named = [(one, _named(one, reported)) for one in statements]
    strangers = [one for one in statements if not _named(one, stated)]
    return Judgement(
        is_normal=not reported,
        has_wrong_side=any(_is_side_wrong(*pair, sides) for pair in named),
        has_wrong_number=any(_is_size_wrong(*pair, sizes) for pair in named),
        has_false_finding=any(one.kinds for one in strangers),
        is_missed_abnormal=bool(reported) and not any(_named(one, reported) for one in statements),
        is_invented_abnormal=not reported and any(one.is_abnormal for one in strangers),
        reported=len(reported),
        missed=tuple(
            one["name"] for one in reported if not any(_states(said, one) for said in statements)
        ),
    )


def sizes_mm(text: str) -> tuple[float, ...]:
    """Return every length of a text in mm, in order; "1.1 x 1.0 cm" gives two."""
    return tuple(
        round(float(number) * _MM[found[2].lower()], 3)
        for found in _SIZE.finditer(text)
        for number in re.findall(_NUMBER, found[1])
    )


def _read(region: Region, text: str) -> _Statement:
    asserted = _DENIED.sub(" ", text)
    return _Statement(
        sides=_sides(_SIDE.findall(asserted)),
        sizes=sizes_mm(text),
        kinds=frozenset(name for name, pattern in _patterns(region) if pattern(asserted)),
        is_abnormal=is_abnormal(text),
    )


def _sides(words: Sequence[str | None]) -> frozenset[str]:
    """Left, right or both; "bilateral" is both."""
    named = {word.lower() for word in words if word}
    return _BOTH if "bilateral" in named else frozenset(named)


def _named(statement: _Statement, stated: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [one for one in stated if one["name"] in statement.kinds]


def _is_side_wrong(
    statement: _Statement, named: Sequence[Mapping[str, Any]], in_report: frozenset[str]
) -> bool:
    true = _sides([one["side"] for one in named]) if named else in_report
    return not statement.sides <= true


def _is_size_wrong(
    statement: _Statement, named: Sequence[Mapping[str, Any]], in_report: set[float]
) -> bool:
    if not set(statement.sizes) <= in_report:
        return True
    there = [one for one in named if _sides([one["side"]]) & statement.sides] or named
    return bool(statement.sizes and there) and statement.sizes[0] not in {
        one["size_mm"] for one in there
    }


def _states(statement: _Statement, finding: Mapping[str, Any]) -> bool:
    """Whether a statement names a finding with its side and its size."""
    return (
        finding["name"] in statement.kinds
        and _sides([finding["side"]]) <= statement.sides
        and (finding["size_mm"] is None or finding["size_mm"] in statement.sizes)
    )


@cache
def _patterns(region: Region) -> tuple[tuple[str, Callable[[str], bool]], ...]:
    """Return for each kind of finding its name and what tells whether a text names it."""
    return tuple((kind.name, _teller(kind.stems, kind.unless)) for kind in lexicon(region).findings)


def _teller(stems: Sequence[str], unless: Sequence[str]) -> Callable[[str], bool]:
    named = re.compile(rf"\b(?:{'|'.join(map(re.escape, stems))})", re.IGNORECASE)
    other = re.compile(rf"\b(?:{'|'.join(map(re.escape, unless))})", re.IGNORECASE)
    return lambda text: bool(named.search(text)) and not (unless and other.search(text))
