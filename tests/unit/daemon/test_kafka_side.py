"""From settings to the Kafka side; without brokers there is none of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from daemon import kafka_side
from daemon.clock import SystemClock
from daemon.config import Settings
from daemon.errors import ConfigurationError
from daemon.kafka_side import KafkaSide, broker_terms, rules_of, source_terms
from daemon.outbound import Outbound
from interfaces.client_tls import ClientTls
from mappings.sites import SiteSet

if TYPE_CHECKING:
    from pathlib import Path

LOCAL = {"bootstrap": ["127.0.0.1:1"], "topics": {"reports": {"processing_ids": ["P"]}}}


def settings_of(kafka: dict[str, Any], **more: object) -> Settings:
    return Settings.model_validate({"kafka": kafka, **more})


def test_without_brokers_nothing_is_joined_or_shown() -> None:
    settings = settings_of({})
    side, outbound = (
        KafkaSide(settings, SystemClock()),
        Outbound(settings, SiteSet(), SystemClock()),
    )
    side.join(outbound)

    assert "kafka_result" not in outbound.carriers
    assert side.checks() == {}


def test_with_brokers_results_and_dead_letters_have_their_carrier() -> None:
    settings = settings_of(LOCAL)
    side, outbound = (
        KafkaSide(settings, SystemClock()),
        Outbound(settings, SiteSet(), SystemClock()),
    )
    side.join(outbound)

    assert {"kafka_result", "kafka_dead_letter"} <= set(outbound.carriers)
    assert len(outbound.receivers) == 2


@pytest.mark.parametrize("name", ["aiokafka", "cramjam"])
def test_a_client_that_is_not_installed_is_named_with_its_extra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_side, "find_spec", lambda asked: None if asked == name else sys)

    with pytest.raises(ConfigurationError) as caught:
        KafkaSide(settings_of(LOCAL), SystemClock())
    assert caught.value.where == "kafka.bootstrap"
    assert "prelim[kafka]" in caught.value.reason


def test_a_file_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    missing = tmp_path / "none.pem"
    sasl = {"username": "u", "password_file": missing}

    for more, where in (
        ({"tls": {"ca": missing}}, "kafka.tls.ca"),
        ({"sasl": sasl}, "kafka.sasl.password_file"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            KafkaSide(settings_of({**LOCAL, **more}), SystemClock())
        assert caught.value.where == where


def test_a_demo_engines_drafts_do_not_leave_this_machine() -> None:
    far = {"bootstrap": ["kafka.example.org:9093"], "tls": {}, "results_topic": "drafts"}

    with pytest.raises(ConfigurationError) as caught:
        KafkaSide(settings_of(far), SystemClock())
    assert caught.value.where == "model.allow_demo"


def test_every_setting_reaches_the_client() -> None:
    kafka = settings_of(
        {
            **LOCAL,
            "group": "g",
            "instance": "pod-1",
            "start_at": "none",
            "tls": {},
            "sasl": {"username": "u", "password": "s3cret", "mechanism": "PLAIN"},
            "records_max": 7,
            "times": {"session_s": 12, "heartbeat_s": 2, "request_s": 4, "commit_s": 5},
        }
    ).kafka
    terms, brokers = source_terms(kafka), broker_terms(kafka)

    assert (terms.topics, terms.group, terms.instance) == (("reports",), "g", "pod-1")
    assert (terms.start_at, terms.records_max, terms.session_s) == ("none", 7, 12)
    assert (brokers.tls, brokers.mechanism, brokers.password) == (ClientTls(), "PLAIN", "s3cret")
    assert rules_of(kafka)["reports"].policy.processing_ids == {"P"}
