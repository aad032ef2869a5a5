"""What the corpus is made of is counted over all languages and regions."""

from __future__ import annotations

from mappings.domain import Region
from model.synth.corpus import LANGUAGES
from model.synth.inventory import inventory
from model.synth.language import chapter
from model.synth.lexicon import REGIONS


def test_every_language_has_a_shelf_for_each_of_its_regions() -> None:
    shelves = inventory()

    assert {shelf.language for shelf in shelves} == set(LANGUAGES)
    assert [shelf.region for shelf in shelves if shelf.language == "en"] == list(REGIONS)
    assert len(shelves) == len({(shelf.language, shelf.region) for shelf in shelves})


def test_a_kind_is_counted_once_however_many_rows_it_has() -> None:
    (shelf,) = (one for one in inventory() if (one.language, one.region) == ("de", Region.CHEST))
    rows = chapter("de", Region.CHEST).findings

    assert shelf.kinds == len({row.name for row in rows}) < len(rows)
    assert shelf.wordings > shelf.held_back >= len(rows)
