"""The files of TLS: one that cannot be used is told by its setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.certificates import client_context, load_certificate
from daemon.config_values import ServerTls
from daemon.errors import ConfigurationError
from interfaces.client_tls import ClientTls

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
        load_certificate("http", files, "http.tls")

    assert caught.value.where == "http.tls.certificate"
    assert load_certificate("http", None, "http.tls") is None
