"""Parts of a resource are marked as such and hold what was asked for."""

from __future__ import annotations

import json

import pytest

from mappings.fhir_subsets import chosen_elements, subset
from tests.samples.fhir_drafts import draft_of

DRAFT = json.loads(draft_of().observation)


@pytest.mark.parametrize(
    ("summary", "elements", "has", "has_not"),
    [
        ("true", None, {"status", "code", "valueString", "identifier"}, {"note", "category"}),
        ("text", None, {"status", "code"}, {"valueString", "note"}),
        ("data", None, {"status", "code", "valueString", "note", "category"}, {"text"}),
        ("false", "note,Observation.valueString", {"status", "note", "valueString"}, {"subject"}),
    ],
)
def test_a_part_has_what_was_asked_for_and_what_its_type_demands(
    summary: str, elements: str | None, has: set[str], has_not: set[str]
) -> None:
    chosen = chosen_elements("Observation", summary, elements)
    assert chosen is not None

    part = subset({**DRAFT, "text": {"status": "generated"}}, chosen)
    assert has <= set(part)
    assert not has_not & set(part)
    assert part["meta"]["tag"][-1]["code"] == "SUBSETTED"  # type: ignore[index]
    assert "SUBSETTED" not in json.dumps(DRAFT)


def test_a_whole_resource_is_no_part() -> None:
    assert chosen_elements("Observation", "false", None) is None
    assert chosen_elements("Observation", "count", None) is None
