"""The first answer to a sender: what it depends on; nothing is promised before the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.errors import JournalUnavailableError
from daemon.intake import MllpIntake
from daemon.lifecycle import State
from daemon.metrics import Metrics
from interfaces.mllp_contract import FrameFault
from mappings.hl7_ack import parse_ack
from mappings.hl7_header import HeaderPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.journal import Received
    from daemon.journal_sqlite import SqliteJournal
    from mappings.domain import RawReport
    from tests.unit.daemon.conftest import HandClock

ORU = (
    b"MSH|^~\\&|DEMORIS|DEMOHOSP|PRELIM|DEMOHOSP|20261121080000||ORU^R01|M-1|P|2.5.1\r"
    b"PID|1||P1^^^DEMO||QUETZALCANARY^ANNA\rOBR|1|O1|F1|CTCHEST^CT CHEST^L\r"
)


@pytest.fixture
def woken() -> list[str]:
    return []


@pytest.fixture
def intake(journal: SqliteJournal, clock: HandClock, woken: list[str]) -> MllpIntake:
    return MllpIntake(
        journal,
        policy=HeaderPolicy(),
        clock=clock,
        metrics=Metrics(),
        wake_next=lambda: woken.append("woken"),
    )


def connection_lost(_message: bytes) -> bool:
    return False


async def answers(intake: MllpIntake, payload: bytes) -> tuple[bytes, ...]:
    answer = await intake.answer(payload, door="default", peer="127.0.0.1:1", later=connection_lost)
    return answer.messages


async def ask(intake: MllpIntake, payload: bytes) -> tuple[str, bytes]:
    [answer] = await answers(intake, payload)
    ack = parse_ack(answer)
    return ack.code, ack.control_id


async def test_a_message_is_on_disk_when_its_yes_is_given(
    intake: MllpIntake, journal: SqliteJournal, woken: list[str]
) -> None:
    answer = await ask(intake, ORU)

    [pending] = await journal.pending_messages(10)
    assert answer == ("AA", b"M-1")
    assert pending.raw.payload == ORU
    assert pending.raw.sender == "DEMORIS|DEMOHOSP"
    assert woken == ["woken"]


async def test_no_yes_is_given_while_the_disk_has_not_answered(
    journal: SqliteJournal, clock: HandClock
) -> None:
    class FullDisk:
        async def receive(self, raw: RawReport, *, peer: str) -> Received:
            raise JournalUnavailableError("disk_full")

    intake = MllpIntake(
        FullDisk(),  # type: ignore[arg-type]
        policy=HeaderPolicy(),
        clock=clock,
        metrics=Metrics(),
        wake_next=lambda: None,
    )

    assert await ask(intake, ORU) == ("AR", b"M-1")


async def test_a_message_sent_again_is_answered_yes_and_kept_once(
    intake: MllpIntake, journal: SqliteJournal, woken: list[str]
) -> None:
    first = await ask(intake, ORU)
    again = await ask(intake, ORU.replace(b"20261121080000", b"20261121080159"))

    assert first == again == ("AA", b"M-1")
    assert len(await journal.pending_messages(10)) == 1
    assert woken == ["woken"]


async def test_a_control_id_used_for_other_content_is_a_new_message(
    intake: MllpIntake, journal: SqliteJournal
) -> None:
    await ask(intake, ORU)
    await ask(intake, ORU.replace(b"CTCHEST", b"CTABDOMEN"))

    assert len(await journal.pending_messages(10)) == 2


@pytest.mark.parametrize(
    ("old", "new", "code", "control_id"),
    [
        (b"|M-1|", b"||", "AE", b""),
        (b"ORU^R01", b"XYZ^Z99", "AR", b"M-1"),
        (b"|P|2.5.1", b"|Q|2.5.1", "AR", b"M-1"),
        (b"|P|2.5.1", b"|P|3.0", "AR", b"M-1"),
        (b"|P|2.5.1", b"|P|2.5.1||||||UNICODE UTF-16", "AR", b"M-1"),
        (b"MSH|^~\\&|", b"<xml>", "AE", b""),
    ],
)
async def test_a_header_that_cannot_be_taken_is_answered_no_and_its_bytes_are_kept(
    intake: MllpIntake,
    journal: SqliteJournal,
    old: bytes,
    new: bytes,
    code: str,
    control_id: bytes,
) -> None:
    payload = ORU.replace(old, new)

    answer = await ask(intake, payload)

    [row] = await journal.rows()
    trail = await journal.trail(row.message_id)
    assert answer == (code, control_id)
    assert row.state is State.REJECTED
    assert trail.raw.payload == payload
    assert not await journal.pending_messages(1)


async def test_a_fault_of_content_is_no_matter_of_the_first_answer(intake: MllpIntake) -> None:
    assert await ask(intake, ORU + b"OBX|broken\rnonsense\r") == ("AA", b"M-1")


async def test_an_acknowledgment_is_never_acknowledged(
    intake: MllpIntake, journal: SqliteJournal
) -> None:
    payload = b"MSH|^~\\&|A|B|C|D|20261121||ACK^R01|7|P|2.5\rMSA|AA|1\r"

    assert not await answers(intake, payload)
    assert not await journal.rows()


async def test_a_frame_too_large_is_answered_with_the_id_its_head_holds(
    intake: MllpIntake, journal: SqliteJournal
) -> None:
    answer = await intake.refuse(ORU, FrameFault.TOO_LARGE, door="default", peer="127.0.0.1:1")

    [message] = answer.messages
    ack = parse_ack(message)
    assert (ack.code, ack.control_id) == ("AE", b"M-1")
    [row] = await journal.rows(state=State.REJECTED)
    assert row.reason == "frame_too_large"


async def test_an_abandoned_frame_is_kept_and_not_answered(
    intake: MllpIntake, journal: SqliteJournal
) -> None:
    answer = await intake.refuse(ORU, FrameFault.ABANDONED, door="default", peer="127.0.0.1:1")

    assert not answer.messages
    assert len(await journal.rows(state=State.REJECTED)) == 1


@pytest.mark.parametrize("payload", [ORU, ORU.replace(b"|M-1|", b"||"), b"QUETZALCANARY"])
async def test_no_answer_shows_the_patient(
    intake: MllpIntake, payload: bytes, canary_name: str, make_raw: Callable[..., RawReport]
) -> None:
    [answer] = await answers(intake, payload)

    assert canary_name.encode() not in answer
    assert canary_name not in repr(make_raw(payload))
