"""Identifiers, references and canonical JSON."""

from __future__ import annotations

from typing import Literal

import pytest

from mappings.domain import Identifier
from mappings.fhir_elements import (
    FhirOptions,
    canonical_json,
    logical_reference,
    printable,
    study_reference,
)

OPTIONS = FhirOptions(identifier_systems={"RIS": "http://ris.example/accession"})


@pytest.mark.parametrize(
    ("authority", "expected"),
    [
        ("RIS", {"system": "http://ris.example/accession"}),
        ("1.2.840.1", {"system": "urn:oid:1.2.840.1"}),
        ("NORTH&1.2.840.1&ISO", {"system": "urn:oid:1.2.840.1"}),
        ("NORTH^1.2.840.1^ISO", {"system": "urn:oid:1.2.840.1"}),
        ("urn:oid:1.2.840.1", {"system": "urn:oid:1.2.840.1"}),
        ("https://north.example/mrn", {"system": "https://north.example/mrn"}),
        ("NORTH", {"assigner": {"display": "NORTH"}}),
        ("a b:c", {"assigner": {"display": "a b:c"}}),
        (" ", {}),
        (None, {}),
    ],
)
def test_an_authority_becomes_a_system_only_where_it_is_one(
    authority: str | None, expected: dict[str, object]
) -> None:
    reference = logical_reference("Patient", Identifier("7", authority), None, OPTIONS)

    assert reference == {"type": "Patient", "identifier": {**expected, "value": "7"}}


@pytest.mark.parametrize("identifier", [None, Identifier(""), Identifier(" \x00 ")])
def test_nothing_to_refer_by_gives_no_reference(identifier: Identifier | None) -> None:
    assert logical_reference("Patient", identifier, "MR", OPTIONS) is None


@pytest.mark.parametrize("uid", [None, "", "1.2.", "1.02.3", "not a uid", "9.9"])
def test_what_is_no_uid_gives_no_study(uid: str | None) -> None:
    assert study_reference(uid) is None


@pytest.mark.parametrize(
    ("code", "display"),
    [("AIAST", "Artificial Intelligence asserted"), ("DEVAST", "device asserted")],
)
def test_the_label_has_the_name_of_its_code(code: Literal["AIAST", "DEVAST"], display: str) -> None:
    assert FhirOptions(ai_security_code=code).security[1:] == (code, display)


def test_other_white_space_becomes_a_space_and_controls_go() -> None:
    assert printable("\u3000a\u00a0b\x0bc\x00d\ud800e\tf\r\ng ") == "a b cde\tf\r\ng"


def test_canonical_json_has_sorted_keys_and_real_letters() -> None:
    assert canonical_json({"b": "ü", "a": [1]}) == '{"a":[1],"b":"ü"}'.encode()
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": float("nan")})
