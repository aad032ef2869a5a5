"""Baselines from training reports alone: the nearest one's impression, and the consensus of ten.

TF-IDF of words and pairs of words with ``1 + log`` counts, cosine: what scikit-learn's
``TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)`` gives, in a tenth of its weight.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from model.evaluation.overlap import places_of, rouge_l
from model.evaluation.words import words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

CONSENSUS_OF = 10
CONSENSUS_POWER = 4
_UNSPACED = r"\u3040-\u30ff\u3400-\u9fff"  # kana and Chinese characters: each is a word of its own
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]{{2,}}")
_DIGITS = 9  # similarities closer than this are a tie: float sums must not choose among duplicates


class NeighbourIndex:
    """Training findings, to be searched for the nearest ones."""

    def __init__(self, findings: Sequence[str]) -> None:
        """Index the findings; at least one."""
        counts = [_terms(text) for text in findings]
        seen = Counter(term for bag in counts for term in bag)
        total = len(findings)
        self._rarity = {term: math.log((1 + total) / (1 + n)) + 1 for term, n in seen.items()}
        self._size = total
        postings: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        for place, bag in enumerate(counts):
            for term, weight in self._weigh(bag).items():
                postings[term].append((place, weight))
        self._postings = {
            term: (np.array([at for at, _ in listed]), np.array([w for _, w in listed]))
            for term, listed in postings.items()
        }

    def similarities(self, findings: str) -> list[float]:
        """Return the cosine with each training report, 0..1, in their order."""
        total = np.zeros(self._size)
        for term, weight in self._weigh(_terms(findings)).items():
            places, weights = self._postings[term]
            total[places] += weight * weights
        return [float(one) for one in np.round(total, _DIGITS)]

    def nearest(self, findings: str, count: int) -> list[tuple[int, float]]:
        """Return places and similarities of the nearest, nearest first; ties as in training."""
        told = self.similarities(findings)
        order = sorted(range(len(told)), key=lambda place: -told[place])
        return [(place, told[place]) for place in order[:count]]

    def _weigh(self, bag: Counter[str]) -> dict[str, float]:
        """Weigh the terms that training knows; length 1."""
        weights = {
            term: (1 + math.log(count)) * self._rarity[term]
            for term, count in bag.items()
            if term in self._rarity
        }
        length = math.hypot(*weights.values()) or 1.0
        return {term: weight / length for term, weight in weights.items()}


def consensus(impressions: Sequence[str], similarities: Sequence[float], language: str) -> str:
    """Return the impression that agrees most with all of them.

    The 4th power of a report's similarity is its vote. What most say wins, and most chest
    radiographs are normal: it gains ROUGE and misses more.
    """
    votes = [similarity**CONSENSUS_POWER for similarity in similarities]
    return most_agreed(impressions, list(zip(impressions, votes, strict=True)), language)


def most_agreed(
    candidates: Sequence[str], voters: Sequence[tuple[str, float]], language: str
) -> str:
    """Return the candidate that agrees most with the voters: minimum Bayes risk on ROUGE-L.

    Args:
        candidates: At least one; of equals the first is taken.
        voters: Texts and votes; each is asked as if it were the reference.
        language: BCP 47.

    Source: Kumar and Byrne (2004), Minimum Bayes-risk decoding.
    """
    votes: defaultdict[tuple[str, ...], float] = defaultdict(float)
    for text, vote in voters:
        votes[tuple(words_of(text, language))] += vote

    def agreement(candidate: str) -> float:
        words = words_of(candidate, language)
        masks = places_of(words)
        return math.fsum(vote * rouge_l(masks, len(words), said) for said, vote in votes.items())

    return max(dict.fromkeys(candidates), key=agreement)


def _terms(text: str) -> Counter[str]:
    words = _WORD.findall(text.lower())
    return Counter(words + [" ".join(pair) for pair in pairwise(words)])
