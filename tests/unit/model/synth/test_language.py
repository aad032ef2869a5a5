"""The phrase books of the other languages hold together, and are written as the language is."""

from __future__ import annotations

import re
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from mappings.domain import Region
from model.synth.language import (
    Chapter,
    Slots,
    chapter,
    language_named,
    languages,
    regions_of,
    slots_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from model.synth.language import Finding, Language

ALL = list(product(("de", "es", "fr", "ro", "zh"), Region))
BOOKS = [(language, region) for language, region in ALL if region in regions_of(language)]
# Letters that a language cannot be written without, and what stands there when they were lost.
LETTERS = {"de": "äöüß", "es": "áéíóúñ", "fr": "éèêœà", "ro": "ăâîșț", "zh": "侧见未影"}
LOST = {
    "de": r"(?i)\b(?:fuer|ueber|groess\w*|gross\w*|maessig\w*)\b",
    "es": r"(?i)\b(?:lesion|torax|pulmon|pequeno|cm2)\b",
    "fr": r"(?i)\b(?:epanchement|modere|oedeme|a gauche|a droite)\b",
    "ro": r"[\u015f\u0163\u015e\u0162]|(?i:\b(?:stang\w?|fara|evidentiaza)\b)",
    "zh": r"[,;:]|[a-z]{3,}",
}
PIECES = re.compile(r"[一-鿿]|[^\W\d_]+")


def sentences(language: str, region: Region, *, is_held_back: bool) -> Iterable[str]:
    """Every sentence of a chapter's findings texts, with its slots."""
    book = chapter(language, region)
    for part in book.organs.values():
        yield from (row.text for row in (part.held_back if is_held_back else part.normal))
    for kind in book.findings:
        yield from (kind.held_back if is_held_back else kind.says)
        yield from (kind.no_held_back if is_held_back else kind.no)


def terms(text: str) -> set[str]:
    """The words of a sentence by their first five letters; Chinese by its characters."""
    return {piece[:5] for piece in PIECES.findall(re.sub(r"\{\w+\}[a-z]*", " ", text.casefold()))}


@cache
def known_terms(language: str) -> set[str]:
    """The terms of all sentences of a language that training may see."""
    return {
        term
        for region in regions_of(language)
        for text in sentences(language, region, is_held_back=False)
        for term in terms(text)
    }


def slots_filled(kind: Finding, grammar: Language) -> set[str]:
    """What a finding's sentences may ask for."""
    given = {"size"} if kind.size else set()
    if kind.place:
        given.add("place")
    if kind.degree:
        given |= set().union(*grammar.degrees[kind.degree].values())
    return given.union(*(grammar.sides[side] for side in kind.sides))


def told(kind: Finding, text: str, language: str, region: Region) -> tuple[bool, ...]:
    """Whether a sentence tells side, place, degree and size."""
    grammar, slots = language_named(language), slots_of(text)
    places = chapter(language, region).places.get(kind.place or "", ())
    degrees = grammar.degrees.get(kind.degree or "", {}).values()
    return (
        bool(slots & set().union(*grammar.sides.values())),
        bool(slots & set().union(*places)),
        bool(slots & set().union(*degrees)),
        "size" in slots,
    )


def test_there_are_five_languages_of_seven_regions_and_two_sites_each() -> None:
    assert set(languages()) == {"de", "es", "fr", "ro", "zh"}
    for language in languages():
        assert len(regions_of(language)) == 7
        assert len({style.site for style in language_named(language).styles}) >= 2


@pytest.mark.parametrize(("language", "region"), BOOKS)
def test_each_region_has_four_kinds_that_an_impression_names(language: str, region: Region) -> None:
    kinds = chapter(language, region).findings

    assert len({kind.name for kind in kinds if kind.is_reported}) >= (6 if language == "de" else 4)


@pytest.mark.parametrize(("language", "region"), BOOKS)
def test_every_wording_of_a_finding_tells_the_same_things(language: str, region: Region) -> None:
    for kind in chapter(language, region).findings:
        shapes = {told(kind, text, language, region) for text in kind.wordings}

        assert len(shapes) == 1, (kind.name, shapes)
        assert bool(kind.summary) == kind.is_reported, kind.name
        assert not (kind.place is None and kind.degree and not shapes.pop()[2]), kind.name


@pytest.mark.parametrize(("language", "region"), BOOKS)
def test_every_wording_of_a_finding_names_it(language: str, region: Region) -> None:
    wrong = [
        text
        for kind in chapter(language, region).findings
        for text in (*kind.wordings, *kind.no, *kind.no_held_back)
        if not any(word.casefold() in text.casefold() for word in kind.words)
    ]

    assert not wrong


@pytest.mark.parametrize(("language", "region"), BOOKS)
def test_what_is_held_back_is_another_sentence_of_known_terms(
    language: str, region: Region
) -> None:
    seen = set(sentences(language, region, is_held_back=False))
    held_back = set(sentences(language, region, is_held_back=True))
    known = known_terms(language)

    assert not seen & held_back
    assert not {text: terms(text) - known for text in held_back if not terms(text) <= known}


@pytest.mark.parametrize(("language", "region"), BOOKS)
def test_a_denial_has_no_slot_and_is_held_back_too(language: str, region: Region) -> None:
    for kind in chapter(language, region).findings:
        assert bool(kind.no) == bool(kind.no_held_back), kind.name
        assert not any(slots_of(text) for text in (*kind.no, *kind.no_held_back)), kind.name


@pytest.mark.parametrize("language", languages())
def test_a_language_is_written_with_its_own_letters(language: str) -> None:
    book = "\n".join(
        text
        for region in regions_of(language)
        for is_held_back in (False, True)
        for text in sentences(language, region, is_held_back=is_held_back)
    )

    assert all(letter in book for letter in LETTERS[language])
    assert not re.search(LOST[language], re.sub(r"\{\w+\}", "", book))


@pytest.mark.parametrize(("language", "region"), BOOKS)
def test_every_sentence_ends_and_asks_for_nothing_unknown(language: str, region: Region) -> None:
    grammar, book = language_named(language), chapter(language, region)
    for kind in book.findings:
        places = set().union(*book.places.get(kind.place or "", ()))
        for text in kind.wordings:
            assert text.endswith(grammar.stop), text
            assert slots_of(text) <= slots_filled(kind, grammar) | places, text


def test_a_slot_with_a_capital_is_given_with_one() -> None:
    assert "{Side} und {side}".format_map(Slots(side="links")) == "Links und links"
    with pytest.raises(KeyError):
        "{size}".format_map(Slots(side="links"))


def test_a_chapter_that_names_an_unknown_organ_is_refused() -> None:
    told = chapter("de", Region.CHEST).model_dump(by_alias=True)
    told["findings"][0]["organ"] = "nowhere"

    with pytest.raises(ValidationError, match="nowhere"):
        Chapter.model_validate(told)
