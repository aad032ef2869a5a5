"""Texts that are nearly the same: sets of three words in a row, compared by Jaccard's share.

No pair at or above the threshold is missed: sets that are so alike share one of their rarest
shingles (prefix filtering: Bayardo, Ma, Srikant, "Scaling up all pairs similarity search", 2007),
so only sets that do are compared, and each exactly. Nothing here depends on chance.
"""

from __future__ import annotations

import math
import re
from array import array
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

SHINGLE_WORDS = 3
_IDEOGRAPHS = r"\u3040-\u30ff\u3400-\u9fff"
_WORD = re.compile(rf"[{_IDEOGRAPHS}]|[^\W\d_{_IDEOGRAPHS}]+|\d+(?:[.,]\d+)*")
_MASK = 2**64 - 1
_FACTORS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
_COUNTER_BITS = 20


def words_of(text: str) -> list[str]:
    """Return the words and numbers of a text, in one case; a Chinese sign is a word."""
    return _WORD.findall(text.casefold())


def text_key(*texts: str) -> bytes:
    """Return the same 16 bytes for texts that have the same words in the same order."""
    told = "\n".join(" ".join(words_of(text)) for text in texts)
    return blake2b(told.encode("utf-8", "replace"), digest_size=16).digest()


class Sketches:
    """The shingles of many texts, as 8-byte numbers: about 400 bytes a report."""

    def __init__(self) -> None:
        self._sets: list[array[int]] = []
        self._words: dict[str, int] = {}
        # How common a shingle is, roughly: numbers that share a counter count together, which
        # changes the order in which shingles are looked at and no answer.
        self._counts = array("Q", bytes(8 << _COUNTER_BITS))

    def __len__(self) -> int:
        return len(self._sets)

    def add(self, text: str) -> int:
        """Add a text; return its place, from 0."""
        numbers = [self._number(word) for word in words_of(text)]
        shingles = set(_shingles(numbers))
        for shingle in shingles:
            self._counts[shingle >> (64 - _COUNTER_BITS)] += 1
        self._sets.append(array("Q", sorted(shingles)))
        return len(self._sets) - 1

    def shingles(self, place: int) -> array[int]:
        """Return a text's shingles."""
        return self._sets[place]

    def rarest(self, place: int, count: int) -> list[int]:
        """Return the rarest shingles of a text, in an order that is the same for all texts."""
        counts = self._counts
        return sorted(
            self._sets[place],
            key=lambda shingle: (counts[shingle >> (64 - _COUNTER_BITS)], shingle),
        )[:count]

    def _number(self, word: str) -> int:
        number = self._words.get(word)
        if number is None:
            digest = blake2b(word.encode("utf-8", "replace"), digest_size=8).digest()
            number = self._words[word] = int.from_bytes(digest, "big")
        return number


def _shingles(numbers: Sequence[int]) -> Iterator[int]:
    """Mix each three numbers in a row into one; a text of fewer words is one shingle."""
    a, b, c = _FACTORS
    if len(numbers) < SHINGLE_WORDS:
        padded = [*numbers, 0, 0, 0]
        yield (padded[0] * a ^ padded[1] * b ^ padded[2] * c ^ len(numbers)) & _MASK
        return
    for first, second, third in zip(numbers, numbers[1:], numbers[2:], strict=False):
        yield (first * a + second * b + third * c) & _MASK


class NearIndex:
    """Finds, among the texts put into it, those that are near another."""

    def __init__(self, sketches: Sketches, threshold: float) -> None:
        """Take all texts, already added, and the least Jaccard share, over 0 and at most 1."""
        self._sketches = sketches
        self._threshold = threshold
        self._holders: dict[int, list[int]] = {}

    def put(self, place: int) -> None:
        """Let a text be found."""
        for shingle in self._prefix(place):
            self._holders.setdefault(shingle, []).append(place)

    def near(
        self, place: int, *, is_skipped: Callable[[int], bool] = lambda _: False
    ) -> Iterator[int]:
        """Yield the texts that are near this one, in the order of their places.

        Args:
            place: The text asked for; itself is never yielded.
            is_skipped: Asked just before a comparison, to spare it.
        """
        holders = self._holders
        found = {other for shingle in self._prefix(place) for other in holders.get(shingle, ())} - {
            place
        }
        own = set(self._sketches.shingles(place))
        for other in sorted(found):
            if not is_skipped(other) and self._is_near(own, self._sketches.shingles(other)):
                yield other

    def first_near(self, place: int) -> int | None:
        """Return the first text that is near this one."""
        return next(self.near(place), None)

    def _prefix(self, place: int) -> list[int]:
        size = len(self._sketches.shingles(place))
        return self._sketches.rarest(place, size - math.ceil(self._threshold * size) + 1)

    def _is_near(self, own: set[int], other: array[int]) -> bool:
        small, large = sorted((len(own), len(other)))
        if small < self._threshold * large:
            return False
        shared = sum(map(own.__contains__, other))
        return shared >= self._threshold * (len(own) + len(other) - shared)


def find_leaders(
    sketches: Sketches, places: Iterable[int], threshold: float
) -> Iterator[tuple[int, int | None]]:
    """Keep the first of each group of near texts.

    Args:
        sketches: All texts.
        places: In the order in which they may be kept.
        threshold: The least Jaccard share.

    Yields:
        (text, the kept text that it is near), None for one that is kept. No text is dropped for
        being near a dropped one, so that no chain of small changes takes everything.
    """
    index = NearIndex(sketches, threshold)
    for place in places:
        leader = index.first_near(place)
        if leader is None:
            index.put(place)
        yield place, leader


class Groups:
    """Who belongs together, through any chain (union-find)."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def first_of(self, place: int) -> int:
        """Return the first of the group that this one is in."""
        root = place
        while self._parents[root] != root:
            root = self._parents[root]
        while self._parents[place] != root:
            self._parents[place], place = root, self._parents[place]
        return root

    def join(self, place: int, other: int) -> None:
        """Put two, with all they belong to, together."""
        roots = sorted((self.first_of(place), self.first_of(other)))
        self._parents[roots[1]] = roots[0]


def join_near(sketches: Sketches, groups: Groups, threshold: float) -> int:
    """Join each two near texts; return how many joins it took."""
    index = NearIndex(sketches, threshold)
    joins = 0
    for place in range(len(sketches)):
        own = place

        def is_joined(other: int, own: int = own) -> bool:
            return groups.first_of(other) == groups.first_of(own)

        for other in index.near(place, is_skipped=is_joined):
            groups.join(place, other)
            joins += 1
        index.put(place)
    return joins
