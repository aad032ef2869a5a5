"""The narrative of a report, brought into its sections.

Three rules a reader must not break: a person's impression must be found wherever it stands, because
a report that has one is not drafted; an exam title, a banner or a signature is never findings; and
the text of a section keeps its letters and line breaks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from mappings.domain import Sections
from mappings.headings import (
    DEFAULT_HEADINGS,
    find_conclusion,
    is_noise,
    is_trailer,
    may_hold_heading,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mappings.headings import Heading, Headings

_MAIN = frozenset({"findings", "impression", "addendum", "other"})
_SENTENCE_END = re.compile(r"[.!?](?:\s+[^\sa-z]|\s*$)|[\u3002\uff01\uff1f]", re.MULTILINE)
_SENTENCE_WORDS_MIN = 2
_LINE_WORDS_MIN = 8


class CodedText(NamedTuple):
    """The text of one OBX and its meaning: a section, ``body`` (the report), or None (unknown)."""

    section: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Narrative:
    """What the texts came to; ``title`` is what the report itself calls the exam."""

    sections: Sections
    title: str | None = field(repr=False)


@dataclass(slots=True)
class _Block:
    """Lines of one section. ``then`` is the section after a blank line, None to go on."""

    section: str | None
    is_headed: bool
    then: str | None = None
    lines: list[str] = field(default_factory=list, repr=False)

    def has_text(self) -> bool:
        return any(not is_noise(line) for line in self.lines)


def read_narrative(texts: Sequence[CodedText], headings: Headings = DEFAULT_HEADINGS) -> Narrative:
    """Bring the texts of one report into sections.

    Args:
        texts: In the order of the message. Text under ``body`` is findings when it is prose and no
            heading in it says otherwise; text under None needs headings.
        headings: The shipped table, or a site's own over it.

    Returns:
        Each section's text without outer blank lines; None where there is none. An addendum's text
        follows the findings: they are not to be read without it.
    """
    found: dict[str, list[str]] = {}
    for section, text in _join_by_meaning(texts):
        for block in _kept(_Splitter(section, headings).split(text)):
            trimmed = _trimmed(block.lines)
            if block.section is not None and trimmed:
                found.setdefault(block.section, []).append(trimmed)
    joined = _with_conclusion({name: "\n".join(parts) for name, parts in found.items()})
    findings = joined.get("findings")
    if findings is not None and "addendum" in joined:
        findings = f"{findings}\n{joined['addendum']}"
    names = ("impression", "indication", "comparison", "technique")
    return Narrative(Sections(findings, *map(joined.get, names)), joined.get("title"))


def _with_conclusion(joined: dict[str, str]) -> dict[str, str]:
    """Take a conclusion that no heading sets off out of the findings."""
    findings = joined.get("findings", "")
    start = None if "impression" in joined else find_conclusion(findings)
    if start is None:
        return joined
    before = {"findings": findings[:start].rstrip()}
    rest = {name: text for name, text in joined.items() if name != "findings"}
    return {**rest, **(before if before["findings"] else {}), "impression": findings[start:]}


def is_prose(text: str) -> bool:
    """Say whether a text holds at least a sentence: an exam title does not."""
    if any(len(line.split()) >= _LINE_WORDS_MIN for line in text.split("\n")):
        return True
    return any(
        not end[0].isascii() or len(text[: end.start()].split()) >= _SENTENCE_WORDS_MIN
        for end in _SENTENCE_END.finditer(text)
    )


def _join_by_meaning(texts: Sequence[CodedText]) -> list[CodedText]:
    """Join what means the same: a report may come one line an OBX."""
    parts: dict[str | None, list[str]] = {}
    for section, text in texts:
        parts.setdefault(section, []).append(text)
    return [CodedText(section, "\n".join(lines)) for section, lines in parts.items()]


def _kept(blocks: list[_Block]) -> list[_Block]:
    """Decide on what stands under no heading: findings, or only what comes before them."""
    has_heading = any(block.is_headed and block.section == "findings" for block in blocks)
    unheaded = [block for block in blocks if not block.is_headed]
    body = "\n".join(line for block in unheaded for line in block.lines)
    for block in unheaded:
        if block.section in {"body", "findings"} and has_heading:
            block.section = None
        elif block.section == "body":
            block.section = "findings" if is_prose(body) else None
    return blocks


def _trimmed(lines: list[str]) -> str:
    """Join the lines less blank lines, rules and banners at both ends."""
    first, last = 0, len(lines)
    while first < last and is_noise(lines[first]):
        first += 1
    while last > first and is_noise(lines[last - 1]):
        last -= 1
    return "\n".join(lines[first:last]).strip()


class _Splitter:
    """Cuts one text at its headings and signatures."""

    def __init__(self, default: str | None, headings: Headings) -> None:
        self._default = default
        self._headings = headings
        self._is_after_blank = True
        self._blocks = [_Block(default, is_headed=False)]

    def split(self, text: str) -> list[_Block]:
        """Return the blocks in order."""
        for line in text.split("\n"):
            if is_trailer(line):
                self._blocks.append(_Block("trailer", is_headed=True, then=self._default))
            else:
                self._add_line(line)
            self._is_after_blank = not line.strip()
        return self._blocks

    def _add_line(self, line: str) -> None:
        if not may_hold_heading(line):
            self._add_text(line)
            return
        position = 0
        for heading in self._headings.find(line):
            before = line[position : heading.start]
            if not self._opens(heading, before):
                continue
            if before.strip():
                self._add_text(before)
            self._open(heading.section)
            position = heading.end
        if position:
            self._blocks[-1].lines.append(line[position:])
        else:
            self._add_text(line)

    def _add_text(self, line: str) -> None:
        block = self._blocks[-1]
        if self._is_over(block, line):
            is_headed = block.then == "findings" != self._default
            self._blocks.append(_Block(block.then, is_headed=is_headed))
        self._blocks[-1].lines.append(line)

    def _open(self, section: str) -> None:
        """Begin a section; a side section within findings lasts to the next blank line."""
        current = self._blocks[-1]
        then = None if section in _MAIN else self._default
        if section not in _MAIN and current.section == "findings" and current.is_headed:
            then = "findings"
        self._blocks.append(_Block(section, is_headed=True, then=then))

    def _opens(self, heading: Heading, before: str) -> bool:
        """Say whether a heading ends what stands before it.

        Within findings a side heading ("Comparison: stable.") is a part of the sentence, unless it
        begins a paragraph in capitals: else the findings after it would be lost.
        """
        current = self._blocks[-1]
        if heading.section in _MAIN or current.section != "findings":
            return True
        if is_noise(before) and not current.has_text():
            return True
        return self._is_after_blank and heading.start == 0 and heading.text.isupper()

    @staticmethod
    def _is_over(block: _Block, line: str) -> bool:
        if block.section == "title":
            return block.has_text()
        if block.section == "trailer":
            return not line.strip()
        return block.then is not None and not line.strip() and block.has_text()
