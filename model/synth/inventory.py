"""What the corpus is made of, counted: how many kinds of findings and wordings by language and
region. Wordings are whole sentences or noun phrases that state a finding; denials, sentences of
health and what the impression says are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.synth.language import chapter, languages, regions_of
from model.synth.lexicon import REGIONS, lexicon

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mappings.domain import Region
    from model.synth.language import Finding
    from model.synth.lexicon import Kind


@dataclass(frozen=True, slots=True)
class Shelf:
    """One region in one language: kinds of findings, their wordings, and those held back."""

    language: str
    region: Region
    kinds: int
    wordings: int
    held_back: int


def inventory() -> list[Shelf]:
    """Count the words of every language, English first, its regions in their order."""
    shelves = [
        _shelf("en", region, ((kind, kind.phrases) for kind in lexicon(region).findings))
        for region in REGIONS
    ]
    shelves += [
        _shelf(language, region, ((kind, kind.says) for kind in chapter(language, region).findings))
        for language in languages()
        for region in sorted(regions_of(language), key=REGIONS.index)
    ]
    return shelves


def _shelf(
    language: str, region: Region, kinds: Iterable[tuple[Kind | Finding, Sequence[str]]]
) -> Shelf:
    rows = list(kinds)
    return Shelf(
        language=language,
        region=region,
        kinds=len({kind.name for kind, _ in rows}),
        wordings=len({(kind.name, text) for kind, texts in rows for text in texts}),
        held_back=len({(kind.name, text) for kind, _ in rows for text in kind.held_back}),
    )
