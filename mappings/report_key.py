"""The key that orders the versions of one report and makes the identity of its Observation.

It must never change for a report that is already posted: neither the status, the text nor the
message has a part in it. Two hospitals count their orders alike: where no site of the settings
knows the sender, its facility (MSH-4) keeps them apart.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from mappings.domain import ReportKey
from mappings.sites import DEFAULT_SITE

if TYPE_CHECKING:
    from mappings.domain import StudyReport


def report_key(report: StudyReport) -> ReportKey | None:
    """Return sha256 hex of site + filler order number, else accession number + exam code.

    The default site stands for any sender: with it goes the sending facility.

    Returns:
        The key, or None when the report has neither.
    """
    numbers = _numbers(report)
    if numbers is None:
        return None
    site = report.site
    if site == DEFAULT_SITE.name:
        site = f"{site}\x1f{report.sending_facility or ''}"
    kind, *values = numbers
    joined = "\x1f".join((kind, site, *values)).encode("utf-8", "surrogatepass")
    return ReportKey(hashlib.sha256(joined).hexdigest())


def has_report_key(report: StudyReport) -> bool:
    """Say whether a report has a key, without making it."""
    return _numbers(report) is not None


def _numbers(report: StudyReport) -> tuple[str, ...] | None:
    if report.filler_order_number is not None:
        return "filler", report.filler_order_number.value
    if report.accession_number is not None and report.exam.code is not None:
        return "accession", report.accession_number.value, report.exam.code
    return None
