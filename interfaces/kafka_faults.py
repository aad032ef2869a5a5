"""What an error of aiokafka means to us, in stable words: its own text may quote a payload."""

from __future__ import annotations

_REASONS = {
    "NoOffsetForPartitionError": "offset_unknown",
    "OffsetOutOfRangeError": "offset_unknown",
    "TopicAuthorizationFailedError": "not_authorized",
    "GroupAuthorizationFailedError": "not_authorized",
    "ClusterAuthorizationFailedError": "not_authorized",
    "AuthenticationFailedError": "not_authenticated",
    "SaslAuthenticationFailed": "not_authenticated",
    "UnsupportedSaslMechanismError": "not_authenticated",
    "FencedInstanceIdError": "instance_fenced",
    "KafkaConnectionError": "broker_unreachable",
    "NodeNotReadyError": "broker_unreachable",
    "KafkaTimeoutError": "broker_timed_out",
    "RequestTimedOutError": "broker_timed_out",
    "MessageSizeTooLargeError": "message_too_large",
    "RecordListTooLargeError": "message_too_large",
    "InvalidTopicError": "topic_invalid",
    "UnknownTopicOrPartitionError": "topic_unknown",
    "NotEnoughReplicasError": "too_few_replicas",
    "NotEnoughReplicasAfterAppendError": "too_few_replicas",
}


def reason_of(error: BaseException) -> str:
    """Return a stable word for an error."""
    for kind in type(error).__mro__:
        if kind.__name__ in _REASONS:
            return _REASONS[kind.__name__]
    if isinstance(error, TimeoutError):
        return "broker_timed_out"
    return "broker_unreachable" if isinstance(error, OSError) else "broker_error"


def is_undecodable(error: BaseException) -> bool:
    """Say whether an error is of the bytes that were fetched, not of the brokers.

    A broken batch shows as any error of a decompressor or of a reader of bytes; that of gzip is an
    OSError.
    """
    from aiokafka.errors import (
        ConsumerStoppedError,
        CorruptRecordException,
        IllegalOperation,
        KafkaError,
        UnsupportedCodecError,
    )

    if isinstance(error, CorruptRecordException | UnsupportedCodecError):
        return True
    others = (KafkaError, ConnectionError, TimeoutError, ConsumerStoppedError, IllegalOperation)
    return isinstance(error, Exception) and not isinstance(error, others)
