"""A door's certificate: what can be used, when it ends, and how it is renewed."""

from __future__ import annotations

import ssl
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from interfaces.errors import CertificateError
from interfaces.server_tls import DoorCertificate, TlsFiles, make_server_context
from tests.samples.certificates import FAR_AWAY, Authority

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "authority")


@pytest.fixture
def files(authority: Authority) -> TlsFiles:
    pair = authority.issue("door")
    return TlsFiles(pair.certificate, pair.key, client_ca=authority.path)


def test_tls_1_2_is_the_lowest_and_a_client_must_prove_itself(files: TlsFiles) -> None:
    context, ends_at = make_server_context(files)
    open_context, _ = make_server_context(replace(files, client_ca=None, minimum_version="1.3"))

    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert open_context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert open_context.verify_mode is ssl.CERT_NONE
    assert ends_at == FAR_AWAY


@pytest.mark.parametrize(
    ("broken", "where"),
    [
        ("missing certificate", "certificate"),
        ("certificate is text", "certificate"),
        ("missing key", "key"),
        ("key of another", "key"),
        ("encrypted key", "key"),
        ("missing client_ca", "client_ca"),
        ("client_ca is text", "client_ca"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_by_its_setting(
    authority: Authority, files: TlsFiles, tmp_path: Path, broken: str, where: str
) -> None:
    missing, text = tmp_path / "missing", tmp_path / "text"
    text.write_text("no PEM")
    locked = authority.issue("locked", password=b"secret")
    chosen = {
        "missing certificate": replace(files, certificate=missing),
        "certificate is text": replace(files, certificate=text),
        "missing key": replace(files, key=missing),
        "key of another": replace(files, key=authority.issue("other").key),
        "encrypted key": replace(files, certificate=locked.certificate, key=locked.key),
        "missing client_ca": replace(files, client_ca=missing),
        "client_ca is text": replace(files, client_ca=text),
    }[broken]

    with pytest.raises(CertificateError) as refusal:
        DoorCertificate(chosen, door="test")

    assert refusal.value.where == where
    assert refusal.value.reason.isidentifier()


def renew(authority: Authority, files: TlsFiles, *, year: int) -> datetime:
    """Put another certificate in the same place."""
    ends = datetime(year, 1, 1, tzinfo=UTC)
    pair = authority.issue("new", ends=ends)
    pair.certificate.replace(files.certificate)
    pair.key.replace(files.key)
    return ends


def test_new_files_are_used_once_they_have_kept_still(
    authority: Authority, files: TlsFiles
) -> None:
    certificate = DoorCertificate(files, door="test")
    first = certificate.current()
    assert not certificate.reload_if_changed()

    ends = renew(authority, files, year=2080)
    steps = [certificate.reload_if_changed() for _ in range(3)]

    assert steps == [False, True, False]
    assert certificate.current() is not first
    assert certificate.ends_at == ends


def test_a_broken_new_file_is_told_once_and_the_old_certificate_stays(
    authority: Authority, files: TlsFiles
) -> None:
    certificate = DoorCertificate(files, door="test")
    first = certificate.current()

    files.certificate.write_text("half a certifi")
    with capture_logs() as logs:
        steps = [certificate.reload_if_changed() for _ in range(4)]
    kept = certificate.current()
    ends = renew(authority, files, year=2081)
    mended = [certificate.reload_if_changed() for _ in range(2)]

    assert not any(steps)
    assert kept is first
    assert [(line["event"], line["log_level"], line["where"]) for line in logs] == [
        ("mllp.certificate_refused", "error", "certificate")
    ]
    assert mended == [False, True]
    assert certificate.ends_at == ends


def test_files_that_vanish_leave_the_certificate_in_use(files: TlsFiles) -> None:
    certificate = DoorCertificate(files, door="test")
    first = certificate.current()

    files.key.unlink()
    certificate.reload_if_changed()
    certificate.reload_if_changed()

    assert certificate.current() is first


def test_an_operator_need_not_wait(authority: Authority, files: TlsFiles) -> None:
    certificate = DoorCertificate(files, door="test")

    ends = renew(authority, files, year=2082)

    assert certificate.reload()
    assert certificate.ends_at == ends
