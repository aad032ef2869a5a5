"""The first answer to a sender: what it depends on; nothing is promised before the disk."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.acknowledging import AckRules
from daemon.application_acks import ApplicationAcks
from daemon.errors import JournalUnavailableError
from daemon.intake import INLINE_BYTES_MAX, MllpIntake
from daemon.journal import Received
from daemon.lifecycle import State
from daemon.metrics import Metrics
from interfaces.mllp_codec import encode_frame
from interfaces.mllp_contract import Answer, FrameFault
from mappings.domain import MessageId
from mappings.hl7_ack import parse_ack
from mappings.hl7_batch import split_messages
from mappings.hl7_header import HeaderPolicy
from tests.unit.daemon.conftest import HandClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.journal_sqlite import SqliteJournal
    from mappings.domain import RawReport

MSA = re.compile(rb"\rMSA.(..)")
ORU = (
    b"MSH|^~\\&|DEMORIS|DEMOHOSP|PRELIM|DEMOHOSP|20261121080000||ORU^R01|M-1|P|2.5.1\r"
    b"PID|1||P1^^^DEMO||QUETZALCANARY^ANNA\rOBR|1|O1|F1|CTCHEST^CT CHEST^L\r"
)


@pytest.fixture
def woken() -> list[str]:
    return []


def make_intake(
    journal: object,
    clock: HandClock,
    *,
    woken: list[str] | None = None,
    application_acks: ApplicationAcks | None = None,
    **rules: object,
) -> MllpIntake:
    """Make an intake; keyword arguments are fields of its ``AckRules``."""
    answered = AckRules(**rules)  # type: ignore[arg-type]
    return MllpIntake(
        journal,  # type: ignore[arg-type]
        policy=HeaderPolicy(),
        rules=answered,
        application_acks=application_acks or ApplicationAcks({"default": answered}, clock=clock),
        clock=clock,
        metrics=Metrics(),
        wake_next=lambda: None if woken is None else woken.append("woken"),
    )


@pytest.fixture
def intake(journal: SqliteJournal, clock: HandClock, woken: list[str]) -> MllpIntake:
    return make_intake(journal, clock, woken=woken)


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


class FullDisk:
    async def receive(self, raw: RawReport, *, peer: str) -> Received:
        raise JournalUnavailableError("disk_full")

    async def refuse(self, raw: RawReport, *, peer: str, reason: str, where: str | None) -> str:
        raise JournalUnavailableError("disk_full")


@pytest.mark.parametrize(
    ("trouble", "asked", "code"),
    [
        ("R", b"", "AR"),
        ("E", b"", "AE"),
        ("R", b"|||AL|NE", "CR"),
        ("E", b"|||AL|AL", "CE"),
        ("R", b"|||ER|NE", "CR"),
        ("E", b"|||NE|ER", "AE"),
    ],
)
async def test_no_yes_is_given_while_the_disk_has_not_answered(
    clock: HandClock, trouble: str, asked: bytes, code: str
) -> None:
    intake = make_intake(FullDisk(), clock, trouble=trouble)

    answer = await intake.answer(
        ORU.replace(b"|2.5.1", b"|2.5.1" + asked), door="default", peer="x", later=connection_lost
    )

    [message] = answer.messages
    assert (parse_ack(message).code, parse_ack(message).control_id) == (code, b"M-1")
    assert b"\rERR|||207^" in message
    assert b"disk_full" in message
    assert not answer.is_stored


async def test_a_message_that_cannot_be_taken_is_told_so_even_when_it_cannot_be_kept(
    clock: HandClock,
) -> None:
    intake = make_intake(FullDisk(), clock)

    answer = await intake.answer(b"nonsense", door="default", peer="x", later=connection_lost)

    assert [parse_ack(message).code for message in answer.messages] == ["AE"]
    assert not answer.is_stored


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


@pytest.mark.parametrize("mode", ["auto", "original", "enhanced"])
async def test_an_acknowledgment_is_never_acknowledged(
    journal: SqliteJournal, clock: HandClock, mode: str
) -> None:
    intake = make_intake(journal, clock, mode=mode)
    kinds = (b"ACK^R01^ACK", b"ACK", b"MCF^Q02", b"NAK")
    for kind, tail, separators in product(kinds, (b"", b"|||AL|AL"), (b"^~\\&", b"ABCD")):
        head = b"MSH|" + separators + b"|A|B|C|D|20261121||" + kind + b"|7|Z|9"
        payload = head + tail + b"\rMSA|AA|1\r"

        taken = await intake.answer(payload, door="default", peer="x", later=connection_lost)
        too_large = await intake.refuse(payload, FrameFault.TOO_LARGE, door="default", peer="x")

        assert taken == too_large == Answer((), is_stored=True)
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


@pytest.mark.parametrize(
    ("asked", "code"),
    [(b"AL|NE", "CA"), (b"SU|NE", "CA"), (b"ER|NE", None), (b"NE|NE", None), (b"NE|AL", None)],
)
async def test_the_first_answer_in_enhanced_mode_is_what_the_sender_asked_for(
    intake: MllpIntake, journal: SqliteJournal, asked: bytes, code: str | None
) -> None:
    said = await answers(intake, ORU.replace(b"|2.5.1", b"|2.5.1|||" + asked))

    assert [parse_ack(message).code for message in said] == ([code] if code else [])
    assert len(await journal.pending_messages(10)) == 1


@pytest.mark.parametrize(
    ("asked", "code"),
    [(b"AL|NE", "CR"), (b"ER|AL", "CR"), (b"SU|NE", None), (b"NE|NE", None), (b"NE|ER", "AR")],
)
async def test_a_refusal_in_enhanced_mode_is_what_the_sender_asked_for(
    intake: MllpIntake, journal: SqliteJournal, asked: bytes, code: str | None
) -> None:
    payload = ORU.replace(b"|P|2.5.1", b"|P|9.9|||" + asked)

    said = await answers(intake, payload)

    assert [parse_ack(message).code for message in said] == ([code] if code else [])
    assert len(await journal.rows(state=State.REJECTED)) == 1


async def test_a_frame_too_large_is_refused_in_the_mode_its_head_asks_for(
    intake: MllpIntake,
) -> None:
    head = ORU.replace(b"|2.5.1", b"|2.4|||AL|NE").replace(b"|M-1|", b"|\xe9-1|")

    answer = await intake.refuse(head, FrameFault.TOO_LARGE, door="default", peer="x")

    [message] = answer.messages
    assert (parse_ack(message).code, parse_ack(message).control_id) == ("CE", b"\xe9-1")
    assert b"|ACK^R01^ACK|" in message
    assert answer.is_stored


@pytest.mark.parametrize("kind", [b"MDM^T02", b"OMG^O19", b"ORM^O01", b"ADT^A08", b"SIU^S12"])
@pytest.mark.parametrize(("asked", "code"), [(b"", "AA"), (b"|||AL|NE", "CA")])
async def test_a_type_that_is_not_read_is_taken(
    intake: MllpIntake, kind: bytes, asked: bytes, code: str
) -> None:
    payload = ORU.replace(b"ORU^R01", kind).replace(b"|2.5.1", b"|2.5.1" + asked)

    assert await ask(intake, payload) == (code, b"M-1")


@pytest.mark.parametrize(
    ("asked", "repeated"), [(b"", ["AA"]), (b"|||AL|AL", ["CA"]), (b"|||NE|AL", [])]
)
async def test_a_message_sent_again_hears_the_same_again(
    intake: MllpIntake, journal: SqliteJournal, asked: bytes, repeated: list[str]
) -> None:
    payload = ORU.replace(b"|2.5.1", b"|2.5.1" + asked)

    first = await answers(intake, payload)
    again = await answers(intake, payload)

    assert [parse_ack(message).code for message in first] == repeated
    assert [parse_ack(message).code for message in again] == repeated
    assert len(await journal.rows()) == 1


async def test_the_same_control_id_of_two_senders_is_two_messages(
    intake: MllpIntake, journal: SqliteJournal
) -> None:
    await ask(intake, ORU)
    await ask(intake, ORU.replace(b"DEMOHOSP|PRELIM", b"OTHERHOSP|PRELIM"))

    assert len(await journal.pending_messages(10)) == 2


async def test_a_refused_message_sent_again_is_refused_again_and_kept_once(
    intake: MllpIntake, journal: SqliteJournal
) -> None:
    payload = ORU.replace(b"|P|2.5.1", b"|P|9.9")

    assert await ask(intake, payload) == await ask(intake, payload) == ("AR", b"M-1")
    assert len(await journal.rows()) == 1


def second(payload: bytes = ORU, control_id: bytes = b"M-2") -> bytes:
    return payload.replace(b"|M-1|", b"|" + control_id + b"|").replace(b"ANNA", b"BERTA")


@pytest.mark.parametrize(
    "frame",
    [
        ORU + second(),
        b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + ORU + second() + b"BTS|2\rFTS|1\r",
        b"\xef\xbb\xbf" + ORU + b"\r\n" + second(),
        ORU + second().replace(b"|", b"#"),
    ],
)
async def test_each_message_of_a_batch_is_stored_and_answered_on_its_own(
    intake: MllpIntake, journal: SqliteJournal, frame: bytes
) -> None:
    answer = await intake.answer(frame, door="default", peer="x", later=connection_lost)

    pending = await journal.pending_messages(10)
    acks = [parse_ack(message) for message in answer.messages]
    assert [(ack.code, ack.control_id) for ack in acks] == [("AA", b"M-1"), ("AA", b"M-2")]
    assert [b"ANNA" in one.raw.payload for one in pending] == [True, False]
    assert [b"BERTA" in one.raw.payload for one in pending] == [False, True]
    assert answer.is_stored


async def test_a_bad_message_of_a_batch_does_not_take_the_others_with_it(
    intake: MllpIntake, journal: SqliteJournal
) -> None:
    frame = b"".join(
        [
            ORU,
            second().replace(b"|P|2.5.1", b"|P|9.9"),
            b"MSH|ABCD|A|B|C|D|2026||ORU^R01|M-3|P|2.5\r",
            b"MSH|^~\\&|A|B|C|D|2026||ACK|M-4|P|2.5\rMSA|AA|1\r",
            second(control_id=b"M-5").replace(b"|2.5.1", b"|2.5.1|||NE|NE"),
            second(control_id=b"M-6"),
        ]
    )

    answer = await intake.answer(frame, door="default", peer="x", later=connection_lost)

    acks = [parse_ack(message) for message in answer.messages]
    assert [(ack.code, ack.control_id) for ack in acks] == [
        ("AA", b"M-1"),
        ("AR", b"M-2"),
        ("AE", b"M-3"),
        ("AA", b"M-6"),
    ]
    assert answer.is_stored
    assert len(await journal.pending_messages(10)) == 3
    assert len(await journal.rows(state=State.REJECTED)) == 2


async def test_a_batch_is_stored_only_when_all_of_it_is(
    journal: SqliteJournal, clock: HandClock
) -> None:
    class HalfFullDisk:
        async def receive(self, raw: RawReport, *, peer: str) -> Received:
            if raw.message_control_id == "M-2":
                raise JournalUnavailableError("disk_full")
            return await journal.receive(raw, peer=peer)

    intake = make_intake(HalfFullDisk(), clock)

    answer = await intake.answer(ORU + second(), door="default", peer="x", later=connection_lost)

    assert [parse_ack(message).code for message in answer.messages] == ["AA", "AR"]
    assert not answer.is_stored


async def test_a_batch_sent_again_with_another_envelope_is_known(
    intake: MllpIntake, journal: SqliteJournal
) -> None:
    envelope = b"BHS|^~\\&|A|B|||20261121080000\r"

    await answers(intake, envelope + ORU + second() + b"BTS|2\r")
    await answers(intake, envelope.replace(b"0800", b"0801") + ORU + second() + b"BTS|2\r")
    await answers(intake, ORU)

    assert len(await journal.pending_messages(10)) == 2


async def test_a_batch_may_be_answered_with_a_batch(
    journal: SqliteJournal, clock: HandClock
) -> None:
    intake = make_intake(journal, clock, batch_answer="batch")
    envelope = b"BHS|^~\\&|A|B|C|D|2026||||B-7\r"

    [both] = await answers(intake, envelope + ORU + second() + b"BTS|2\r")
    [alone] = await answers(intake, second(control_id=b"M-3"))

    rows = both.split(b"\r")
    assert rows[0].startswith(b"BHS|^~\\&|C|D|A|B|")
    assert rows[0].endswith(b"|B-7")
    assert rows[-2:] == [b"BTS|2", b""]
    assert [parse_ack(message).control_id for message in split_messages(both)] == [b"M-1", b"M-2"]
    assert parse_ack(alone).control_id == b"M-3"


@pytest.mark.parametrize("batch_answer", ["message", "batch"])
async def test_a_flood_of_messages_in_one_frame_is_refused_whole_and_kept(
    journal: SqliteJournal, clock: HandClock, batch_answer: str
) -> None:
    intake = make_intake(journal, clock, messages_max=3, batch_answer=batch_answer)
    frame = b"".join(second(control_id=b"M-%d" % number) for number in range(1, 5))

    assert await ask(intake, frame) == ("AE", b"M-1")

    [row] = await journal.rows()
    assert (row.state, row.reason) == (State.REJECTED, "too_many_messages")
    assert (await journal.trail(row.message_id)).raw.payload == frame


async def test_a_long_batch_is_cut_like_a_short_one(
    intake: MllpIntake, journal: SqliteJournal
) -> None:
    long = ORU + b"NTE|1||" + b"x" * INLINE_BYTES_MAX + b"\r"

    assert len(await answers(intake, long + second())) == 2
    assert len(await journal.pending_messages(10)) == 2


@pytest.mark.parametrize(
    "text", [b"OBX|1|TX|||see MSH|^~\\&| there\r", b"OBX|1|TX|||see\rMSH: normal\r"]
)
async def test_a_message_that_speaks_of_msh_is_one_message_byte_for_byte(
    intake: MllpIntake, journal: SqliteJournal, text: bytes
) -> None:
    payload = b"\r\n" + ORU + text + b"\n\n"

    await ask(intake, payload)

    [pending] = await journal.pending_messages(10)
    assert pending.raw.payload == payload


class MemoryJournal:
    """Counts what is kept, and fails when told to."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, bytes]] = []
        self.is_full = False

    async def receive(self, raw: RawReport, *, peer: str) -> Received:
        self._keep("received", raw)
        return Received(MessageId("1"), is_duplicate=False, is_control_id_reused=False)

    async def refuse(self, raw: RawReport, *, peer: str, reason: str, where: str | None) -> str:
        self._keep("refused", raw)
        return "1"

    def _keep(self, how: str, raw: RawReport) -> None:
        if self.is_full:
            raise JournalUnavailableError("disk_full")
        self.kept.append((how, raw.payload))


