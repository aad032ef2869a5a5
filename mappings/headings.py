"""Where the headings of a report stand in its text.

A heading is read backwards from its colon, or stands alone on a line, or begins one in capitals. A
person's ``IMPRESSION`` must not be missed however it is set off; a wrapped word of prose ("... no
change in / history of ...") must not be taken for one. No pattern here may go back over a run of
blanks: a line is as long as its sender likes.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from mappings.phrases import any_of, fold, phrase_key, spellings
from mappings.tables import read_table
from mappings.trailers import trailer_pattern

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

HEADINGS: Mapping[str, str] = MappingProxyType(
    {row["heading"]: row["section"] for row in read_table("section_headings")}
)
HEADED_SECTIONS = frozenset(HEADINGS.values()) - {"body"}

_LEAD = r"[\W\d_\u4e00\u4e8c\u4e09\u56db\u4e94\u516d]{0,12}+"  # blanks, rules, a number, bullets
_LINE_LEAD = re.compile(_LEAD)
_SENTENCE_END = ".;:!?)],\u3001"
_LABEL_WORDS_MAX = 3
_LABEL_CHARACTERS_MAX = 100
_NO_CONCLUSION = re.compile(r"\W*(?:ON|UPON|ALONG|FROM|OF|DEFECT|FRACTURE|IS)\b")
_NEXT = re.compile(
    r"[^\S\n]*+(?:\d{1,2}[.):]|[A-Z\u00c0-\u00de][^\W\d_A-Z\u00c0-\u00de]|[A-Z]\s+[a-z])"
)
_RUN_ON = re.compile(
    r"(?<=[^\s-]\s)(?P<name>Findings|Discussion|Impression|Conclusion)\s++"
    r"(?=[A-Z][a-z]|\d{1,2}[.)]\s)"
)
_UNMARKED = {
    "impression": "impression",
    "conclusion": "impression",
    "findings": "findings",
    "discussion": "findings",
}
_CONCLUSION = re.compile(
    r"(?<=\n)(?:<\w{1,8}>|[^\w\n]|[\d_]){0,40}+"
    r"(?:(?P<line>(?:Impression|Conclusion)s?|IMPRESSIONS?|CONCLUSIONS?)"
    r"(?:[^\S\n]*+(?:[;.<>|=/#*\])\u2013\u2014-]|\d{1,2}[:.)]|$)|\t|\b[^\n.:]{0,40}:)"
    r"|(?P<capitals>IMPRESSIONS?|CONCLUSIONS?)[^\S\n]++(?!(?:ON|UPON|ALONG|FROM|DEFECT|FRACTURE)\b))"
    r"|(?<![^\W_])(?P<marked>IMPRESSIONS?|CONCLUSIONS?)[^\S\n]*+"
    r"(?:[;<>|=\]]|[\u2013\u2014-]++\s|\d{1,2}[:.)])"
    r"|(?<=[.!?]\s)(?P<after>IMPRESSIONS?|CONCLUSIONS?)"
    r"(?:\.|[^\S\n]++(?!(?:ON|UPON|ALONG|FROM)\b))",
    re.MULTILINE,
)
_AFTER_CONCLUSION = re.compile(r"(?:<?/?\w{0,8}>|[^\w\n])*+")


class Heading(NamedTuple):
    """A heading in a text: ``text`` as written, from ``start`` to ``end``, its number and its colon
    included.

    ``is_sure`` is False for one that no colon and no line sets off: it counts only where the text
    has no better one. ``is_at_start`` says that a line or a sentence begins with it.
    """

    section: str
    text: str
    start: int
    end: int
    is_sure: bool = True
    is_at_start: bool = True


class _Patterns(NamedTuple):
    """The headings before a colon, in a text turned round; headings and signatures that begin a
    line.
    """

    to_colon: re.Pattern[str]
    on_line: re.Pattern[str]


def _patterns(words: Collection[str], trailer: str) -> _Patterns:
    return _Patterns(
        re.compile(
            r":[^\S\n:]*+(?:\)[^()\n]{0,80}+\([^\S\n]*+)?"
            rf"(?P<name>{any_of(words, is_backwards=True)})(?![^\W\d_])"
        ),
        re.compile(
            rf"\n{_LEAD}(?:(?P<trailer>{trailer})"
            rf"|(?P<name>{any_of(words)})(?:[^\S\n]*+\([^)\n]{{0,80}}+\))?"
            r"(?:(?P<dash>[^\S\n]++[-\u2013\u2014]\s)"
            r"|(?P<alone>(?:[^\S\n]|[*=_#-])*+(?=\n|\Z))"
            r"|(?P<run>(?=[^\w:(]|\d))))"
        ),
    )


class Headings:
    """A table of headings, ready to be looked for."""

    def __init__(self, sections: Mapping[str, str]) -> None:
        """Take heading -> section, in any case."""
        written = {
            spelling: section for word, section in sections.items() for spelling in spellings(word)
        }
        self._sections = written | {phrase_key(word): written[word] for word in written}
        self._words = tuple(written)
        self._made: dict[bool, _Patterns] = {}

    def find(self, text: str, folded: str | None = None) -> list[Heading]:
        """Return the headings of a text, and where a line begins a signature, left to right.

        Args:
            text: Lines.
            folded: The text, folded, where it is at hand; it then begins with a line feed.
        """
        if folded is None:
            return [
                one._replace(start=one.start - 1, end=one.end - 1)
                for one in self.find("\n" + text, fold("\n" + text))
            ]
        patterns = self._patterns(is_ascii=folded.isascii())
        found = [
            *self._with_colon(patterns.to_colon, text, folded),
            *self._without_colon(patterns.on_line, text, folded),
        ]
        return sorted(found, key=_start)

    def _section_of(self, name: str) -> str:
        section = self._sections.get(name)
        return self._sections[phrase_key(name)] if section is None else section

    def _patterns(self, *, is_ascii: bool) -> _Patterns:
        """Return what an ASCII text, or any, is searched with: made when first asked for."""
        if is_ascii not in self._made:
            words = [word for word in self._words if word.isascii() or not is_ascii]
            self._made[is_ascii] = _patterns(words, trailer_pattern(is_ascii=is_ascii))
        return self._made[is_ascii]

    def _with_colon(self, pattern: re.Pattern[str], text: str, folded: str) -> Iterator[Heading]:
        if ":" not in folded:
            return
        size = len(text)
        for match in pattern.finditer(folded[::-1]):
            start, name_end = size - match.end("name"), size - match.start("name")
            end = size - match.start()
            section = self._section_of(folded[start:name_end])
            is_at_start = _begins(text, start)
            if is_at_start or _stands_out(text, start, section):
                named = text[start:name_end]
                yield Heading(section, named, _line_or(start, text), end, is_at_start=is_at_start)

    def _without_colon(self, pattern: re.Pattern[str], text: str, folded: str) -> Iterator[Heading]:
        for match in pattern.finditer(folded):
            start, end = match.span("trailer" if match["name"] is None else "name")
            if text[start].islower():
                continue
            if match["name"] is None:
                yield Heading("trailer", text[start:end], start, start)
                continue
            name, section = text[start:end], self._section_of(folded[start:end])
            if match["run"] is None:
                yield Heading(section, name, _line_or(start, text), match.end())
                continue
            is_sure = _runs_on(text, name, end, section)
            if is_sure is not None:
                yield Heading(section, name, _line_or(start, text), end, is_sure=is_sure)


def _line_start(start: int, text: str) -> int:
    """Return where the line of a place begins, or some place before it in a long line."""
    near = max(start - _LABEL_CHARACTERS_MAX, 0)
    return max(text.rfind("\n", near, start) + 1, near)


def _line_or(start: int, text: str) -> int:
    """Return where the line begins when only a number or a rule stands before a place."""
    line = _line_start(start, text)
    return line if _LINE_LEAD.fullmatch(text, line, start) else start


def _begins(text: str, start: int) -> bool:
    """Say whether a line begins at a place, or, with a capital, a sentence."""
    line = _line_start(start, text)
    if _LINE_LEAD.fullmatch(text, line, start):
        return True
    before = text[max(line, start - 2) : start]
    stripped = before.rstrip()
    if text[start].islower() or not stripped:
        return not text[start].islower()
    needs_blank = text[start].isascii()
    return fold(stripped)[-1] in _SENTENCE_END and (before != stripped or not needs_blank)


def _stands_out(text: str, start: int, section: str) -> bool:
    """Say whether a name in the middle of a sentence is a heading all the same: by its capitals.

    Not when it is the end of a longer label ("EXAM DESCRIPTION:"); an impression always is one.
    """
    if text[start].islower() or not text[start - 1].isspace():
        return False
    if section == "impression" or not text[start].isascii():
        return True
    words = text[_line_start(start, text) : start].split()
    is_label = len(words) <= _LABEL_WORDS_MAX and all(word[0].isupper() for word in words)
    return not is_label


def _runs_on(text: str, name: str, end: int, section: str) -> bool | None:
    """Say if a line's first word is a heading without a colon: for sure, perhaps, not (None)."""
    following = text[end]
    if not name[0].isascii() and not name[0].isupper():
        return True if following.isspace() else None
    has_start_after = _NEXT.match(text, end) is not None
    if name.isupper():
        if has_start_after and following.isspace():
            return True
        if section == "impression" and not _NO_CONCLUSION.match(text, end):
            return False
        return None
    is_main = section in {"findings", "impression"}
    return False if is_main and has_start_after else None


def find_unmarked(text: str, folded: str, sections: Collection[str]) -> Iterator[Heading]:
    """Yield headings that nothing sets off as one, for a report that lacks their section.

    ``[IMPRESSION] ...``, ``IMPRESSION 1. ...``, ``... clear. Impression Normal chest.``: to miss an
    impression is to draft for a report that is signed. The impression that a mass leaves "on the
    esophagus" is none.

    Args:
        text: Begins with a line feed.
        folded: The text, folded.
        sections: Those that the report lacks.
    """
    words = [word for word in _UNMARKED if _UNMARKED[word] in sections and word in folded]
    if not words:
        return
    if "impression" in sections:
        for match in _CONCLUSION.finditer(text):
            name = str(match.lastgroup)
            start, end = match.span(name)
            after = _AFTER_CONCLUSION.match(text, end)
            end = end if after is None else after.end()
            yield Heading("impression", match[name], start, end, is_sure=False)
    for match in _RUN_ON.finditer(text):
        section = _UNMARKED[match["name"].lower()]
        if section in sections:
            yield Heading(section, match["name"], *match.span(), is_sure=False)


def _start(heading: Heading) -> int:
    return heading.start


DEFAULT_HEADINGS = Headings(HEADINGS)
