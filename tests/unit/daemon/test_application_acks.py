"""Application acknowledgments: when one is owed, what it says, and how it finds its sender."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.acknowledging import AckRules
from daemon.application_acks import CONNECTIONS_KEPT_MAX, ApplicationAcks
from daemon.delivery import DeliveryId, PendingDelivery
from mappings.domain import MessageId, Standard
from mappings.errors import PrelimError, UnreadableContentError
from mappings.hl7_ack import parse_ack
from mappings.hl7_header import peek_header

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.delivery import NewDelivery
    from mappings.domain import RawReport
    from tests.unit.daemon.conftest import HandClock

MESSAGE = b"MSH|^~\\&|RIS|HOSP|IN|HUB|2026||ORU^R01|\xe9\\F\\7|P|%b|||%b\rPID|1||QUETZALCANARY\r"
FAULT = UnreadableContentError("undecodable_content", "MSH-18")
FIRST = MessageId("m1")


def make(clock: HandClock, **rules: object) -> ApplicationAcks:
    return ApplicationAcks({"default": AckRules(**rules)}, clock=clock)  # type: ignore[arg-type]


def pending(delivery: NewDelivery, message_id: MessageId = FIRST) -> PendingDelivery:
    return PendingDelivery(
        DeliveryId("d1"),
        message_id,
        None,
        delivery.kind,
        delivery.target,
        0,
        delivery.payload,
        delivery.control_id,
        "default",
    )


class Line:
    """A connection that says what was sent on it, until it is lost."""

    def __init__(self) -> None:
        self.said: list[bytes] = []
        self.is_lost = False

    def later(self, message: bytes) -> bool:
        if not self.is_lost:
            self.said.append(message)
        return not self.is_lost


@pytest.mark.parametrize(
    ("asked", "is_read", "code"),
    [
        (b"AL|AL", True, "AA"),
        (b"AL|AL", False, "AE"),
        (b"AL|SU", True, "AA"),
        (b"AL|SU", False, None),
        (b"AL|ER", True, None),
        (b"AL|ER", False, "AE"),
        (b"AL|NE", True, None),
        (b"AL|NE", False, None),
        (b"NE|AL", True, "AA"),
        (b"", True, None),
        (b"", False, None),
    ],
)
def test_what_is_owed_is_what_the_sender_asked_for(
    clock: HandClock,
    make_raw: Callable[..., RawReport],
    asked: bytes,
    code: str | None,
    *,
    is_read: bool,
) -> None:
    raw = make_raw(MESSAGE % (b"2.5.1", asked))

    owed = make(clock).plan(raw, None if is_read else FAULT)

    acks = [parse_ack(delivery.payload) for delivery in owed]
    assert [ack.code for ack in acks] == ([code] if code else [])
    assert all(ack.control_id == b"\xe9\\F\\7" for ack in acks)


def test_an_acknowledgment_is_a_message_of_its_own_and_shows_no_patient(
    clock: HandClock, make_raw: Callable[..., RawReport]
) -> None:
    [delivery] = make(clock).plan(make_raw(MESSAGE % (b"2.5.1", b"AL|AL")), FAULT)

    header = peek_header(delivery.payload)
    assert header.control_id == delivery.control_id != ""
    assert header.sending_application == "IN"
    assert header.message_type == "ACK^R01"
    assert b"\rERR||MSH^1^18|102^Data type error^HL70357|E||||undecodable_content\r" in (
        delivery.payload
    )
    assert b"QUETZALCANARY" not in delivery.payload


def test_an_error_is_told_in_the_layout_of_the_senders_version(
    clock: HandClock, make_raw: Callable[..., RawReport]
) -> None:
    [delivery] = make(clock).plan(make_raw(MESSAGE % (b"2.3.1", b"AL|AL")), FAULT)

    assert delivery.payload.endswith(b"\rERR|MSH^1^18^102&Data type error&HL70357\r")


def test_a_fault_of_our_reader_is_an_internal_error(
    clock: HandClock, make_raw: Callable[..., RawReport]
) -> None:
    raw = make_raw(MESSAGE % (b"2.5.1", b"AL|AL"))

    [delivery] = make(clock).plan(raw, PrelimError("reader_failed_KeyError"))

    assert b"|207^Application internal error^HL70357|" in delivery.payload


@pytest.mark.parametrize(
    ("payload", "changes"),
    [
        (MESSAGE % (b"2.5.1", b"AL|AL"), {"door": "fhir"}),
        (MESSAGE % (b"2.5.1", b"AL|AL"), {"standard": Standard.FHIR}),
        ((MESSAGE % (b"2.5.1", b"AL|AL")).replace(b"ORU^R01", b"ACK"), {}),
        (b"no message", {}),
    ],
)
def test_what_did_not_ask_is_owed_nothing(
    clock: HandClock,
    make_raw: Callable[..., RawReport],
    payload: bytes,
    changes: dict[str, object],
) -> None:
    assert make(clock).plan(make_raw(payload, **changes)) == ()


@pytest.mark.parametrize(("mode", "count"), [("auto", 1), ("enhanced", 1), ("original", 0)])
def test_a_listener_in_original_mode_owes_nothing_later(
    clock: HandClock, make_raw: Callable[..., RawReport], mode: str, count: int
) -> None:
    raw = make_raw(MESSAGE % (b"2.5.1", b"AL|AL"))

    assert len(make(clock, mode=mode).plan(raw)) == count


@pytest.fixture
def acks(clock: HandClock) -> ApplicationAcks:
    return make(clock)


@pytest.fixture
def owed(acks: ApplicationAcks, make_raw: Callable[..., RawReport]) -> NewDelivery:
    [delivery] = acks.plan(make_raw(MESSAGE % (b"2.5.1", b"AL|AL")))
    return delivery


async def test_it_goes_back_on_the_connection_that_its_message_came_by(
    acks: ApplicationAcks, owed: NewDelivery
) -> None:
    line, other = Line(), Line()
    acks.remember_message(FIRST, line.later)
    acks.remember_message(MessageId("m2"), other.later)

    assert await acks.deliver(pending(owed))

    assert (line.said, other.said) == ([owed.payload], [])


async def test_it_goes_to_the_senders_newest_connection_when_its_own_is_lost(
    acks: ApplicationAcks, owed: NewDelivery
) -> None:
    lost, other, newest = Line(), Line(), Line()
    lost.is_lost = True
    header = peek_header(MESSAGE % (b"2.5.1", b"AL|AL"))
    acks.remember_message(FIRST, lost.later)
    acks.remember_sender(header, "default", lost.later)
    acks.remember_sender(header, "default", newest.later)
    acks.remember_sender(header, "another_hospital", other.later)
    other_header = peek_header((MESSAGE % (b"2.5.1", b"AL|AL")).replace(b"HOSP", b"X"))
    acks.remember_sender(other_header, "default", other.later)

    assert await acks.deliver(pending(owed))

    assert (newest.said, other.said) == ([owed.payload], [])


async def test_it_waits_while_its_sender_cannot_be_reached(
    acks: ApplicationAcks, owed: NewDelivery
) -> None:
    line = Line()
    line.is_lost = True

    assert not await acks.deliver(pending(owed))
    acks.remember_message(FIRST, line.later)
    assert not await acks.deliver(pending(owed))
    line.is_lost = False
    assert await acks.deliver(pending(owed))


async def test_a_sender_without_a_name_is_not_taken_for_another(
    acks: ApplicationAcks, make_raw: Callable[..., RawReport]
) -> None:
    nameless = (MESSAGE % (b"2.5.1", b"AL|AL")).replace(b"RIS|HOSP", b"|")
    line = Line()
    acks.remember_sender(peek_header(nameless), "default", line.later)
    [delivery] = acks.plan(make_raw(nameless))

    assert not await acks.deliver(pending(delivery))


async def test_it_goes_to_the_configured_address_and_only_there(
    clock: HandClock, make_raw: Callable[..., RawReport]
) -> None:
    sent: list[tuple[str, bytes]] = []
    is_up = [False, True]

    async def send_to(target: str, payload: bytes) -> bool:
        sent.append((target, payload))
        return is_up.pop(0)

    rules = {"default": AckRules(application_ack_to="ris")}
    acks = ApplicationAcks(rules, clock=clock, send_to=send_to)
    line = Line()
    acks.remember_message(FIRST, line.later)
    [delivery] = acks.plan(make_raw(MESSAGE % (b"2.5.1", b"AL|AL")))

    assert [await acks.deliver(pending(delivery)) for _ in range(2)] == [False, True]
    assert sent == [("ris", delivery.payload)] * 2
    assert not line.said


async def test_an_address_that_cannot_be_sent_to_leaves_it_waiting(
    clock: HandClock, make_raw: Callable[..., RawReport]
) -> None:
    acks = make(clock, application_ack_to="ris")
    [delivery] = acks.plan(make_raw(MESSAGE % (b"2.5.1", b"AL|AL")))

    assert not await acks.deliver(pending(delivery))


async def test_no_more_connections_are_remembered_than_the_limit(
    acks: ApplicationAcks, owed: NewDelivery
) -> None:
    line = Line()
    for number in range(CONNECTIONS_KEPT_MAX + 1):
        acks.remember_message(MessageId(f"m{number}"), line.later)

    assert not await acks.deliver(pending(owed, MessageId("m0")))
    assert await acks.deliver(pending(owed, MessageId("m1")))
