"""The client over TLS: whom it believes, how it proves itself, and files that are renewed."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from interfaces.client_tls import ClientTls
from interfaces.errors import SendRetryError
from interfaces.mllp_client import MllpClient
from interfaces.mllp_codec import encode_frame
from tests.samples.certificates import LONG_AGO, Authority, Pair

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

MESSAGE = b"MSH|^~\\&|RIS|A|B|C|20260101||ORU^R01|17|P|2.5.1\r"
ANSWER = encode_frame(b"MSH|^~\\&|||||20260101||ACK|1|P|2.5.1\rMSA|AA|17\r")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "authority")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@asynccontextmanager
async def receiver(pair: Pair, client_ca: Path | None = None) -> AsyncIterator[int]:
    """Answer every message AA over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    writers: list[asyncio.StreamWriter] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while await reader.read(65536):
            writer.write(ANSWER)

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)  # nothing to wait on: asyncio lets go of TLS transports later


async def send(port: int, tls: ClientTls) -> str:
    """Return the answer's code, or the reason and place of the failure."""
    async with MllpClient("127.0.0.1", port, timeout_s=5, tls=tls) as client:
        try:
            return (await client.send(MESSAGE)).code
        except SendRetryError as error:
            return f"{error.reason} {error.where}"


async def test_a_server_that_is_believed_gets_the_message(authority: Authority) -> None:
    async with receiver(authority.issue("right")) as port:
        assert await send(port, ClientTls(ca=authority.path)) == "AA"


async def test_a_server_of_another_authority_gets_nothing(
    authority: Authority, stranger: Authority
) -> None:
    async with receiver(stranger.issue("foreign")) as port:
        said = await send(port, ClientTls(ca=authority.path))
        without_ca = await send(port, ClientTls())

    assert said == "tls_failed certificate_verify_failed"
    assert without_ca == "tls_failed certificate_verify_failed"


async def test_a_server_whose_certificate_has_ended_gets_nothing(authority: Authority) -> None:
    ended = authority.issue("ended", ends=LONG_AGO)
    async with receiver(ended) as port:
        said = await send(port, ClientTls(ca=authority.path))

    assert said == "tls_failed certificate_verify_failed"


async def test_a_server_of_another_name_gets_nothing_unless_that_name_is_set(
    authority: Authority,
) -> None:
    async with receiver(authority.issue("engine", host="engine.hospital.example")) as port:
        by_address = await send(port, ClientTls(ca=authority.path))
        by_name = await send(
            port, ClientTls(ca=authority.path, server_name="engine.hospital.example")
        )

    assert (by_address, by_name) == ("tls_failed certificate_verify_failed", "AA")


async def test_a_server_that_asks_for_our_certificate_takes_only_the_right_one(
    authority: Authority, stranger: Authority
) -> None:
    mine, wrong = authority.issue("prelim"), stranger.issue("intruder")
    async with receiver(authority.issue("mutual"), authority.path) as port:
        right = await send(port, ClientTls(authority.path, mine.certificate, mine.key))
        refused = await send(port, ClientTls(authority.path, wrong.certificate, wrong.key))
        unproven = await send(port, ClientTls(ca=authority.path))

    assert right == "AA"
    assert refused.split()[0] in {"tls_failed", "connection_lost"}
    assert unproven.split()[0] in {"tls_failed", "connection_lost"}


async def test_renewed_files_are_used_from_the_next_connection_on(
    authority: Authority, stranger: Authority, tmp_path: Path
) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(stranger.path.read_bytes())
    async with (
        receiver(authority.issue("renewed")) as port,
        MllpClient("127.0.0.1", port, timeout_s=5, tls=ClientTls(ca=ca)) as client,
    ):
        with pytest.raises(SendRetryError):
            await client.send(MESSAGE)
        ca.write_bytes(authority.path.read_bytes())

        assert (await client.send(MESSAGE)).code == "AA"


@pytest.mark.parametrize("setting", ["ca", "certificate"])
async def test_a_file_that_cannot_be_used_is_told_by_its_setting(
    tmp_path: Path, setting: str
) -> None:
    (tmp_path / "empty.pem").touch()
    broken = ClientTls(**{setting: tmp_path / "empty.pem"})
    missing = ClientTls(**{setting: tmp_path / "missing.pem"})

    assert await send(1, broken) == f"tls_file_unusable {setting}"
    assert await send(1, missing) == f"tls_file_unusable {setting}"


async def test_a_server_without_tls_gets_nothing(authority: Authority) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(65536))
        writer.write(ANSWER)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        is_over.set()

    is_over = asyncio.Event()
    heard: list[bytes] = []
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    said = await send(server.sockets[0].getsockname()[1], ClientTls(ca=authority.path))
    await is_over.wait()
    server.close()

    assert said.startswith("tls_failed")
    assert b"MSH" not in heard[0]
