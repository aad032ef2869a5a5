"""Every resource of every path, judged by validators that others wrote.

R4 (and R4B, which has the same elements here): the official JSON schema and fhirkit-rs. R5: a
schema made of HL7's own definitions, and the R5 classes of fhir.resources; fhirkit-rs knows R4
alone. What each of them notices of broken resources: docs/VALIDATION.md.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import pytest

from interfaces.fhir_store_search import parameters
from mappings.domain import (
    CheckVerdict,
    Draft,
    EngineIdentity,
    Findings,
    FinishReason,
    Identifier,
    Impression,
    PostOutcome,
    Standard,
    StudyReport,
)
from mappings.errors import PrelimError
from mappings.fhir_audit_event import Write, build_audit_event
from mappings.fhir_capability_statement import build_capability_statement
from mappings.fhir_elements import FhirOptions
from mappings.fhir_guard import KNOWN_TYPES
from mappings.fhir_notification import (
    Event,
    NotificationType,
    Standing,
    notification,
    status_bundle,
)
from mappings.fhir_observation import build_observation
from mappings.fhir_retraction import retracted
from mappings.fhir_subscription import CONTENTS, SubscriptionState
from mappings.fhir_transaction import Replaced, build_transaction
from mappings.message_plan import plan_message
from mappings.reasons import RetractReason
from mappings.report_key import report_key
from mappings.sites import SiteSet
from tests.unit.mappings.fhir_variants import (
    refused_by_classes,
    refused_by_fhirkit,
    refused_by_schema,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mappings.domain import DraftObservation

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 3, 4, 10, 11, 12, tzinfo=UTC)
ENGINES = [
    EngineIdentity(
        "transformers", "5", "Base", "sha256:1", "a", "sha256:2", "i/1", "auto", is_demo=False
    ),
    EngineIdentity("extractive", "1", None, None, None, None, "i/1", None, is_demo=True),
]
OPTIONS = [
    FhirOptions(version=version, device=device, has_task=True, is_transparent=is_transparent)
    for version, device, is_transparent in product(
        ("R4", "R5"), ("contained", "resource"), (True, False)
    )
    if not (version == "R5" and is_transparent)
]
MISSING = [
    *("patient", "accession_number", "placer_order_number", "filler_order_number"),
    *("study_instance_uid", "observed_at", "reported_at", "sending_facility"),
]


def sources() -> Iterator[tuple[str, Standard, bytes]]:
    """Yield every message that the project has, by either standard."""
    for folder in ("daemon/samples", "tests/vectors/hl7"):
        for path in sorted((ROOT / folder).glob("*.hl7")):
            yield path.name, Standard.HL7V2, path.read_bytes()
    for path in sorted((ROOT / "tests/vectors/fhir/reports").glob("*.json")):
        yield path.name, Standard.FHIR, path.read_bytes()


def studies() -> Iterator[tuple[str, StudyReport]]:
    """Yield the reports that are drafted for, and one that lacks all that it may lack."""
    for name, standard, payload in sources():
        try:
            planned = plan_message(payload, SiteSet(), standard=standard)
        except PrelimError:
            continue  # malformed on purpose
        for number, one in enumerate(planned):
            if isinstance(one.decision, Findings):
                yield f"{name} {number}", one.study
                yield f"{name} {number}, bare", replace(one.study, **dict.fromkeys(MISSING))


STUDIES = list(studies())


def draft_of(study: StudyReport, options: FhirOptions, engine: EngineIdentity) -> DraftObservation:
    text = f"No acute disease. {study.sections.findings}"
    draft = Draft(text, FinishReason.STOP, 40, 6, engine)
    return build_observation(
        study,
        Impression(draft, (CheckVerdict("numbers", is_passed=True),)),
        options,
        report_key=report_key(replace(study, filler_order_number=Identifier("F"))),
        report_version="report-1",
        drafted_at=NOW,
        software_version="0.1.0",
    )


def resources_of(draft: DraftObservation, options: FhirOptions) -> Iterator[tuple[str, bytes]]:
    """Yield all that ever leaves for one draft, by what it is."""
    yield "Observation", draft.observation
    yield "Provenance", draft.provenance
    for companion in draft.companions:
        yield companion.resource_type, companion.body
    writes = {PostOutcome.CREATED: "create", PostOutcome.UPDATED: "update"}
    for outcome, interaction in writes.items():
        write = Write(
            interaction,  # type: ignore[arg-type]
            "Observation/77",
            "3",
            draft.observation,
            "https://fhir.example/fhir",
            "192.0.2.7",
            "5d2e2b1c",
        )
        yield f"AuditEvent, {outcome}", build_audit_event(write, options, now=NOW).body
    for reason in RetractReason:
        taken_back = retracted(draft.observation, reason=reason, now=NOW)
        yield f"retraction, {reason}", taken_back
    for replaces in (None, Replaced("77", "3")):
        bundle = build_transaction(draft, replaces=replaces, version=options.version)
        yield f"transaction, {replaces}", bundle


def faults_of(resource: dict[str, Any], options: FhirOptions) -> list[str]:
    """Return the validators that refuse a resource."""
    version = options.version
    verdicts = {
        "schema": refused_by_schema(resource, version),
        "classes": refused_by_classes(resource, version),
        "fhirkit": version != "R5" and refused_by_fhirkit(resource),
    }
    return [name for name, is_refused in verdicts.items() if is_refused]


def test_both_doors_and_enough_reports_are_among_the_paths() -> None:
    kinds = {study.standard for _, study in STUDIES}

    assert kinds == set(Standard)
    assert len(STUDIES) > 30


@pytest.mark.parametrize(
    "options", OPTIONS, ids=lambda one: f"{one.version} {one.device} {one.is_transparent}"
)
def test_every_resource_of_every_path_is_valid(options: FhirOptions) -> None:
    refused = {
        (name, what): faults
        for number, (name, study) in enumerate(STUDIES)
        for what, body in resources_of(draft_of(study, options, ENGINES[number % 2]), options)
        if (faults := faults_of(json.loads(body), options))
    }

    assert refused == {}


@pytest.mark.parametrize("device", ["contained", "resource"])
def test_r4b_is_the_very_bytes_of_r4(device: str) -> None:
    four, four_b = (
        FhirOptions(version=version, device=device, has_task=True)  # type: ignore[arg-type]
        for version in ("R4", "R4B")
    )
    for _, study in STUDIES[:4]:
        first, second = (draft_of(study, options, ENGINES[0]) for options in (four, four_b))

        assert list(resources_of(first, four)) == list(resources_of(second, four_b))


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("kind", get_args(NotificationType))
def test_what_a_subscriber_is_told_is_valid(
    kind: NotificationType, content: Literal["empty", "id-only", "full-resource"]
) -> None:
    draft = draft_of(STUDIES[0][1], OPTIONS[0], ENGINES[0])
    url = "https://prelim.example/fhir/Subscription/1"
    standing = Standing(url, SubscriptionState.ACTIVE, content, events=2)
    is_event = kind in ("event-notification", "query-event")
    at, observation = "2026-03-04T10:11:12.000Z", json.loads(draft.observation)
    events = (Event(1, at, observation, is_first=True), Event(2, at, None)) if is_event else ()

    told = notification(kind, standing, events=events, now=NOW)

    assert faults_of(told, OPTIONS[0]) == []
    assert faults_of(status_bundle([standing]), OPTIONS[0]) == []


def test_what_is_said_of_the_drafts_door_is_valid() -> None:
    """The schema and the classes are of 4.0.0 and 4.3.0: neither knows 4.0.1 by its number."""
    statement = build_capability_statement(
        "https://prelim.example/fhir",
        {kind: parameters(kind) for kind in sorted(KNOWN_TYPES)},
        fhir_version="4.0.0",
        software_version="0.1.0",
        is_intake_open=True,
    )

    assert faults_of(statement, OPTIONS[0]) == []


def test_the_paths_make_every_kind_of_resource() -> None:
    options = FhirOptions(device="resource", has_task=True)
    draft = draft_of(STUDIES[0][1], options, ENGINES[0])

    kinds = {json.loads(body)["resourceType"] for _, body in resources_of(draft, options)}

    assert kinds == {"Observation", "Provenance", "Device", "Task", "AuditEvent", "Bundle"}


@pytest.mark.parametrize("version", ["R4", "R5"])
def test_the_validators_refuse_the_other_versions_shape(version: str) -> None:
    """They could otherwise be agreeing with anything."""
    options = FhirOptions(version="R5" if version == "R4" else "R4", device="resource")
    draft = draft_of(STUDIES[0][1], options, ENGINES[0])

    wrong = FhirOptions(version=version)  # type: ignore[arg-type]
    for body in (draft.companions[0].body, draft.provenance):
        assert faults_of(json.loads(body), wrong)[:2] == ["schema", "classes"]
