"""The rules that look at what a text is made of: damage, blanks, length, language, kind of text.

A rule is a function of a row and its settings; it says yes when the row is to be taken out. It
reads and never repairs: a corpus that was mended by guesswork teaches the guesses.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mappings.languages import primary_of
from model.cleaning.near_duplicates import words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from model.cleaning import settings
    from model.corpora.schema import CorpusRow

WORDS = Path(__file__).parent / "words.yaml"

_DAMAGE = re.compile(
    "[\ufffd\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f]"
    # UTF-8 read as Latin-1 or Windows-1252: a lead byte, then what a later byte becomes.
    "|[\u00c2\u00c3\u00c4\u00c5\u0102][\u0080-\u00bf\u0152\u0153\u0160\u0161\u017d\u017e\u0178"
    "\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]|\u00e2[\u0080\u20ac]"
    r"|(?<=[^\W\d_])\?(?=[^\W\d_])"  # a letter that an old code page did not have
    r"|&(?:amp|lt|gt|quot|nbsp|apos|#\d{2,5});"
    r"|\\(?:\.br|\.sp|\.in|\.ti|\.ce|[HNFSTRE]|X[0-9A-F]{2,8})\\"  # HL7 v2 escape sequences
    r"|</?(?i:b|br|div|em|font|i|li|p|pre|span|strong|table|td|tr|u|ul)\b[^<>\n]{0,80}>"
    r"|\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|=[0-9A-F]{2}=[0-9A-F]{2}"
)
_POINTER = re.compile(
    r"\W*(?:(?:please )?(?:see|refer to|as|per|vide)(?: the)?"
    r" (?:above|below|findings?|impressions?|report|body|dictation|full report|separate report"
    r"|attached|described)(?: (?:above|below|report|section|of report))?"
    r"|none|n/?a|nil|not applicable|not available|not given|pending|tbd|dictated|same|ditto|blank"
    r"|unknown|(?:x{3,}+[\s.,]*+)++|s(?:iehe)?\.? ?o(?:ben)?|voir ci-dessus|ver arriba)\W*",
    re.IGNORECASE,
)
_BLANK = re.compile(
    r"\[\s*\]|\[[^\]\n]{0,40}(?:\||/)[^\]\n]{0,60}\]|\[(?:select|insert|enter|fill|choose"
    r"|free ?text|side|size|number|text|level|name|location|date)(?-i:(?<![A-Z]{4}))[^\]\n]{0,60}\]"
    r"|_{3,}|\*{3,}|\{[^}\n]{0,80}\}|<{1,2}[a-z_ ]{2,40}>{1,2}|\$[a-z]{2,}\$|%[A-Z_]{3,}%"
    r"|@[A-Z_]{3,}@?|\?{3,}|\.{5,}"
    r"|\b(?:insert|enter|type|choose|select) (?:text|findings?|impressions?|side|size|here)\b",
    re.IGNORECASE,
)
_HEADINGS_ONLY = re.compile(r"\s*(?:[^\W\d_][\w /&,-]{1,40}:\s*){2,}")
_ADDENDUM = re.compile(
    r"\b(?:addend(?:um|a)|amended report|corrected report|late entry|this report (?:was|has been)"
    r" (?:amended|corrected|revised)|nachtrag|nachbefund(?:ung)?|compl[ée]ment (?:de|au)"
    r" (?:compte[- ]rendu|rapport)|adenda|adendum|补充报告|补充说明)\b",
    re.IGNORECASE,
)
_ADDENDUM_DENIED = re.compile(r"\bno addend(?:um|a)\b", re.IGNORECASE)
_FOREIGN_TEXT = re.compile(
    r"https?://|www\.|\b[\w.+-]{1,64}@[\w-]+\.\w|lorem ipsum|\bdear (?:dr|sir|madam|mr|ms|mrs"
    r"|colleague|patient|all|team)\b|\b(?:kind|best|warm) regards\b|\binvoice\b"
    r"|\btest (?:message|patient|report|only)\b|\bplease (?:call|ignore|disregard|reschedule)\b"
    r"|\bsubject:"
    r"|\bMSH\|\^|\bOBX\|\d|\bselect\b.{0,40}\bfrom\b.{0,40}\bwhere\b",
    re.IGNORECASE,
)
_IDEOGRAPH = re.compile(r"[\u4e00-\u9fff]")
_KANA = re.compile(r"[\u3040-\u30ff]")
_LETTER = re.compile(r"[^\W\d_]")
_IDEOGRAPHS_SHARE_MIN = 0.3
_LEAD_MIN = 2
"""How many times as often as those declared the small words of another language must come."""


@cache
def word_lists() -> Mapping[str, Any]:
    """Return words.yaml."""
    lists: Mapping[str, Any] = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    return lists


def beginnings(words: Sequence[str]) -> re.Pattern[str]:
    """Make a pattern that finds words which begin so."""
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(rf"(?<![^\W\d_])(?:{'|'.join(map(re.escape, longest_first))})")


def has_encoding_damage(row: CorpusRow, _: settings.EncodingDamage) -> bool:
    """Whether bytes were read in a wrong character set, or escapes were left in."""
    return any(_DAMAGE.search(text) for text in _parts(row))


def is_no_report(row: CorpusRow, limits: settings.NotAReport) -> bool:
    """Whether neither part speaks of a body or of images."""
    text = f"{row.findings}\n{row.impression}"
    if _FOREIGN_TEXT.search(text):
        return True
    letters = len(_LETTER.findall(text))
    signs = len(text) - sum(map(str.isspace, text))
    if letters * 2 < signs:
        return True
    is_known_script = not (_IDEOGRAPH.search(text) or _KANA.search(text))
    is_long = len(words_of(text)) >= limits.words_min
    return is_long and is_known_script and _report_words().search(text.lower()) is None


def has_empty_part(row: CorpusRow, _: settings.EmptyPart) -> bool:
    """Whether a part is missing, or only points elsewhere."""
    return any(
        _LETTER.search(part) is None or _POINTER.fullmatch(part) is not None for part in _parts(row)
    )


def has_templated_part(row: CorpusRow, _: settings.TemplatedPart) -> bool:
    """Whether a blank of a template was left, or a part is headings alone."""
    return any(_BLANK.search(part) or _HEADINGS_ONLY.fullmatch(part) for part in _parts(row))


def is_too_short(row: CorpusRow, limits: settings.TooShort) -> bool:
    """Whether a part has too few words."""
    is_short = len(words_of(row.findings)) < limits.findings_words_min
    return is_short or len(words_of(row.impression)) < limits.impression_words_min


def is_too_long(row: CorpusRow, limits: settings.TooLong) -> bool:
    """Whether a part has too many words."""
    is_long = len(words_of(row.findings)) > limits.findings_words_max
    return is_long or len(words_of(row.impression)) > limits.impression_words_max


def has_addendum(row: CorpusRow, _: settings.Addendum) -> bool:
    """Whether a part holds an addendum."""
    return any(_ADDENDUM.search(_ADDENDUM_DENIED.sub(" ", part)) for part in _parts(row))


def is_other_language(row: CorpusRow, limits: settings.OtherLanguage) -> bool:
    """Whether the small words, or the script, are those of another language than declared."""
    declared = primary_of(row.language)
    text = f"{row.findings} {row.impression}"
    written = _script_of(text)
    if written is not None:
        return written != declared
    counts = _small_words(text)
    best = max(counts, key=counts.__getitem__)
    if declared in {"zh", "ja"}:
        return counts[best] >= limits.words_min
    if declared not in counts:
        return False  # a language that the table does not know: nothing to compare with
    return counts[best] >= limits.words_min and counts[best] >= _LEAD_MIN * counts[declared] + 1


def _parts(row: CorpusRow) -> tuple[str, str]:
    return row.findings, row.impression


def _script_of(text: str) -> str | None:
    """Return ``zh`` or ``ja`` for a text in its script."""
    letters = max(1, len(_LETTER.findall(text)))
    if len(_KANA.findall(text)) * 10 > letters:
        return "ja"
    return "zh" if len(_IDEOGRAPH.findall(text)) > _IDEOGRAPHS_SHARE_MIN * letters else None


def _small_words(text: str) -> dict[str, int]:
    """Count each language's small words."""
    words = words_of(text)
    tables = _language_words()
    return {name: sum(map(table.__contains__, words)) for name, table in tables.items()}


@cache
def _language_words() -> Mapping[str, frozenset[str]]:
    return {
        # YAML 1.1 reads a bare "no" or "on" as a truth value.
        name: frozenset({True: "on", False: "no"}.get(word, word) for word in words)
        for name, words in word_lists()["languages"].items()
    }


@cache
def _report_words() -> re.Pattern[str]:
    lists = word_lists()
    regions = (word for words in lists["regions"].values() for word in words)
    return beginnings([*lists["report"], *regions])
