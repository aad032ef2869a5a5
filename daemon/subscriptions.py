"""Who is told of drafts: the Subscriptions, kept in the embedded store, and where each stands.

A Subscription is ``requested`` until its endpoint has taken a handshake, then ``active``. It is
``error`` when the subscriber says no for good: events go on being counted, are there for
``$events``, and only the client brings it back, by writing it anew. ``off`` is its end.

Standard: Subscriptions R5 Backport for R4.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import structlog

from interfaces.errors import RequestRefusedError
from interfaces.fhir_store import Stored
from interfaces.fhir_store_search import matches
from mappings.errors import SubscriptionRefusedError
from mappings.fhir_elements import canonical_json
from mappings.fhir_notification import Event, Standing, notification, status_bundle
from mappings.fhir_subscription import (
    Subscription,
    SubscriptionState,
    mask_headers,
    read_subscription,
    unmask_headers,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from daemon.clock import Clock
    from daemon.notification_log import NotificationLog
    from interfaces.fhir_store import FhirStore
    from interfaces.subscription_channel import EndpointRules

log = structlog.get_logger()
KIND = "Subscription"
COUNTED = frozenset({SubscriptionState.ACTIVE, SubscriptionState.ERROR})
"""States in which a matching draft is an event."""


@dataclass(frozen=True, slots=True)
class Held:
    """A Subscription as it stands: the resource with its secrets, and what it says."""

    id: str
    resource: Mapping[str, object] = field(repr=False)
    wish: Subscription
    state: SubscriptionState
    error: str | None


_PARAMETERS: Mapping[str, Callable[[Held], str]] = {
    "_id": lambda held: held.id,
    "status": lambda held: held.state.value,
    "url": lambda held: held.wish.endpoint,
}


class Subscriptions:
    """Every Subscription, in memory as in the store.

    Args:
        store: Where they are kept; its calls block and so run in threads.
        events: What the outbox knows of their events.
        rules: Where an endpoint may be.
        base_url: Of the door that they are written at, as subscribers know it.
        limit: How many there may be.
        clock: For what has an end.
    """

    def __init__(
        self,
        store: FhirStore,
        events: NotificationLog,
        *,
        rules: EndpointRules,
        base_url: Callable[[], str],
        limit: int,
        clock: Clock,
    ) -> None:
        self._store = store
        self._events = events
        self._rules = rules
        self._base_url = base_url
        self._limit = limit
        self._clock = clock
        self._held: dict[str, Held] = {}
        self._writing = asyncio.Lock()
        self.on_request: Callable[[], None] = lambda: None
        """Called when a handshake is due."""

    async def load(self) -> None:
        """Read what an earlier run has kept."""
        found = await asyncio.to_thread(
            self._store.search, KIND, [("_count", str(self._limit)), ("_sort", "_lastUpdated")]
        )
        for stored in found.matches:
            self._hold(stored)

    def all(self) -> Sequence[Held]:
        """Return every Subscription, oldest first."""
        return tuple(self._held.values())

    def find(self, id_: str) -> Held | None:
        """Return one; None when it is gone."""
        return self._held.get(id_)

    def interested(self, observation: Mapping[str, object]) -> list[str]:
        """Return the ids of those that a draft is an event of."""
        return [
            held.id
            for held in self._held.values()
            if held.state in COUNTED and matches(observation, held.wish.filters)
        ]

    async def create(self, resource: Mapping[str, object]) -> Stored:
        """Take a Subscription from a client.

        Raises:
            RequestRefusedError: It is not done here, or there are too many.
        """
        async with self._writing:
            if len(self._held) >= self._limit:
                raise RequestRefusedError(422, "too-costly", "too_many_subscriptions", KIND)
            return await self._take(resource, None)

    async def replace(self, id_: str, resource: Mapping[str, object]) -> Stored:
        """Take a Subscription in place of one that is here: it is asked for a handshake again.

        Raises:
            RequestRefusedError: It is not here, or not done here.
        """
        async with self._writing:
            held = self._known(id_)
            return await self._take(unmask_headers(resource, held.resource), id_)

    async def remove(self, id_: str) -> None:
        """Forget a Subscription and its secrets; what was not told of it is given up.

        Raises:
            RequestRefusedError: It is not here.
        """
        async with self._writing:
            self._known(id_)
            await asyncio.to_thread(self._store.remove, KIND, id_)
            del self._held[id_]
        log.info("subscription.removed", target=id_)

    async def read(self, id_: str) -> Stored:
        """Return a Subscription without its secrets.

        Raises:
            RequestRefusedError: It is not here.
        """
        self._known(id_)
        stored = await asyncio.to_thread(self._store.read, KIND, id_)
        if stored is None:
            raise RequestRefusedError(404, "not-found", "resource_not_found", KIND)
        return _told(stored)

    async def search(self, query: Sequence[tuple[str, str]]) -> Sequence[Stored]:
        """Find Subscriptions by ``_id``, ``status`` or ``url``, without their secrets.

        Raises:
            RequestRefusedError: 400, a parameter is not known.
        """
        chosen = list(self._held.values())
        for name, value in query:
            if name not in _PARAMETERS and name not in {"_format", "_pretty"}:
                raise RequestRefusedError(400, "not-supported", "search_parameter_unknown")
            if name in _PARAMETERS:
                chosen = [held for held in chosen if _PARAMETERS[name](held) in value.split(",")]
        return [await self.read(held.id) for held in chosen]

    async def status(self, ids: Sequence[str], states: Sequence[str] = ()) -> dict[str, object]:
        """Return where Subscriptions stand, as ``$status`` tells it; no id means all."""
        chosen = [self._known(id_) for id_ in ids] or list(self._held.values())
        wanted = [held for held in chosen if not states or held.state in states]
        return status_bundle([await self.standing(held) for held in wanted])

    async def events_bundle(self, id_: str, since: int, until: int | None) -> dict[str, object]:
        """Return what has happened since an event number, as ``$events`` tells it.

        Raises:
            RequestRefusedError: It is not here.
        """
        held = self._known(id_)
        found = await self._events.events(id_, since, until)
        events = [await self.event(number, event.identifier, event.at) for number, event in found]
        standing = await self.standing(held)
        return notification("query-event", standing, events=events, now=self._clock.now())

    async def standing(self, held: Held) -> Standing:
        """Return where a Subscription stands."""
        return Standing(
            url=f"{self._base_url()}/{KIND}/{held.id}",
            state=held.state,
            content=held.wish.content,
            events=await self._events.count(held.id),
            error=held.error,
        )

    async def event(self, number: int, identifier: str, at: str) -> Event:
        """Return an event with its draft as it is now."""
        query = [("identifier", identifier), ("_count", "1")]
        found = await asyncio.to_thread(self._store.search, "Observation", query)
        if not found.matches:
            return Event(number, at, None)
        draft = found.matches[0]
        return Event(number, at, draft.resource(), is_first=draft.version == 1)

    async def move(self, id_: str, state: SubscriptionState, reason: str | None = None) -> None:
        """Let a Subscription go to another state; one that is gone stays gone."""
        async with self._writing:
            held = self._held.get(id_)
            if held is None or held.state is state:
                return
            kept = {name: part for name, part in held.resource.items() if name != "error"}
            resource = {**kept, "status": state.value, **({"error": reason} if reason else {})}
            stored, _ = await asyncio.to_thread(self._store.update, resource, id_)
            self._hold(stored)
        if state is SubscriptionState.ERROR:
            log.error("subscription.failed", target=id_, reason=reason)
        elif state is SubscriptionState.OFF:
            log.error("subscription.ended", target=id_, reason=reason)
        else:
            log.info("subscription.activated", target=id_)

    async def _take(self, resource: Mapping[str, object], id_: str | None) -> Stored:
        try:
            wish = read_subscription(resource)
        except SubscriptionRefusedError as error:
            raise RequestRefusedError(422, "not-supported", error.reason, error.where) from None
        refusal = self._rules.refusal_of(wish.endpoint)
        if refusal is not None:
            raise RequestRefusedError(422, "security", refusal, f"{KIND}.channel.endpoint")
        if wish.end is not None and wish.end <= self._clock.now():
            raise RequestRefusedError(422, "expired", "end_is_past", f"{KIND}.end")
        kept = {name: part for name, part in resource.items() if name != "error"}
        asked = {**kept, "status": SubscriptionState.REQUESTED.value}
        if id_ is None:
            stored, _ = await asyncio.to_thread(self._store.create, asked)
        else:
            stored, _ = await asyncio.to_thread(self._store.update, asked, id_)
        self._hold(stored)
        log.info("subscription.requested", target=stored.id)
        self.on_request()
        return _told(stored)

    def _known(self, id_: str) -> Held:
        held = self._held.get(id_)
        if held is None:
            raise RequestRefusedError(404, "not-found", "resource_not_found", KIND)
        return held

    def _hold(self, stored: Stored) -> None:
        resource = stored.resource()
        self._held[stored.id] = Held(
            id=stored.id,
            resource=resource,
            wish=read_subscription(resource),
            state=SubscriptionState(str(resource["status"])),
            error=cast("str | None", resource.get("error")),
        )


def _told(stored: Stored) -> Stored:
    body = canonical_json(mask_headers(stored.resource()))
    return Stored(stored.type, stored.id, stored.version, stored.updated_at, body)
