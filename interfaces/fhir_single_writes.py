"""Write the resources of a draft one by one: each with our id (PUT), or found by search (POST).

Each is safe to repeat. What is written once (Device, Provenance, Task, AuditEvent) is never written
over. A conditional create alone is not free of races on real servers: one post per report key is
in flight, and ``put`` is the better mode where the server lets a client choose the id.

Standard: FHIR R4 RESTful API: read, search, update (as create), conditional create, If-Match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

from interfaces.errors import PostRefusedError
from interfaces.fhir_replies import (
    CONFLICT,
    CREATED,
    MINIMAL,
    NOT_FOUND,
    PRECONDITION_FAILED,
    accepted,
    resource_of,
)
from mappings.domain import PostOutcome, PostReceipt
from mappings.fhir_elements import canonical_json
from mappings.fhir_json import read_object
from mappings.fhir_task import cancelled
from mappings.fhir_wire import criteria_of, read_etag, read_location, read_matches, with_names
from mappings.fhir_write import Create, Unchanged, Update, update_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from interfaces.fhir_http import FhirHttp
    from mappings.domain import Companion, DraftObservation

    Resource: TypeAlias = Mapping[str, object]
    Names: TypeAlias = dict[str, str]
    """The server's reference by ours."""

_GONE = 410
# HAPI answers a search from a cache of up to a minute unless it is told not to.
_FRESH = {"Cache-Control": "no-cache"}


