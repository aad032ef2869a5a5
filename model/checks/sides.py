"""A side in the draft that the findings do not have, or have for something else.

Text is cut at commas and "and"s into pieces of one side each, but not within one statement ("Scar,
left breast"). A piece of the draft is at fault when its side is nowhere
in the findings, indication or exam; or when what it names (its problem, else its words) is in the
findings on the other side only; or when its size is. Where the findings name no side for it, the
draft has the benefit of the doubt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from mappings.domain import Laterality
from model.checks.numbers import Meaning, find_numbers
from model.checks.wording import Fault
from model.normality import is_abnormal, problems
from model.sentences import Sentence, split_sentences

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mappings.domain import Findings

LEFT, RIGHT = Laterality.LEFT, Laterality.RIGHT
BOTH = frozenset({LEFT, RIGHT})

# Words of a side in the languages of the sites we know; a draft and its findings share one.
_SIDE = re.compile(
    r"(?P<both>\bbilateral\w*\b|\bboth\b(?!\s+(?:the\s+)?\w+\s+(?:and|or)\b)"
    r"|\bbi(?:basilar|basal|apical|hilar)\w*\b|\bbilatér\w+|\bbeidseit\w*\b|\bbeiden?\b"
    r"|\bamb[oa]s\b|双侧|两侧)"
    r"|(?P<left>\b(?:left\w*|lt|l[ul]l|l[ul]q|links\w*|linke[nrsm]?|izquierd\w+|gauches?"
    r"|st[âa]ng\w*)\b|左)"
    r"|(?P<right>\b(?:right(?!\s+heart\b)\w*|rt|r[uml]l|r[ul]q|rechts\w*|rechte[nrsm]?|derech\w+|droite?s?"
    r"|drept\w*|dreapt\w*)\b|右)",
    re.IGNORECASE,
)
_SIDES_OF = {"left": frozenset({LEFT}), "right": frozenset({RIGHT}), "both": BOTH}
_COMPARISON = re.compile(
    r"\b(?P<first>left|right)\b(?:[\s,-]+(?!left\b|right\b)\w+){0,3}?[\s,-]*"
    r"(?:\b(?P<how>greater|larger|bigger|worse|more|higher|less|smaller|milder)\b[^.;]{0,20}?"
    r"\bthan(?:\s+(?:on|the|at|in))*|(?P<sign>[<>]))\s*(?:left|right)\b",
    re.IGNORECASE,
)
_LESS = frozenset({"<", "less", "milder", "smaller"})
_HEADING = re.compile(r"[A-Za-z][A-Za-z ,/&-]{1,40}:")
_CUT = re.compile(
    r"[,;\uff0c\u3001\uff1b]|\b(?:and|with|while|but|as well as|und|mit|y|con)\b", re.IGNORECASE
)
# A place after "with" may be that of what stands before: "a node with thick cortex in the axilla".
_PLACE_BEHIND = re.compile(
    r"\bwith\b(?P<what>(?:[^,;]|, (?=[\w-]+ [\w-]+ (?:along|at|in|of|on|over|within)\b))*?)"
    r"\b(?:along|at|in|of|on|over|within)\b[^,;]*",
    re.IGNORECASE,
)
# But not where a finding of its own stands before: "with shift and bullae in the right lung".
_AND = re.compile(r",|\band\b", re.IGNORECASE)
_WORDS_OF_ANOTHER = 3
_DEMYELINATION = re.compile(r"\bdemyelinat\w+(?: lesions?\b)?", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{4,}|[\u4e00-\u9fff]{2}")
_STEM_LETTERS = 5
# Words that say nothing of which finding is meant.
_GENERIC = frozenset(
    re.findall(
        r"\w+",
        "acute again appea appro aspec change chron compa consi decre evide from great incre inter"
        " into large likel measu mild minim moder more new noted over possi previ prior proba regio"
        " seen sever side sided signi small stabl sugge than that there this uncha which with",
    )
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a sentence with the sides it names, or takes over from the part before it.

    ``sides_possible`` adds the side of a part before it that names no problem of its own, as in
    "the right upper lobe and left lower lobe opacities", or the place that its "with" leads to, as
    in "a node with a thick cortex in the left axilla".
    """

    text: str = field(repr=False)
    span: tuple[int, int]
    sides: frozenset[Laterality]
    sides_possible: frozenset[Laterality]
    is_named_here: bool
    is_abnormal: bool
    problems: frozenset[str] = field(repr=False)
    stems: frozenset[str] = field(repr=False)
    sizes: frozenset[Meaning] = field(repr=False)


def find_side_fault(findings: Findings, draft: str) -> Fault | None:
    """Find the first side of the draft that the findings do not have.

    Args:
        findings: The report; its indication and exam may name a side too.
        draft: The draft's text.
    """
    known = split_by_side(findings.text)
    present = _sides_elsewhere(findings).union(*(piece.sides for piece in known))
    for piece in split_by_side(draft):
        if piece.is_named_here and (reason := _fault_of(piece, known, present)):
            return Fault(reason, piece.span)
    return _order_fault(findings.text, draft)


def _order_fault(findings: str, draft: str) -> Fault | None:
    """Find "left greater than right" where the findings say it only the other way round."""
    known = {_order(comparison) for comparison in _COMPARISON.finditer(findings)}
    for comparison in _COMPARISON.finditer(draft):
        if known and _order(comparison) not in known:
            return Fault("side_order_not_in_findings", comparison.span())
    return None


def _order(comparison: re.Match[str]) -> bool:
    """Whether the left has more of it."""
    is_left_first = comparison["first"].lower() == "left"
    is_less = (comparison["how"] or comparison["sign"]).lower() in _LESS
    return is_left_first != is_less


