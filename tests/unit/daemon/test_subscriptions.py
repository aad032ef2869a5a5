"""Subscriptions are kept, judged, told without their secrets, and there again after a restart."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from interfaces.errors import RequestRefusedError
from mappings.fhir_subscription import SubscriptionState
from tests.samples.fhir_drafts import draft_of
from tests.unit.daemon.subscribing import Desk, close_desk, open_desk
from tests.unit.interfaces.hook_receiver import told
from tests.unit.mappings.subscription_samples import subscription_resource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from daemon.journal_sqlite import SqliteJournal
    from tests.unit.daemon.conftest import HandClock

HOOK = "http://127.0.0.1:9/hook?key=s3cret"
SECRET = ("Authorization: Bearer s3cret",)
DRAFT = json.loads(draft_of().observation)


@pytest.fixture
async def desk(tmp_path: Path, journal: SqliteJournal, clock: HandClock) -> AsyncIterator[Desk]:
    opened = await open_desk(tmp_path, journal, clock, limit=3)
    yield opened
    await close_desk(opened)


async def test_a_subscription_is_told_without_its_secrets_and_kept_with_them(
    desk: Desk, tmp_path: Path, journal: SqliteJournal, clock: HandClock
) -> None:
    asked = subscription_resource(HOOK, headers=SECRET, status="active")
    with structlog.testing.capture_logs() as lines:
        made = await desk.subscriptions.create(asked)

    shown = await desk.subscriptions.read(made.id)
    assert made == shown
    assert b"Bearer" not in shown.body
    assert json.loads(shown.body)["status"] == "requested"
    assert "s3cret" not in str(lines)
    again = await open_desk(tmp_path, journal, clock)
    held = again.subscriptions.find(made.id)
    await close_desk(again)
    assert held is not None
    assert held.wish.headers == (("Authorization", "Bearer s3cret"),)
    assert "Bearer" not in repr(held)


async def test_what_was_read_can_be_written_back_and_keeps_its_secrets(desk: Desk) -> None:
    made = await desk.subscriptions.create(subscription_resource(HOOK, headers=SECRET))
    await desk.subscriptions.move(made.id, SubscriptionState.ERROR, "http_403")
    shown = json.loads((await desk.subscriptions.read(made.id)).body)
    assert (shown["status"], shown["error"]) == ("error", "http_403")

    await desk.subscriptions.replace(made.id, shown)
    held = desk.subscriptions.find(made.id)
    assert held is not None
    assert (held.state, held.error) == (SubscriptionState.REQUESTED, None)
    assert held.wish.headers == (("Authorization", "Bearer s3cret"),)


@pytest.mark.parametrize(
    ("resource", "code", "reason"),
    [
        (subscription_resource("https://other.example/"), "security", "endpoint_host_not_allowed"),
        (subscription_resource(HOOK, criteria="urn:other"), "not-supported", "topic_unknown"),
        (subscription_resource(HOOK, end="2020-01-01T00:00:00Z"), "expired", "end_is_past"),
    ],
)
async def test_what_is_not_done_here_is_refused_and_not_kept(
    desk: Desk, resource: dict[str, Any], code: str, reason: str
) -> None:
    with pytest.raises(RequestRefusedError) as refused:
        await desk.subscriptions.create(resource)

    assert (refused.value.status, refused.value.code) == (422, code)
    assert refused.value.reason == reason
    assert desk.subscriptions.all() == ()


async def test_there_are_no_more_than_were_allowed(desk: Desk) -> None:
    for _ in range(3):
        made = await desk.subscriptions.create(subscription_resource(HOOK))
    with pytest.raises(RequestRefusedError) as refused:
        await desk.subscriptions.create(subscription_resource(HOOK))
    await desk.subscriptions.remove(made.id)

    assert refused.value.reason == "too_many_subscriptions"
    assert await desk.subscriptions.create(subscription_resource(HOOK))


async def test_what_is_not_there_is_not_found(desk: Desk) -> None:
    subscriptions = desk.subscriptions
    for asked in (
        subscriptions.read("s9"),
        subscriptions.remove("s9"),
        subscriptions.replace("s9", subscription_resource(HOOK)),
        subscriptions.status(["s9"]),
        subscriptions.events_bundle("s9", 1, None),
    ):
        with pytest.raises(RequestRefusedError) as refused:
            await asked
        assert refused.value.status == 404
    await subscriptions.move("s9", SubscriptionState.ACTIVE)


async def test_a_removed_subscription_leaves_no_secret_in_the_store(
    desk: Desk, tmp_path: Path
) -> None:
    made = await desk.subscriptions.create(subscription_resource(HOOK, headers=SECRET))
    await desk.subscriptions.move(made.id, SubscriptionState.ACTIVE)
    await desk.subscriptions.remove(made.id)

    assert desk.store.read("Subscription", made.id) is None
    assert desk.store.read("Subscription", made.id, 1) is None


async def test_subscriptions_are_found_by_what_the_guide_names(desk: Desk) -> None:
    first = await desk.subscriptions.create(subscription_resource(HOOK))
    second = await desk.subscriptions.create(subscription_resource(f"{HOOK}&two"))
    await desk.subscriptions.move(second.id, SubscriptionState.ACTIVE)

    async def found(*query: tuple[str, str]) -> list[str]:
        return [stored.id for stored in await desk.subscriptions.search(query)]

    assert await found() == [first.id, second.id]
    assert await found(("status", "active,off"), ("_format", "json")) == [second.id]
    assert await found(("url", HOOK)) == [first.id]
    assert await found(("_id", second.id), ("status", "requested")) == []
    with pytest.raises(RequestRefusedError):
        await found(("criteria", "x"))


async def test_a_status_is_told_of_all_or_of_some(desk: Desk) -> None:
    first = await desk.subscriptions.create(subscription_resource(HOOK))
    second = await desk.subscriptions.create(subscription_resource(HOOK))
    await desk.subscriptions.move(second.id, SubscriptionState.ERROR, "http_403")

    everything: Any = await desk.subscriptions.status([])
    failed: Any = await desk.subscriptions.status([], ["error"])
    one: Any = await desk.subscriptions.status([first.id])
    assert [everything["total"], failed["total"], one["total"]] == [2, 1, 1]
    assert told(failed)["error"] == {
        "coding": [{"system": "urn:prelim:subscription-error", "code": "http_403"}]
    }


async def test_only_who_listens_is_interested(desk: Desk, clock: HandClock) -> None:
    end = (clock.now() + timedelta(days=1)).isoformat()
    states = (SubscriptionState.ACTIVE, SubscriptionState.ERROR, SubscriptionState.OFF)
    ids = []
    for state in states:
        made = await desk.subscriptions.create(subscription_resource(HOOK, end=end))
        await desk.subscriptions.move(made.id, state)
        ids.append(made.id)

    assert desk.subscriptions.interested(DRAFT) == ids[:2]
