"""Damages a share of clean reports, each by one rule's kind of damage, and notes which.

Against such a corpus a rule's precision and recall can be counted. The damage is invented: what it
tells of another hospital's dirt is a lower bound of trouble, no more.
"""

from __future__ import annotations

import random
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from model.cleaning.near_duplicates import text_key, words_of
from model.sentences import split_sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from model.corpora.schema import CorpusRow

    Spoil = Callable[["_Scene"], CorpusRow | None]

WORDS = Path(__file__).parent / "dirt.yaml"
CLEAN = "clean"
OTHERS_MAX = 1000
_SIDE = re.compile(r"\b(left|right)\b", re.IGNORECASE)
_OTHER_SIDE = {"left": "right", "right": "left"}
_NEAR_WORDS_MIN = 80
"""Of a text that stays near itself (0.9) when a word or a short sentence is changed."""


class _Scene:
    """A row to be damaged, those before it, and chance: a later row would become the duplicate."""

    def __init__(self, rows: Sequence[CorpusRow], place: int, rng: random.Random) -> None:
        self.row, self.rng = rows[place], rng
        self.others = rows[max(0, place - OTHERS_MAX) : place]

    def draw(self, name: str) -> Any:  # noqa: ANN401 - what the table holds
        """Draw from a list of dirt.yaml."""
        return self.rng.choice(_tables()[name])

    def spoil_part(self, spoil: Callable[[str], str]) -> CorpusRow:
        """Change the findings or the impression."""
        if self.rng.choice((True, False)):
            return replace(self.row, findings=spoil(self.row.findings))
        return replace(self.row, impression=spoil(self.row.impression))


def make_dirty(
    rows: Sequence[CorpusRow], *, share: float, seed: int = 0
) -> Iterator[tuple[CorpusRow, str]]:
    """Damage a share of a clean corpus.

    Args:
        rows: Clean; rows that repeat the text of an earlier one are left out first.
        share: Of the rows to damage, 0..1; the rules take turns.
        seed: Any integer; the same gives the same rows.

    Yields:
        A row, and the rule that ought to take it, or ``clean``. A duplicate follows its original.
    """
    seen: set[bytes] = set()
    turn = 0
    for place, row in enumerate(rows):
        key = text_key(row.findings, row.impression)
        if key in seen:
            continue
        seen.add(key)
        rng = random.Random(f"{seed}/{row.report_id}")  # noqa: S311 - a corpus is no secret
        if rng.uniform(0, 1) >= share:
            yield row, CLEAN
            continue
        rule = tuple(_SPOILS)[turn % len(_SPOILS)]
        turn += 1
        spoiled = _SPOILS[rule](_Scene(rows, place, rng))
        if spoiled is None or rule in _COPIES:
            yield row, CLEAN
        if spoiled is not None:
            yield spoiled, rule


@cache
def _tables() -> Mapping[str, Any]:
    tables: Mapping[str, Any] = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    return tables


def _into(text: str, piece: str, rng: random.Random) -> str:
    """Put a piece between two words of a text."""
    gaps = [gap.start() for gap in re.finditer(r" ", text)] or [len(text)]
    place = rng.choice(gaps)
    return f"{text[:place]} {piece}{text[place:]}"


def _spoil_encoding(scene: _Scene) -> CorpusRow:
    def spoil(text: str) -> str:
        if scene.rng.choice((True, False)):
            return _into(text, scene.draw("escapes"), scene.rng)
        typed = scene.draw("typographic")
        wrong = scene.rng.choice(("cp1252", "latin-1"))
        return _into(text, "x" + typed.encode().decode(wrong, "replace") + "x", scene.rng)

    return scene.spoil_part(spoil)


def _replace_by_no_report(scene: _Scene) -> CorpusRow:
    findings, impression = scene.draw("not_reports")
    return replace(scene.row, findings=findings, impression=impression)


def _empty(scene: _Scene) -> CorpusRow:
    return scene.spoil_part(lambda _: str(scene.draw("empty")))


