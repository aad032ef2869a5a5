"""Metrics render in Prometheus' text format, every state always present."""

from __future__ import annotations

from daemon.lifecycle import State
from daemon.metrics import Metrics


def test_every_state_is_shown_even_when_empty() -> None:
    metrics = Metrics()

    metrics.set_states({State.POSTED: 3})

    text = metrics.render().decode()
    assert 'prelim_in_state{state="POSTED"} 3.0' in text
    assert 'prelim_in_state{state="FAILED"} 0.0' in text


def test_a_receiver_for_whom_nothing_waits_any_more_is_not_shown() -> None:
    metrics = Metrics()

    metrics.set_deliveries_due({("oru", "ris"): 2, ("oru", "pacs"): 1})
    metrics.set_deliveries_due({("oru", "pacs"): 3})

    text = metrics.render().decode()
    assert 'prelim_deliveries_due{kind="oru",target="pacs"} 3.0' in text
    assert "ris" not in text


def test_two_daemons_in_one_process_do_not_share_counts() -> None:
    first, second = Metrics(), Metrics()

    first.messages.labels(door="default", result="accepted").inc()

    assert b'result="accepted"' not in second.render()
