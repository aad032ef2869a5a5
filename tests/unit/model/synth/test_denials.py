"""What may be denied, and what may not."""

from __future__ import annotations

import random

import pytest

from mappings.domain import Region
from model.normality import asserted
from model.synth.corpus import report_row
from model.synth.denials import drawn_denial, is_same_name
from model.synth.lexicon import REGIONS, frames, lexicon


def denials(region: Region, organ: str, *, is_held_back: bool = False) -> list[tuple[str, ...]]:
    rng = random.Random(7)  # noqa: S311 - a test is no secret
    nouns = lexicon(region).organs[organ].deniable
    drawn = [drawn_denial(rng, region, nouns, is_held_back=is_held_back) for _ in range(300)]
    return [(one[0].text, one[1], *one[0].denies) for one in drawn if one]


@pytest.mark.parametrize("region", REGIONS)
def test_what_is_deniable_is_a_finding_of_that_organ_s_table(region: Region) -> None:
    words = lexicon(region)
    names = {kind.name for kind in words.findings}

    for organ in words.organs.values():
        assert set(organ.deniable) <= names


@pytest.mark.parametrize("is_held_back", [False, True])
def test_nothing_of_a_denial_is_stated(*, is_held_back: bool) -> None:
    for text, *_ in denials(Region.CHEST, "pleura", is_held_back=is_held_back):
        left = asserted(text).lower()
        assert "pneumothorax" not in left, text
        assert "effusion" not in left, text


def test_held_back_wordings_are_for_the_test_split_alone() -> None:
    seen = {id_ for _, id_, *_ in denials(Region.CHEST, "pleura")}
    held_back = {id_ for _, id_, *_ in denials(Region.CHEST, "pleura", is_held_back=True)}

    assert seen
    assert held_back
    assert not any("held_back" in id_ for id_ in seen)
    assert all("held_back" in id_ for id_ in held_back)
    assert not set(frames().denials) & set(frames().denials_held_back)


def test_a_report_never_denies_what_it_has() -> None:
    for index in range(600):
        truth = report_row(3, "train", index)["truth"]
        there = {one["name"] for one in truth if not one["negated"]}
        denied = {one["name"] for one in truth if one["negated"]}
        assert not any(is_same_name(a, b) for a in there for b in denied)
