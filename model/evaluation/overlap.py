"""How many words a draft shares with the reference: ROUGE, METEOR, BLEU and chrF, 0..1.

Every number comes from the package that others report with (rouge-score, nltk, sacrebleu). ROUGE
and METEOR are means over reports; BLEU and chrF are of all reports together, as they are defined.
None of them sees what is true: a system that calls everything normal scores well on normal reports,
so the rates of ``content.py`` stand beside them.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from mappings.languages import primary_of
from model.evaluation.words import cut_of, has_stems, stemmer_of, tokeniser, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROUGE = {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}
BLEU_ORDERS = (1, 2, 3, 4)


class _Words:
    """A tokeniser as ``rouge-score`` wants one."""

    def __init__(self, language: str, *, is_stemmed: bool) -> None:
        self._language, self._is_stemmed = language, is_stemmed

    def tokenize(self, text: str) -> list[str]:
        return words_of(text, self._language, is_stemmed=self._is_stemmed)


def rouge(
    reference: str, draft: str, language: str = "en", *, is_stemmed: bool = False
) -> dict[str, float | None]:
    """Return ROUGE-1, -2 and -L F; None with stems where the language has no stemmer.

    Source: Lin (2004), ROUGE: a package for automatic evaluation of summaries.
    """
    if is_stemmed and not has_stems(language):
        return dict.fromkeys(ROUGE)
    scores = _scorer(language, is_stemmed=is_stemmed).score(reference, draft)
    return {name: float(scores[theirs].fmeasure) for name, theirs in ROUGE.items()}


def rouge_l(masks: Mapping[str, int], length: int, words: Sequence[str]) -> float:
    """Return ROUGE-L F as ``rouge`` does, of words, for whoever compares thousands of pairs.

    Args:
        masks: From ``places_of`` one text's words.
        length: How many they are.
        words: The other text's.

    Source: Hyyro (2004), Bit-parallel LCS-length computation revisited.
    """
    row = whole = (1 << length) - 1
    for word in words:
        met = row & masks.get(word, 0)
        row = ((row + met) | (row - met)) & whole
    return 2 * (length - row.bit_count()) / max(1, length + len(words))


def places_of(words: Sequence[str]) -> dict[str, int]:
    """Return where each word stands, as a number with that bit set."""
    masks: dict[str, int] = {}
    for place, word in enumerate(words):
        masks[word] = masks.get(word, 0) | 1 << place
    return masks


@cache
def _scorer(language: str, *, is_stemmed: bool) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    words = _Words(language, is_stemmed=is_stemmed)
    return RougeScorer(list(ROUGE.values()), tokenizer=words)  # type: ignore[no-untyped-call]


class _NoWordNet:
    """Knows no synonym, so that METEOR matches words and stems alone."""

    def synsets(self, _word: str) -> tuple[()]:
        return ()


class _NoStems:
    """For languages without a stemmer."""

    def stem(self, word: str) -> str:
        return word


@cache
def _wordnet() -> Any:
    """Return nltk's WordNet, or None where its data is not on this machine."""
    from nltk.corpus import wordnet

    try:
        wordnet.ensure_loaded()
    except LookupError:
        return None
    return wordnet


def meteor_kind(language: str = "en") -> str:
    """Say what METEOR matches by in a language: it is no METEOR of a paper without synonyms."""
    if primary_of(language) == "en" and _wordnet() is not None:
        return "exact, stem and WordNet synonyms"
    return "exact+stem only" if has_stems(language) else "exact only"


def meteor(reference: str, draft: str, language: str = "en") -> float:
    """Return METEOR, matching by ``meteor_kind``.

    Source: Banerjee and Lavie (2005), as nltk has it: alpha 0.9, beta 3, gamma 0.5.
    """
    from nltk.translate.meteor_score import single_meteor_score

    score = single_meteor_score(
        words_of(reference, language),
        words_of(draft, language),
        stemmer=stemmer_of(primary_of(language)) if has_stems(language) else _NoStems(),
        wordnet=(_wordnet() if primary_of(language) == "en" else None) or _NoWordNet(),
    )
    return float(score)


def corpus_overlap(
    references: Sequence[str], drafts: Sequence[str], languages: Sequence[str]
) -> dict[str, float]:
    """Return BLEU-1 to BLEU-4 and chrF of all reports together, 0..1; lists of equal length.

    Each text is cut by its own language's tokeniser, so that several languages can stand together.

    Source: Papineni et al. (2002); Popović (2015); Post (2018) for sacrebleu's settings.
    """
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    cuts = [tokeniser(cut_of(language)) for language in languages]
    cut_drafts = [cut(text) for cut, text in zip(cuts, drafts, strict=True)]
    cut_references = [[cut(text) for cut, text in zip(cuts, references, strict=True)]]
    scores = {
        f"bleu_{order}": BLEU(max_ngram_order=order, tokenize="none", force=True)
        .corpus_score(cut_drafts, cut_references)
        .score
        for order in BLEU_ORDERS
    }
    scores["chrf"] = CHRF().corpus_score(list(drafts), [list(references)]).score
    return {name: value / 100 for name, value in scores.items()}
