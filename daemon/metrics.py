"""Prometheus metrics. Labels are closed sets (doors, states, outcomes, reasons), never a value.

One registry per daemon, made by the composition root, so that tests may run several.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from daemon.lifecycle import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.delivery import DeliveryKind

_FAST_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
_SLOW_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """Every metric of the daemon, by name."""

    def __init__(self) -> None:
        """Make the registry and its metrics."""
        self.registry = CollectorRegistry()
        self.messages = self._counter(
            "prelim_messages",
            "Messages answered, by door and result (accepted, duplicate, refused, unstored)",
            "door",
            "result",
        )
        self.answer_seconds = self._histogram(
            "prelim_answer_seconds",
            "From the last byte of a message to its answer, journal included",
            "door",
            buckets=_FAST_S,
        )
        self.in_state = self._gauge(
            "prelim_in_state",
            "Messages (RECEIVED, REJECTED) and reports (the rest) in each state",
            "state",
        )
        self.stage_seconds = self._histogram(
            "prelim_stage_seconds", "One step of one report: draft, post", "stage", buckets=_SLOW_S
        )
        self.steps = self._counter(
            "prelim_steps", "Steps ended, by stage and outcome", "stage", "outcome"
        )
        self.validations = self._counter(
            "prelim_validations",
            "Messages of sites that ask for it: valid, invalid, timed_out or failed",
            "outcome",
        )
        self.withheld = self._counter("prelim_drafts_withheld", "Drafts refused, by check", "check")
        self.redrafts = self._counter(
            "prelim_redrafts",
            "Further drafts after a refused one: passed, refused, lost",
            "outcome",
        )
        self.deliveries, self.deliveries_due = self._delivery_metrics()
        self.ready = self._gauge("prelim_ready", "1 while /readyz says ready")
        self.worker_ready = self._gauge(
            "prelim_model_worker_ready", "1 while the model worker answers"
        )
        self.posting_paused = self._gauge(
            "prelim_posting_paused", "1 while an operator has paused posting"
        )
        self.posting_shadow = self._gauge("prelim_posting_shadow", "1 while fhir.write is off")
        self.log_keys_dropped = self._counter(
            "prelim_log_keys_dropped",
            "Log keys that were not on the allow-list and so not written",
        )

    def _delivery_metrics(self) -> tuple[Counter, Gauge]:
        tries = self._counter(
            "prelim_deliveries",
            "Tries to deliver, by kind, receiver and outcome (sent, retry, failed)",
            "kind",
            "target",
            "outcome",
        )
        return tries, self._gauge(
            "prelim_deliveries_due", "Deliveries that wait to be sent", "kind", "target"
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, *labels: str, buckets: tuple[float, ...]
    ) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

    def set_states(self, counts: Mapping[State, int]) -> None:
        """Show how many messages and reports are in each state."""
        for state in State:
            self.in_state.labels(state=state.value).set(counts.get(state, 0))

    def set_deliveries_due(self, counts: Mapping[tuple[DeliveryKind, str], int]) -> None:
        """Show how many deliveries wait to be sent, by kind and receiver."""
        self.deliveries_due.clear()
        for (kind, target), count in counts.items():
            self.deliveries_due.labels(kind=kind, target=target).set(count)

    def render(self) -> bytes:
        """Return the Prometheus text format."""
        return generate_latest(self.registry)
