"""The end of a certificate, as another library writes it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from interfaces.certificate_dates import read_chain_end
from tests.samples.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "ends",
    [
        datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2026, 11, 21, 8, 0, tzinfo=UTC),
        datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2050, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    ],
)
def test_the_end_of_a_certificate_is_read(tmp_path: Path, ends: datetime) -> None:
    pair = Authority(tmp_path, "authority").issue("door", ends=ends)

    assert read_chain_end(pair.certificate.read_text()) == ends


def test_a_chain_ends_with_the_first_of_its_certificates(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    early, late = datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    chain = [authority.issue("a", ends=late), authority.issue("b", ends=early)]

    pem = "".join(pair.certificate.read_text() for pair in chain) + chain[0].key.read_text()

    assert read_chain_end(pem) == early


@pytest.mark.parametrize("cut", [0, 200, 400])
def test_what_is_no_certificate_is_refused(tmp_path: Path, cut: int) -> None:
    pair = Authority(tmp_path, "authority").issue("door")
    text = pair.certificate.read_text()[:cut]

    with pytest.raises(ValueError, match=r"."):
        read_chain_end(text)


@pytest.mark.parametrize("body", ["MAA=", "MIIC", "AAAA", "MAMCAQE=", "MAYwBAIBATA=", "!"])
def test_any_other_content_is_refused(body: str) -> None:
    pem = f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"

    with pytest.raises(ValueError, match=r"."):
        read_chain_end(pem)
