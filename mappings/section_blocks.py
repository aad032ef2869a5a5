"""The lines of a text cut at its headings and signatures.

A block is a stretch of the text, so that nothing in it can be lost or made up. What comes before a
heading belongs to the block before it; a side section such as TECHNIQUE ends at a blank line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING

from mappings.headings import Heading, find_unmarked
from mappings.phrases import fold
from mappings.trailers import find_letter, find_notices, find_trailers, is_banner

if TYPE_CHECKING:
    from mappings.headings import Headings

_MAIN = frozenset({"findings", "impression", "diagnosis", "recommendation", "addendum"})
_OPENS_ALWAYS = _MAIN | {"signature", "trailer"}
_SOUGHT = frozenset({"findings", "impression"})
_BLANKS_MAX = 80
_AFTER_BLANK_LINE = re.compile(r"\n[^\S\n]*+\n\Z")
_BLANK_LINE = re.compile(r"\n[^\S\n]*+(?=\n|\Z)")


@dataclass(slots=True)
class Block:
    """A stretch of a text, from ``start`` to ``end``; ``then`` is the section after its paragraph
    (None: it goes on to the next heading).
    """

    section: str | None
    start: int
    end: int
    is_headed: bool = False
    then: str | None = None
    noise: int = 0
    """Up to where it is known to hold nothing but blank lines, rules and banners."""


def cut_blocks(text: str, default: str | None, headings: Headings) -> list[Block]:
    """Cut a text into blocks.

    Args:
        text: Begins with a line feed, so that its first line begins as every other.
        default: What the text is where no heading says otherwise.
        headings: To be looked for.

    Returns:
        The blocks in order; a heading itself is in none.
    """
    folded = fold(text)
    found = headings.find(text, folded)
    sure = [mark for mark in found if mark.is_sure]
    ends = [*[mark.start for mark in sure], len(text)]
    sure += [Heading("trailer", "", at, at) for at in find_trailers(text, folded, ends)]
    blocks = _without_notices(_cut(sure, text, default), text)
    lacking = _SOUGHT - {block.section for block in blocks if _holds_text(block, text)}
    if not lacking:
        return blocks
    unsure = [mark for mark in found if not mark.is_sure and mark.section in lacking]
    unsure += find_unmarked(text, folded, lacking)
    return _without_notices(_cut([*sure, *unsure], text, default), text) if unsure else blocks


def _cut(marks: list[Heading], text: str, default: str | None) -> list[Block]:
    blocks = [Block(default, 0, len(text))]
    for mark in sorted(marks, key=attrgetter("start")):
        _end_paragraph(blocks, mark.start, text, default)
        if mark.start >= blocks[-1].start and _opens(mark, blocks[-1], text):
            blocks[-1].end = mark.start
            blocks.append(_opened(mark, blocks[-1], len(text), default))
    _end_paragraph(blocks, len(text), text, default)
    return blocks


def _without_notices(blocks: list[Block], text: str) -> list[Block]:
    """Leave out of an impression the sentences on who was told of it, unless it is only that."""
    kept: list[Block] = []
    for block in blocks:
        start = block.start
        if block.section == "impression":
            for first, last in find_notices(text[block.start : block.end]):
                notice = block.start + first
                if skip_noise(text, start, notice) == notice:
                    break
                kept.append(replace(block, start=start, end=notice))
                start = block.start + last
        kept.append(replace(block, start=start) if start > block.start else block)
    return kept


def _holds_text(block: Block, text: str) -> bool:
    return block.section in _SOUGHT and skip_noise(text, block.start, block.end) < block.end


def _opened(mark: Heading, current: Block, size: int, default: str | None) -> Block:
    """Begin a block; a side section within findings lasts to the next blank line."""
    then = None if mark.section in _MAIN else default
    if mark.section not in _OPENS_ALWAYS and current.section == "findings" and current.is_headed:
        then = "findings"
    return Block(mark.section, mark.end, size, is_headed=True, then=then)


def _opens(mark: Heading, current: Block, text: str) -> bool:
    """Say whether a heading ends what stands before it.

    Within findings a side heading ("Comparison: stable.") is a part of the sentence, unless it
    begins a paragraph in capitals: else the findings after it would be lost. So is a word that
    names the section it stands in ("no pathological findings: ...").
    """
    if mark.section == current.section and (mark.section == "trailer" or not mark.is_at_start):
        return False
    if mark.section in _OPENS_ALWAYS or current.section != "findings":
        return True
    if _first_text(current, text, mark.start) == mark.start:
        return True
    return mark.text.isupper() and bool(
        _AFTER_BLANK_LINE.search(text, max(mark.start - _BLANKS_MAX, 0), mark.start)
    )


def _end_paragraph(blocks: list[Block], limit: int, text: str, default: str | None) -> None:
    """End the last block at the end of its paragraph, when that comes before ``limit``."""
    last = blocks[-1]
    end = _paragraph_end(last, limit, text)
    if end is not None and end < limit:
        is_headed = last.then == "findings" != default
        blocks.append(Block(last.then, end, last.end, is_headed=is_headed))
        last.end = end


def _paragraph_end(block: Block, limit: int, text: str) -> int | None:
    """Return where a side section is over: after its first line (a title), or paragraph."""
    is_title = block.section == "title"
    if not is_title and (block.section != "trailer" and block.then is None):
        return None
    position = block.start
    if block.section != "trailer":
        position = _first_text(block, text, limit)
    if is_title:
        end = text.find("\n", position, limit)
        return None if end < 0 else end
    blank = _BLANK_LINE.search(text, position, limit)
    return None if blank is None else blank.start()


def _first_text(block: Block, text: str, limit: int) -> int:
    """Return where the first line of a block is that is no noise; ``limit`` when there is none."""
    block.noise = skip_noise(text, max(block.noise, block.start), limit)
    return block.noise


def skip_noise(text: str, start: int, end: int) -> int:
    """Return where the first line begins that is no noise; ``end`` when there is none."""
    while start < end:
        first = find_letter(text, start, end)
        if first is None:
            break
        line_start = max(text.rfind("\n", start, first) + 1, start)
        line_end = text.find("\n", first, end)
        line_end = end if line_end < 0 else line_end
        if not is_banner(text[line_start:line_end]):
            return line_start
        start = line_end
    return end
