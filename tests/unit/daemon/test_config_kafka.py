"""Settings of Kafka: nothing by default, private by default, and no topic fed back into itself."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from daemon.config_kafka import Kafka

LOCAL = {"bootstrap": ["127.0.0.1:9092"]}
FAR = {"bootstrap": ["kafka-1.example.org:9093", "kafka-2.example.org:9093"]}


def test_by_default_there_is_no_kafka() -> None:
    assert Kafka().bootstrap == ()
    assert Kafka().topics == {}


@pytest.mark.parametrize(
    "values",
    [
        {"topics": {"reports": {}}},
        {"results_topic": "drafts"},
        {**FAR},
        {**FAR, "sasl": {"username": "u", "password": "p"}},
        {**LOCAL, "topics": {"reports": {}}, "results_topic": "reports"},
        {**LOCAL, "topics": {"reports": {}, "reports.dlq": {}}},
        {**LOCAL, "topics": {"reports": {}}, "results_topic": "reports.dlq"},
        {**LOCAL, "topics": {"no topic": {}}},
        {**LOCAL, "topics": {".": {}}},
        {**LOCAL, "topics": {"..": {}}},
        {"bootstrap": ["http://kafka:9092"]},
        {"bootstrap": ["user@kafka:9092"]},
        {"bootstrap": ["127.0.0.1:0"]},
        {"bootstrap": ["127.0.0.1:65536"]},
        {**LOCAL, "backlog": {"pause_above": 10, "resume_below": 20}},
        {**LOCAL, "times": {"session_s": 6, "heartbeat_s": 3}},
        {**LOCAL, "sasl": {"username": "u"}},
        {**LOCAL, "sasl": {"username": "u", "password": "p", "password_file": "/p"}},
        {**LOCAL, "tls": {"key": "/k"}},
        {**LOCAL, "topics": {"reports": {"standard": "csv"}}},
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Kafka.model_validate(values)


@pytest.mark.parametrize(
    "values",
    [
        {**LOCAL, "topics": {"reports": {}}},
        {"bootstrap": ["[::1]:9092"]},
        {"bootstrap": ["127.0.0.1:65535"]},
        {**FAR, "tls": {}},
        {**FAR, "allow_plain": True},
        {**FAR, "tls": {}, "sasl": {"username": "u", "password_file": "/p"}},
        {**LOCAL, "topics": {"reports": {}, "reports.dlq": {}}, "dead_letter_suffix": None},
    ],
)
def test_what_makes_sense_is_taken(values: dict[str, Any]) -> None:
    assert Kafka.model_validate(values).bootstrap


def test_a_password_is_never_printed() -> None:
    kafka = Kafka.model_validate({**LOCAL, "sasl": {"username": "u", "password": "s3cret"}})

    assert "s3cret" not in repr(kafka)
    assert "s3cret" not in str(kafka.model_dump(mode="json"))
