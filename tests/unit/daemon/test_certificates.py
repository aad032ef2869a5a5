"""The files of TLS: one that cannot be used is told by its setting."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from daemon.certificates import Certificates, client_context
from daemon.config_values import ServerTls
from daemon.errors import ConfigurationError
from interfaces.client_tls import ClientTls
from tests.samples.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path


def test_what_we_believe_or_show_elsewhere_is_told_by_its_setting(tmp_path: Path) -> None:
    for setting in ("ca", "certificate"):
        files = ClientTls(**{setting: tmp_path / "missing"})
        with pytest.raises(ConfigurationError) as caught:
            client_context(files, "fhir.tls.")
        assert caught.value.where == f"fhir.tls.{setting}"


def test_what_a_door_shows_is_told_by_its_setting(tmp_path: Path) -> None:
    files = ServerTls(certificate=tmp_path / "missing", key=tmp_path / "missing")

    with pytest.raises(ConfigurationError) as caught:
        Certificates().load("http", files, "http.tls")

    assert caught.value.where == "http.tls.certificate"
    assert Certificates().load("http", None, "http.tls") is None


def test_an_operator_can_have_files_read_at_once(tmp_path: Path) -> None:
    authority, certificates = Authority(tmp_path, "authority"), Certificates(look_s=3600)
    pair, looked = authority.issue("door"), list[int]()
    files = ServerTls(certificate=pair.certificate, key=pair.key)
    certificates.load("safe", files, "mllp.listeners.safe.tls")
    certificates.watch(lambda: looked.append(1))

    new = authority.issue("new", ends=datetime(2081, 1, 1, tzinfo=UTC))
    new.certificate.replace(pair.certificate)
    new.key.replace(pair.key)
    certificates.reload()

    assert certificates.ends()["safe"].year == 2081
    assert looked == [1]
