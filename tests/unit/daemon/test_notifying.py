"""Subscribers on real sockets are told of drafts: in order, nothing lost, nothing skipped."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from interfaces.errors import SendRetryError
from mappings.fhir_subscription import SubscriptionState
from tests.unit.daemon.subscribing import BASE_URL, Desk, close_desk, open_desk
from tests.unit.interfaces.hook_receiver import HookReceiver, told
from tests.unit.mappings.subscription_samples import subscription_resource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from daemon.journal_sqlite import SqliteJournal
    from tests.unit.daemon.conftest import HandClock


@pytest.fixture
async def desk(tmp_path: Path, journal: SqliteJournal, clock: HandClock) -> AsyncIterator[Desk]:
    opened = await open_desk(tmp_path, journal, clock)
    yield opened
    await close_desk(opened)


@pytest.fixture
async def receiver() -> AsyncIterator[HookReceiver]:
    async with HookReceiver() as started:
        yield started


def state_of(desk: Desk, id_: str) -> SubscriptionState:
    held = desk.subscriptions.find(id_)
    assert held is not None
    return held.state


async def test_a_subscription_is_active_only_after_its_handshake(
    desk: Desk, receiver: HookReceiver
) -> None:
    stored = await desk.subscriptions.create(subscription_resource(receiver.url))
    await desk.post("a")
    assert state_of(desk, stored.id) is SubscriptionState.REQUESTED

    await desk.shake()
    await desk.post("b")
    await desk.deliver(3)
    assert state_of(desk, stored.id) is SubscriptionState.ACTIVE
    assert receiver.kinds() == ["handshake", "event-notification"]
    assert told(receiver.bundles[0])["status"] == "requested"
    assert told(receiver.bundles[1])["subscription"] == {
        "reference": f"{BASE_URL}/Subscription/{stored.id}"
    }


async def test_a_handshake_that_fails_ends_in_error_until_the_client_asks_again(
    desk: Desk, receiver: HookReceiver
) -> None:
    receiver.status = 503
    id_ = await desk.subscribe(receiver.url)
    receiver.status = 200
    await desk.shake()
    assert (state_of(desk, id_), receiver.kinds()) == (SubscriptionState.ERROR, [])

    await desk.subscriptions.replace(id_, subscription_resource(receiver.url, id=id_))
    await desk.shake()
    assert (state_of(desk, id_), receiver.kinds()) == (SubscriptionState.ACTIVE, ["handshake"])


async def test_events_of_a_receiver_that_was_away_come_all_in_their_order(
    desk: Desk, receiver: HookReceiver
) -> None:
    id_ = await desk.subscribe(receiver.url)
    await desk.post("a")
    await desk.deliver(2)
    await receiver.stop()
    for name in "bcdef":
        await desk.post(name)
        await desk.deliver(2)
    assert receiver.numbers() == [1]

    await receiver.start()
    receiver.status = 500
    await desk.deliver(3)
    receiver.status = 200
    await desk.deliver(12)
    assert receiver.numbers() == [1, 2, 3, 4, 5, 6]
    assert state_of(desk, id_) is SubscriptionState.ACTIVE


async def test_events_that_wait_go_out_after_a_restart_with_their_numbers(
    desk: Desk,
    receiver: HookReceiver,
    tmp_path: Path,
    journal: SqliteJournal,
    clock: HandClock,
) -> None:
    await desk.subscribe(receiver.url)
    await receiver.stop()
    for name in "abc":
        await desk.post(name)
    await desk.deliver(2)

    again = await open_desk(tmp_path, journal, clock)
    await receiver.start()
    await again.post("d")
    await again.deliver(10)
    await close_desk(again)
    assert receiver.numbers() == [1, 2, 3, 4]


async def test_a_subscriber_that_says_no_is_told_nothing_more_and_its_events_are_counted(
    desk: Desk, receiver: HookReceiver
) -> None:
    id_ = await desk.subscribe(receiver.url)
    receiver.status = 403
    with structlog.testing.capture_logs() as lines:
        await desk.post("a")
        await desk.deliver(3)
    receiver.status = 200
    await desk.post("b")
    await desk.deliver(3)

    assert receiver.numbers() == []
    assert state_of(desk, id_) is SubscriptionState.ERROR
    failed = [line for line in lines if line["event"] == "subscription.failed"]
    assert [(line["target"], line["reason"]) for line in failed] == [(id_, "http_403")]
    assert "s3cret" not in str(lines)
    status = await desk.subscriptions.status([id_])
    assert told(status)["events-since-subscription-start"] == "2"
    assert told(status)["status"] == "error"


async def test_what_was_missed_is_asked_for_and_the_next_event_has_the_next_number(
    desk: Desk, receiver: HookReceiver
) -> None:
    id_ = await desk.subscribe(receiver.url, content="full-resource")
    receiver.status = 403
    missed = [await desk.post("a"), await desk.post("b")]
    await desk.deliver(3)
    receiver.status = 200
    await desk.subscriptions.replace(
        id_, subscription_resource(receiver.url, content="full-resource", id=id_)
    )
    await desk.shake()
    await desk.post("c")
    await desk.deliver(3)

    assert receiver.numbers() == [3]
    bundle: Any = await desk.subscriptions.events_bundle(id_, 1, 2)
    assert [entry["resource"]["id"] for entry in bundle["entry"][1:]] == missed


async def test_a_subscriber_that_takes_nothing_for_too_long_is_switched_off(
    tmp_path: Path, journal: SqliteJournal, clock: HandClock, receiver: HookReceiver
) -> None:
    desk = await open_desk(tmp_path, journal, clock, give_up_s=300)
    id_ = await desk.subscribe(receiver.url)
    await receiver.stop()
    await desk.post("a")
    await desk.post("b")
    await desk.deliver(4)
    assert state_of(desk, id_) is SubscriptionState.ACTIVE
    await desk.deliver(6)
    await close_desk(desk)

    assert state_of(desk, id_) is SubscriptionState.OFF
    assert not await journal.deliveries_due()


async def test_a_subscriber_that_takes_something_now_and_then_is_not_switched_off(
    tmp_path: Path, journal: SqliteJournal, clock: HandClock, receiver: HookReceiver
) -> None:
    desk = await open_desk(tmp_path, journal, clock, give_up_s=300)
    id_ = await desk.subscribe(receiver.url)
    for name in "abc":
        receiver.status = 503
        await desk.post(name)
        await desk.deliver(3)
        receiver.status = 200
        await desk.deliver(3)
    await close_desk(desk)

    assert state_of(desk, id_) is SubscriptionState.ACTIVE
    assert receiver.numbers() == [1, 2, 3]


async def test_a_withdrawn_draft_is_an_event_of_who_asks_for_withdrawn_ones(
    desk: Desk, receiver: HookReceiver
) -> None:
    id_ = await desk.subscribe(receiver.url, filters=("status=entered-in-error",))
    report = await desk.draft("a")

    assert desk.notifier.plan_posted(report) == []
    assert [owed.target for owed in desk.notifier.plan_retracted(report)] == [id_]


async def test_an_event_is_told_only_after_the_draft_can_be_read_here(
    desk: Desk, receiver: HookReceiver
) -> None:
    await desk.subscribe(receiver.url, content="full-resource")
    draft_id = await desk.post("a")
    found = await desk.journal.pending_deliveries(now=desk.clock.now(), limit=10)
    copy, event = sorted(found, key=lambda delivery: delivery.kind)
    with pytest.raises(SendRetryError) as early:
        await desk.notifier.carry(event)
    await desk.step(copy)
    await desk.step(event)

    assert (early.value.reason, early.value.was_reached) == ("draft_not_mirrored", False)
    assert receiver.bundles[-1]["entry"][1]["resource"]["id"] == draft_id


async def test_a_late_event_shows_the_draft_as_it_is_now(
    desk: Desk, receiver: HookReceiver
) -> None:
    await desk.subscribe(receiver.url, content="full-resource")
    await desk.post("a", "Old words.", mirrored=False)
    await desk.post("a", "New words.", mirrored=False)
    await desk.deliver(4)

    texts = [bundle["entry"][1]["resource"]["valueString"] for bundle in receiver.bundles[1:]]
    assert texts == ["New words.", "New words."]
    assert receiver.numbers() == [1, 2]


async def test_only_drafts_that_a_subscription_is_about_are_its_events(
    desk: Desk, receiver: HookReceiver
) -> None:
    await desk.subscribe(receiver.url, filters=("patient.identifier=TEST-4711",))
    async with HookReceiver() as other:
        await desk.subscribe(other.url, filters=("Observation?patient.identifier=TEST-4712",))
        await desk.post("a")
        await desk.deliver(3)

        assert (receiver.numbers(), other.kinds()) == ([1], ["handshake"])


async def test_a_heartbeat_comes_when_nothing_else_did_for_its_period(
    desk: Desk, receiver: HookReceiver
) -> None:
    await desk.subscribe(receiver.url, heartbeat_s=60)
    for seconds in (59, 1, 30):
        desk.clock.advance(seconds)
        await desk.shake()
    await desk.post("a")
    await desk.deliver(2)
    assert receiver.kinds() == ["handshake", "heartbeat", "event-notification"]
    assert told(receiver.bundles[1])["events-since-subscription-start"] == "0"

    desk.clock.advance(60)
    await desk.shake()
    assert told(receiver.bundles[-1])["events-since-subscription-start"] == "1"


async def test_a_heartbeat_that_finds_nobody_is_tried_again_at_its_next_time(
    desk: Desk, receiver: HookReceiver
) -> None:
    id_ = await desk.subscribe(receiver.url, heartbeat_s=60)
    await receiver.stop()
    desk.clock.advance(60)
    with structlog.testing.capture_logs() as lines:
        await desk.shake()
        await desk.shake()
    await receiver.start()
    desk.clock.advance(60)
    await desk.shake()

    events = [line["event"] for line in lines]
    assert events == ["subscription.heartbeat_failed"]
    assert state_of(desk, id_) is SubscriptionState.ACTIVE
    assert receiver.kinds() == ["handshake", "heartbeat"]


async def test_a_subscription_ends_at_its_end(desk: Desk, receiver: HookReceiver) -> None:
    end = (desk.clock.now() + timedelta(seconds=90)).isoformat()
    id_ = await desk.subscribe(receiver.url, end=end)
    desk.clock.advance(90)
    await desk.shake()
    await desk.post("a")
    await desk.deliver(3)

    assert state_of(desk, id_) is SubscriptionState.OFF
    assert receiver.kinds() == ["handshake"]


async def test_what_a_deleted_subscription_was_owed_is_given_up(
    desk: Desk, receiver: HookReceiver
) -> None:
    id_ = await desk.subscribe(receiver.url)
    await desk.post("a")
    await desk.subscriptions.remove(id_)
    await desk.deliver(3)

    assert receiver.kinds() == ["handshake"]
    assert not await desk.journal.deliveries_due()
