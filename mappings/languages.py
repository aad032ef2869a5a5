"""Languages by their tags (BCP 47)."""

from __future__ import annotations

import re

_TWO_LETTERS = {
    "chi": "zh",
    "deu": "de",
    "eng": "en",
    "fra": "fr",
    "fre": "fr",
    "ger": "de",
    "jpn": "ja",
    "ron": "ro",
    "rum": "ro",
    "spa": "es",
    "zho": "zh",
}
"""Of ISO 639-2, where our tables have the language: BCP 47 has no such tag, but senders do."""


def primary_of(language: str) -> str:
    """Return the primary subtag: ``zh`` of ``zh-Hans`` (BCP 47), of ``zho`` and of ``zh_CN``."""
    primary = re.split("[-_]", language, maxsplit=1)[0].lower()
    return _TWO_LETTERS.get(primary, primary)
