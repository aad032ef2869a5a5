"""No patient and no report, not even nearly, stands in two splits."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest

from model.cleaning.near_duplicates import words_of
from model.corpora.schema import CorpusRow
from model.corpora.splits import split_by_patient, split_by_site, split_by_time
from model.errors import CorpusUnreadableError

COLOURS = ("amber", "blue", "coral", "denim", "ebony", "fawn", "green", "hazel", "ivory", "jade")


def text_of(number: int) -> str:
    """Thirty words of which no two texts share three in a row."""
    return " ".join(f"{COLOURS[(number + at) % 10]}{number}" for at in range(30))


def corpus(count: int = 60) -> list[CorpusRow]:
    """Two reports a patient, three sites in turn, a month for each six."""
    return [
        CorpusRow(
            report_id=f"r{number}",
            patient_key=f"p{number // 2}",
            site=("north", "south", "west")[number % 3],
            findings=text_of(number),
            date=f"2026-{1 + number // 6:02d}-01",
        )
        for number in range(count)
    ]


def jaccard(one: str, other: str) -> float:
    """The definition, counted plainly."""
    a, b = (
        {tuple(words[at : at + 3]) for at in range(len(words) - 2)}
        for words in (words_of(one), words_of(other))
    )
    return len(a & b) / len(a | b)


def test_patients_are_whole_and_the_shares_are_met() -> None:
    rows = corpus()

    plan = split_by_patient(rows)

    by_patient = {}
    for row, name in zip(rows, plan.names, strict=True):
        by_patient.setdefault(row.patient_key, set()).add(name)
    assert all(len(names) == 1 for names in by_patient.values())
    assert plan.counts == {"train": 48, "dev": 6, "test": 6, "aside": 0}


def test_near_duplicates_are_in_one_split_through_any_chain() -> None:
    rows = corpus()
    words = text_of(0).split()
    for number in (10, 20, 30, 40, 50):  # each differs from the one before it by its last words
        words = [*words[1:], f"new{number}"]
        rows[number] = replace(rows[number], findings=" ".join(words))

    plan = split_by_patient(rows)

    for (row, name), (other, other_name) in combinations(zip(rows, plan.names, strict=True), 2):
        if jaccard(row.findings, other.findings) >= 0.8:
            assert name == other_name
    assert plan.clusters == (6,)


def test_the_seed_alone_changes_who_goes_where() -> None:
    rows = corpus()

    assert split_by_patient(rows, seed=1) == split_by_patient(rows, seed=1)
    assert split_by_patient(rows, seed=1).names != split_by_patient(rows, seed=2).names


def test_a_site_is_held_back_and_its_patients_and_texts_leave_train() -> None:
    rows = corpus()
    rows[0] = replace(rows[0], findings=rows[5].findings.upper(), patient_key=None)  # north, west

    plan = split_by_site(rows, dev=["south"], test=["west"])

    assert plan.names[5] == "test"
    assert plan.names[0] == "aside"
    assert plan.aside["near_duplicate"] == 1
    test_patients = {r.patient_key for r, n in zip(rows, plan.names, strict=True) if n == "test"}
    kept = [r for r, n in zip(rows, plan.names, strict=True) if n in {"train", "dev"}]
    assert not test_patients & {row.patient_key for row in kept}


def test_what_came_last_is_held_back_and_the_undated_set_aside() -> None:
    rows = [replace(row, patient_key=None) for row in corpus()]
    rows[3] = replace(rows[3], date=None)

    plan = split_by_time(rows, dev_from="2026-08", test_from="2026-10")

    assert plan.names[3] == "aside"
    assert plan.aside == {"no_date": 1}
    assert plan.names[41] == "train"
    assert plan.names[42] == "dev"
    assert set(plan.names[54:]) == {"test"}


def test_a_split_that_cannot_be_is_refused() -> None:
    with pytest.raises(CorpusUnreadableError, match="site_not_in_corpus"):
        split_by_site(corpus(), dev=[], test=["east"])
    with pytest.raises(CorpusUnreadableError, match="no_site_of_test"):
        split_by_site(corpus(), dev=[], test=[])
    with pytest.raises(CorpusUnreadableError, match="dates_missing"):
        split_by_time(corpus(), dev_from="2026-10", test_from="2026-10")
    with pytest.raises(CorpusUnreadableError, match="not_like_2026-03-01"):
        split_by_time(corpus(), dev_from="01.08.2026", test_from="01.10.2026")
