"""Whatever the bytes are, the reader ends: with reports or an error of ours, in the time of their
length.
"""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.errors import PrelimError
from mappings.message_plan import plan_message
from mappings.sites import SiteSet

SITES = SiteSet()
HEAD = b"MSH|^~\\&|RIS|HOSP|||20260101||ORU^R01|1|P|2.5\rPID|1||P1\rOBR|1|P1|F1|CTCH^CT CHEST\r"
MEGABYTE = 1_000_000
SECONDS_MAX = 8  # of a loaded machine; what is quadratic takes hours


def read(payload: bytes) -> str:
    try:
        return f"{len(plan_message(payload, SITES))} reports"
    except PrelimError as error:
        return error.reason


PIECES = st.one_of(
    st.sampled_from(
        [
            *(b"MSH|^~\\&|", b"\rPID|", b"\rOBR|", b"\rOBX|1|TX|&GDT||", b"\rORC|", b"\rNTE|"),
            *(
                b"\rZDS|",
                b"\rDSC|",
                b"\rADD|",
                b"\rBTS|",
                b"\rMSH#",
                b"\rOBX|1|ED|X||^a^pdf^Base64^",
            ),
            *(
                b"\\X0D\\",
                b"\\.br\\",
                b"\\",
                b"~",
                b"^",
                b"&",
                b"|",
                b"\r",
                b"\n",
                b"\x00",
                b"\x0b",
            ),
            *(b"FINDINGS:", b"IMPRESSION:", b"\xff", b"\xc3\xa9", b"\x1b$B", b"\x1b(B", b" "),
        ]
    ),
    st.binary(max_size=12),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=40), st.booleans())
def test_any_bytes_are_read_or_refused_by_our_own_error(pieces: list[bytes], headed: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    assert read((HEAD if headed else b"") + b"".join(pieces)).replace(" ", "_").isascii()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_at_all_are_read_or_refused_by_our_own_error(payload: bytes) -> None:
    read(payload)
    read(HEAD + b"OBX|1|TX|&GDT||" + payload)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "unit",
    [
        *(b"~", b"^", b"&", b"\\", b"|", b"\r", b"\n", b"\r\n", b" ", b"\x00", b"\x0b", b"x"),
        *(b"OBX|1|TX|&GDT||x\r", b"OBX|\r", b"OBX\r", b"OBR|\r", b"PID|\r", b"DSC|\r", b"NTE|\r"),
        *(b"x\r", b"\r\rx", b"ZZZ|\r", b"OBX|1|TX|&GDT||a\rb\r", b"MSH\r", b"MSH \r", b"BTS|\r"),
        *(
            b"\\X0D\\",
            b"\\X",
            b"\\.br\\",
            b"\\.sp9999\\",
            b"\\H\\",
            b"\\C2842\\",
            b"\xc3\xa9",
            b"\xff",
        ),
        *(
            b"FINDINGS:",
            b"IMPRESSION ",
            b"Findings\r",
            b"a:",
            b"A.",
            b"1.",
            b"(",
            b"-",
            b"<",
            b"&lt;",
        ),
        *(b"OBX|1|ED|PDF||^AP^PDF^Base64^QUJD\r", b"OBX|1|CE|X||a^b~c^d\r", b"OBX|1|NM|X||5\r"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("lead", [b"", b"OBX|1|TX|&GDT||"], ids=repr)
def test_a_megabyte_of_one_thing_takes_no_longer_than_its_length(lead: bytes, unit: bytes) -> None:
    payload = HEAD + lead + unit * (MEGABYTE // len(unit))
    start_s = time.process_time()

    read(payload)

    assert time.process_time() - start_s < SECONDS_MAX


@pytest.mark.timeout(120)
def test_a_thousand_groups_of_one_report_are_joined_in_the_time_of_their_length() -> None:
    parts = [b"OBR|1|P|F1|X\rOBX|1|TX|&GDT||Part %d is clear.\r" % n for n in range(999)]
    start_s = time.process_time()

    assert read(HEAD + b"".join(parts)) == "1000 reports"
    assert time.process_time() - start_s < SECONDS_MAX
