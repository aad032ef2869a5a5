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
        self._by_url: dict[str, Node] = {}
        self._by_name: dict[str, Node] = {}
        self._by_kind: dict[str, list[Node]] = {}
        self._by_identifier: dict[str, dict[tuple[str, str], Node]] = {}
        self._bases: dict[int, str] = {}
        self._contained: dict[int, dict[str, Node]] = {}
        for entry in entries:
            self._add(word(entry, "fullUrl"), part(entry, "resource"))

    def _add(self, url: str, resource: Node) -> None:
        kind = kind_of(resource)
        self._by_kind.setdefault(kind, []).append(resource)
        self._by_url.setdefault(url, resource)
        self._by_name.setdefault(f"{kind}/{word(resource, 'id')}", resource)
        rest = _REST.fullmatch(url)
        self._bases[id(resource)] = (rest[1] or "") if rest else ""

    def of_kind(self, kind: str) -> list[Node]:
        """Return the resources of one type, in order; not to be changed."""
        return self._by_kind.get(kind, [])

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

    def _follow_inside(self, url: str, container: Node) -> Found | None:
        if url == "#":
            return Found(container, container)
        inside = self._contained.get(id(container))
        if inside is None:
            # Some senders write the id with its mark.
            listed = reversed(parts(container, "contained"))
            inside = {word(one, "id").removeprefix("#"): one for one in listed}
            self._contained[id(container)] = inside
        resource = inside.get(url[1:])
        return None if resource is None else Found(resource, container)

    def _look_up(self, url: str, container: Node) -> Node | None:
        rest = _REST.fullmatch(url.removeprefix("./"))
        if rest is None:
            return self._by_url.get(url)
        if rest[1]:
            return self._by_url.get(url)
        at_base = self._by_url.get(self._bases.get(id(container), "") + rest[2])
        return at_base or self._by_name.get(rest[2])

    def _find_identified(self, identifier: Node, kind: str) -> Node | None:
        key = (word(identifier, "system"), word(identifier, "value"))
        if not key[1]:
            return None
        kinds = [kind] if kind else list(self._by_kind)
        return next(filter(None, (self._numbered(one).get(key) for one in kinds)), None)

    def _numbered(self, kind: str) -> dict[tuple[str, str], Node]:
        """Return the resources of one type by their identifiers; of two alike the first."""
        numbered = self._by_identifier.get(kind)
        if numbered is None:
            numbered = {}
            for resource in self.of_kind(kind):
                for one in parts(resource, "identifier"):
                    numbered.setdefault((word(one, "system"), word(one, "value")), resource)
            self._by_identifier[kind] = numbered
        return numbered
