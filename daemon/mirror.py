"""Copies of posted drafts, kept in the embedded store so that they can be read here.

Beside another FHIR server the embedded store is no target; each draft that was posted there is
copied here, in order, by the outbox. The copy has our id, whatever the server has given it. A copy
that is there already is left as it is, so that a second try changes nothing.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from typing import TYPE_CHECKING, Literal, cast

from daemon.config_values import SendRetry
from daemon.delivery import NewDelivery
from interfaces.errors import SendRetryError
from mappings.fhir_elements import canonical_json
from mappings.fhir_retraction import retracted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daemon.clock import Clock
    from daemon.delivery import PendingDelivery
    from daemon.journal import PendingReport
    from interfaces.fhir_store import FhirStore
    from mappings.domain import DraftObservation

TARGET = "embedded"
RETRY = SendRetry(attempts_max=1_000_000, wait_min_s=0.5, wait_max_s=60)
"""The store is a file of ours: while it takes no writes, its copies wait."""
_OF_THE_STORE = ("versionId", "lastUpdated")


class Mirror:
    """The outbox's carrier of kind ``mirror``.

    Args:
        store: Where the copies go.
        clock: The time of a withdrawal.
    """

    kind: Literal["mirror"] = "mirror"

    def __init__(self, store: FhirStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def plan_posted(self, report: PendingReport) -> Sequence[NewDelivery]:
        """Return the copy that a posted draft is owed."""
        draft = report.observation
        return () if draft is None else (_delivery(draft, draft.observation),)

    def plan_retracted(self, report: PendingReport) -> Sequence[NewDelivery]:
        """Return the copy that a withdrawn draft is owed."""
        draft = report.observation
        if draft is None:
            return ()
        assert report.retracted_for is not None, "it is taken back for a reason"
        body = retracted(draft.observation, reason=report.retracted_for, now=self._clock.now())
        return (_delivery(draft, body),)

    def retry_of(self, _target: str) -> SendRetry:
        """Return how long between tries."""
        return RETRY

    async def carry(self, delivery: PendingDelivery) -> str:
        """Write one copy; return whether anything was new.

        Raises:
            SendRetryError: The store takes no writes now.
        """
        resources = json.loads(delivery.payload)
        try:
            changes = [await asyncio.to_thread(self._keep, resource) for resource in resources]
        except sqlite3.Error:
            raise SendRetryError("store_unavailable") from None
        return "written" if any(changes) else "unchanged"

    def _keep(self, resource: Mapping[str, object]) -> bool:
        kind, id_ = str(resource["resourceType"]), str(resource["id"])
        held = self._store.read(kind, id_)
        if held is not None and _without_store_parts(held.resource()) == resource:
            return False
        self._store.update(resource, id_)
        return True


def _delivery(draft: DraftObservation, observation: bytes) -> NewDelivery:
    parts = [observation, *(each.body for each in draft.companions), draft.provenance]
    payload = b"[" + b",".join(parts) + b"]"
    return NewDelivery("mirror", TARGET, payload, draft.observation_id)


def _without_store_parts(body: Mapping[str, object]) -> dict[str, object]:
    meta = cast("Mapping[str, object]", body["meta"])
    kept = {name: part for name, part in meta.items() if name not in _OF_THE_STORE}
    rest = {name: part for name, part in body.items() if name != "meta"}
    whole = {**rest, "meta": kept} if kept else rest
    return cast("dict[str, object]", json.loads(canonical_json(whole)))
