"""Faults that show in the draft alone: nothing written, cut off, echo of the prompt, repetition.

Each function returns None when the draft is sound, else a fault. Nothing here changes a text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.sentences import split_sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

REPEATED_SENTENCE_WORDS_MIN = 4
LOOP_BLOCK_WORDS_MAX = 20
LOOP_TURNS = 3
LOOP_TURNS_OF_ONE_WORD = 4

_WORD = re.compile(r"\w+")
_LETTERS = re.compile(r"[^\W\d_]{2,}|[\u4e00-\u9fff]")
_UNFINISHED = re.compile(
    r"(?:[,:;(\[/\u2013-]|\b(?:a|an|and|are|at|by|for|from|in|is|measuring|of|on|or|the|to|with|within"
    r"|without))\s*$",
    re.IGNORECASE,
)
# "1. Nodule. 2." stops before its second item; "measures 1.2." and "5." in a sentence do not.
UNFINISHED_ITEM = re.compile(r"(?:^\s*+|[.!?;]\s++|\n[ \t]*+)(?P<marker>(?:1?\d|20)[.)]?)\s*+$")
_CONTROL = re.compile(
    r"<\|[^|>]{0,40}\|>|</?s>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|^#{1,6} ", re.MULTILINE
)
_HEADING = re.compile(
    r"(?:^|(?<=[.!?]\s)|(?<=\n))\s*(?:findings|impressions?|indication|exam(?:ination)?|region|style"
    r"|technique|clinical (?:history|information)|user|assistant|system|report|draft)\s*:",
    re.IGNORECASE,
)
_INSTRUCTION = re.compile(
    r"\b(?:write the impression|add nothing|if normal,? write|most important first|as an ai\b"
    r"|language model|here (?:is|are) the (?:impression|summary)|i (?:cannot|can't|am unable to)"
    r"|the (?:following|above) (?:report|findings)|ignore (?:all|any|the|previous) )",
    re.IGNORECASE,
)
_ROLE = re.compile(r"^\s*(?:user|assistant|system)\s*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a draft is refused, and where it shows."""

    reason: str
    span: tuple[int, int] | None = None


def find_empty(text: str) -> Fault | None:
    """Find a draft without a word."""
    return None if _LETTERS.search(text) else Fault("no_words")


def find_cut_off(text: str, *, is_at_limit: bool) -> Fault | None:
    """Find a draft that stops before its end."""
    if is_at_limit:
        return Fault("output_limit_reached", (len(text), len(text)))
    unfinished = _UNFINISHED.search(text) or UNFINISHED_ITEM.search(text)
    return Fault("ends_in_mid_sentence", unfinished.span()) if unfinished else None


def find_prompt_echo(text: str) -> Fault | None:
    """Find the prompt's own words, or an answer about the task, in the draft."""
    patterns = {
        "control_token": _CONTROL,
        "prompt_heading": _HEADING,
        "role_name": _ROLE,
        "instruction": _INSTRUCTION,
    }
    for reason, pattern in patterns.items():
        if found := pattern.search(text):
            return Fault(reason, found.span())
    return None


def find_repetition(text: str) -> Fault | None:
    """Find a sentence said twice, or a stretch of words said three times in a row."""
    return _repeated_sentence(text) or _loop(text)


def _repeated_sentence(text: str) -> Fault | None:
    seen: set[tuple[str, ...]] = set()
    for sentence in split_sentences(text):
        words = tuple(_WORD.findall(sentence.text.casefold()))
        if words and words[0].isdigit():
            words = words[1:]  # a list number
        if len(words) >= REPEATED_SENTENCE_WORDS_MIN and words in seen:
            return Fault("sentence_repeated", (sentence.start, sentence.end))
        seen.add(words)
    return None


def _loop(text: str) -> Fault | None:
    places = list(_WORD.finditer(text))
    words = [place.group().casefold() for place in places]
    for size in range(1, LOOP_BLOCK_WORDS_MAX + 1):
        turns = LOOP_TURNS_OF_ONE_WORD if size == 1 else LOOP_TURNS
        start = _loop_start(words, size, turns)
        if start is not None:
            return Fault("words_loop", (places[start].start(), places[start + size - 1].end()))
    return None


def _loop_start(words: Sequence[str], size: int, turns: int) -> int | None:
    """Return where a block of ``size`` words stands ``turns`` times in a row, if anywhere."""
    run = 0
    for index in range(size, len(words)):
        run = run + 1 if words[index] == words[index - size] else 0
        if run == size * (turns - 1):
            return index - size * turns + 1
    return None
