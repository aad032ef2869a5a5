"""What goes back to a site's receiver of ``mllp.send``: an ORU with the posted draft, or its
withdrawal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.delivery import NewDelivery
from mappings.hl7_oru_out import OruOptions, oru_control_id, render_oru
from mappings.reasons import RetractReason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daemon.clock import Clock
    from daemon.config_mllp import Send
    from daemon.journal import PendingReport
    from mappings.sites import SiteSet


class OruResults:
    """Owes each site's receiver its drafts.

    Args:
        send: The receivers' settings by name.
        sites: Each may name the receiver of its impressions.
        clock: The time of MSH-7.
    """

    def __init__(self, send: Mapping[str, Send], sites: SiteSet, clock: Clock) -> None:
        self._send = send
        self._sites = sites
        self._clock = clock

    def plan_posted(self, report: PendingReport) -> Sequence[NewDelivery]:
        """Return the message that the site of a report wants of its draft."""
        return self._plan(report, None)

    def plan_retracted(self, report: PendingReport) -> Sequence[NewDelivery]:
        """Return the message that takes the draft back."""
        assert report.retracted_for is not None, "it is taken back for a reason"
        return self._plan(report, RetractReason(report.retracted_for))

    def _plan(self, report: PendingReport, why: RetractReason | None) -> Sequence[NewDelivery]:
        target = self._sites.named(report.study.site).oru_target
        if target is None or report.observation is None:
            return ()
        control_id = oru_control_id(report.report_id, is_withdrawal=why is not None)
        payload = render_oru(
            report.study,
            report.observation,
            OruOptions(**self._send[target].oru.model_dump()),
            control_id=control_id,
            now=self._clock.now(),
            withdrawn_for=why,
        )
        return (NewDelivery("oru", target, payload, control_id),)
