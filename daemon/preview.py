"""``prelim draft``: what dry-run says of a message, with the drafted impression and its checks."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from daemon.drafting import draft_until_one_passes
from mappings.dry_run import describe_findings
from mappings.errors import PrelimError
from model.redrafting import Choice

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from daemon.drafting import Drafter
    from mappings.domain import Findings, Prompt
    from mappings.sites import SiteSet


async def preview(  # noqa: PLR0913 - one port each, and the message
    source: str,
    index: int,
    payload: bytes,
    *,
    sites: SiteSet,
    drafter: Drafter,
    prompt_of: Callable[[Findings], Prompt],
    redrafts_max: int = 0,
    door: str = "",
) -> AsyncIterator[dict[str, object]]:
    """Yield dry-run's records with ``draft``, ``checks`` and ``engine`` added."""
    for record, findings in describe_findings(source, index, payload, sites, door):
        if findings is None:
            yield {**record, "draft": None, "checks": [], "engine": None}
        else:
            yield {**record, **await _draft(findings, drafter, prompt_of, redrafts_max)}


async def _draft(
    findings: Findings,
    drafter: Drafter,
    prompt_of: Callable[[Findings], Prompt],
    redrafts_max: int,
) -> dict[str, object]:
    try:
        choice = Choice(findings, prompt_of(findings), redrafts_max)
        taken = await draft_until_one_passes(drafter, choice)
    except PrelimError as error:
        failure = {"reason": error.reason, "where": error.where}
        return {"ok": False, "error": failure, "draft": None, "checks": [], "engine": None}
    return {
        "draft": taken.draft.text,
        "checks": [asdict(verdict) for verdict in taken.verdicts],
        "engine": asdict(taken.draft.engine),
    }
