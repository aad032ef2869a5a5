"""The key that orders the versions of one report and makes the identity of its Observation.

It must never change for a report that is already posted: neither the status, the text nor the
message has a part in it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from mappings.domain import ReportKey

if TYPE_CHECKING:
    from mappings.domain import StudyReport


def report_key(report: StudyReport) -> ReportKey | None:
    """Return sha256 hex of site + filler order number, else accession number + exam code.

    Returns:
        The key, or None when the report has neither.
    """
    if report.filler_order_number is not None:
        parts = ["filler", report.site, report.filler_order_number.value]
    elif report.accession_number is not None and report.exam.code is not None:
        parts = ["accession", report.site, report.accession_number.value, report.exam.code]
    else:
        return None
    joined = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return ReportKey(hashlib.sha256(joined).hexdigest())
