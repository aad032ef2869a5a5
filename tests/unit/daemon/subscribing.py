"""A door for drafts without HTTP: a real journal, a real store, real subscribers."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daemon.delivering import DeliverStep
from daemon.journal_reads import JournalReader
from daemon.lifecycle import State
from daemon.metrics import Metrics
from daemon.mirror import Mirror
from daemon.notification_log import NotificationLog
from daemon.notifying import Notifier
from daemon.subscriptions import Subscriptions
from interfaces.fhir_store import FhirStore
from interfaces.subscription_channel import EndpointRules, SubscriptionChannel
from mappings.domain import ReportKey
from tests.samples.fhir_drafts import draft_of, key_of
from tests.unit.daemon.journal_samples import DRAFT, due, make_new, map_one
from tests.unit.mappings.subscription_samples import subscription_resource

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.journal import PendingReport
    from daemon.journal_sqlite import SqliteJournal
    from tests.unit.daemon.conftest import HandClock

BASE_URL = "https://prelim.example/fhir"
HOSTS = frozenset({"127.0.0.1"})


@dataclass
class Desk:
    """What tells of drafts, put together as daemon/serving_drafts.py does it."""

    journal: SqliteJournal
    clock: HandClock
    store: FhirStore
    log: NotificationLog
    subscriptions: Subscriptions
    channel: SubscriptionChannel
    notifier: Notifier
    mirror: Mirror
    step: DeliverStep

    async def subscribe(self, endpoint: str, **options: object) -> str:
        """Make a Subscription and bring it through its handshake; return its id."""
        resource = subscription_resource(endpoint, **options)  # type: ignore[arg-type]
        stored = await self.subscriptions.create(resource)
        await self.shake()
        return stored.id

    async def shake(self) -> None:
        """Send what is due beside the outbox."""
        await self.notifier.tick()
        await self.notifier.settle()

    async def draft(self, name: str, text: str = "No acute disease.") -> PendingReport:
        """Draft for a report; return it as it waits to be posted."""
        draft = draft_of(text, key=key_of(name))
        report_id = await map_one(self.journal, f"{name}-{text}", make_new(key=ReportKey(name)))
        await self.journal.record_drafted(report_id, DRAFT, draft)
        found = await due(self.journal, State.DRAFTED)
        return next(report for report in found if report.report_id == report_id)

    async def post(
        self, name: str, text: str = "No acute disease.", *, mirrored: bool = True
    ) -> str:
        """Draft and post a report, with what is owed for it; return the draft's id."""
        report = await self.draft(name, text)
        draft = report.observation
        assert draft is not None
        owed = self.mirror.plan_posted(report) if mirrored else ()
        if not mirrored:
            self.store.update(json.loads(draft.observation), draft.observation_id)
        await self.journal.record_posted(
            report.report_id,
            reference=f"Observation/{draft.observation_id}",
            version_id="1",
            outcome="created",
            deliveries=[*owed, *self.notifier.plan_posted(report)],
        )
        return draft.observation_id

    async def deliver(self, rounds: int = 20) -> None:
        """Try what is due, again and again, as far as it goes; time moves between."""
        for _ in range(rounds):
            found = await self.journal.pending_deliveries(now=self.clock.now(), limit=100)
            await asyncio.gather(*(self.step(delivery) for delivery in found))
            self.clock.advance(61)


async def open_desk(
    folder: Path,
    journal: SqliteJournal,
    clock: HandClock,
    *,
    give_up_s: float = 86_400,
    limit: int = 10,
) -> Desk:
    """Open everything; a second desk on the same folder is a restart."""
    store = FhirStore(folder / "store.sqlite", now=clock.now)
    log = NotificationLog(JournalReader(folder / "journal.sqlite"))
    rules = EndpointRules(HOSTS, is_plain_allowed=False)
    channel = SubscriptionChannel(rules, timeout_s=5)
    await channel.__aenter__()
    subscriptions = Subscriptions(
        store, log, rules=rules, base_url=lambda: BASE_URL, limit=limit, clock=clock
    )
    await subscriptions.load()
    notifier = Notifier(subscriptions, log, channel, give_up_s=give_up_s, clock=clock)
    mirror = Mirror(store, clock)
    carriers = {"notification": notifier, "mirror": mirror}
    step = DeliverStep(journal, carriers, clock=clock, metrics=Metrics())  # type: ignore[arg-type]
    return Desk(journal, clock, store, log, subscriptions, channel, notifier, mirror, step)


async def close_desk(desk: Desk) -> None:
    """Close everything but the journal."""
    desk.notifier.stop()
    await desk.notifier.settle()
    await desk.channel.__aexit__(None, None, None)
    await desk.log.close()
    desk.store.close()
