"""Stable words for what is done about a report or a draft: stored, counted, scripted against.

Rule: a word is never renamed, and never holds anything of a report.
"""

from __future__ import annotations

from enum import StrEnum


class SkipReason(StrEnum):
    """Why a readable report is not drafted. Stable: stored, counted and scripted against."""

    NO_REPORT_GROUP = "no_report_group"
    MESSAGE_TYPE_IGNORED = "message_type_ignored"
    NOT_RADIOLOGY = "not_radiology"
    NO_FINDINGS = "no_findings"
    NO_OBSERVATIONS = "no_observations"
    DOCUMENT_NOT_READ = "document_not_read"
    RESULTS_UNRESOLVED = "results_unresolved"
    PART_OF_REPORT = "part_of_report"
    IMPRESSION_PRESENT = "impression_present"
    REPORT_CANCELLED = "report_cancelled"
    EXAM_NOT_CONFIGURED = "exam_not_configured"
    NO_REPORT_KEY = "no_report_key"
    FINAL_PRESENT = "final_present"
    DRAFTING_ENDED = "drafting_ended"
    OWN_DRAFT = "own_draft"


class RetractReason(StrEnum):
    """Why a posted draft is taken back. Stable: stored, posted and scripted against."""

    REPORT_CANCELLED = "report_cancelled"
    REPORT_CHANGED = "report_changed"
    IMPRESSION_PRESENT = "impression_present"
    FINAL_PRESENT = "final_present"
