"""From drafts to numbers: shares over the right n, and nothing where there is nothing to count."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mappings.domain import FinishReason
from model.evaluation.by_truth import baseline_draft, normal_sentence
from model.evaluation.reports import BY
from model.evaluation.truth import KnownReport, known_report
from model.evaluation.truth_scores import (
    MEANING,
    PART_METRICS,
    count_scores,
    interval_scores,
    mean_scores,
    score_draft,
    score_parts,
)
from model.synth.corpus import report_row

if TYPE_CHECKING:
    from mappings.domain import Draft

pytest.importorskip("rouge_score")

LENGTHS = ("words", "reference_words")
FAULTS = [name for name in MEANING if not name.startswith("rouge") and name not in LENGTHS]


@pytest.fixture(scope="module")
def rows() -> list[KnownReport]:
    return [known_report(report_row(11, "test", index), index) for index in range(60)]


def draft_constant(rows: list[KnownReport]) -> list[Draft]:
    return [baseline_draft(normal_sentence(row), "constant") for row in rows]


def draft_reference(rows: list[KnownReport]) -> list[Draft]:
    return [baseline_draft(row.impression, "reference") for row in rows]


def means(rows: list[KnownReport], drafts: list[Draft]) -> dict[str, float | None]:
    return mean_scores([score_draft(*pair) for pair in zip(rows, drafts, strict=True)])


def test_the_reference_is_at_the_ends_of_every_scale(rows: list[KnownReport]) -> None:
    scores = means(rows, draft_reference(rows))

    assert list(scores) == list(MEANING)
    assert scores["rouge_l"] == scores["rouge_l_stemmed"] == 1.0
    assert {name: scores[name] for name in FAULTS} == dict.fromkeys(FAULTS, 0.0)
    assert scores["words"] == scores["reference_words"]


def test_calling_everything_normal_is_beaten_by_the_reference(rows: list[KnownReport]) -> None:
    constant, reference = means(rows, draft_constant(rows)), means(rows, draft_reference(rows))

    assert constant["rouge_l"] < reference["rouge_l"]  # type: ignore[operator]
    assert constant["missed_finding"] == constant["missed_abnormal"] == 1.0
    assert constant["invented_abnormal"] == constant["wrong_side"] == 0.0


def test_each_number_has_its_own_n(rows: list[KnownReport]) -> None:
    scored = [score_draft(*pair) for pair in zip(rows, draft_reference(rows), strict=True)]
    due = [[one for one in row.truth if one["is_reported"]] for row in rows]

    counts = count_scores(scored)

    assert counts["rouge_l"] == counts["withheld"] == 60
    assert counts["missed_finding"] == sum(map(len, due)) > 0
    assert counts["invented_abnormal"] == due.count([]) > 0


def test_each_number_lies_in_its_interval_and_the_same_drafts_give_the_same_one(
    rows: list[KnownReport],
) -> None:
    half = [*draft_reference(rows[:30]), *draft_constant(rows[30:])]
    scored = [score_draft(*pair) for pair in zip(rows, half, strict=True)]
    means_, found = mean_scores(scored), interval_scores(scored)

    assert list(found) == list(MEANING)
    assert found == interval_scores(scored)
    for name, ends in found.items():
        assert ends is not None
        assert ends[0] <= means_[name] <= ends[1]  # type: ignore[operator]
    low, high = found["missed_finding"]  # type: ignore[misc]
    assert 0.2 < low < 0.45
    assert 0.55 < high < 0.8


def test_a_number_that_nothing_is_counted_for_has_no_interval(rows: list[KnownReport]) -> None:
    abnormal = [row for row in rows if any(one["is_reported"] for one in row.truth)]
    drafts = draft_reference(abnormal)

    found = interval_scores([score_draft(*pair) for pair in zip(abnormal, drafts, strict=True)])

    assert found["invented_abnormal"] is None
    assert found["rouge_l"] == (1.0, 1.0)


def test_a_share_that_is_the_same_in_every_report_has_the_exact_interval_of_those_that_count(
    rows: list[KnownReport],
) -> None:
    from scipy.stats import binomtest

    abnormal = [row for row in rows if any(one["is_reported"] for one in row.truth)]
    none, every = (
        interval_scores([score_draft(*pair) for pair in zip(rows, drafts, strict=True)])
        for drafts in (draft_reference(rows), draft_constant(rows))
    )

    of_none = binomtest(0, len(rows)).proportion_ci(0.95, "exact")
    of_all = binomtest(len(abnormal), len(abnormal)).proportion_ci(0.95, "exact")
    assert none["wrong_side"] == pytest.approx((0.0, of_none.high), abs=1e-4)
    assert every["missed_abnormal"] == pytest.approx((of_all.low, 1.0), abs=1e-4)
    assert every["missed_finding"] == every["missed_abnormal"]  # n is of reports, not findings
    assert len(abnormal) < len(rows)


def test_half_of_the_findings_missed_is_a_half(rows: list[KnownReport]) -> None:
    row = next(
        row
        for row in rows
        if sum(one["is_reported"] for one in row.truth) == 2 and row.impression.count("\n") == 1
    )
    (whole,) = draft_reference([row])
    half = replace(whole, text=whole.text.splitlines()[0])

    assert mean_scores([score_draft(row, whole)])["missed_finding"] == 0.0
    assert mean_scores([score_draft(row, half)])["missed_finding"] == 0.5


def test_each_part_is_scored_by_itself_and_the_parts_make_the_whole(
    rows: list[KnownReport],
) -> None:
    scored = [score_draft(*pair) for pair in zip(rows, draft_constant(rows), strict=True)]

    parts = score_parts(rows, {"constant": scored})

    assert tuple(parts) == BY
    assert set(parts["language"]) == {"en"}
    whole = mean_scores(scored)
    for values in parts.values():
        assert sum(one["reports"] for one in values.values()) == len(rows)
        told = [(one["reports"], one["systems"]["constant"]) for one in values.values()]
        assert all(tuple(means) == PART_METRICS for _, means in told)
        assert sum(n * means["rouge_l"] for n, means in told) / len(rows) == pytest.approx(
            whole["rouge_l"], abs=1e-3
        )


def test_nothing_to_count_gives_no_number(rows: list[KnownReport]) -> None:
    abnormal = [row for row in rows if any(one["is_reported"] for one in row.truth)]

    assert means(abnormal, draft_reference(abnormal))["invented_abnormal"] is None
    assert set(means([], []).values()) == {None}


def test_the_draft_checks_are_counted_as_they_judge(rows: list[KnownReport]) -> None:
    (draft,) = draft_reference(rows[:1])
    cut = replace(draft, finish=FinishReason.LENGTH)
    added = replace(draft, text=f"{draft.text} It measures 97 mm.")

    assert mean_scores([score_draft(rows[0], cut)])["withheld"] == 1.0
    scores = mean_scores([score_draft(rows[0], added)])
    assert (scores["number_check"], scores["side_check"], scores["withheld"]) == (1.0, 0.0, 1.0)
    assert scores["wrong_number"] == 1.0


def test_an_effusion_is_no_effusions_without_stems(rows: list[KnownReport]) -> None:
    one = replace(rows[0], impression="small left effusions")

    scores = means([one], [baseline_draft("left effusion now", "x")])

    assert scores["rouge_l"] == pytest.approx(1 / 3, abs=1e-4)
    assert scores["rouge_l_stemmed"] == pytest.approx(2 / 3, abs=1e-4)
