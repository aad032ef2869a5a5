"""What a delivery must have, and what of it never shows."""

from __future__ import annotations

import pytest

from daemon.delivery import NewDelivery


def test_what_has_no_receiver_is_no_delivery() -> None:
    with pytest.raises(ValueError, match="target"):
        NewDelivery("oru", "", b"MSH|", "D1")

    NewDelivery("application_ack", "", b"MSH|", "A1")


def test_nothing_of_a_message_shows_in_a_delivery() -> None:
    assert "CANARY" not in repr(NewDelivery("oru", "ris", b"CANARY", "CANARY"))
