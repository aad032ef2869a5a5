"""Which addresses a list holds, how far apart messages are kept; places: test_mllp_server.py."""

from __future__ import annotations

import pytest

from interfaces.mllp_admission import HostList, Pacer


def test_an_empty_list_holds_every_host() -> None:
    assert "192.0.2.1" in HostList([])
    assert "unknown" in HostList([])


@pytest.mark.parametrize(
    "host",
    ["192.0.2.7", "10.200.3.4", "::ffff:10.1.1.1", "2001:db8::5", "fe80::1%eth0", "::1"],
)
def test_a_host_of_the_list_is_known_in_every_form_the_kernel_writes(host: str) -> None:
    assert host in HostList(["192.0.2.7", "10.0.0.0/8", "2001:db8::/32", "fe80::/10", "::1"])


@pytest.mark.parametrize("host", ["192.0.2.8", "11.0.0.1", "2001:db9::1", "unknown", ""])
def test_a_host_that_is_not_on_the_list_is_not_let_in(host: str) -> None:
    assert host not in HostList(["192.0.2.7", "10.0.0.0/8", "2001:db8::/32"])


@pytest.mark.parametrize("text", ["engine.example", "10.0.0.5/8", "10.0.0.0/33", ""])
def test_what_is_neither_address_nor_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        HostList([text])


def test_messages_are_spaced_evenly_and_a_pause_is_not_saved_up() -> None:
    pacer = Pacer(10)
    waits = []

    for now_s in (0.0, 0.05, 0.1, 5.0, 5.0):
        waits.append(round(pacer.wait_s(now_s), 6))
        if not waits[-1]:
            pacer.take(now_s)

    assert waits == [0, 0.05, 0, 0, 0.1]


def test_without_a_limit_nothing_waits() -> None:
    pacer = Pacer(0)

    pacer.take(1.0)

    assert pacer.wait_s(1.0) == 0
