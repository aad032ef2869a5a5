"""The daemon's certificate is replaced by a signal, and its end is a metric."""

from __future__ import annotations

import asyncio
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.process.conftest import Daemon, read_text, until
from tests.samples.certificates import Authority, client_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.process


async def test_sighup_takes_a_new_certificate_and_open_connections_go_on(
    daemon: Daemon, make_messages: Callable[..., list[bytes]], tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "authority")
    pair, new = (
        authority.issue("door"),
        authority.issue("new", ends=datetime(2099, 1, 1, tzinfo=UTC)),
    )
    prefix = "PRELIM_MLLP__LISTENERS__DEFAULT__TLS__"
    daemon.settings = {
        f"{prefix}CERTIFICATE": str(pair.certificate),
        f"{prefix}KEY": str(pair.key),
        f"{prefix}CLIENT_CA": str(authority.path),
    }
    context = client_context(authority, authority.issue("engine"))

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", daemon.mllp_port, ssl=context)

    def ends(writer: asyncio.StreamWriter) -> str:
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return str((tls.getpeercert() or {})["notAfter"])

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: bytes) -> bytes:
        writer.write(b"\x0b" + text + b"\x1c\r")
        return await reader.readuntil(b"\x1c\r")

    daemon.start()
    await daemon.wait_ready()
    first, second = make_messages(2)
    old_reader, old_writer = await connect()
    answers = [await ask(old_reader, old_writer, first)]
    before = read_text(f"{daemon.url}/metrics")

    new.certificate.replace(pair.certificate)
    new.key.replace(pair.key)
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)
    await until(lambda: "mllp.certificate_loaded" in daemon.log.read_text())
    new_reader, new_writer = await connect()
    answers += [await ask(old_reader, old_writer, second), await ask(new_reader, new_writer, first)]

    assert all(b"MSA|AA|" in answer for answer in answers)
    assert "2090" in ends(old_writer)
    assert "2099" in ends(new_writer)
    assert 'prelim_tls_certificate_expiry_seconds{door="default"}' in before
    old_writer.transport.abort()
    new_writer.transport.abort()
    assert daemon.terminate() == 0


async def test_sighup_takes_a_new_file_of_tokens_where_mllp_has_no_tls(
    daemon: Daemon, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("")
    daemon.settings = {"PRELIM_HTTP__TOKENS_FILE": str(tokens)}
    daemon.start()
    await daemon.wait_ready()

    tokens.write_text(f"ris {'0' * 64}\n")
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)
    await until(lambda: "http.tokens_loaded" in daemon.log.read_text())

    assert daemon.terminate() == 0
