"""A draft's resources as one transaction: the server takes them all, or none.

References between them are the entries' ``urn:uuid`` names, which the server replaces by its own;
the names are made of our ids, so that the same draft gives the same bytes. The server chooses the
ids. Only the Observation is ever written over, and only in the version that was read: the rest is
made if it is not there.

Standard: FHIR R4 and R5 Bundle of type transaction (bdl-3, bdl-7, bdl-8).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from mappings.fhir_elements import canonical_json
from mappings.fhir_guard import check_resource
from mappings.fhir_json import read_object
from mappings.fhir_wire import criteria_of, rename

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mappings.domain import DraftObservation
    from mappings.fhir_elements import FhirVersion

_NAMES = uuid.UUID("8c2b3f06-5a55-5f0e-9d0a-6d9b6b1f7a51")
"""Ours, chosen once: the space in which a resource's name becomes a uuid."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """The Observation that the server holds and that this draft replaces."""

    server_id: str
    version_id: str


def build_transaction(
    draft: DraftObservation,
    *,
    replaces: Replaced | None = None,
    version: FhirVersion = "R4",
) -> bytes:
    """Put a draft and what belongs to it into one Bundle.

    Args:
        draft: As it was kept.
        replaces: What an update replaces; None where the server holds nothing under our identity.
        version: Of the draft's resources.

    Returns:
        Canonical JSON; the same input gives the same bytes. Entries: what the Observation refers
        to, the Observation, its Provenance, then what refers to it.

    Raises:
        GuardViolationError: What was built would break FHIR.
    """
    kept = {
        **{f"{each.resource_type}/{each.id}": each.body for each in draft.companions},
        f"Observation/{draft.observation_id}": draft.observation,
        f"Provenance/{draft.provenance_id}": draft.provenance,
    }
    order = ("Device", "Observation", "Provenance")
    resources = {
        name: read_object(kept[name])
        for name in sorted(kept, key=lambda name: _place(name.split("/")[0], order))
    }
    urls = {name: f"urn:uuid:{uuid.uuid5(_NAMES, name)}" for name in resources}
    entries = [
        _entry(resource, urls, urls[name], replaces if name.startswith("Observation/") else None)
        for name, resource in resources.items()
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    check_resource(bundle, version)
    return canonical_json(bundle)


def _place(kind: str, order: tuple[str, ...]) -> int:
    return order.index(kind) if kind in order else len(order)


def _entry(
    resource: Mapping[str, Any], urls: Mapping[str, str], url: str, replaces: Replaced | None
) -> dict[str, object]:
    """Return one entry: an update of what it replaces, else a create of what is not there."""
    kind = resource["resourceType"]
    written = {name: value for name, value in rename(resource, urls).items() if name != "id"}
    if replaces is None:
        wanted = urlencode(criteria_of(resource))
        request = {"method": "POST", "url": kind, "ifNoneExist": wanted}
        return {"fullUrl": url, "resource": written, "request": request}
    id_, etag = replaces.server_id, f'W/"{replaces.version_id}"'
    request = {"method": "PUT", "url": f"{kind}/{id_}", "ifMatch": etag}
    return {"fullUrl": url, "resource": {**written, "id": id_}, "request": request}
