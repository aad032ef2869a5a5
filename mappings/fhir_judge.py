"""Whether a resource that arrived is what FHIR says it is, asked of fhir.resources.

A judge and no reader: what arrived is kept and read as it came. Of a verdict only the path is told,
in names that FHIR has; the judge's own text quotes the content. It knows no codes, so a report's
status is judged here.

Standard: FHIR R4 (the R4B classes, which have the same elements) and R5.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from mappings.errors import ResourceRefusedError
from mappings.fhir_in_header import REPORT, FhirRelease
from mappings.fhir_json import Node, kind_of, word

if TYPE_CHECKING:
    from mappings.fhir_in_header import FhirHeader

STATUSES = frozenset(
    {
        *("registered", "partial", "preliminary", "modified", "final", "amended", "corrected"),
        *("appended", "cancelled", "entered-in-error", "unknown"),
    }
)
_PACKAGES = {FhirRelease.R4: "R4B.", FhirRelease.R4B: "R4B.", FhirRelease.R5: ""}
_NAME_CHARACTERS_MAX = 40


def judge_resource(header: FhirHeader) -> None:
    """Refuse a resource that its release does not know.

    Where nothing tells the release, it must be one of them: R4, else R5.

    Raises:
        ResourceRefusedError: 422; ``where`` is a path such as ``DiagnosticReport.code``.
    """
    releases = [header.release] if header.release else [FhirRelease.R4, FhirRelease.R5]
    faults: list[str] = []
    for release in releases:
        if (fault := _judge(header.resource, release)) is None:
            break
        faults.append(fault)
    else:
        raise ResourceRefusedError(422, "structure", "resource_invalid", faults[0])
    for report in header.reports:
        if word(report, "status") not in STATUSES:
            where = f"{REPORT}.status"
            raise ResourceRefusedError(422, "code-invalid", "status_unknown", where)


def warm_judge() -> None:
    """Load the classes and make their validators: a tenth of a second at the first report."""
    _judge({"resourceType": "Bundle", "type": "collection"}, FhirRelease.R4)
    concept = {"text": "x"}
    report = {"resourceType": REPORT, "status": "final", "code": concept}
    _judge(report, FhirRelease.R4)


def _judge(resource: Node, release: FhirRelease) -> str | None:
    """Return where a resource is wrong; None when it is right."""
    kind = kind_of(resource)
    try:
        _find_class(kind, release).model_validate(resource)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        # The name of an element that is not FHIR's is the sender's own word.
        known = first["loc"][:-1] if first["type"] == "extra_forbidden" else first["loc"]
        return "".join([kind, *(_step(one) for one in known)])
    # An unknown type within is a bare KeyError, or one of several others (fhir.resources 8.3).
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError, RecursionError):
        return kind
    return None


@lru_cache(maxsize=16)
def _find_class(kind: str, release: FhirRelease) -> type[BaseModel]:
    module = import_module(f"fhir.resources.{_PACKAGES[release]}{kind.lower()}")
    found: type[BaseModel] = getattr(module, kind)
    return found


def _step(one: str | int) -> str:
    if isinstance(one, int):
        return f"[{one}]"
    is_name = one.isidentifier() and one.isascii() and len(one) <= _NAME_CHARACTERS_MAX
    return f".{one}" if is_name else ""
