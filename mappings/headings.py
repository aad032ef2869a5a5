"""Where the headings of a report stand in a line, and which lines are only signature or banner.

A heading is looked for at the start of a line, after a sentence, and in capitals anywhere: a
person's ``IMPRESSION:`` in the middle of a line must not be missed. A wrapped word of prose
("... no change in / history of ...") must not be taken for one. No pattern here may go back over a
run of blanks: a line is as long as its sender likes.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from mappings.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HEADINGS: Mapping[str, str] = MappingProxyType(
    {row["heading"]: row["section"] for row in read_table("section_headings")}
)
HEADED_SECTIONS = frozenset(HEADINGS.values())

_COLONS = (":", "\uff1a")
_HEADING_LINE_MAX = 48
_CONCLUSION = re.compile(
    r"^(?:<\w{1,8}>|[^\w\n]|[\d_]){0,40}+"
    r"(?:(?:IMP|(?:Impression|Conclusion)s?|IMPRESSIONS?|CONCLUSIONS?)"
    r"(?:[^\S\n]*+(?:[;.<>|=/#*\])\u2013\u2014-]|\d{1,2}[:.)]|$)|\t|\b[^\n.:]{0,40}:)"
    r"|(?:IMPRESSIONS?|CONCLUSIONS?)[^\S\n]++(?!(?:ON|UPON|ALONG|FROM|DEFECT|FRACTURE)\b))"
    r"|(?<![^\W_])(?:IMPRESSIONS?|CONCLUSIONS?)[^\S\n]*+"
    r"(?:[;<>|=\]]|[\u2013\u2014-]++\s|\d{1,2}[:.)])"
    r"|(?<=[.!?]\s)(?:IMPRESSIONS?|CONCLUSIONS?)(?:\.|[^\S\n]++(?!(?:ON|UPON|ALONG|FROM)\b))",
    re.MULTILINE,
)
_TRAILER = re.compile(
    r"\W*(?:(?:Electronically|Digitally)\s+(?:signed|verified|approved|authenticated)\b"
    r"|Th(?:is|e)\s+(?:document|report|exam\w*|study)\s+(?:has\s+been|was)\s+"
    r"(?:electronically|digitally|dictated|finalized|reviewed\s+and\s+signed)\b"
    r"|(?:Dictated|Transcribed|Signed)\s+(?:by|on)\b"
    r"|(?:Requested|Pending\s+review|Ordered)\s+by\b"
    r"|(?:Read|Interpreted|Approved|Verified|Finalized|Reviewed|Reported)\s+by(?:\s*:|\s+Dr\b)"
    r"|(?:Signed|Dictated|Transcribed|(?:Attending\s+|Reporting\s+)?Radiologist)\s*:"
    r"|END\s+OF\s+(?:REPORT|ADDENDUM)\b)",
    re.IGNORECASE,
)
_BANNER = re.compile(
    r"\W*(?:(?:final|preliminary|prelim|draft|corrected|amended|wet\s+read|radiology|imaging)\s+)*"
    r"(?:report|wet\s+read)\W*",
    re.IGNORECASE,
)
_HAS_TEXT = re.compile(r"[^\W_]")


class Heading(NamedTuple):
    """A heading in a line: ``text`` as written, from ``start`` to ``end``, colon included."""

    section: str
    text: str
    start: int
    end: int


class Headings:
    """A table of headings, ready to be looked for."""

    def __init__(self, sections: Mapping[str, str]) -> None:
        """Take heading (upper case) -> section."""
        self._sections = {_fold(word): section for word, section in sections.items()}
        words = sorted(sections, key=len, reverse=True)
        names = "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in words)
        self._start = re.compile(
            rf"\W{{0,6}}(?P<name>{names})(?:\s*+\([^)]*\))?+"
            rf"(?P<end>\s*+[:\uff1a]|\s++[-\u2013\u2014]\s|[\s*=_#-]*+$)",
            re.IGNORECASE,
        )
        self._inside = re.compile(
            rf"(?:(?<=[.;:!?)\]]\s)|(?<=\s\s))(?P<name>(?!(?-i:[a-z]))(?i:{names}))\s*+[:\uff1a]"
            rf"|(?<=\s)(?P<capitals>{names})\s*+[:\uff1a]"
        )

    def find(self, line: str) -> Iterator[Heading]:
        """Yield the headings of a line, left to right."""
        position = 0
        match = self._start.match(line)
        # Without a colon only its own capital tells a heading from a wrapped word of prose.
        if match and (match["end"].strip() in _COLONS or match["name"][0].isupper()):
            yield self._heading(match, match["name"])
            position = match.end()
        if any(colon in line for colon in _COLONS):
            for match in self._inside.finditer(line, position):
                yield self._heading(match, match["name"] or match["capitals"])

    def _heading(self, match: re.Match[str], name: str) -> Heading:
        section = self._sections[_fold(name)]
        return Heading(section, name, match.start(), match.end())


def _fold(name: str) -> str:
    """Make alike what IGNORECASE takes for alike: the Turkish I with and without its dot, too."""
    return " ".join(name.upper().casefold().replace("\u0307", "").split())


DEFAULT_HEADINGS = Headings(HEADINGS)


def may_hold_heading(line: str) -> bool:
    """Say whether a line is worth a closer look: a colon, few letters, or capitals at its start."""
    has_colon = any(colon in line for colon in _COLONS)
    return has_colon or len(line) <= _HEADING_LINE_MAX or line[:5].isupper()


def find_conclusion(text: str) -> int | None:
    """Return where a person's conclusion begins that is set off in a way no heading is.

    ``[IMPRESSION] ...``, ``IMPRESSION 1. ...``, ``IMPRESSION NO ACUTE ...``: to miss one is to
    draft for a report that is signed. The impression that a mass leaves "on the esophagus" is none.
    """
    match = _CONCLUSION.search(text)
    return None if match is None else match.start()


def is_trailer(line: str) -> bool:
    """Say whether a line begins a signature: who dictated, asked, signed, or the report's end."""
    if line[:1].islower():
        return False
    match = _TRAILER.match(line)
    # A wrapped line of prose may begin "reviewed by"; a signature begins with a capital.
    return match is not None and match[0].lstrip(" \t*-=_#.>")[:1].isupper()


def is_noise(line: str) -> bool:
    """Say whether a line is blank, a rule, or a banner such as ``*** FINAL REPORT ***``."""
    return _HAS_TEXT.search(line) is None or _BANNER.fullmatch(line) is not None
