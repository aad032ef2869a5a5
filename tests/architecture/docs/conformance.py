"""What the code touches of a message or a resource, found out by watching it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings import fhir_in_header
from mappings.hl7_header import Header
from mappings.hl7_message import Rows, Segment

if TYPE_CHECKING:
    import pytest


class Watched(dict[str, Any]):
    """A part of a resource that notes each element that is asked of it.

    Args:
        parts: Its elements.
        at: The resource's type, and the path to this part.
        seen: Where ``Type.element`` is noted.
    """

    def __init__(self, parts: dict[str, Any], at: tuple[str, ...], seen: set[str]) -> None:
        super().__init__(parts)
        self._at, self._seen = at, seen

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - as dict has it
        self._note(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - as dict has it
        self._note(name)
        return super().__getitem__(name)

    def _note(self, name: str) -> None:
        kind, *path = self._at
        if kind and (path or name != "resourceType"):
            self._seen.add(f"{kind}.{path[0] if path else name}")


def watch_fhir(patch: pytest.MonkeyPatch) -> set[str]:
    """Return a set that each ``Type.element`` that is read from now on is put in."""
    seen: set[str] = set()
    read_json = fhir_in_header.read_json
    patch.setattr(fhir_in_header, "read_json", lambda body: _watched(read_json(body), (), seen))
    return seen


def _watched(value: Any, at: tuple[str, ...], seen: set[str]) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        return [_watched(each, at, seen) for each in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("resourceType")
    here = (kind,) if isinstance(kind, str) else at
    parts = {name: _watched(each, (*here, name), seen) for name, each in value.items()}
    return Watched(parts, here or ("",), seen)


def watch_hl7(patch: pytest.MonkeyPatch) -> set[str]:
    """Return a set that each ``SEG-number`` that is read from now on is put in."""
    seen: set[str] = set()

    def watch(owner: type, method: str, name_of: Any) -> None:  # noqa: ANN401 - of either class
        asked = getattr(owner, method)

        def noted(self: Any, number: int, *rest: Any, **named: Any) -> Any:  # noqa: ANN401 - as asked
            seen.add(f"{name_of(self)}-{number}")
            return asked(self, number, *rest, **named)

        patch.setattr(owner, method, noted)

    for method in ("raw", "text", "repetitions", "components", "component"):
        watch(Segment, method, lambda segment: segment.name)
    watch(Header, "raw", lambda _: "MSH")
    columns = Rows.columns

    def noted_columns(self: Rows, *numbers: int) -> list[list[str]] | None:
        seen.update(f"OBX-{number}" for number in numbers)
        return columns(self, *numbers)

    patch.setattr(Rows, "columns", noted_columns)
    return seen


def written_fields(message: bytes) -> set[str]:
    """Return the ``SEG-number`` of each field of an HL7 v2 message of ours that is not empty."""
    found: set[str] = set()
    for segment in message.decode().split("\r")[:-1]:
        name, *fields = segment.split("|")
        start = 2 if name == "MSH" else 1
        found |= {"MSH-1"} if name == "MSH" else set()
        found |= {f"{name}-{number}" for number, text in enumerate(fields, start) if text}
    return found