PIECES = [
    *(b"MSH", b"FHS", b"BHS", b"BTS", b"|", b"#", b"^~\\&", b"^", b"~", b"\\", b"\r", b"\n"),
    *(b"\x00", b"\x1c", b"\x1b$B", b"\xef\xbb\xbf", b"\xff", b"A", b"ORU^R01", b"ACK", b"7", b"P"),
    *(b"2.5", b"AL", b"NE", b"UNICODE UTF-8", b"|||||", ORU, second(), ORU[:60], ORU[:30]),
]


@given(
    payload=st.binary(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join),
    mode=st.sampled_from(["auto", "original", "enhanced"]),
    batch_answer=st.sampled_from(["message", "batch"]),
    is_full=st.booleans(),
)
async def test_any_bytes_get_an_answer_or_silence_and_no_yes_without_a_stored_message(
    payload: bytes, mode: str, batch_answer: str, *, is_full: bool
) -> None:
    journal = MemoryJournal()
    journal.is_full = is_full
    intake = make_intake(journal, HandClock(), mode=mode, batch_answer=batch_answer, messages_max=5)

    answer = await intake.answer(payload, door="default", peer="x", later=connection_lost)
    refused = await intake.refuse(payload, FrameFault.NOT_FRAMED, door="default", peer="x")

    codes = [MSA.search(part) for message in answer.messages for part in message.split(b"\rMSH")]
    yes = sum(code is not None and code[1] in {b"AA", b"CA"} for code in codes)
    assert yes <= sum(how == "received" for how, _ in journal.kept)
    assert not (is_full and (yes or journal.kept))
    assert not any(MSA.search(message)[1].endswith(b"A") for message in refused.messages)  # type: ignore[index]
    for message in answer.messages + refused.messages:
        encode_frame(message)
        assert message.endswith(b"\r")
