"""The narrative of a report, brought into its sections.

Three rules a reader must not break: a person's impression must be found wherever it stands, because
a report that has one is not drafted; an exam title, a banner or a signature is never findings; and
the text of a section keeps its letters and line breaks: it is what its spans point at, joined by
line feeds.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate, chain, compress, repeat
from operator import add
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from mappings.domain import Sections
from mappings.headings import DEFAULT_HEADINGS
from mappings.section_blocks import cut_blocks, skip_noise
from mappings.trailers import is_noise
from mappings.unheaded_text import judge_unheaded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mappings.domain import Span
    from mappings.headings import Headings

_TEXTS = ("findings", "impression", "indication", "comparison", "technique", "recommendation")


class CodedText(NamedTuple):
    """The text of one OBX and its meaning: a section, ``body`` (the report), or None (unknown).

    ``observation`` is which OBX of its group it is, from 0.
    """

    section: str | None
    text: str
    observation: int = 0


@dataclass(slots=True)
class Narrative:
    """What the texts came to; ``title`` is what the report itself calls the exam. ``addendum`` is
    one that stands without findings: they may stand under another OBR.
    """

    sections: Sections
    title: str | None = field(repr=False)
    addendum: str | None = field(default=None, repr=False)


class _Part(NamedTuple):
    """A stretch of a section and where it stood."""

    text: str
    spans: list[Span]


_Parts: TypeAlias = dict[str, list[_Part]]


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
    sections, lines, numbers = zip(*texts, strict=True) if texts else ((), (), ())
    return read_columns(sections, lines, numbers, headings)


def read_columns(
    sections: Sequence[str | None],
    texts: Sequence[str],
    observations: Sequence[int],
    headings: Headings,
) -> Narrative:
    """Bring texts into sections, given in the columns of ``CodedText``; see ``read_narrative``."""
    parts: _Parts = {}
    codes = dict.fromkeys(sections)
    for code in codes:
        # What means the same is joined: a report may come one line an OBX.
        lines, numbers = texts, observations
        if len(codes) > 1:
            is_alike = [section == code for section in sections]
            lines, numbers = [*compress(texts, is_alike)], [*compress(observations, is_alike)]
        _read_alike(code, lines, numbers, headings, parts)
    _settle(parts)
    joined = {name: "\n".join([part.text for part in found]) for name, found in parts.items()}
    addendum = joined.get("addendum") if "findings" not in joined else None
    spans = {
        name: tuple(chain.from_iterable([part.spans for part in parts[name]]))
        for name in _TEXTS
        if name in parts
    }
    found = Sections(**{name: joined.get(name) for name in _TEXTS}, spans=spans)
    return Narrative(found, joined.get("title"), addendum)


def _settle(parts: _Parts) -> None:
    """Decide on what only the whole report can: a diagnosis is an impression unless there is one
    beside it (then it is what the patient came with); an addendum follows the findings.
    """
    if "diagnosis" in parts:
        wanted = "indication" if "impression" in parts else "impression"
        parts.setdefault(wanted, parts["diagnosis"])
    if "addendum" in parts and "findings" in parts:
        parts["findings"] += parts["addendum"]


def _read_alike(
    code: str | None,
    lines: Sequence[str],
    numbers: Sequence[int],
    headings: Headings,
    parts: _Parts,
) -> None:
    """Add the sections of the texts that have one code."""
    # A line feed before the first line, so that it begins as every other.
    source = "\n" + "\n".join(lines)
    # No loop in Python over the lines: there may be many, and all reports pass here.
    sizes = list(map(len, lines))
    whole = list(zip(numbers, repeat(0), sizes))
    starts = list(accumulate(map(add, sizes, repeat(1)), initial=1))
    blocks = cut_blocks(source, code, headings)
    judge_unheaded(blocks, source)
    for block in blocks:
        start, end = _trimmed(source, block.start, block.end)
        if block.section is not None and start < end:
            spans = _spans(whole, starts, start, end)
            parts.setdefault(block.section, []).append(_Part(source[start:end], spans))


def _trimmed(source: str, start: int, end: int) -> tuple[int, int]:
    """Leave out blank lines, rules and banners at both ends of a stretch."""
    start = skip_noise(source, start, end)
    while start < end:
        end = start + len(source[start:end].rstrip())
        line_start = max(source.rfind("\n", start, end) + 1, start)
        if not is_noise(source[line_start:end]):
            break
        end = line_start
    return end - len(source[start:end].lstrip()), end


def _spans(whole: Sequence[Span], starts: Sequence[int], start: int, end: int) -> list[Span]:
    """Return where a stretch stood, one span for each OBX.

    Args:
        whole: The OBX of the source, each as the span of all its text.
        starts: Where they begin in the source.
        start: Of the stretch, in the source.
        end: Of the stretch, in the source.
    """
    first = bisect_right(starts, start) - 1
    last = bisect_right(starts, end) - 1
    spans = [*whole[first : last + 1]]
    number, _, size = spans[-1]
    spans[-1] = (number, 0, min(end - starts[last], size))
    number, _, stop = spans[0]
    spans[0] = (number, start - starts[first], stop)
    return spans