def split_by_side(text: str) -> list[Piece]:
    """Cut a text into pieces that name one side each, where its commas and "and"s allow.

    A heading's side ("Left knee: ...") goes for the sentences below it that name none.
    """
    pieces: list[Piece] = []
    headed = frozenset[Laterality]()
    for sentence in split_sentences(text):
        if heading := _HEADING.match(sentence.text):
            headed = _sides_in(heading.group())
        pieces += _pieces(sentence, headed)
    return pieces


def _pieces(sentence: Sentence, sides: frozenset[Laterality]) -> Iterator[Piece]:
    text, offset = sentence.text, sentence.start
    is_sentence_abnormal = is_abnormal(text)
    carried = frozenset[Laterality]()
    cuts = _cuts(text, is_sentence_abnormal=is_sentence_abnormal, is_sided=bool(sides))
    for start, end in pairwise([0, *cuts, len(text)]):
        part = text[start:end]
        named = _sides_in(part)
        sides = named or sides
        piece = Piece(
            text=part,
            span=(offset + start, offset + end),
            sides=sides,
            sides_possible=sides | carried or _sides_behind(text, start, end),
            is_named_here=bool(named),
            is_abnormal=is_sentence_abnormal and is_abnormal(part),
            problems=_problems(part),
            stems=_stems(part),
            sizes=_sizes(part),
        )
        yield piece
        is_open = bool(named) and not piece.problems and (piece.is_abnormal or not piece.stems)
        carried = carried | named if is_open else frozenset()


def _cuts(text: str, *, is_sentence_abnormal: bool, is_sided: bool) -> Iterator[int]:
    """Yield where to cut: not within "Effusion, left base" or "Measuring 9 mm, a nodule".

    ``is_sided``: a heading has told a side already.
    """
    start, cuts = 0, [cut.start() for cut in _CUT.finditer(text)]
    for cut, end in pairwise([*cuts, len(text)]):
        part, behind = text[start:cut], text[cut:end]
        is_sided = is_sided or bool(_sides_in(part))  # what follows takes this side over
        is_elsewhere = bool(_sides_in(behind)) and not is_abnormal(behind)  # "left lung clear"
        is_finding = is_sentence_abnormal and bool(_problems(part)) and is_abnormal(part)
        is_open = is_finding and not (is_sided or is_elsewhere or _problems(behind))
        is_bare = not _stems(_HEADING.sub("", part))
        if _sides_in(part) or not (is_bare or is_open):
            yield cut
            start = cut


def _fault_of(piece: Piece, known: Sequence[Piece], present: frozenset[Laterality]) -> str | None:
    if not piece.sides <= present:
        return "side_not_in_findings"
    of_size = [one for one in known if piece.sizes & one.sizes]
    if any(piece.sides <= one.sides_possible for one in of_size):
        # Size and side agree: it is the same finding, whatever its name; but for a name that the
        # findings give to the other side alone.
        named = [one for one in known if piece.problems & one.problems]
        return None if _is_side_of(piece, named) else "side_of_other_finding"
    if not _is_side_of(piece, of_size):
        return "side_of_other_size"
    return None if _is_side_of(piece, _related(piece, known)) else "side_of_other_finding"


def _is_side_of(piece: Piece, related: Iterable[Piece]) -> bool:
    """Whether the related pieces name the side; or no side at all."""
    sides = frozenset[Laterality]().union(*(one.sides_possible for one in related))
    return not sides or piece.sides <= sides


def _related(piece: Piece, known: Sequence[Piece]) -> list[Piece]:
    """Return what speaks of the same problem; else what shares a word."""
    comparable = [one for one in known if one.is_abnormal] if piece.is_abnormal else known
    same = [one for one in comparable if piece.problems & one.problems]
    return same or [one for one in comparable if piece.stems & one.stems]


def _sizes(text: str) -> frozenset[Meaning]:
    """Return the lengths of a text."""
    numbers = find_numbers(text)
    return frozenset(m for number in numbers for m in number.meanings if m[0] == "mm")


def _sides_elsewhere(findings: Findings) -> frozenset[Laterality]:
    exam = findings.exam
    own = {LEFT: {LEFT}, RIGHT: {RIGHT}, Laterality.BILATERAL: BOTH, None: ()}[exam.laterality]
    texts = (exam.display, exam.alternate_display, findings.indication)
    return frozenset(own).union(*(_sides_in(text or "") for text in texts))


def _sides_in(text: str) -> frozenset[Laterality]:
    found = (_SIDES_OF[str(match.lastgroup)] for match in _SIDE.finditer(text))
    return frozenset[Laterality]().union(*found)


def _problems(text: str) -> frozenset[str]:
    """Name problems as the stems do ("occluded", "occlusion"); a lesion of myelin is no mass."""
    names = problems(_DEMYELINATION.sub(" ", text))
    own = {"demye"} if _DEMYELINATION.search(text) else set[str]()
    return frozenset(name[:_STEM_LETTERS] for name in names) | own


def _sides_behind(text: str, start: int, end: int) -> frozenset[Laterality]:
    """Return the sides of the place that a "with" in a part, or right behind it, leads to."""
    place = _PLACE_BEHIND.search(text, start)
    if not place or place.start() > end:
        return frozenset()
    *before, last = _AND.split(place["what"])
    words = last.split()
    is_another = before and len(words) <= _WORDS_OF_ANOTHER and _problems(" ".join(words[-1:]))
    return frozenset() if is_another else _sides_in(place.group())


def _stems(text: str) -> frozenset[str]:
    words = _WORD.findall(_SIDE.sub(" ", text).lower())
    return frozenset(word[:_STEM_LETTERS] for word in words) - _GENERIC