def _leave_blank(scene: _Scene) -> CorpusRow:
    if scene.rng.choice((True, False)):
        return replace(scene.row, findings=scene.draw("templates"))
    return scene.spoil_part(lambda text: _into(text, scene.draw("blanks"), scene.rng))


def _shorten(scene: _Scene) -> CorpusRow:
    return replace(scene.row, findings=scene.draw("short"))


def _lengthen(scene: _Scene) -> CorpusRow:
    """Append other reports, as a broken export does."""
    texts = [scene.row.findings]
    while sum(len(words_of(text)) for text in texts) <= 1000:  # noqa: PLR2004 - over the limit
        texts.append(scene.rng.choice([*scene.others, scene.row]).findings)
    return replace(scene.row, findings="\n".join(texts))


def _translate(scene: _Scene) -> CorpusRow:
    languages = _tables()["languages"]
    other = [name for name in languages if name != scene.row.language]
    findings, impression = scene.rng.choice(languages[scene.rng.choice(other)])
    return replace(scene.row, findings=findings, impression=impression)


def _add_addendum(scene: _Scene) -> CorpusRow:
    told = scene.draw("addenda")
    is_first = scene.rng.choice((True, False))
    return scene.spoil_part(lambda text: f"{told}\n{text}" if is_first else f"{text}\n{told}")


def _exchange_exam(scene: _Scene) -> CorpusRow | None:
    strangers = [one for one in scene.others if one.region != scene.row.region]
    if not strangers:
        return None
    other = scene.rng.choice(strangers)
    return replace(scene.row, findings=other.findings, impression=other.impression)


def _exchange_parts(scene: _Scene) -> CorpusRow | None:
    row = scene.row
    if len(words_of(row.findings)) <= len(words_of(row.impression)):
        return None
    return replace(row, findings=row.impression, impression=row.findings)


def _copy_findings(scene: _Scene) -> CorpusRow:
    sentences = split_sentences(scene.row.findings)
    kept = sentences[1:] if len(sentences) > 3 and scene.rng.choice((True, False)) else sentences  # noqa: PLR2004 - the rest is still most of it
    return replace(scene.row, impression=" ".join(one.text for one in kept))


def _turn_side(scene: _Scene) -> CorpusRow | None:
    sides = {side.lower() for side in _SIDE.findall(scene.row.impression)}
    if not sides:
        return None

    def turned(side: re.Match[str]) -> str:
        other = _OTHER_SIDE[side[0].lower()]
        return other.capitalize() if side[0][0].isupper() else other

    return replace(scene.row, impression=_SIDE.sub(turned, scene.row.impression))


def _repeat(scene: _Scene) -> CorpusRow:
    changes: tuple[Callable[[str], str], ...] = (
        str,
        str.upper,
        lambda text: text.replace(" ", "  "),
    )
    change = scene.rng.choice(changes)
    row = scene.row
    return replace(
        row,
        report_id=f"{row.report_id}-again",
        findings=change(row.findings),
        impression=change(row.impression),
    )


def _nearly_repeat(scene: _Scene) -> CorpusRow | None:
    row = scene.row
    if len(words_of(f"{row.findings} {row.impression}")) < _NEAR_WORDS_MIN:
        return None
    told = f"{row.findings} {scene.draw('near')}"
    return replace(row, report_id=f"{row.report_id}-nearly", findings=told)


_SPOILS: Mapping[str, Spoil] = {
    "encoding_damage": _spoil_encoding,
    "not_a_report": _replace_by_no_report,
    "empty_part": _empty,
    "templated_part": _leave_blank,
    "too_short": _shorten,
    "too_long": _lengthen,
    "other_language": _translate,
    "addendum": _add_addendum,
    "wrong_exam": _exchange_exam,
    "impression_longer": _exchange_parts,
    "impression_copied": _copy_findings,
    "side_contradiction": _turn_side,
    "duplicate": _repeat,
    "near_duplicate": _nearly_repeat,
}
_COPIES = frozenset({"duplicate", "near_duplicate"})
