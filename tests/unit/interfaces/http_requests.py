"""One request over a real socket, and its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import aiohttp

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from multidict import CIMultiDictProxy


class Answer(NamedTuple):
    """What came back."""

    status: int
    text: str
    headers: CIMultiDictProxy[str]


async def ask(
    url: str,
    method: str = "GET",
    body: bytes | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Ask once, on a connection of its own."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            method, url, data=body, headers=headers, ssl=True if tls is None else tls
        ) as reply,
    ):
        return Answer(reply.status, await reply.text(), reply.headers)
