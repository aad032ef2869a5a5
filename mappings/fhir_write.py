"""What to do at the server, decided without it: given what it holds.

Nothing that a human has touched is ever overwritten: a status other than preliminary (or taken back
by us to be drafted again), a performer, or an identity that is not ours means hands off. Nothing is
overwritten blindly either: an update names the version that it replaces.

Standard: FHIR R4 RESTful API (conditional create, version-aware update).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mappings.fhir_retraction import may_be_drafted_again
from mappings.fhir_wire import id_of, member


@dataclass(frozen=True, slots=True)
class Create:
    """The server holds nothing under our identity."""


@dataclass(frozen=True, slots=True)
class Update:
    """The server holds an older draft of ours, in this version."""

    server_id: str
    version_id: str


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The server holds this very draft."""

    server_id: str
    version_id: str | None


@dataclass(frozen=True, slots=True)
class LeaveAlone:
    """What the server holds is no longer ours to write."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unsafe:
    """An update could overwrite a human's work unseen."""

    reason: str


WritePlan = Create | Update | Unchanged | LeaveAlone | Unsafe


def plan_write(existing: Mapping[str, object] | None, ours: Mapping[str, object]) -> WritePlan:
    """Choose how to bring our draft to the server.

    Args:
        existing: The Observation that the server holds under our identity, or None.
        ours: The Observation to post.

    Returns:
        The step to take. ``Unsafe`` when the server gives no version to name in If-Match.
    """
    if existing is None:
        return Create()
    if existing.get("status") != "preliminary" and not may_be_drafted_again(existing):
        return LeaveAlone("final_present")
    if existing.get("performer"):
        return LeaveAlone("human_performer")
    if not _is_ours(existing, ours):
        return LeaveAlone("not_our_draft")
    server_id = id_of(existing.get("id"))
    if server_id is None:
        return Unsafe("server_without_ids")
    version_id = id_of(member(existing, "meta").get("versionId"))
    if _holds(existing, {**ours, "id": server_id}):
        return Unchanged(server_id, version_id)
    if version_id is None:
        return Unsafe("server_without_versions")
    return Update(server_id, version_id)


def plan_retraction(existing: Mapping[str, object] | None, ours: Mapping[str, object]) -> WritePlan:
    """Choose how to take our draft back.

    Args:
        existing: As for ``plan_write``.
        ours: The Observation that was posted.

    Returns:
        ``Update`` when there is something to take back, ``Unchanged`` when it is done already;
        what is gone or was touched by a human is left alone.
    """
    if existing is None:
        return LeaveAlone("gone")
    server_id = id_of(existing.get("id"))
    is_retracted = existing.get("status") == "entered-in-error"
    if is_retracted and server_id is not None and _is_ours(existing, ours):
        return Unchanged(server_id, id_of(member(existing, "meta").get("versionId")))
    return plan_write(
        existing, {"identifier": ours.get("identifier"), "status": "entered-in-error"}
    )


def update_of(existing: Mapping[str, object]) -> Update | None:
    """Return how to write over what the server holds; None where it names no id or version."""
    server_id = id_of(existing.get("id"))
    version_id = id_of(member(existing, "meta").get("versionId"))
    return None if server_id is None or version_id is None else Update(server_id, version_id)


def _is_ours(existing: Mapping[str, object], ours: Mapping[str, object]) -> bool:
    mine, theirs = ours.get("identifier"), existing.get("identifier")
    if not isinstance(mine, list) or not isinstance(theirs, list):
        return False
    return any(_holds(identifier, mine[0]) for identifier in theirs)


def _holds(theirs: object, ours: object) -> bool:
    """Whether the server's copy has everything of ours; it may add, and rewrite an instant."""
    if isinstance(ours, Mapping):
        return isinstance(theirs, Mapping) and all(
            name in theirs and _holds(theirs[name], value) for name, value in ours.items()
        )
    if isinstance(ours, list):
        return (
            isinstance(theirs, list)
            and len(theirs) >= len(ours)
            and all(any(_holds(item, wanted) for item in theirs) for wanted in ours)
        )
    return theirs == ours or _is_same_instant(theirs, ours)


def _is_same_instant(theirs: object, ours: object) -> bool:
    if not isinstance(theirs, str) or not isinstance(ours, str) or "T" not in ours:
        return False
    try:
        first, second = datetime.fromisoformat(theirs), datetime.fromisoformat(ours)
    except ValueError:
        return False
    return first.utcoffset() is not None and first == second