class SingleWrites:
    """One request for each resource.

    Args:
        http: The server.
        ids: Who chooses ids: we (PUT), or the server (POST with If-None-Exist).
    """

    def __init__(self, http: FhirHttp, ids: Literal["ours", "theirs"]) -> None:
        self._http = http
        self._is_put = ids == "ours"
        self._devices: Names = {}

    async def find(self, draft: DraftObservation) -> Resource | None:
        """Return what the server holds under the draft's identity.

        With ids of ours, what another way of writing left under an id of the server's is found too;
        a server that cannot search is believed to hold no such thing.

        Raises:
            PostRefusedError: ``several_matches``, or the server cannot be asked.
            PostRetryError: Not now.
        """
        if not self._is_put:
            return await self._find_one(draft)
        reply = await self._http.exchange("GET", f"Observation/{draft.observation_id}")
        if reply.status != NOT_FOUND:
            return resource_of(reply, "Observation", "Observation")
        try:
            return await self._find_one(draft)
        except PostRefusedError as error:
            if error.reason == "several_matches":
                raise
            return None

    async def name(self, draft: DraftObservation, existing: Resource | None) -> Names:
        """Make what the Observation refers to, and return how the server calls it."""
        del existing
        for one in draft.companions:
            ours = f"{one.resource_type}/{one.id}"
            if one.resource_type == "Device" and ours not in self._devices:
                self._devices[ours] = await self.add("Device", one.id, one.body)
        return dict(self._devices)

    async def write(
        self, plan: Create | Update | Unchanged, draft: DraftObservation, names: Names, id_: str
    ) -> PostReceipt | None:
        """Carry out a plan, and add what belongs to the Observation.

        Args:
            plan: From ``plan_write``.
            draft: What to write.
            names: From ``name``.
            id_: Of the request that writes the Observation.

        Returns:
            None when the server's state has moved on: read and decide again.
        """
        headers = {"X-Request-Id": id_}
        if isinstance(plan, Unchanged):
            receipt: PostReceipt | None = receipt_of(PostOutcome.UNCHANGED, plan)
        elif isinstance(plan, Update):
            body = with_names(draft.observation, plan.server_id, names)
            receipt = await self.replace(plan, body, headers)
        elif self._is_put:
            headers["If-None-Match"] = "*"
            body = with_names(draft.observation, draft.observation_id, names)
            receipt = await self._put(draft.observation_id, body, headers, PostOutcome.CREATED)
        else:
            receipt = await self._create(draft, names, headers)
        if receipt is not None:
            names[f"Observation/{draft.observation_id}"] = receipt.reference
            await self._add_rest(draft, names, is_new=isinstance(plan, Create))
        return receipt

    async def replace(
        self, plan: Update, body: bytes, headers: Mapping[str, str]
    ) -> PostReceipt | None:
        """Write over the version that was read; None when it is no longer the latest."""
        condition = {**headers, "If-Match": f'W/"{plan.version_id}"'}
        return await self._put(plan.server_id, body, condition, PostOutcome.UPDATED)

    async def add(
        self,
        kind: str,
        id_: str,
        resource: bytes,
        names: Mapping[str, str] | None = None,
        *,
        is_new: bool = False,
    ) -> str:
        """Bring a resource that is written once.

        Args:
            kind: Its type.
            id_: Our id of it.
            resource: As it was kept.
            names: The server's reference by ours.
            is_new: It belongs to what was written just now, so it need not be looked for.

        Returns:
            The server's reference to it.

        Raises:
            PostRefusedError: No for good.
            PostRetryError: Not now.
        """
        if self._is_put:
            body = with_names(resource, id_, names or {})
            return await self._add_by_id(kind, id_, body, is_new=is_new)
        body = with_names(resource, None, names or {})
        criteria = criteria_of(read_object(body))
        headers = {**MINIMAL, "If-None-Exist": urlencode(criteria)}
        reply = await self._http.exchange("POST", kind, headers=headers, body=body)
        named = read_location(reply.location, kind)
        # It may be there more than once: two that share a Device can race for its creation.
        if reply.status != PRECONDITION_FAILED:
            accepted(reply, kind)
            if named is not None:
                return f"{kind}/{named[0]}"
        found = await self.locate(kind, resource)
        if found is None:
            raise PostRefusedError("server_without_ids", kind)
        return found

    async def cancel_task(self, task: Companion, reason: str) -> None:
        """Cancel a Task that nobody has taken up; one that changes meanwhile is left to them.

        Raises:
            PostRefusedError: No for good.
            PostRetryError: Not now.
        """
        for held in await self._find_tasks(task):
            named, changed = update_of(held), cancelled(held, reason)
            if named is not None and changed is not None:
                condition = {**MINIMAL, "If-Match": f'W/"{named.version_id}"'}
                path, body = f"Task/{named.server_id}", canonical_json(changed)
                reply = await self._http.exchange("PUT", path, headers=condition, body=body)
                if reply.status not in (CONFLICT, PRECONDITION_FAILED):
                    accepted(reply, "Task")

    async def _find_tasks(self, task: Companion) -> list[Resource]:
        if not self._is_put:
            return await self._search("Task", criteria_of(read_object(task.body)))
        reply = await self._http.exchange("GET", f"Task/{task.id}")
        is_there = reply.status not in (NOT_FOUND, _GONE)
        return [resource_of(reply, "Task", "Task")] if is_there else []

    async def locate(self, kind: str, resource: bytes) -> str | None:
        """Return the server's reference to a resource of ours, or to the first; None for none."""
        found = await self._search(kind, criteria_of(read_object(resource)))
        return f"{kind}/{found[0].get('id')}" if found else None

    async def _add_rest(self, draft: DraftObservation, names: Names, *, is_new: bool) -> None:
        await self.add("Provenance", draft.provenance_id, draft.provenance, names, is_new=is_new)
        for one in draft.companions:
            if one.resource_type != "Device":
                await self.add(one.resource_type, one.id, one.body, names)

    async def _add_by_id(self, kind: str, id_: str, body: bytes, *, is_new: bool) -> str:
        path = f"{kind}/{id_}"
        reply = None if is_new else await self._http.exchange("GET", path)
        if reply is None or reply.status == NOT_FOUND:
            headers = {**MINIMAL, "If-None-Match": "*"}
            reply = await self._http.exchange("PUT", path, headers=headers, body=body)
        if reply.status != PRECONDITION_FAILED:
            accepted(reply, kind)
        return path

    async def _find_one(self, draft: DraftObservation) -> Resource | None:
        found = await self._search("Observation", identity_of(draft))
        if len(found) > 1:
            raise PostRefusedError("several_matches", "Observation")
        return found[0] if found else None

    async def _search(self, kind: str, criteria: Mapping[str, str]) -> list[Resource]:
        query = {**criteria, "_count": "2"}
        reply = await self._http.exchange("GET", kind, query=query, headers=_FRESH)
        return read_matches(resource_of(reply, kind, "Bundle"), kind)

    async def _put(
        self, id_: str, body: bytes, headers: Mapping[str, str], outcome: PostOutcome
    ) -> PostReceipt | None:
        path = f"Observation/{id_}"
        reply = await self._http.exchange("PUT", path, headers={**MINIMAL, **headers}, body=body)
        if reply.status in (CONFLICT, PRECONDITION_FAILED):
            return None
        version_id = read_etag(accepted(reply, "Observation").etag)
        return PostReceipt(outcome, path, version_id)

    async def _create(
        self, draft: DraftObservation, names: Names, headers: Mapping[str, str]
    ) -> PostReceipt | None:
        condition = {"If-None-Exist": urlencode(identity_of(draft))}
        reply = await self._http.exchange(
            "POST",
            "Observation",
            headers={**MINIMAL, **headers, **condition},
            body=with_names(draft.observation, None, names),
        )
        if reply.status == PRECONDITION_FAILED:
            raise PostRefusedError("several_matches", "Observation")
        named = read_location(accepted(reply, "Observation").location, "Observation")
        if reply.status != CREATED or named is None:
            return None
        version_id = named[1] or read_etag(reply.etag)
        return PostReceipt(PostOutcome.CREATED, f"Observation/{named[0]}", version_id)


def identity_of(draft: DraftObservation) -> dict[str, str]:
    """Return the search that finds the Observation of the draft's report key."""
    return {"identifier": f"{draft.identifier_system}|{draft.identifier_value}"}


def receipt_of(outcome: PostOutcome, plan: Update | Unchanged) -> PostReceipt:
    """Return a receipt for what was found at the server."""
    return PostReceipt(outcome, f"Observation/{plan.server_id}", plan.version_id)
