"""Results on a topic: what is told, under which key, and by what it is carried."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from daemon.config_values import SendRetry
from daemon.delivery import DeliveryId, NewDelivery, PendingDelivery
from daemon.journal import PendingReport
from daemon.kafka_results import KafkaCarrier, KafkaResults
from daemon.lifecycle import State
from interfaces.errors import SendRefusedError
from mappings.domain import MessageId, ReportId
from mappings.kafka_envelope import Envelope, parse_envelope
from tests.unit.daemon.journal_samples import KEY, OBSERVATION, make_study

if TYPE_CHECKING:
    from tests.unit.daemon.conftest import HandClock

REPORT = PendingReport(
    ReportId("r1"), MessageId("m1"), KEY, State.DRAFTED, 0, make_study(), OBSERVATION
)


def pending(owed: NewDelivery) -> PendingDelivery:
    return PendingDelivery(
        DeliveryId("d1"),
        MessageId("m1"),
        ReportId("r1"),
        owed.kind,
        owed.target,
        0,
        owed.payload,
        owed.control_id,
        "default",
    )


def test_an_observation_goes_out_under_its_report_key(clock: HandClock) -> None:
    (posted,) = KafkaResults("drafts", clock).plan_posted(REPORT)
    envelope = parse_envelope(posted.payload)

    assert (posted.kind, posted.target) == ("kafka_result", "drafts")
    assert (envelope.key, envelope.value) == (KEY, OBSERVATION.observation)
    assert envelope.headers["content-type"] == "application/fhir+json"
    assert envelope.headers["prelim-event"] == "posted"


def test_a_draft_that_is_taken_back_goes_out_entered_in_error_under_the_same_key(
    clock: HandClock,
) -> None:
    report = replace(REPORT, retracted_for="report_cancelled")
    (posted,) = KafkaResults("drafts", clock).plan_posted(report)
    (retracted,) = KafkaResults("drafts", clock).plan_retracted(report)
    envelope = parse_envelope(retracted.payload)

    assert envelope.key == parse_envelope(posted.payload).key
    assert envelope.headers["prelim-event"] == "retracted"
    assert json.loads(envelope.value)["status"] == "entered-in-error"
    assert posted.control_id != retracted.control_id


def test_without_a_topic_or_a_draft_nothing_is_owed(clock: HandClock) -> None:
    blank = replace(REPORT, observation=None)

    assert KafkaResults(None, clock).plan_posted(REPORT) == ()
    assert KafkaResults("drafts", clock).plan_posted(blank) == ()
    assert KafkaResults("drafts", clock).plan_retracted(blank) == ()


async def test_the_very_record_that_is_kept_is_sent(clock: HandClock) -> None:
    sent: list[tuple[str, Envelope]] = []

    async def send(topic: str, envelope: Envelope) -> str:
        sent.append((topic, envelope))
        return "0/17"

    (owed,) = KafkaResults("drafts", clock).plan_posted(REPORT)
    carrier = KafkaCarrier(send, SendRetry(attempts_max=7))

    assert await carrier.carry(pending(owed)) == "0/17"
    assert sent == [("drafts", parse_envelope(owed.payload))]
    assert carrier.retry_of("drafts").attempts_max == 7


async def test_a_refusal_is_passed_on(clock: HandClock) -> None:
    async def send(_topic: str, _envelope: Envelope) -> str:
        raise SendRefusedError("message_too_large")

    (owed,) = KafkaResults("drafts", clock).plan_posted(REPORT)

    with pytest.raises(SendRefusedError):
        await KafkaCarrier(send, SendRetry()).carry(pending(owed))
