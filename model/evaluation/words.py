"""Words of a text as the overlap metrics count them: by language, with or without stems.

English is cut as ROUGE-1.5.5 and ``rouge-score`` cut it, so that figures compare with published
ones. That cut keeps a-z and 0-9 alone: it would break every German word and leave nothing of a
Chinese one, so other languages are cut here, Chinese and Japanese by sacrebleu's tokenisers.
"""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from mappings.languages import primary_of

if TYPE_CHECKING:
    from collections.abc import Callable

Cut = Literal["13a", "zh", "ja-mecab", "char"]
"""A tokeniser of sacrebleu, by its name there."""

STEMMERS = {"de": "german", "fr": "french", "es": "spanish", "ro": "romanian", "it": "italian"}
"""Languages with a Snowball stemmer in nltk. English has Porter's, as ROUGE-1.5.5 has."""
STEMMED_LENGTH_MIN = 4  # rouge-score stems words of more than three letters
_UNSPACED = ("zh", "ja")
_WORD = re.compile(r"\w+")


def cut_of(language: str) -> Cut:
    """Say which of sacrebleu's tokenisers cuts a language.

    Japanese is cut by characters where MeCab is not installed: the name tells which it was.
    """
    primary = primary_of(language)
    if primary == "ja":
        has_mecab = all(map(importlib.util.find_spec, ("MeCab", "ipadic")))
        return "ja-mecab" if has_mecab else "char"
    return "zh" if primary == "zh" else "13a"


def has_stems(language: str) -> bool:
    """Whether words of a language can be cut to their stems."""
    return primary_of(language) in {"en", *STEMMERS}


def words_of(text: str, language: str, *, is_stemmed: bool = False) -> list[str]:
    """Return the words of a text, in small letters.

    Args:
        text: Anything.
        language: BCP 47.
        is_stemmed: Cut words to their stems where ``has_stems``.
    """
    primary = primary_of(language)
    if primary == "en":
        from rouge_score.tokenize import tokenize

        stemmer = stemmer_of("en") if is_stemmed else None
        return list(tokenize(text, stemmer))  # type: ignore[no-untyped-call]
    if primary in _UNSPACED:
        spaced = tokeniser(cut_of(language))(text.lower())
        return [one for one in spaced.split() if _WORD.search(one)]
    words = _WORD.findall(text.lower())
    if not (is_stemmed and has_stems(language)):
        return words
    stem = stemmer_of(primary).stem
    return [stem(word) if len(word) >= STEMMED_LENGTH_MIN else word for word in words]


@cache
def stemmer_of(primary: str) -> Any:
    """Return nltk's stemmer of a language that ``has_stems``."""
    if primary == "en":
        from nltk.stem.porter import PorterStemmer

        return PorterStemmer()
    from nltk.stem.snowball import SnowballStemmer

    return SnowballStemmer(STEMMERS[primary])


@cache
def tokeniser(cut: Cut) -> Callable[[str], str]:
    """Return sacrebleu's tokeniser: a text in, the same with blanks between its tokens out."""
    from sacrebleu.metrics.bleu import _get_tokenizer

    cutter: Callable[[str], str] = _get_tokenizer(cut)()
    return cutter
