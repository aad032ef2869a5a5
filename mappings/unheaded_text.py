"""What stands under no heading of its own: findings, or only what comes before them.

Prose is findings where nothing says otherwise; an exam title is not. Where a report has no findings
under a heading, they may follow its comparison on the same line ("Comparison: None. The lungs are
clear. ..."): they are taken only when several sentences there say what is seen.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mappings.section_blocks import Block

if TYPE_CHECKING:
    from collections.abc import Sequence

_SENTENCE_END = re.compile(r"[.!?](?:\s+[^\sa-z]|\s*$)|[\u3002\uff01\uff1f]", re.MULTILINE)
_SENTENCE_WORDS_MIN = 2
_LINE_WORDS_MIN = 8
_HEAD_CHARACTERS = 400
_OBSERVED_SENTENCES_MIN = 2
_OBSERVES = re.compile(r"\b(?:is|are|has|have|was|were|remains?|normal|clear|unchanged|seen)\b")
_UNOBSERVED = re.compile(r"\b(?:available|compar\w+)\b", re.IGNORECASE)
_END_OF_FIRST = re.compile(r"\s*+[^.\n]*+\.{1,2}(?:[ \t]++|\n)(?=[A-Z])")
_END_OF_NO_COMPARISON = re.compile(
    r"\s*+(?:[^.\n]{0,60}+\n\s*+)?+[^.\n]{0,300}?"
    r"\b(?:(?:No|with no) comparisons?|Comparisons? [^.:\n]{0,60})\.{1,2}\s+(?=[A-Z])"
)
_BEFORE_FINDINGS = {
    "comparison": _END_OF_FIRST,
    "indication": _END_OF_NO_COMPARISON,
    "title": _END_OF_NO_COMPARISON,
    "body": _END_OF_NO_COMPARISON,
}


def judge_unheaded(blocks: list[Block], text: str) -> None:
    """Say of each block without a heading what it is; a block may be cut in two.

    Args:
        blocks: Those of a text, in order.
        text: The text.
    """
    headed = {block.section for block in blocks if block.is_headed}
    if "findings" in headed:
        for block in blocks:
            if block.section in {"body", "findings"} and not block.is_headed:
                block.section = None
        return
    if not _cut_after_comparison(blocks, text):
        _judge_body(blocks, text)


def is_prose(text: str) -> bool:
    """Say whether a text holds at least a sentence: an exam title does not."""
    for part in (text[:_HEAD_CHARACTERS], text):  # most often, the first lines tell
        if any(len(line.split()) >= _LINE_WORDS_MIN for line in part.split("\n")):
            return True
    return any(
        not end[0].isascii() or len(text[: end.start()].split()) >= _SENTENCE_WORDS_MIN
        for end in _SENTENCE_END.finditer(text)
    )


def _judge_body(blocks: Sequence[Block], text: str) -> None:
    """Take the body for findings when it is prose; under REPORT, only what stands there."""
    body = [block for block in blocks if block.section == "body"]
    if not body:
        return
    headed = [block for block in body if block.is_headed]
    chosen = headed if headed and _is_prose(headed, text) else body
    section = "findings" if chosen is headed or _is_prose(body, text) else None
    for block in body:
        block.section = section if chosen is body or block.is_headed else None


def _is_prose(blocks: Sequence[Block], text: str) -> bool:
    return is_prose("\n".join([text[block.start : block.end] for block in blocks]))


def _cut_after_comparison(blocks: list[Block], text: str) -> bool:
    """Cut the findings off a comparison, or a title, that they follow on the same line."""
    if any(block.section == "findings" for block in blocks):
        return False
    for place, block in enumerate(blocks):
        pattern = _BEFORE_FINDINGS.get(block.section or "")
        match = pattern.match(text, block.start, block.end) if pattern else None
        if match and _says_what_is_seen(text[match.end() : block.end]):
            blocks.insert(place + 1, Block("findings", match.end(), block.end, is_headed=True))
            block.end = match.end()
            return True
    return False


def _says_what_is_seen(text: str) -> bool:
    first = text.split(".", 1)[0]
    sentences = len(_SENTENCE_END.findall(text))
    return (
        sentences >= _OBSERVED_SENTENCES_MIN
        and _OBSERVES.search(text) is not None
        and _UNOBSERVED.search(first) is None
    )
