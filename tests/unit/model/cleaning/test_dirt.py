"""Known damage: the same from the same seed, one kind a row, and the rest untouched."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from model.cleaning.dirt import CLEAN, make_dirty
from model.cleaning.funnel import run_funnel
from model.cleaning.judging import judge_rules
from model.cleaning.settings import RULES, CleaningSettings
from model.corpora.schema import parse_row
from model.synth.corpus import report_row

if TYPE_CHECKING:
    from model.corpora.schema import CorpusRow

# What the rules must reach on synthetic reports whose damage is known; the others find all of it.
RECALL_MIN = {"wrong_exam": 0.6, "near_duplicate": 0.6, "side_contradiction": 0.9}


@pytest.fixture(scope="module")
def clean_rows() -> list[CorpusRow]:
    return [parse_row(report_row(7, "test", number), number) for number in range(240)]


@pytest.fixture(scope="module")
def dirtied(clean_rows: list[CorpusRow]) -> list[tuple[CorpusRow, str]]:
    return list(make_dirty(clean_rows, share=0.6, seed=1))


def test_every_rule_has_its_damage(dirtied: list[tuple[CorpusRow, str]]) -> None:
    kinds = Counter(rule for _, rule in dirtied)

    assert set(kinds) == {CLEAN, *RULES}


def test_the_seed_alone_chooses_what_is_damaged(clean_rows: list[CorpusRow]) -> None:
    once = list(make_dirty(clean_rows, share=0.5, seed=1))

    assert once == list(make_dirty(clean_rows, share=0.5, seed=1))
    assert once != list(make_dirty(clean_rows, share=0.5, seed=2))


def test_rows_called_clean_are_untouched_and_each_id_is_there_once(
    clean_rows: list[CorpusRow], dirtied: list[tuple[CorpusRow, str]]
) -> None:
    originals = {row.report_id: row for row in clean_rows}

    assert all(originals[row.report_id] == row for row, rule in dirtied if rule == CLEAN)
    assert all(originals.get(row.report_id) != row for row, rule in dirtied if rule != CLEAN)
    assert len({row.report_id for row, _ in dirtied}) == len(dirtied)


def test_nothing_is_damaged_where_no_share_is_asked_for(clean_rows: list[CorpusRow]) -> None:
    assert {rule for _, rule in make_dirty(clean_rows, share=0)} == {CLEAN}


def test_the_rules_find_the_damage_and_leave_clean_rows_alone(
    dirtied: list[tuple[CorpusRow, str]],
) -> None:
    funnel = run_funnel((row for row, _ in dirtied), CleaningSettings())

    judged = judge_rules(funnel, {row.report_id: rule for row, rule in dirtied})

    for one in judged:
        assert one.recall is not None
        assert one.recall >= RECALL_MIN.get(one.rule, 1.0), one.rule
        assert one.clean <= 2, one.rule


def test_most_near_duplicates_of_long_reports_are_found() -> None:
    rows = [parse_row(report_row(7, "train", number), number) for number in range(1500)]
    long_rows = sorted(rows, key=lambda row: -len(row.findings.split()))[:140]
    dirtied = list(make_dirty(long_rows, share=1, seed=1))
    funnel = run_funnel((row for row, _ in dirtied), CleaningSettings())

    judged = judge_rules(funnel, {row.report_id: rule for row, rule in dirtied})

    [near] = [one for one in judged if one.rule == "near_duplicate"]
    assert near.damaged >= 10
    assert near.recall is not None
    assert near.recall >= RECALL_MIN["near_duplicate"]
