"""The phrases of a table, of many languages, looked for all at once.

A table becomes one pattern that reads each letter of a text once, so that its cost does not grow
with the table. The pattern is for folded text: lower case, with one letter for each letter of the
text, so that a place in the one is the same place in the other.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

_SAME: tuple[tuple[str, str], ...] = tuple(
    (letter, plain)
    for letters, plain in (
        (
            "\uff1a\ufe55\u2236\u3011\uff3d\u3015\u3017\u300b\uff1e\u3009\u300d\u300f",
            ":",
        ),  # full width; closing brackets
        ("\u3002\uff0e\uff01\uff1f\uff61", "."),
        ("\uff1b", ";"),
        ("\uff08", "("),
        ("\uff09", ")"),
        ("\uff0f", "/"),
        ("\u2018\u2019\u02bc", "'"),
        ("\u2010\u2011", "-"),
        ("\u015f", "\u0219"),  # Romanian s and t: with cedilla and with comma below
        ("\u0163", "\u021b"),
        ("\u0131", "i"),
    )
    for letter in letters
)
_UMLAUTS = str.maketrans({"\u00e4": "ae", "\u00f6": "oe", "\u00fc": "ue"})
_PIECES = {
    " ": r"[^\S\n]++",
    "/": r"[^\S\n]*+/[^\S\n]*+",
    ":": r"[^\S\n]*+:",
    "-": r"[-\u2013\u2014 ]",
}
_Trie: TypeAlias = "dict[str, _Trie]"


def fold(text: str) -> str:
    """Return a text in lower case with the punctuation of ASCII, letter for letter."""
    if text.isascii():
        return text.lower().replace("]", ":").replace(">", ":")
    folded = text.replace("\u0130", "i").lower().replace("]", ":").replace(">", ":")
    for letter, plain in _SAME:
        folded = folded.replace(letter, plain)
    return folded


def phrase_key(phrase: str) -> str:
    """Return what all the ways to set a phrase have in common, to look it up by."""
    return _set_plainly(fold(phrase).translate(_DASHES))


def _set_plainly(phrase: str) -> str:
    return " ".join(phrase.split()).replace(" /", "/").replace("/ ", "/")


_DASHES = str.maketrans("-\u2013\u2014", "   ")


def spellings(phrase: str) -> frozenset[str]:
    """Return a folded phrase as it may be written: without its accents, and ``ae`` for an umlaut.

    A letter of another script keeps its marks: they make it another letter.
    """
    folded = _set_plainly(fold(phrase))
    sharp = {folded, folded.replace("\u00df", "ss")}
    plain = {_without_accents(one) for one in sharp}
    return frozenset(sharp | plain | {one.translate(_UMLAUTS) for one in sharp})


def _without_accents(phrase: str) -> str:
    return "".join(
        base[0] if (base := unicodedata.normalize("NFD", letter))[0].isascii() else letter
        for letter in phrase
    )


def any_of(phrases: Iterable[str], *, is_backwards: bool = False) -> str:
    """Return a pattern for folded text that takes the longest of the phrases.

    Args:
        phrases: Folded. A blank stands for any blanks within a line.
        is_backwards: For a text that is turned round: its last letter first.

    Returns:
        The pattern's text, without a group of its own.
    """
    root: _Trie = {}
    for phrase in phrases:
        node = root
        for letter in phrase[::-1] if is_backwards else phrase:
            node = node.setdefault(letter, {})
        node[""] = {}
    return _render(root)


def _render(node: _Trie) -> str:
    branches = [
        _PIECES.get(letter, re.escape(letter)) + _render(node[letter])
        for letter in sorted(node)
        if letter
    ]
    if not branches:
        return ""
    either = f"(?:{'|'.join(branches)})"
    return f"{either}?" if "" in node else either
