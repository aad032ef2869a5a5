"""What came with a report: the resources that it contains, and those of its Bundle.

A reference is followed within what was sent and nowhere else: nothing is fetched. What is not there
is None, and whoever asked must say so.

Standard: FHIR references: contained (``#id``), Bundle.entry.fullUrl (``urn:uuid:``, absolute,
relative to the base of the entry that refers), logical (by identifier).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mappings.fhir_json import Node, kind_of, part, parts, word

_VERSION = re.compile(r"/_history/[^/]+\Z")
_REST = re.compile(r"(.*/)?([A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64})")


class Found(NamedTuple):
    """A resource, and the one that holds what it refers to by ``#id``: itself, or its container."""

    resource: Node
    container: Node


class Context:
    """The resources of one message.

    Args:
        root: A Bundle, or a resource that stands alone.
    """

    def __init__(self, root: Node) -> None:
        entries = parts(root, "entry") if kind_of(root) == "Bundle" else [{"resource": root}]
        self.resources = [part(entry, "resource") for entry in entries]
        self._by_url: dict[str, Node] = {}
        self._by_name: dict[str, Node] = {}
        self._bases: dict[int, str] = {}
        for entry, resource in zip(entries, self.resources, strict=True):
            url = word(entry, "fullUrl")
            self._by_url.setdefault(url, resource)
            self._by_name.setdefault(f"{kind_of(resource)}/{word(resource, 'id')}", resource)
            rest = _REST.fullmatch(url)
            self._bases[id(resource)] = (rest[1] or "") if rest else ""

    def of_kind(self, kind: str) -> list[Node]:
        """Return the resources of one type, in order."""
        return [resource for resource in self.resources if kind_of(resource) == kind]

    def follow(self, reference: Node, container: Node) -> Found | None:
        """Return what a reference means; None when it did not come with the message.

        Args:
            reference: A Reference, or a CodeableReference.
            container: The resource in which it stands; of a contained one, its container.
        """
        inner = part(reference, "reference") or reference  # R5 CodeableReference.reference
        url = _VERSION.sub("", word(inner, "reference"))
        if url.startswith("#"):
            return self._follow_inside(url, container)
        found = self._look_up(url, container) if url else None
        found = found or self._find_identified(part(inner, "identifier"), word(inner, "type"))
        return None if found is None else Found(found, found)

    def follow_all(self, references: list[Node], container: Node) -> list[Node]:
        """Return those of the resources that came with the message."""
        found = [self.follow(one, container) for one in references]
        return [one.resource for one in found if one is not None]

    @staticmethod
    def _follow_inside(url: str, container: Node) -> Found | None:
        if url == "#":
            return Found(container, container)
        for resource in parts(container, "contained"):
            if word(resource, "id") in {url, url[1:]}:  # some senders write the id with its mark
                return Found(resource, container)
        return None

    def _look_up(self, url: str, container: Node) -> Node | None:
        rest = _REST.fullmatch(url.removeprefix("./"))
        if rest is None:
            return self._by_url.get(url)
        if rest[1]:
            return self._by_url.get(url)
        at_base = self._by_url.get(self._bases.get(id(container), "") + rest[2])
        return at_base or self._by_name.get(rest[2])

    def _find_identified(self, identifier: Node, kind: str) -> Node | None:
        value = word(identifier, "value")
        if not value:
            return None
        system = word(identifier, "system")
        for resource in self.resources:
            if kind in {"", kind_of(resource)}:
                for one in parts(resource, "identifier"):
                    if (word(one, "value"), word(one, "system")) == (value, system):
                        return resource
        return None
