"""Precision and recall, counted on cases that can be counted by hand."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import pytest

from model.cleaning.funnel import Funnel
from model.cleaning.judging import judge_rules, read_truth, write_truth
from model.cleaning.rules import BITS
from model.errors import CorpusUnreadableError

if TYPE_CHECKING:
    from pathlib import Path

ADDENDUM = BITS["addendum"]
TRUTH = {"a": "addendum", "b": "addendum", "c": "empty_part", "d": "clean", "e": "clean"}


def test_a_rule_is_judged_by_what_it_flags_alone() -> None:
    funnel = Funnel(list("abcde"), array("L", [ADDENDUM, 0, ADDENDUM, ADDENDUM, 0]))

    judged = {one.rule: one for one in judge_rules(funnel, TRUTH)}["addendum"]

    assert (judged.damaged, judged.flagged, judged.right) == (2, 3, 1)
    assert (judged.otherwise_damaged, judged.clean) == (1, 1)
    assert judged.as_dict()["precision"] == 0.3333
    assert judged.as_dict()["precision_any"] == 0.6667
    assert judged.as_dict()["recall"] == 0.5


def test_a_share_of_nothing_is_none_and_not_zero() -> None:
    judged = judge_rules(Funnel(["d"], array("L", [0])), TRUTH)

    assert {one.precision for one in judged} == {None}
    assert {one.recall for one in judged} == {None}
    assert judged[0].as_dict()["precision_any"] is None


def test_a_row_without_truth_is_refused() -> None:
    with pytest.raises(CorpusUnreadableError, match="row_without_truth"):
        judge_rules(Funnel(["x"], array("L", [0])), TRUTH)


def test_the_truth_comes_back_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"

    write_truth(path, TRUTH.items())

    assert read_truth(path) == TRUTH


@pytest.mark.parametrize(
    ("text", "reason"),
    [("no json", "truth_not_json"), ('{"report_id": "a", "rule": "x"}', "truth_unknown")],
)
def test_a_file_that_is_no_truth_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "truth.jsonl"
    path.write_text(text)

    with pytest.raises(CorpusUnreadableError, match=reason):
        read_truth(path)


def test_a_missing_truth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusUnreadableError, match="cannot_read_file"):
        read_truth(tmp_path / "none")
