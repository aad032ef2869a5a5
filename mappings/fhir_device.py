"""The machine as FHIR: a Device that says exactly enough of what wrote a draft to repeat it.

Contained in what it wrote, or a resource of its own: then its id is the hash of what it says, so
that the same machine is the same Device and a new adapter is another.

Standard: FHIR R4 Device; ``describe_machine`` reads its R5 shape too.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mappings.fhir_elements import canonical_json, companion_meta, printable
from mappings.fhir_transparency import as_ai_device

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mappings.domain import DraftObservation, EngineIdentity
    from mappings.fhir_elements import FhirOptions

CONTAINED_ID = "drafter"
DEVICE_SYSTEM = "urn:prelim:device"
NOT_FOR_CLINICAL_USE = "Demonstration engine: not for clinical use."
_TYPES = {
    "transformers": "Artificial intelligence: language model",
    "openai": "Artificial intelligence: language model",
    "extractive": "Extractive engine: copies sentences of the findings, no model",
}


@dataclass(frozen=True, slots=True)
class Machine:
    """What a Device says: what it is, the model's name, and each version with its kind."""

    kind: str
    model_name: str
    versions: tuple[tuple[str, str], ...]


def build_device(
    engine: EngineIdentity, software_version: str, options: FhirOptions
) -> dict[str, Any]:
    """Describe what wrote a draft.

    Args:
        engine: The model, its adapter and its prompt.
        software_version: Of prelim itself.
        options: Whether it is contained or a resource of its own.

    Returns:
        A Device of R4 with its id: ``drafter``, or one made of all that it says.
    """
    said: dict[str, Any] = _describe(engine, software_version)
    if options.is_transparent:
        said = as_ai_device(said, engine)
    if options.device == "contained":
        return {**said, "id": CONTAINED_ID}
    id_ = f"prelim-{hashlib.sha256(canonical_json(said)).hexdigest()[:48]}"
    identifier = [{"system": DEVICE_SYSTEM, "value": id_}]
    meta = {**said.get("meta", {}), **companion_meta(id_)}
    return {**said, "id": id_, "meta": meta, "identifier": identifier}


def device_reference(device: Mapping[str, object], options: FhirOptions) -> dict[str, object]:
    """Refer to what ``build_device`` made."""
    prefix = "#" if options.device == "contained" else "Device/"
    return {"reference": f"{prefix}{device['id']}", "type": "Device"}


def describe_machine(draft: DraftObservation) -> Machine:
    """Read back what wrote a draft, wherever its Device stands and in whichever version's shape."""
    apart = [each.body for each in draft.companions if each.resource_type == "Device"]
    device: dict[str, Any] = (
        json.loads(apart[0]) if apart else json.loads(draft.observation)["contained"][0]
    )
    versions = tuple((each["value"], each["type"]["text"]) for each in device["version"])
    if "deviceName" in device:
        return Machine(device["type"]["text"], device["deviceName"][-1]["name"], versions)
    return Machine(device["type"][0]["text"], device["modelNumber"], versions)


def _describe(engine: EngineIdentity, software_version: str) -> dict[str, object]:
    versions = {
        "prelim": software_version,
        "engine": engine.engine_version,
        "model": engine.base_digest,
        "adapter": engine.adapter_digest,
        "prompt template": engine.template_version,
        "number format": engine.dtype,
        "redraft": str(engine.redraft) if engine.redraft else None,
    }
    model_name = " + ".join(name for name in (engine.base, engine.adapter) if name)
    device: dict[str, object] = {
        "resourceType": "Device",
        "type": {"text": _TYPES[engine.engine]},
        "deviceName": [
            {"name": "prelim impression drafter", "type": "user-friendly-name"},
            {"name": printable(model_name) or engine.engine, "type": "model-name"},
        ],
        "version": [
            {"type": {"text": kind}, "value": value} for kind, value in versions.items() if value
        ],
    }
    if engine.is_demo:
        device["note"] = [{"text": NOT_FOR_CLINICAL_USE}]
    return device
