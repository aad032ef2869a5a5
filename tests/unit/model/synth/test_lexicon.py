"""The tables: complete, checked, and with words that name every finding in every sentence."""

from __future__ import annotations

import re
import string

import pytest
from pydantic import ValidationError

from mappings.domain import Region
from mappings.exam_names import read_name
from model.synth.lexicon import REGIONS, Kind, Lexicon, frames, group_of, lexicon

SLOTS = {"place", "side", "severity", "Severity", "size"}


@pytest.mark.parametrize("region", REGIONS)
def test_each_sentence_about_a_finding_holds_a_word_that_names_it(region: Region) -> None:
    for kind in lexicon(region).findings:
        named = re.compile(rf"\b(?:{'|'.join(map(re.escape, kind.stems))})", re.IGNORECASE)

        for phrase in (*kind.phrases, *kind.held_back, *filter(None, [kind.summary])):
            assert named.search(phrase), phrase


@pytest.mark.parametrize("region", REGIONS)
def test_a_side_or_size_said_in_the_impression_is_said_in_every_phrase(region: Region) -> None:
    for kind in lexicon(region).findings:
        due = slots(kind.summary) & {"size", "side", "place"}

        for phrase in (*kind.phrases, *kind.held_back):
            assert due <= slots(phrase), phrase


def slots(template: str) -> set[str]:
    found = {name for _, name, _, _ in string.Formatter().parse(template) if name}
    assert found <= SLOTS
    return found


@pytest.mark.parametrize("region", REGIONS)
def test_no_held_back_sentence_is_also_shown_in_training(region: Region) -> None:
    words = lexicon(region)
    for kind in words.findings:
        assert set(kind.held_back).isdisjoint(kind.phrases), kind.name
    for organ in words.organs.values():
        assert {one.text for one in organ.held_back}.isdisjoint(one.text for one in organ.normal)
    assert set(frames().held_back).isdisjoint(frames().frames)


@pytest.mark.parametrize("region", REGIONS)
def test_each_held_back_sentence_uses_a_term_that_two_training_sentences_use(
    region: Region,
) -> None:
    for kind in lexicon(region).findings:
        terms = [re.compile(rf"\b{re.escape(stem)}", re.IGNORECASE) for stem in kind.stems]
        taught = [term for term in terms if sum(map(bool, map(term.search, kind.phrases))) > 1]

        for phrase in kind.held_back:
            assert any(term.search(phrase) for term in taught), (kind.name, phrase)


@pytest.mark.parametrize("region", REGIONS)
def test_each_region_has_at_least_a_dozen_kinds_of_finding_in_two_techniques(
    region: Region,
) -> None:
    words = lexicon(region)

    assert len({kind.name for kind in words.findings if kind.is_reported}) >= 12
    assert {exam.group for exam in words.exams} == set(words.normal)
    assert len(words.normal) >= 2


@pytest.mark.parametrize("region", REGIONS)
def test_each_exam_has_something_that_can_be_wrong_and_something_to_say_when_nothing_is(
    region: Region,
) -> None:
    words = lexicon(region)
    for exam in words.exams:
        organs = [organ for organ in words.organs.values() if organ.fits(exam)]

        assert any(kind.is_reported for kind in words.kinds_for(exam)), exam.code
        for shelf in ("normal", "held_back"):
            assert any(row.fits(exam) for organ in organs for row in getattr(organ, shelf))


@pytest.mark.parametrize("region", REGIONS)
def test_the_name_of_each_exam_tells_its_own_region_and_technique_or_none(region: Region) -> None:
    for exam in lexicon(region).exams:
        told = read_name(exam.display.format(SIDE="LEFT"), "en")

        assert told.region in {region, None}, exam.display
        assert told.modality is None or group_of(told.modality) == exam.group, exam.display


@pytest.mark.parametrize("region", REGIONS)
def test_each_table_speaks_only_of_organs_places_and_findings_that_are_there(
    region: Region,
) -> None:
    words = lexicon(region)
    names = {kind.name for kind in words.findings}
    denied = {
        name
        for organ in words.organs.values()
        for normal in (*organ.normal, *organ.held_back)
        for name in normal.denies
    }

    assert {kind.organ for kind in words.findings} <= set(words.organs)
    assert {kind.place for kind in words.findings if kind.place} <= set(words.places)
    assert {exam.asks for exam in words.exams if exam.asks} <= denied
    assert denied <= names
    assert any(kind.is_reported for kind in words.findings)
    assert covered(words) <= set(words.organs)


def covered(words: Lexicon) -> set[str]:
    return {
        name
        for organ in words.organs.values()
        for normal in (*organ.normal, *organ.held_back)
        for name in normal.covers
    }


def chest_kind(name: str) -> Kind:
    return next(kind for kind in lexicon(Region.CHEST).findings if kind.name == name)


def test_a_finding_of_low_rank_is_left_out_of_impressions() -> None:
    assert chest_kind("pneumothorax").is_reported
    assert not chest_kind("granuloma").is_reported


def test_a_finding_without_words_is_named_by_its_name() -> None:
    assert chest_kind("pneumothorax").stems == ("pneumothorax",)


def test_a_misspelt_column_is_refused() -> None:
    row = {"name": "x", "organ": "y", "rank": 1, "phrases": ["z"], "held_back": ["z"]}

    Kind.model_validate(row)
    with pytest.raises(ValidationError):
        Kind.model_validate(row | {"sizes": [1, 2]})


def test_the_sites_write_in_different_ways() -> None:
    styles = frames().styles

    assert len({style.site for style in styles}) == len(styles)
    assert {style.items for style in styles} == {"numbers", "lines", "sentences"}
    assert {style.labels for style in styles} == {"none", "capitals", "words"}
