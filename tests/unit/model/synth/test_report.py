"""One invented report: both texts say what the truth says, and the impression no more."""

from __future__ import annotations

import random
import re
from functools import cache

import pytest

from mappings.domain import Region
from model.evaluation.truth import judge, known_report, sizes_mm
from model.normality import is_abnormal
from model.sentences import split_sentences
from model.synth.corpus import report_row
from model.synth.lexicon import REGIONS, Normal, frames, lexicon
from model.synth.report import Composed, compose_report

SPLITS = ("train", "test")
MANY = range(280)


def chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - a corpus is no secret


@cache
def reports(*, is_held_back: bool) -> list[Composed]:
    return [
        compose_report(
            chance(index),
            REGIONS[index % len(REGIONS)],
            frames().styles[index % len(frames().styles)],
            is_held_back=is_held_back,
        )
        for index in MANY
    ]


@pytest.mark.parametrize("split", SPLITS)
def test_each_side_and_size_of_what_is_due_stands_in_findings_and_impression(split: str) -> None:
    for index in MANY:
        row = report_row(1, split, index)  # type: ignore[arg-type]
        for one in row["truth"]:
            for text in (row["findings"], row["impression"]) if one["is_reported"] else ():
                if one["side"]:
                    assert re.search(rf"\b{one['side']}\b", text, re.IGNORECASE), row["report_id"]
                if one["size_mm"]:
                    assert one["size_mm"] in sizes_mm(text), row["report_id"]


@pytest.mark.parametrize("split", SPLITS)
def test_the_impression_is_faultless_by_the_truth(split: str) -> None:
    for index in MANY:
        row = report_row(2, split, index)  # type: ignore[arg-type]
        judged = judge(known_report(row, 1), row["impression"])

        assert not judged.missed, row["report_id"]
        assert not judged.has_wrong_side, row["report_id"]
        assert not judged.has_wrong_number, row["report_id"]
        assert not judged.has_false_finding, row["report_id"]
        assert not judged.is_invented_abnormal, row["report_id"]


@pytest.mark.parametrize("split", SPLITS)
def test_what_the_findings_deny_no_sentence_of_the_impression_states(split: str) -> None:
    for index in MANY:
        row = report_row(5, split, index)  # type: ignore[arg-type]
        stated = {one["name"] for one in row["truth"] if not one["negated"]}
        denied = {one["name"] for one in row["truth"] if one["negated"]}

        assert denied.isdisjoint(stated), row["report_id"]
        for said in split_sentences(row["impression"]):
            named = named_in(row["region"], said.text) if is_abnormal(said.text) else set()
            assert named & stated or not named & denied, row["report_id"]


def named_in(region: str, text: str) -> set[str]:
    return {
        kind.name
        for kind in lexicon(Region(region)).findings
        if any(stem in text.lower() for stem in kind.stems)
    }


def test_a_report_with_nothing_due_gets_its_regions_normal_sentence() -> None:
    normal = [one for one in reports(is_held_back=False) if not any(_due(one))]

    assert normal
    for one in normal:
        sentences = {lexicon(region).normal.get(one.exam.group) for region in REGIONS}
        assert one.impression in sentences


def _due(report: Composed) -> list[bool]:
    return [one.kind.is_reported for one in report.stated]


def test_an_impression_goes_from_the_gravest_to_the_least() -> None:
    for report in reports(is_held_back=False):
        ranks = [one.kind.rank for one in report.stated]
        assert ranks == sorted(ranks, reverse=True)


@pytest.mark.parametrize("is_held_back", [True, False])
def test_each_sentence_is_made_by_the_template_that_its_id_names(*, is_held_back: bool) -> None:
    for report in reports(is_held_back=is_held_back):
        for stated in report.stated:
            shelf = stated.kind.held_back if is_held_back else stated.kind.phrases
            template = shelf[int(stated.template_ids[0].rpartition("/")[2])]
            assert made_by(template).search(stated.text), stated.template_ids
        for template_id in report.template_ids:
            assert ("held_back" in template_id) is is_held_back


def made_by(template: str) -> re.Pattern[str]:
    """What a template makes: its slots filled, its articles put right."""
    fixed = [re.escape(part) for part in re.split(r"\{\w+\}", template.lower().rstrip("."))]
    return re.compile(".*".join(fixed).replace(r"a\ ", r"an?\ "), re.IGNORECASE)


def test_an_impression_denies_nothing_beside_something_wrong() -> None:
    abnormal = [one for one in reports(is_held_back=False) if any(_due(one))]

    assert abnormal
    assert not any(
        re.search(r"\b(no|not|without)\b", one.impression, re.IGNORECASE) for one in abnormal
    )


def test_the_findings_answer_what_was_asked_when_it_is_not_there() -> None:
    asked = [
        one
        for one in reports(is_held_back=False)
        if one.exam.asks and not any(one.exam.asks in stated.kind.name for stated in one.stated)
    ]

    assert len({one.exam.asks for one in asked}) >= 6
    assert sum(one.exam.asks in one.denied for one in asked) > 0.9 * len(asked)


def test_no_organ_is_called_healthy_beside_something_wrong_in_it() -> None:
    covering = all_covering()

    assert covering
    for report in reports(is_held_back=False):
        wrong = {stated.kind.organ for stated in report.stated}
        for normal in covering:
            assert not wrong & set(normal.covers) or normal.text not in report.findings


def all_covering() -> list[Normal]:
    return [
        normal
        for region in REGIONS
        for organ in lexicon(region).organs.values()
        for normal in organ.normal
        if normal.covers
    ]


def test_the_same_chance_gives_the_same_report() -> None:
    style = frames().styles[0]
    first, second = (
        compose_report(chance(9), Region.CHEST, style, is_held_back=False) for _ in range(2)
    )

    assert first == second
