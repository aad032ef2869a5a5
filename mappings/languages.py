"""Languages by their tags (BCP 47)."""

from __future__ import annotations


def primary_of(language: str) -> str:
    """Return the primary subtag: ``zh`` of ``zh-Hans`` (BCP 47)."""
    return language.split("-", maxsplit=1)[0].lower()
