"""AI Transparency on FHIR, where a site asks for it: what its profiles want beyond what we say.

Only what the guide defines stands here, and nothing that we could not keep: AI-InputPrompt would
carry the report itself, an AI-ModelCard needs a place to be read at, and its ``performer`` would
look like a person who has taken over. The label in ``meta.security`` is there in any case.

Standard: HL7 AI Transparency on FHIR 0.1.0, for R4 alone: profiles AI-Device and AI-Provenance,
extension AIKind, code system AIdeviceTypeCS (github.com/HL7/aitransparency-ig, input/fsh).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.fhir_elements import codeable, coding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mappings.domain import EngineIdentity

GUIDE = "http://hl7.org/fhir/uv/aitransparency"
AI_DEVICE = f"{GUIDE}/StructureDefinition/AI-Device"
AI_PROVENANCE = f"{GUIDE}/StructureDefinition/AI-Provenance"
AI_KIND = f"{GUIDE}/StructureDefinition/aitransparency.AIKind"
_TYPES = f"{GUIDE}/CodeSystem/AIdeviceTypeCS"
_INTELLIGENCE = ("Artificial-Intelligence", "All kinds of Artificial Intelligence")
_LANGUAGE_MODEL = ("Large-Language-Models", "Large Language Models")
_KINDS = {
    "transformers": _LANGUAGE_MODEL,
    "openai": _LANGUAGE_MODEL,
    "extractive": ("Rule-Based-Systems", "Rule-Based Systems"),
}


def as_ai_device(device: Mapping[str, Any], engine: EngineIdentity) -> dict[str, Any]:
    """Return a Device (R4) that follows AI-Device."""
    return {
        **device,
        "meta": {"profile": [AI_DEVICE]},
        "type": {**device["type"], "coding": [coding(_TYPES, *_INTELLIGENCE)]},
        "extension": [
            {"url": AI_KIND, "valueCodeableConcept": codeable(_TYPES, *_KINDS[engine.engine])}
        ],
    }


def as_ai_provenance(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Provenance (R4) that follows AI-Provenance; its first agent is the machine.

    The profile demands the reason AIAST: with another label it is not claimed.
    """
    reasons = {code["code"] for reason in provenance["reason"] for code in reason["coding"]}
    profile = {"profile": [AI_PROVENANCE]} if "AIAST" in reasons else {}
    author, *others = provenance["agent"]
    return {
        **provenance,
        "meta": {**provenance["meta"], **profile},
        "agent": [{**author, "role": [codeable(_TYPES, *_INTELLIGENCE)]}, *others],
    }
