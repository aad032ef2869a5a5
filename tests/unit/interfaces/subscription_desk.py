"""A stand-in for whoever keeps Subscriptions: in memory, and it judges nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interfaces.errors import RequestRefusedError
from interfaces.fhir_store import Stored
from mappings.fhir_elements import canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class MemoryDesk:
    """Keeps what it is given, and what it was asked."""

    def __init__(self) -> None:
        self.held: dict[str, Stored] = {}
        self.asked: list[object] = []

    async def create(self, resource: Mapping[str, object]) -> Stored:
        return await self._keep(resource, f"s{len(self.held)}", 1)

    async def replace(self, id_: str, resource: Mapping[str, object]) -> Stored:
        return await self._keep(resource, id_, (await self.read(id_)).version + 1)

    async def remove(self, id_: str) -> None:
        await self.read(id_)
        del self.held[id_]

    async def read(self, id_: str) -> Stored:
        if id_ not in self.held:
            raise RequestRefusedError(404, "not-found", "resource_not_found", "Subscription")
        return self.held[id_]

    async def search(self, query: Sequence[tuple[str, str]]) -> Sequence[Stored]:
        self.asked.append(list(query))
        return list(self.held.values())

    async def status(self, ids: Sequence[str], states: Sequence[str] = ()) -> dict[str, object]:
        self.asked.append((list(ids), list(states)))
        return {"resourceType": "Bundle", "type": "searchset", "total": 0}

    async def events_bundle(self, id_: str, since: int, until: int | None) -> dict[str, object]:
        self.asked.append((id_, since, until))
        return {"resourceType": "Bundle", "type": "history"}

    async def _keep(self, resource: Mapping[str, object], id_: str, version: int) -> Stored:
        body = canonical_json({**resource, "id": id_})
        self.held[id_] = Stored("Subscription", id_, version, "2026-03-04T12:00:00.000Z", body)
        return self.held[id_]
