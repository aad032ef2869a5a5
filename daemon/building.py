"""From a checked impression to the resources to post, as the settings of the FHIR server choose."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from mappings.fhir_elements import FhirOptions
from mappings.fhir_observation import build_observation

if TYPE_CHECKING:
    from datetime import datetime

    from daemon.config_fhir import Fhir
    from daemon.drafting import Builder
    from daemon.journal import PendingReport
    from mappings.domain import DraftObservation, Impression


def fhir_options(chosen: Fhir) -> FhirOptions:
    """Return what the settings choose about the resources."""
    return FhirOptions(
        version=chosen.version,
        device=chosen.device,
        has_task=chosen.task,
        is_transparent=chosen.transparency,
        identifier_system=chosen.identifier_system,
        identifier_systems=chosen.identifier_systems,
        patient_reference=chosen.patient_reference,
        ai_security_code=chosen.ai_security_code,
    )


def make_builder(chosen: Fhir) -> Builder:
    """Return what makes the resources of a draft; the report's id stands for its version."""
    options, software_version = fhir_options(chosen), version("prelim")

    def build(
        report: PendingReport, impression: Impression, drafted_at: datetime
    ) -> DraftObservation:
        assert report.report_key is not None, "a report without a key is skipped"
        return build_observation(
            report.study,
            impression,
            options,
            report_key=report.report_key,
            report_version=report.report_id,
            drafted_at=drafted_at,
            software_version=software_version,
        )

    return build
