"""A listener's rules, and the bytes of its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.acknowledging import Acknowledger, AckRules, new_control_id, policy_of, rules_of
from daemon.config_mllp import Listener
from daemon.errors import JournalUnavailableError
from mappings.ack_mode import AckPlan
from mappings.errors import MessageRefusedError
from mappings.hl7_ack import parse_ack
from mappings.hl7_header import VERSIONS, peek_header

if TYPE_CHECKING:
    from mappings.errors import PrelimError
    from tests.unit.daemon.conftest import HandClock

MESSAGE = b"MSH|^~\\&|RIS|HOSP|||2026||ORU^R01|ID7|P|2.5.1|||%b\rPID|1\r"
REFUSED = MessageRefusedError("unsupported_version", "MSH-12", "AR", 203)
FAULTY = MessageRefusedError("control_id_missing", "MSH-10", "AE", 101)
TROUBLE = JournalUnavailableError("disk_full")


def test_the_rules_are_the_listeners_settings() -> None:
    listener = Listener(
        ack_mode="enhanced",
        application_ack_to="ris",
        transient_failure_code="AE",
        batch_answer="batch",
        messages_per_frame_max=7,
        processing_ids=("P",),
        versions=("2.4",),
    )

    policy = policy_of(listener)

    assert rules_of(listener) == AckRules("enhanced", "E", "batch", 7, "ris")
    assert rules_of(Listener()) == AckRules()
    assert (policy.processing_ids, policy.versions) == ({"P"}, {"2.4"})
    assert policy_of(Listener()).versions == set(VERSIONS)


@pytest.mark.parametrize(
    ("error", "trouble", "asked", "code"),
    [
        (REFUSED, "R", b"", "AR"),
        (REFUSED, "E", b"", "AR"),
        (FAULTY, "R", b"", "AE"),
        (TROUBLE, "R", b"", "AR"),
        (TROUBLE, "E", b"", "AE"),
        (REFUSED, "R", b"AL|NE", "CR"),
        (FAULTY, "R", b"AL|NE", "CE"),
        (TROUBLE, "E", b"AL|NE", "CE"),
        (TROUBLE, "R", b"NE|AL", "AR"),
        (TROUBLE, "R", b"NE|NE", None),
    ],
)
def test_a_no_has_the_code_of_its_fault_and_its_mode(
    clock: HandClock, error: PrelimError, trouble: str, asked: bytes, code: str | None
) -> None:
    acknowledger = Acknowledger(AckRules(trouble=trouble), clock)  # type: ignore[arg-type]
    payload = MESSAGE % asked

    said = acknowledger.refuse(peek_header(payload), payload, error)

    assert (said and parse_ack(said).code) == code
    assert said is None or parse_ack(said).control_id == b"ID7"


def test_a_no_to_what_cannot_be_read_has_the_control_id_that_can_be_found(clock: HandClock) -> None:
    head = b"MSH|ABCD|RIS|HOSP|||2026||ORU^R01|ID7|P\r"

    said = Acknowledger(AckRules(), clock).refuse(None, head, FAULTY)

    assert said is not None
    assert parse_ack(said).control_id == b"ID7"


def test_a_yes_is_silent_when_the_plan_says_so(clock: HandClock) -> None:
    acknowledger = Acknowledger(AckRules(), clock)
    header = peek_header(MESSAGE % b"NE|NE")

    assert acknowledger.accept(header, acknowledger.plan(header)) is None
    assert acknowledger.accept(header, AckPlan()) is not None


@pytest.mark.parametrize(("batch_answer", "count"), [("message", 2), ("batch", 1)])
def test_answers_are_given_one_by_one_or_together(
    clock: HandClock, batch_answer: str, count: int
) -> None:
    acknowledger = Acknowledger(AckRules(batch_answer=batch_answer), clock)  # type: ignore[arg-type]

    said = acknowledger.join(None, [b"MSH|1\r", b"MSH|2\r"])

    assert len(said) == count
    assert b"".join(said).count(b"MSH") == 2


def test_a_control_id_of_ours_is_short_and_new() -> None:
    made = {new_control_id() for _ in range(100)}

    assert len(made) == 100
    assert {len(one) for one in made} == {20}
