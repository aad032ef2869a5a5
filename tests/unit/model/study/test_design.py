"""The design is balanced and blind whatever the numbers, and the same from the same seed."""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import StudyInputError
from model.study.design import KINDS, Study, plan_study
from model.study.forms import _shown, _shown_timed
from tests.unit.model.study_samples import make_case, make_cases

if TYPE_CHECKING:
    from model.study.cases import Case
    from model.study.design import Kind


@st.composite
def studies(draw: st.DrawFn) -> Study:
    strata = st.tuples(st.sampled_from("NSE"), st.sampled_from(["CT", "MR"]))
    places = draw(st.lists(strata, min_size=4, max_size=30))
    cases = [make_case(number, *place) for number, place in enumerate(places)]
    timed = draw(st.integers(0, len(cases) - 2))
    return plan_study(
        cases,
        kind=draw(st.sampled_from(KINDS)),
        readers=draw(st.integers(2, 5)),
        count=draw(st.integers(1, len(cases) - timed)),
        timed=timed,
        seed=draw(st.integers(0, 10_000)),
    )


def swapped(case: Case) -> Case:
    return replace(case, draft=case.reference, reference=case.draft)


@given(studies())
def test_each_reader_sees_each_source_equally_often_in_each_place(study: Study) -> None:
    firsts: defaultdict[object, list[bool]] = defaultdict(list)
    for item in study.items:
        if item.sitting == 1:
            is_model_first = item.sources[0] == "model"
            firsts[item.reader].append(is_model_first)
            firsts[item.reader, item.case.stratum].append(is_model_first)
            firsts["case", item.case.case_id].append(is_model_first)

    assert all(abs(2 * sum(first) - len(first)) <= 1 for first in firsts.values())


@given(studies())
def test_each_reader_sees_both_texts_of_each_case_once(study: Study) -> None:
    seen = Counter(
        (item.reader, item.case.case_id, source) for item in study.items for source in item.sources
    )

    assert set(seen.values()) == {1}
    assert len(seen) == len(study.readers) * len(study.cases) * 2


@given(studies())
def test_each_reader_has_the_draft_for_half_of_the_timed_cases(study: Study) -> None:
    arms: defaultdict[object, list[bool]] = defaultdict(list)
    for item in study.timed:
        arms[item.reader].append(item.has_draft)
        arms[item.reader, item.case.stratum].append(item.has_draft)
        arms["case", item.case.case_id].append(item.has_draft)

    assert all(abs(2 * sum(arm) - len(arm)) <= 1 for arm in arms.values())


@given(studies())
def test_no_timed_case_is_judged_too(study: Study) -> None:
    judged = {case.case_id for case in study.cases}

    assert judged.isdisjoint(item.case.case_id for item in study.timed)


@given(studies())
def test_the_two_texts_of_a_case_come_in_two_sittings_of_a_turing_study(study: Study) -> None:
    sittings = defaultdict(set)
    for item in study.items:
        sittings[item.reader, item.case.case_id].add(item.sitting)

    expected = {1, 2} if study.kind == "turing" else {1}
    assert all(found == expected for found in sittings.values())


@given(
    st.integers(0, 10_000), st.integers(1, 4), st.integers(4, 20), st.sampled_from(["comparison"])
)
def test_what_a_form_shows_does_not_tell_the_source(
    seed: int, readers: int, count: int, kind: Kind
) -> None:
    """Were the texts of all cases exchanged, the forms would differ by the exchange alone."""
    cases = make_cases(count)
    study = plan_study(cases, kind=kind, readers=readers, count=count, seed=seed)
    exchanged = plan_study(
        [swapped(case) for case in cases], kind=kind, readers=readers, count=count, seed=seed
    )

    for item, other in zip(study.items, exchanged.items, strict=True):
        shown, shown_other = _shown(item), _shown(other)
        assert shown["text_a"] == shown_other.pop("text_b")
        assert shown["text_b"] == shown_other.pop("text_a")
        rest = {key: shown[key] for key in shown_other}
        assert rest == shown_other


@given(studies())
def test_a_form_names_neither_case_nor_site_nor_source(study: Study) -> None:
    shown = [_shown(item) for item in study.items] + [_shown_timed(item) for item in study.timed]
    told = set().union(*shown)
    ids = "".join(row["item"] for row in shown)

    assert told <= {
        "item", "sitting", "indication", "findings", "text", "text_a", "text_b", "draft"
    }  # fmt: skip
    assert not any(item.case.case_id in ids for item in study.items)
    assert "model" not in json.dumps(shown)


def test_which_text_is_first_cannot_be_told_from_the_order_of_the_rows() -> None:
    study = plan_study(make_cases(60), kind="comparison", readers=2, count=60, seed=1)
    firsts = [item.sources[0] for item in study.items if item.reader == "R01"]

    changes = sum(one != other for one, other in itertools.pairwise(firsts))
    assert 15 < changes < 45


def test_two_cases_of_a_place_are_drawn_apart_from_each_other() -> None:
    """Were sources handed out in the order of ids, neighbours would always differ."""
    cases = [make_case(number) for number in range(8)]
    alike = 0
    for seed in range(200):
        study = plan_study(cases, kind="comparison", readers=1, count=8, seed=seed)
        first = {item.case.case_id: item.sources[0] for item in study.items}
        alike += first["case-0"] == first["case-1"]

    # By chance 3 of 7: the other three of its half.
    assert 55 < alike < 117


def test_readers_get_the_cases_in_different_orders() -> None:
    study = plan_study(make_cases(30), kind="comparison", readers=3, count=30, seed=1)
    orders = {
        reader: [item.case.case_id for item in study.items if item.reader == reader]
        for reader in study.readers
    }

    assert len({tuple(order) for order in orders.values()}) == 3


def test_the_same_seed_gives_the_same_study_and_another_another() -> None:
    plans = [
        plan_study(make_cases(20), kind="turing", readers=3, count=9, timed=6, seed=seed)
        for seed in (4, 4, 5)
    ]

    assert plans[0] == plans[1]
    assert plans[0].items != plans[2].items
    assert plans[0].study_id != plans[2].study_id


def test_a_small_site_gets_its_share() -> None:
    cases = [make_case(number, "large") for number in range(90)]
    cases += [make_case(number, "small") for number in range(90, 100)]

    study = plan_study(cases, kind="comparison", readers=1, count=20, seed=0)

    assert Counter(case.site for case in study.cases) == {"large": 10, "small": 10}


def test_which_cases_are_read_is_drawn() -> None:
    drawn = {
        case.case_id
        for seed in range(40)
        for case in plan_study(make_cases(12), kind="turing", readers=1, count=3, seed=seed).cases
    }

    assert len(drawn) == 12


def test_too_few_cases_are_refused() -> None:
    with pytest.raises(StudyInputError) as caught:
        plan_study(make_cases(5), kind="comparison", readers=2, count=4, timed=2, seed=0)

    assert caught.value.where == "--cases"


def test_one_reader_alone_cannot_be_timed() -> None:
    with pytest.raises(StudyInputError, match="two_readers"):
        plan_study(make_cases(5), kind="comparison", readers=1, count=2, timed=2, seed=0)
