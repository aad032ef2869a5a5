"""``prelim draft``: what dry-run says of a message, with the drafted impression and its checks."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from mappings.dry_run import describe_findings
from mappings.errors import PrelimError
from model.draft_checks import check_draft

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from daemon.drafting import Drafter
    from mappings.domain import Findings, Prompt
    from mappings.sites import SiteSet


async def preview(
    source: str,
    index: int,
    payload: bytes,
    *,
    sites: SiteSet,
    drafter: Drafter,
    prompt_of: Callable[[Findings], Prompt],
    door: str = "",
) -> AsyncIterator[dict[str, object]]:
    """Yield dry-run's records with ``draft``, ``checks`` and ``engine`` added."""
    for record, findings in describe_findings(source, index, payload, sites, door):
        if findings is None:
            yield {**record, "draft": None, "checks": [], "engine": None}
        else:
            yield {**record, **await _draft(findings, drafter, prompt_of)}


async def _draft(
    findings: Findings, drafter: Drafter, prompt_of: Callable[[Findings], Prompt]
) -> dict[str, object]:
    try:
        draft = await drafter.draft(prompt_of(findings))
    except PrelimError as error:
        failure = {"reason": error.reason, "where": error.where}
        return {"ok": False, "error": failure, "draft": None, "checks": [], "engine": None}
    verdicts = check_draft(findings, draft)
    return {
        "draft": draft.text,
        "checks": [asdict(verdict) for verdict in verdicts],
        "engine": asdict(draft.engine),
    }
