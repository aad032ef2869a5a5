"""What a FHIR server says that it can do, and the safest way to write that follows from it.

A way is safe when a repeat makes no second Observation and an update names the version that it
replaces. A server without one is told so; nothing is ever written in an unsafe way.

Standard: FHIR R4 CapabilityStatement (rest.resource.updateCreate, conditionalCreate, versioning).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from interfaces.fhir_replies import resource_of

if TYPE_CHECKING:
    from interfaces.fhir_http import FhirHttp

WriteMode: TypeAlias = Literal["put", "conditional-create", "transaction"]
_VERSIONED = frozenset({"versioned", "versioned-update"})
# What is written beside each Observation has to be safe too.
_WRITTEN = ("Observation", "Provenance")


@dataclass(frozen=True, slots=True)
class Capability:
    """What matters for a post, of every type that is written."""

    has_versions: bool
    takes_our_ids: bool
    creates_conditionally: bool
    has_transactions: bool

    @property
    def safest_write(self) -> WriteMode | None:
        """The way to write; None when no way is safe.

        Our ids come first: a conditional create is not free of races on real servers, alone or in
        a transaction. A transaction comes before single ones: it leaves all or nothing.
        """
        if not self.has_versions:
            return None
        if self.takes_our_ids:
            return "put"
        if not self.creates_conditionally:
            return None
        return "transaction" if self.has_transactions else "conditional-create"


async def ask_what_it_can(http: FhirHttp) -> Capability:
    """Ask a server for its CapabilityStatement.

    Raises:
        PostRetryError: Not now.
        PostRefusedError: The server has none.
    """
    reply = await http.exchange("GET", "metadata")
    return read_capability(resource_of(reply, "CapabilityStatement", "CapabilityStatement"))


def read_capability(statement: Mapping[str, object]) -> Capability:
    """Read a CapabilityStatement; what it does not say, the server cannot."""
    rest = _objects(statement.get("rest"))
    server = next((each for each in rest if each.get("mode") == "server"), {})
    by_type = {str(each.get("type")): each for each in _objects(server.get("resource"))}
    written = [by_type.get(kind, {}) for kind in _WRITTEN]
    codes = {str(each.get("code")) for each in _objects(server.get("interaction"))}
    return Capability(
        has_versions=str(by_type.get("Observation", {}).get("versioning")) in _VERSIONED,
        takes_our_ids=all(each.get("updateCreate") is True for each in written),
        creates_conditionally=all(each.get("conditionalCreate") is True for each in written),
        has_transactions="transaction" in codes,
    )


def _objects(value: object) -> list[Mapping[str, object]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
