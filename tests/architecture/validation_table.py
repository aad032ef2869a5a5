"""docs/VALIDATION.md's table: who notices each broken resource, asked of each validator."""

from __future__ import annotations

from typing import Any

from tests.unit.mappings.fhir_variants import (
    VARIANTS,
    broken,
    refused_by_classes,
    refused_by_fhirkit,
    refused_by_guard,
    refused_by_schema,
)

_HEAD = ("what is wrong", "version", "JSON schema", "fhirkit-rs", "fhir.resources", "our guard")


def render_validation() -> str:
    """Return a table for each type of resource, and how many each validator notices."""
    rows = [(variant, _judge(variant)) for variant in VARIANTS]
    kinds = dict.fromkeys(variant["of"] for variant, _ in rows)
    parts = [_summary([verdicts for _, verdicts in rows])]
    for kind in kinds:
        lines = [_line(_HEAD), _line("---" for _ in _HEAD)]
        lines += [
            _line((variant["name"], variant.get("version", "R4"), *map(_word, verdicts)))
            for variant, verdicts in rows
            if variant["of"] == kind
        ]
        parts.append("\n".join([f"### {kind}\n", *lines]))
    return "\n\n".join(parts)


def _judge(variant: dict[str, Any]) -> tuple[bool | str | None, ...]:
    """Return what each validator says; None where it does not know the version."""
    resource, version = broken(variant), variant.get("version", "R4")
    said = refused_by_guard(resource, version)
    return (
        refused_by_schema(resource, version),
        None if version == "R5" else refused_by_fhirkit(resource),
        refused_by_classes(resource, version),
        False if said is None else f"`{said[0]}`",
    )


def _summary(verdicts: list[tuple[bool | str | None, ...]]) -> str:
    """Return how many of those that it knows each validator notices."""
    lines = [_line(("validator", "notices", "of")), _line(("---",) * 3)]
    for name, column in zip(_HEAD[2:], zip(*verdicts, strict=True), strict=True):
        known = [verdict for verdict in column if verdict is not None]
        lines.append(_line((name, str(sum(map(bool, known))), str(len(known)))))
    return "\n".join(lines)


def _word(verdict: bool | str | None) -> str:  # noqa: FBT001 - a verdict is what it is
    if isinstance(verdict, str):
        return verdict
    return {True: "yes", False: "", None: "does not know it"}[verdict]


def _line(cells: Any) -> str:  # noqa: ANN401 - any cells
    return f"| {' | '.join(cells)} |"
