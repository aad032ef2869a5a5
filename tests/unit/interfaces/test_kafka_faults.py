"""Errors of the client as stable words."""

from __future__ import annotations

import gzip
import zlib

import pytest
from aiokafka import errors

from interfaces.kafka_faults import is_undecodable, reason_of


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errors.NoOffsetForPartitionError("QUETZALCANARY"), "offset_unknown"),
        (errors.TopicAuthorizationFailedError(), "not_authorized"),
        (errors.SaslAuthenticationFailed(), "not_authenticated"),
        (errors.KafkaConnectionError(), "broker_unreachable"),
        (errors.MessageSizeTooLargeError(), "message_too_large"),
        (errors.UnknownError(), "broker_error"),
        (TimeoutError(), "broker_timed_out"),
        (ConnectionRefusedError(), "broker_unreachable"),
        (ValueError("QUETZALCANARY"), "broker_error"),
    ],
)
def test_an_error_becomes_a_stable_word(error: BaseException, reason: str) -> None:
    assert reason_of(error) == reason


@pytest.mark.parametrize(
    ("error", "is_of_bytes"),
    [
        (errors.CorruptRecordException(), True),
        (errors.UnsupportedCodecError(), True),
        (zlib.error(), True),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"), True),
        (RuntimeError("Invalid compression codec 0x07"), True),
        (errors.KafkaConnectionError(), False),
        (errors.NoOffsetForPartitionError(), False),
        (errors.ConsumerStoppedError(), False),
        (gzip.BadGzipFile(), True),
        (ConnectionResetError(), False),
        (TimeoutError(), False),
    ],
)
def test_broken_bytes_are_told_apart_from_broken_brokers(
    error: BaseException,
    is_of_bytes: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    assert is_undecodable(error) is is_of_bytes
