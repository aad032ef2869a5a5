"""A record as bytes for the outbox, and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mappings.kafka_envelope import Envelope, parse_envelope, render_envelope


@given(st.text(), st.dictionaries(st.text(), st.text()), st.binary())
def test_what_is_kept_is_what_is_sent(key: str, headers: dict[str, str], value: bytes) -> None:
    envelope = Envelope(key, headers, value)

    assert parse_envelope(render_envelope(envelope)) == envelope
    assert render_envelope(envelope) == render_envelope(envelope)
