"""A short run of the fuzzer with every change; ``make fuzz`` is the long one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.intake import MllpIntake
from interfaces.mllp_contract import Answer
from tests.fuzz import reader_fuzz
from tests.fuzz.door_fuzz import fuzz_door
from tests.fuzz.frames import make_frame
from tests.fuzz.memory_journal import MemoryJournal
from tests.fuzz.reader_fuzz import BrokenPromiseError, fuzz_stretch

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.journal import NewReport
    from mappings.domain import RawReport
    from mappings.sites import SiteSet

SEED = 20261121
FRAMES = 2_000


def test_a_frame_follows_from_seed_and_number_alone() -> None:
    assert [make_frame(7, n) for n in range(99)] == [make_frame(7, n) for n in range(99)]
    assert make_frame(7, 1) != make_frame(8, 1)


@pytest.mark.timeout(120)
async def test_two_thousand_bad_frames_break_no_promise() -> None:
    tally = await fuzz_stretch(SEED, 0, FRAMES)

    assert tally.frames == FRAMES
    # The run reaches both ends: messages that are drafted for, and answers of every kind.
    assert tally.outcomes["report: map"] > FRAMES / 20
    assert all(tally.outcomes[code] for code in ("AA", "AE", "AR", "silence"))


@pytest.mark.timeout(120)
async def test_no_bad_frame_gets_a_yes_over_a_real_door_without_being_stored(
    tmp_path: Path,
) -> None:
    tally = await fuzz_door(SEED, 320, tmp_path)

    assert tally.frames == 320
    assert tally.stored >= len(tally.accepted) > 100


async def test_a_yes_to_what_is_not_stored_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryJournal, "holds", lambda *_: False)

    with pytest.raises(BrokenPromiseError, match="a yes without its message"):
        await fuzz_stretch(SEED, 0, 64)


async def test_a_reader_that_falls_over_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def fall_over(_raw: RawReport, _sites: SiteSet) -> list[NewReport]:
        raise ZeroDivisionError

    monkeypatch.setattr(reader_fuzz, "plan_reports", fall_over)

    with pytest.raises(BrokenPromiseError, match="ZeroDivisionError got out"):
        await fuzz_stretch(SEED, 0, 64)


async def test_a_message_that_is_lost_on_its_way_to_the_disk_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = MllpIntake.answer

    async def forget(self: MllpIntake, payload: bytes, **kwargs: object) -> Answer:
        answer = await real(self, payload, **kwargs)  # type: ignore[arg-type]
        changed = (message.replace(b"|N", b"|L") for message in answer.messages)
        return Answer(tuple(changed), answer.is_stored)

    monkeypatch.setattr(MllpIntake, "answer", forget)

    with pytest.raises(BrokenPromiseError, match="not stored"):
        await fuzz_door(SEED, 64, tmp_path)
