"""The ablation: what is asked, what is written once, what is tested against what."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("numpy")

from model.comparing.ablation import run_ablation
from model.comparing.ablation_page import ablation_as_dict, sections_of
from model.errors import PromptRefusedError
from model.evaluation.intervals import holm
from model.prompt import VARIANTS, PromptPlan
from tests.unit.model.comparing.comparing_samples import REPORTS, KnowingWriter, set_of

if TYPE_CHECKING:
    from model.comparing.ablation import Ablation

pytestmark = pytest.mark.timeout(120)


def test_each_variant_is_asked_and_scored_on_each_set(ablation: Ablation) -> None:
    assert [one.name for one in ablation.sets] == ["here", "abroad"]
    for one in ablation.sets:
        whole = one.comparison.parts[0].contenders
        assert tuple(whole) == VARIANTS
        missed = {variant: whole[variant].value("missed_abnormal") for variant in VARIANTS}
        assert missed == {"none": 1.0, "modality": 0.0, "site": 1.0, "both": 0.0}


def test_prompts_that_another_variant_asked_already_are_not_written_again(
    ablation: Ablation, writer: KnowingWriter
) -> None:
    here, abroad = ablation.sets

    assert all(cost is not None for cost in here.costs.values())
    assert {variant for variant, cost in abroad.costs.items() if cost is None} == {"site", "both"}
    assert len(writer.asked) == (4 + 2) * len(REPORTS)
    assert (here.with_modality, here.with_site) == (10, 10)
    assert (abroad.with_modality, abroad.with_site) == (10, 0)


def test_the_plan_says_what_every_variant_tells_besides() -> None:
    writer, advanced = KnowingWriter(), list[int]()

    run_ablation([set_of("one", REPORTS[:1])], writer, PromptPlan(exam=False), advanced.append)

    assert not any("Exam:" in text for text in writer.asked)
    assert sum(advanced) == len(VARIANTS)


def test_a_report_too_long_for_the_base_is_counted_and_left_out_of_every_variant() -> None:
    long, advanced = replace(REPORTS[0], findings="Clear. " * 100), list[int]()
    one = set_of("one", (long, *REPORTS[1:3]))

    ablation = run_ablation([one], KnowingWriter(), PromptPlan(), advanced.append)

    (told,) = ablation.sets
    assert (told.left_out, told.comparison.parts[0].reports, told.with_site) == (1, 2, 2)
    assert sum(advanced) == 3 * len(VARIANTS)
    assert sections_of(ablation)[0].head[2] == "one, 2 reports, 1 too long left out"
    assert ablation_as_dict(ablation)["sets"]["one"]["left_out"] == 1
    with pytest.raises(PromptRefusedError, match="no_report_short_enough"):
        run_ablation([set_of("one", (long,))], KnowingWriter(), PromptPlan())


def test_all_sets_are_one_family_of_tests_against_both(ablation: Ablation) -> None:
    assert {test.against for _, test in ablation.tests} == {"both"}
    assert {test.contender for _, test in ablation.tests} == {"none", "modality", "site"}
    assert {name for name, _ in ablation.tests} == {"here", "abroad"}
    raw = [test.difference.randomisation_p for _, test in ablation.tests]
    assert [test.randomisation_p for _, test in ablation.tests] == holm(raw)
