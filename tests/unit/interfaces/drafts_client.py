"""A reader of the drafts' door: asks, and checks that each answer is valid R4."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.unit.mappings.test_fhir_guard import R4_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping

    import aiohttp


def r4_errors(document: dict[str, Any]) -> list[str]:
    """Return what the R4 schema has against a resource.

    The schema is of 4.0.0, so it does not know the version that came with the technical correction.
    """
    found = R4_SCHEMA.iter_errors(document)
    return [str(error) for error in found if list(error.instance_path) != ["fhirVersion"]]


class DraftsClient:
    """Sends to one door."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url, self._session = url, session

    async def send(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, Any, Mapping[str, str]]:
        """Send one request; a body that is no text is JSON, a link of the door is as good a path.

        Returns:
            Status, resource (None without one), headers.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and not isinstance(body, str | bytes):
            body = json.dumps(body)
            named = {"Content-Type": "application/fhir+json", **named}
        async with self._session.request(
            method, self.url + path.removeprefix(self.url), data=body, headers=named
        ) as reply:
            text = await reply.read()
            document = json.loads(text) if text else None
            if document is not None:
                assert r4_errors(document) == []
                assert reply.content_type == "application/fhir+json"
            return reply.status, document, reply.headers

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        """Return status and resource of a GET."""
        status, document, _ = await self.send("GET", path, **headers)
        return status, document

    async def found(self, query: str) -> list[str]:
        """Return the ids of the Observations that a search finds, over all of its pages."""
        ids: list[str] = []
        link: str | None = f"/Observation?{query}"
        while link is not None:
            _, bundle = await self.get(link)
            ids += [entry["resource"]["id"] for entry in bundle.get("entry", [])]
            nexts = [part["url"] for part in bundle["link"] if part["relation"] == "next"]
            link = nexts[0] if nexts else None
        return ids
