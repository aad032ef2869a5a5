"""Ratings are paired by case, preferences and guesses counted by whose text it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model.study.judgements import (
    at_least_as_good,
    guess,
    paired_means,
    prefer,
    rate,
    right_about_writer,
)
from model.study.questions import SCALES
from model.study.readings import Place, Preference, Reading

if TYPE_CHECKING:
    from model.study.cases import Source


def place(reader: str, case: str, site: str = "north") -> Place:
    return Place(reader, case, site, "CT")


def reading(
    reader: str, case: str, source: Source, rating: int = 3, said: Source | None = None
) -> Reading:
    return Reading(place(reader, case), source, dict.fromkeys(SCALES, rating), said)


def pairs(*ratings: tuple[str, str, int, int]) -> list[Reading]:
    return [
        one
        for reader, case, model, reference in ratings
        for one in (
            reading(reader, case, "model", model),
            reading(reader, case, "reference", reference),
        )
    ]


def test_readers_of_a_case_are_averaged_before_the_test() -> None:
    found = rate(
        pairs(("R1", "a", 5, 3), ("R2", "a", 3, 3), ("R1", "b", 4, 4), ("R2", "b", 4, 2)), "harm", 0
    )

    assert found is not None
    assert (found.model, found.reference, found.difference) == (4, 3, 1)
    assert (found.test.n, found.test.zeros) == (2, 0)
    assert (found.agreement.subjects, found.agreement.readers) == (4, 2)


def test_a_reader_counts_for_a_case_only_with_both_texts() -> None:
    readings = [*pairs(("R1", "a", 5, 3)), reading("R2", "a", "model", 1)]
    readings.append(reading("R1", "b", "model", 1))

    assert paired_means(readings, "harm") == {"a": (5, 3)}
    assert rate([reading("R1", "b", "model", 1)], "harm", 0) is None


def test_agreement_is_of_texts_that_every_reader_judged() -> None:
    found = rate(pairs(("R1", "a", 5, 3), ("R2", "a", 4, 2), ("R1", "b", 4, 4)), "style", 0)

    assert found is not None
    assert (found.agreement.subjects, found.agreement.readers) == (2, 2)


def choices(*told: tuple[str, str, str]) -> list[Preference]:
    return [Preference(place(reader, case), better) for reader, case, better in told]


def test_a_case_has_one_vote_and_a_tie_none() -> None:
    found = prefer(
        choices(
            ("R1", "a", "model"), ("R2", "a", "same"),
            ("R1", "b", "reference"), ("R2", "b", "model"),
            ("R1", "c", "reference"), ("R2", "c", "reference"),
        ),
        seed=0,
    )  # fmt: skip

    assert found.counts == {"model": 2, "same": 1, "reference": 3}
    assert (found.votes.for_first, found.votes.for_second) == (1, 1)
    assert (found.agreement.subjects, found.agreement.readers) == (3, 2)


def test_same_counts_as_at_least_as_good() -> None:
    told = choices(("R1", "a", "model"), ("R1", "b", "same"), ("R1", "c", "reference"))

    assert at_least_as_good(told, seed=0).value == pytest.approx(2 / 3)


def test_sites_are_compared_by_the_share_at_least_as_good() -> None:
    told = [
        Preference(place("R1", f"{site}{number}", site), better)
        for site, better in (("north", "same"), ("south", "reference"))
        for number in range(10)
    ]

    found = prefer(told, seed=0)
    assert found.across_sites is not None
    assert found.across_sites.chi2 == pytest.approx(20)
    assert prefer(told[:10], seed=0).across_sites is None


def test_guesses_are_counted_by_whose_text_it_was() -> None:
    readings = [
        reading("R1", "a", "model", said="reference"),
        reading("R1", "a", "reference", said="reference"),
        reading("R1", "b", "model", said="reference"),
        reading("R1", "b", "reference", said="model"),
        reading("R1", "c", "model", said="model"),
        reading("R1", "c", "reference", said="reference"),
    ]

    found = guess(readings, seed=0)

    assert found.said_human["model"].count == 2
    assert found.said_human["reference"].count == 2
    assert found.right.count == right_about_writer(readings, 0).count == 3
    assert (found.votes.for_first, found.votes.for_second) == (1, 1)
    assert found.source_by_answer is not None
    assert found.source_by_answer.chi2 == pytest.approx(0)


def test_readers_who_know_the_machine_are_found_out() -> None:
    readings = [
        reading("R1", str(number), source, said=source)
        for number in range(12)
        for source in ("model", "reference")
    ]

    found = guess(readings, seed=0)

    assert found.right.value == 1
    assert found.votes.for_second == 12
    assert found.votes.p == pytest.approx(2 / 2**12)
