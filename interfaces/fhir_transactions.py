"""Write a draft with all that belongs to it as one transaction: all is stored, or nothing.

Reads come first here too, one by one. What is written later than the Observation (an AuditEvent, a
retraction), or is missing beside one that is there, goes by itself.

Standard: FHIR R4 RESTful API, transaction; see ``mappings.fhir_transaction`` for the Bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from interfaces.errors import PostRefusedError, PostRetryError
from interfaces.fhir_replies import CONFLICT, MINIMAL, PRECONDITION_FAILED, resource_of
from interfaces.fhir_single_writes import SingleWrites
from mappings.domain import PostOutcome, PostReceipt
from mappings.fhir_json import read_object
from mappings.fhir_transaction import Replaced, build_transaction
from mappings.fhir_wire import read_etag, read_location, with_names
from mappings.fhir_write import Create, Unchanged, Update

if TYPE_CHECKING:
    from interfaces.fhir_http import FhirHttp
    from interfaces.fhir_single_writes import Names, Resource
    from mappings.domain import DraftObservation
    from mappings.fhir_elements import FhirVersion


class TransactionWrites:
    """One Bundle for each draft; the server chooses the ids.

    Args:
        http: The server.
        version: Of the resources that are written.
    """

    def __init__(self, http: FhirHttp, version: FhirVersion) -> None:
        self._http = http
        self._version = version
        self._single = SingleWrites(http, "theirs")
        self._devices: Names = {}
        self.find = self._single.find
        self.replace = self._single.replace
        self.add = self._single.add
        self.cancel_task = self._single.cancel_task

    async def name(self, draft: DraftObservation, existing: Resource | None) -> Names:
        """Return how the server calls the Device; one that it does not hold goes with the rest."""
        del existing
        for one in draft.companions:
            ours = f"{one.resource_type}/{one.id}"
            if one.resource_type == "Device" and ours not in self._devices:
                found = await self._single.locate("Device", one.body)
                self._devices |= {} if found is None else {ours: found}
        return dict(self._devices)

    async def write(
        self, plan: Create | Update | Unchanged, draft: DraftObservation, names: Names, id_: str
    ) -> PostReceipt | None:
        """Carry out a plan, all of it or nothing.

        Returns:
            None when the server's state has moved on: read and decide again.

        Raises:
            PostRefusedError: ``several_matches``, or the answer is permanent.
            PostRetryError: Not now; or the answer cannot be read, so that it is not known.
        """
        if isinstance(plan, Unchanged):
            return await self._single.write(plan, draft, names, id_)
        replaces = Replaced(plan.server_id, plan.version_id) if isinstance(plan, Update) else None
        bundle = build_transaction(_without(names, draft), replaces=replaces, version=self._version)
        headers = {**MINIMAL, "X-Request-Id": id_}
        reply = await self._http.exchange("POST", "", headers=headers, body=bundle)
        if reply.status == PRECONDITION_FAILED and isinstance(plan, Create):
            raise PostRefusedError("several_matches", "Bundle")
        if reply.status in (CONFLICT, PRECONDITION_FAILED):
            return None
        answer = resource_of(reply, "Bundle", "Bundle")
        return read_transaction(plan, read_object(bundle), answer)


def _without(names: Names, draft: DraftObservation) -> DraftObservation:
    """Leave out what the server holds already, and refer to it as the server does."""
    return replace(
        draft,
        observation=with_names(draft.observation, draft.observation_id, names),
        provenance=with_names(draft.provenance, draft.provenance_id, names),
        companions=tuple(
            one for one in draft.companions if f"{one.resource_type}/{one.id}" not in names
        ),
    )


def read_transaction(
    plan: Create | Update, sent: Mapping[str, object], answer: Mapping[str, object]
) -> PostReceipt | None:
    """Read a server's answer to a Bundle, entry by entry.

    Args:
        plan: What the Bundle carried out.
        sent: The Bundle.
        answer: A Bundle, of type transaction-response if the server keeps to the standard.

    Returns:
        What the server holds; None when it found an Observation instead of creating one: read and
        decide again.

    Raises:
        PostRetryError: ``reply_unreadable``: not a yes for each entry, so it is not known what the
            server did.
    """
    responses = [_member(entry, "response") for entry in _entries(answer)]
    kinds = [_member(entry, "resource").get("resourceType") for entry in _entries(sent)]
    answered = [str(each.get("status", "")).startswith("2") for each in responses]
    if len(answered) != len(kinds) or not all(answered):
        raise PostRetryError("reply_unreadable", "Bundle")
    observed = responses[kinds.index("Observation")]
    named = read_location(_text(observed, "location"), "Observation")
    version_id = (named[1] if named else None) or read_etag(_text(observed, "etag"))
    if isinstance(plan, Update):
        return PostReceipt(PostOutcome.UPDATED, f"Observation/{plan.server_id}", version_id)
    if named is None or not str(observed["status"]).startswith("201"):
        return None
    return PostReceipt(PostOutcome.CREATED, f"Observation/{named[0]}", version_id)


def _entries(bundle: Mapping[str, object]) -> list[object]:
    entries = bundle.get("entry")
    return entries if isinstance(entries, list) else []


def _member(entry: object, name: str) -> Mapping[str, object]:
    found = entry.get(name) if isinstance(entry, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _text(response: Mapping[str, object], name: str) -> str | None:
    value = response.get(name)
    return value if isinstance(value, str) else None
