"""Required bindings of codes: fhir.resources' own lists, and those that it cuts short or lacks.

Standard: FHIR R4 (4.0.1) and R5 (5.0.0) value sets with binding strength required.
"""

from __future__ import annotations

_ABBREVIATED = "+"
"""Ends the list of codes in fhir.resources where the specification's short form is cut."""
_WHOLE = {
    ("AuditEvent", "action"): frozenset("CRUDE"),
    ("AuditEvent", "outcome"): frozenset({"0", "4", "8", "12"}),
    ("AuditEventAgentNetwork", "type"): frozenset("12345"),
    ("DeviceUdiCarrier", "entryType"): frozenset(
        {"barcode", "rfid", "manual", "card", "self-reported", "electronic-transmission", "unknown"}
    ),
    ("Observation", "status"): frozenset(
        {
            *("registered", "preliminary", "final", "amended", "corrected", "cancelled"),
            *("entered-in-error", "unknown"),
        }
    ),
    ("Quantity", "comparator"): frozenset({"<", "<=", ">=", ">", "ad"}),
    ("Task", "status"): frozenset(
        {
            *("draft", "requested", "received", "accepted", "rejected", "ready", "cancelled"),
            *("in-progress", "on-hold", "failed", "completed", "entered-in-error"),
        }
    ),
}


def is_bound(kind: str, element: str, value: object, codes: object) -> bool:
    """Tell whether a code is one of those that its element demands.

    Args:
        kind: Of the model, such as ``Observation`` or ``BundleEntryRequest``.
        element: Its name, with an index where it repeats.
        value: The code; anything else is bound to nothing.
        codes: What fhir.resources lists for the element, or None.
    """
    whole = _WHOLE.get((kind, element))
    if whole is not None:
        # In R5, AuditEvent.outcome is a structure.
        return not isinstance(value, str) or value in whole
    return not isinstance(codes, list) or _ABBREVIATED in codes or value in codes
