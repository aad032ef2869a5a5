"""What the daemon says of itself: /readyz and /metrics, read afresh at each request.

Ready means: a message sent now is stored and answered. The model's state is shown beside it and
does not decide, because a message that waits for a model is safe in the journal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.errors import JournalUnavailableError
from interfaces.http_server import Readiness

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from daemon.journal_ports import HealthJournal
    from daemon.metrics import Metrics
    from daemon.model_supervisor import ModelSupervisor


class Health:
    """Answers the health pages."""

    def __init__(
        self,
        journal: HealthJournal,
        supervisor: ModelSupervisor,
        metrics: Metrics,
        *,
        is_shadow: bool,
        are_doors_open: Callable[[], bool],
        more_checks: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """Take what is asked; ``more_checks`` are shown and decide nothing."""
        self._journal = journal
        self._supervisor = supervisor
        self._metrics = metrics
        self._is_shadow = is_shadow
        self._are_doors_open = are_doors_open
        self._more_checks = more_checks

    async def ready(self) -> Readiness:
        """Return whether messages are taken, and the state of each part."""
        journal, posting = "ok", "shadow" if self._is_shadow else "running"
        try:
            await self._journal.check_writable()
            if await self._journal.is_paused():
                posting = "paused"
        except JournalUnavailableError:
            journal, posting = "unavailable", "unknown"
        doors = "open" if self._are_doors_open() else "closed"
        model = "ready" if self._supervisor.is_ready else "not_ready"
        checks = {"journal": journal, "doors": doors, "model": model, "posting": posting}
        checks |= self._more_checks()
        return Readiness(journal == "ok" and doors == "open", checks)

    async def metrics_text(self) -> bytes:
        """Return the metrics with the journal's counts as they are now."""
        self._metrics.set_states(await self._journal.counts())
        self._metrics.set_deliveries_due(await self._journal.deliveries_due())
        self._metrics.ready.set((await self.ready()).is_ready)
        self._metrics.worker_ready.set(self._supervisor.is_ready)
        self._metrics.posting_paused.set(await self._journal.is_paused())
        self._metrics.posting_shadow.set(self._is_shadow)
        return self._metrics.render()
