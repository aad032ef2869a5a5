"""Who reads what, in which order: drawn from a seed, balanced, and blind.

The rule: whatever a reader is shown is chosen without regard to what it says, and each source
stands first (comparison), comes in the first sitting (Turing) or helps with the draft (timing)
equally often: for every reader, in every stratum of site and modality, and for every case over the
readers, to within one. Readers are taken in pairs of opposites; within a stratum the two
possibilities take turns over cases in random order (a permuted block design; ICH E9, 2.3.2).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Literal

from model.errors import StudyInputError
from model.study.cases import Case, Source, by_stratum

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["comparison", "turing"]
KINDS: tuple[Kind, ...] = ("comparison", "turing")
READERS_TO_TIME = 2
"""A case is timed with the draft by one reader and without it by another: never twice by one."""


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a reader's form, and what its reader must not know."""

    item_id: str
    reader: str
    case: Case = field(repr=False)
    sitting: int
    """1, or in a Turing study 1 and 2: the texts of one case are never read on one day."""
    sources: tuple[Source, ...]
    """Who wrote text A and text B; of one text in a Turing study."""


@dataclass(frozen=True, slots=True)
class TimedItem:
    """One report that a reader writes the impression of, against the clock."""

    item_id: str
    reader: str
    case: Case = field(repr=False)
    has_draft: bool


@dataclass(frozen=True, slots=True)
class Study:
    """The whole plan; only the key and the forms are made from it."""

    study_id: str
    kind: Kind
    seed: int
    readers: tuple[str, ...]
    cases: tuple[Case, ...] = field(repr=False)
    items: tuple[Item, ...] = field(repr=False)
    timed: tuple[TimedItem, ...] = field(repr=False)


def plan_study(
    cases: Sequence[Case], *, kind: Kind, readers: int, count: int, timed: int = 0, seed: int
) -> Study:
    """Draw the cases and say who reads what.

    Args:
        cases: To draw from; sites and modalities take turns, so that each gets its share.
        kind: ``comparison`` shows both texts side by side; ``turing`` one at a time, the other one
            in a second sitting.
        readers: 1 or more; each reads every case.
        count: How many cases, 1 or more.
        timed: How many further cases to write against the clock, with and without the draft;
            others than those judged, for a draft once seen would be known again.
        seed: The same seed and cases give the same study.

    Raises:
        StudyInputError: There are too few cases, or too few readers to time.
    """
    if len(cases) < count + timed:
        raise StudyInputError(f"only {len(cases)} usable cases", "--cases")
    if timed and readers < READERS_TO_TIME:
        raise StudyInputError("timing_needs_two_readers", "--timed-cases")
    rng = random.Random(f"reader study/{seed}")  # noqa: S311 - a draw to repeat, no secret
    study_id = f"S{rng.getrandbits(48):012x}"  # the letter: a spreadsheet takes 12e4 for a number
    names = tuple(f"R{number:02}" for number in range(1, readers + 1))
    drawn = _draw(cases, count + timed, rng)
    judged, clocked = drawn[:count], drawn[count:]
    return Study(
        study_id=study_id,
        kind=kind,
        seed=seed,
        readers=names,
        cases=tuple(judged),
        items=tuple(_items(judged, kind, names, rng)),
        timed=tuple(_timed_items(clocked, names, rng)),
    )


def _draw(cases: Sequence[Case], count: int, rng: random.Random) -> list[Case]:
    """Draw cases; strata take turns until each is empty, so none is lost to a large one."""
    strata = [rng.sample(members, len(members)) for members in by_stratum(cases).values()]
    longest = max((len(members) for members in strata), default=0)
    turns = (
        [members[turn] for members in strata if turn < len(members)] for turn in range(longest)
    )
    return list(chain.from_iterable(turns))[:count]


def _halves(
    cases: Sequence[Case], readers: Sequence[str], rng: random.Random
) -> dict[tuple[str, str], bool]:
    """Toss a fair and balanced coin for each reader and case id."""
    sides: dict[tuple[str, str], bool] = {}
    strata = by_stratum(cases).values()
    for pair in range(0, len(readers), 2):
        shuffled = chain.from_iterable(rng.sample(members, len(members)) for members in strata)
        starts_with = bool(rng.getrandbits(1))
        for turn, case in enumerate(shuffled):
            for opposite, reader in enumerate(readers[pair : pair + 2]):
                sides[reader, case.case_id] = ((turn + opposite) % 2 == 0) is starts_with
    return sides


def _items(
    cases: Sequence[Case], kind: Kind, readers: Sequence[str], rng: random.Random
) -> list[Item]:
    is_model_first = _halves(cases, readers, rng)
    items: list[Item] = []
    for reader in readers:
        number = 0
        for sitting in (1,) if kind == "comparison" else (1, 2):
            for case in rng.sample(cases, len(cases)):
                number += 1
                order: tuple[Source, Source] = ("reference", "model")
                if is_model_first[reader, case.case_id]:
                    order = ("model", "reference")
                sources = order if kind == "comparison" else order[sitting - 1 : sitting]
                items.append(Item(f"{reader}-{number:03}", reader, case, sitting, sources))
    return items


def _timed_items(
    cases: Sequence[Case], readers: Sequence[str], rng: random.Random
) -> list[TimedItem]:
    has_draft = _halves(cases, readers, rng)
    return [
        TimedItem(f"{reader}-T{number:03}", reader, case, has_draft[reader, case.case_id])
        for reader in readers
        for number, case in enumerate(rng.sample(cases, len(cases)), start=1)
    ]
