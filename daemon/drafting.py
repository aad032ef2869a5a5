"""Draft: a MAPPED report -> a checked impression, kept as the very bytes to post.

Where a check refuses the model's draft, as many redrafts as the settings allow may take its place.
Everything that is posted is made here, once: after DRAFTED a crash re-posts, it never drafts again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import structlog

from daemon.lifecycle import Event, IllegalTransitionError
from daemon.retrying import Retrying
from mappings.domain import Impression, Skip
from mappings.errors import GuardViolationError
from model.errors import EngineUnavailableError, PromptRefusedError, WorkerLostError
from model.redrafting import Choice

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from daemon.clock import Clock
    from daemon.config import DraftRetry
    from daemon.journal import PendingReport
    from daemon.journal_ports import PipelineJournal
    from daemon.metrics import Metrics
    from mappings.domain import Draft, DraftObservation, Findings, Prompt, StudyReport
    from model.redrafting import Judged

log = structlog.get_logger()


class Drafter(Protocol):
    """What the pipeline needs of a model."""

    async def draft(self, prompt: Prompt, *, is_alone: bool = False) -> Draft:
        """Write a draft.

        Raises:
            PromptRefusedError: This prompt can never be run.
            WorkerLostError: Try again; ``is_alone`` keeps it out of other reports' batches.
        """


class Builder(Protocol):
    """Makes the resources to post."""

    def __call__(
        self, report: PendingReport, impression: Impression, drafted_at: datetime
    ) -> DraftObservation:
        """Build the Observation and its Provenance.

        Raises:
            GuardViolationError: What we built breaks FHIR.
        """


async def draft_until_one_passes(
    drafter: Drafter,
    choice: Choice,
    *,
    is_alone: bool = False,
    is_last_try: bool = False,
    count: Callable[[str], None] = lambda _: None,
) -> Judged:
    """Have drafts written until one passes every check, or no more are allowed.

    Args:
        drafter: The model.
        choice: Of one report, not begun.
        is_alone: Keeps the report out of others' batches.
        is_last_try: Nobody will try again: a redraft that loses the worker is done without.
        count: Called with what became of each redraft: ``passed``, ``refused`` or ``lost``.

    Raises:
        PromptRefusedError: The first draft cannot be run. A model that refuses a redraft (one that
            draws nothing by chance) is not asked for another.
        WorkerLostError: Try again, from the first draft on.
    """
    while (prompt := choice.wanted) is not None:
        try:
            judged = choice.judge(await drafter.draft(prompt, is_alone=is_alone))
        except (PromptRefusedError, WorkerLostError) as error:
            is_lost = isinstance(error, WorkerLostError)
            if prompt.redraft == 0 or (is_lost and not is_last_try):
                raise
            count("lost" if is_lost else "refused")
            break
        if prompt.redraft:
            count("passed" if judged.refusal is None else "refused")
    return choice.taken


class DraftStep:
    """The draft step of the pipeline."""

    def __init__(  # noqa: PLR0913 - one port each
        self,
        journal: PipelineJournal,
        *,
        drafter: Drafter,
        plan: Callable[[StudyReport], Findings | Skip],
        prompt_of: Callable[[Findings], Prompt],
        build: Builder,
        redrafts_max: int,
        is_demo_allowed: bool,
        retry: DraftRetry,
        clock: Clock,
        metrics: Metrics,
        wake_next: Callable[[], None],
    ) -> None:
        """Take the ports."""
        self._journal = journal
        self._drafter = drafter
        self._plan = plan
        self._prompt_of = prompt_of
        self._build = build
        self._redrafts_max = redrafts_max
        self._is_demo_allowed = is_demo_allowed
        self._wait_s, self._attempts_max = retry.wait_s, retry.attempts_max
        self._clock = clock
        self._metrics = metrics
        self._wake_next = wake_next
        self._retrying = Retrying(
            "draft", journal, attempts_max=retry.attempts_max, clock=clock, metrics=metrics
        )

    async def __call__(self, report: PendingReport) -> None:
        """Draft, check and keep one report's impression."""
        decision = self._plan(report.study)
        try:
            if isinstance(decision, Skip):
                await self._retrying.end(report, Event.SKIP, decision.reason.value)
            else:
                await self._draft(report, decision)
        except PromptRefusedError as error:
            await self._retrying.end(report, Event.FAIL, error.reason)
        except WorkerLostError as error:
            await self._try_later(report, error.reason)
        except GuardViolationError as error:
            await self._retrying.end(report, Event.FAIL, f"{error.reason}:{error.where}")
        except EngineUnavailableError:
            return  # no draft is begun until a worker is ready; the report keeps its state
        except IllegalTransitionError:
            return  # a newer version came while we drafted; the journal has the truth

    async def put_off(self, report: PendingReport, error_class: str) -> None:
        """Try again later what failed for a reason of ours."""
        await self._try_later(report, f"draft_failed_{error_class}")

    async def _draft(self, report: PendingReport, findings: Findings) -> None:
        started_s = self._clock.monotonic_s()
        taken = await self._choose(report, findings)
        draft = taken.draft
        if draft.engine.is_demo and not self._is_demo_allowed:
            await self._retrying.end(report, Event.FAIL, "demo_engine_not_allowed")
            return
        if taken.refusal is not None:
            reason = f"{taken.refusal.check}:{taken.refusal.reason}"
            await self._journal.record_withheld(report.report_id, draft, reason)
            self._metrics.withheld.labels(check=taken.refusal.check).inc()
            self._count("withheld", started_s)
            log.warning("pipeline.draft_withheld", report_id=report.report_id, reason=reason)
            return
        built = self._build(report, Impression(draft, taken.verdicts), self._clock.now())
        await self._journal.record_drafted(report.report_id, draft, built)
        self._count("drafted", started_s)
        log.info(
            "pipeline.report_drafted",
            report_id=report.report_id,
            tokens=draft.output_tokens,
            redraft=draft.engine.redraft,
        )
        self._wake_next()

    async def _choose(self, report: PendingReport, findings: Findings) -> Judged:
        choice = Choice(findings, self._prompt_of(findings), self._redrafts_max)
        return await draft_until_one_passes(
            self._drafter,
            choice,
            is_alone=report.attempts > 0,
            is_last_try=report.attempts + 1 >= self._attempts_max,
            count=lambda outcome: self._metrics.redrafts.labels(outcome=outcome).inc(),
        )

    async def _try_later(self, report: PendingReport, reason: str) -> None:
        await self._retrying.try_later(report, reason, self._wait_s)

    def _count(self, outcome: str, started_s: float) -> None:
        self._metrics.steps.labels(stage="draft", outcome=outcome).inc()
        seconds = self._clock.monotonic_s() - started_s
        self._metrics.stage_seconds.labels(stage="draft").observe(seconds)
