"""Asks for the impressions of a corpus's reports, as the daemon would for the reports it is sent.

Whoever trains, drafts or compares makes prompts here, so that a model is asked everywhere as it was
taught. A report that a base cannot take (it is too long) has no draft: it is counted, and whoever
compares leaves it out for all (``model/evaluation/reports.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mappings.domain import Exam, Findings
from model.errors import PromptRefusedError
from model.prompt import DEFAULT_PLAN, SitePrompt, build_prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mappings.domain import Prompt
    from model.corpora.schema import CorpusRow
    from model.prompt import PromptPlan


class Writer(Protocol):
    """Whoever drafts outside the daemon; ``model/training/writer.py`` has the real one."""

    @property
    def parameters(self) -> int:
        """Numbers of the whole model."""

    def count_tokens(self, text: str) -> int:
        """Count a draft's tokens."""

    def require(self, prompt: Prompt) -> None:
        """Raise PromptRefusedError for a prompt that it cannot take."""

    def write(
        self, prompts: Sequence[Prompt], *, advance: Callable[[int], None] = ...
    ) -> list[list[str]]:
        """Return the drafts of each prompt, in their order; the first is the likeliest."""


def findings_of(report: CorpusRow) -> Findings:
    """Read a report as the findings that the daemon would have made of it."""
    exam = Exam(
        code=report.exam_code,
        display=report.exam_display,
        modality=report.modality,
        region=report.region,
    )
    return Findings(
        text=report.findings,
        indication=report.indication,
        exam=exam,
        site=report.site,
        language=report.language,
    )


def prompt_of(
    report: CorpusRow, plan: PromptPlan = DEFAULT_PLAN, adapter: str | None = None
) -> Prompt:
    """Ask for a report's impression.

    Raises:
        PromptRefusedError: Its findings are empty, or too long for any base.
    """
    style = SitePrompt(style=report.style)
    return build_prompt(findings_of(report), site_prompt=style, adapter=adapter, plan=plan)


def prompts_of(
    reports: Sequence[CorpusRow], plan: PromptPlan, writer: Writer
) -> list[Prompt | None]:
    """Return each report's prompt; None where a writer cannot take it."""
    prompts: list[Prompt | None] = []
    for report in reports:
        try:
            prompt = prompt_of(report, plan)
            writer.require(prompt)
        except PromptRefusedError:
            prompts.append(None)
        else:
            prompts.append(prompt)
    return prompts


def write_impressions(
    reports: Sequence[CorpusRow],
    plan: PromptPlan,
    writer: Writer,
    advance: Callable[[int], None] = lambda _: None,
) -> list[str | None]:
    """Return a writer's likeliest draft of each report; None where it cannot take the report.

    Args:
        reports: Any number.
        plan: What a prompt tells.
        writer: Who drafts.
        advance: Called with the number of reports just done.
    """
    prompts = prompts_of(reports, plan, writer)
    advance(prompts.count(None))
    written = iter(writer.write([one for one in prompts if one is not None], advance=advance))
    return [None if one is None else next(written)[0] for one in prompts]
