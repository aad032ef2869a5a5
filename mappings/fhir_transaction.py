"""A draft's resources as one transaction: the server takes them all, or none.

References between them are the entries' ``urn:uuid`` names, which the server replaces by its own;
the names are made of our ids, so that the same draft gives the same bytes. Only the Observation is
ever written over, and only in the version that was read: the rest is made if it is not there.

Standard: FHIR R4 and R5 Bundle of type transaction (bdl-3, bdl-7, bdl-8).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from mappings.fhir_elements import canonical_json
from mappings.fhir_guard import check_resource
from mappings.fhir_write import criteria_of, read_object, rename

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
    has_our_ids: bool = True,
    version: FhirVersion = "R4",
) -> bytes:
    """Put a draft and what belongs to it into one Bundle.

    Args:
        draft: As it was kept.
        replaces: What an update replaces; None where the server holds nothing under our identity.
        has_our_ids: The Observation keeps our id (PUT, update as create); else the server chooses
            one (POST with ifNoneExist).
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
    ours = {f"Observation/{draft.observation_id}": _observation_request(draft, replaces)}
    entries = []
    for name, resource in resources.items():
        request = ours.get(name) if has_our_ids or replaces else None
        entries.append(_entry(resource, urls, urls[name], request))
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    check_resource(bundle, version)
    return canonical_json(bundle)


def _place(kind: str, order: tuple[str, ...]) -> int:
    return order.index(kind) if kind in order else len(order)


def _observation_request(draft: DraftObservation, replaces: Replaced | None) -> dict[str, str]:
    if replaces is None:
        return {"method": "PUT", "url": f"Observation/{draft.observation_id}"}
    return {
        "method": "PUT",
        "url": f"Observation/{replaces.server_id}",
        "ifMatch": f'W/"{replaces.version_id}"',
    }


def _entry(
    resource: Mapping[str, Any],
    urls: Mapping[str, str],
    url: str,
    request: Mapping[str, str] | None,
) -> dict[str, object]:
    written = {name: value for name, value in rename(resource, urls).items() if name != "id"}
    if request is not None:
        id_ = request["url"].split("/")[1]
        return {"fullUrl": url, "resource": {**written, "id": id_}, "request": dict(request)}
    wanted = urlencode(criteria_of(resource))
    return {
        "fullUrl": url,
        "resource": written,
        "request": {"method": "POST", "url": resource["resourceType"], "ifNoneExist": wanted},
    }
