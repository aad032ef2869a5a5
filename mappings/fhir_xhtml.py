"""A resource's narrative: XHTML of the elements that FHIR allows, with nothing that acts.

Standard: FHIR R4 Narrative (txt-1, txt-2).
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from mappings.errors import GuardViolationError

_XHTML = "{http://www.w3.org/1999/xhtml}"
_ELEMENTS = frozenset(
    {
        *("a", "abbr", "acronym", "b", "big", "blockquote", "br", "caption", "cite", "code"),
        *("col", "colgroup", "dd", "dfn", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5"),
        *("h6", "hr", "i", "img", "li", "ol", "p", "pre", "q", "samp", "small", "span", "strong"),
        *("sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "ul", "var"),
    }
)
_ATTRIBUTES = frozenset(
    {
        *("abbr", "accesskey", "align", "alt", "axis", "bgcolor", "border", "cellhalign"),
        *("cellpadding", "cellspacing", "cellvalign", "char", "charoff", "charset", "cite"),
        *("class", "colspan", "compact", "coords", "dir", "frame", "headers", "height", "href"),
        *("hreflang", "hspace", "id", "lang", "longdesc", "name", "nowrap", "rel", "rev"),
        *("rowspan", "rules", "scope", "shape", "span", "src", "start", "style", "summary"),
        *("tabindex", "title", "type", "valign", "value", "vspace", "width"),
        "{http://www.w3.org/XML/1998/namespace}lang",
    }
)
_ACTIVE = re.compile(r"\s*(javascript|vbscript|data):", re.IGNORECASE)


def check_narrative(div: str, where: str) -> None:
    """Check a narrative.

    Raises:
        GuardViolationError: ``txt-1`` for what is not allowed in it, ``txt-2`` for a blank one.
    """
    # No document type: what FHIR allows needs none, and entities could be made to grow.
    if "<!" in div:
        raise GuardViolationError("txt-1", where)
    try:
        root = ET.fromstring(div)  # noqa: S314 - no document type, so no entities
    except ET.ParseError:
        raise GuardViolationError("txt-1", where) from None
    if root.tag != f"{_XHTML}div" or not all(map(_is_allowed, root.iter())):
        raise GuardViolationError("txt-1", where)
    if not "".join(root.itertext()).strip() and root.find(f".//{_XHTML}img") is None:
        raise GuardViolationError("txt-2", where)


def _is_allowed(element: ET.Element) -> bool:
    name = element.tag if isinstance(element.tag, str) else ""
    links = [element.get("href", ""), element.get("src", "")]
    return (
        name.removeprefix(_XHTML) in _ELEMENTS
        and name.startswith(_XHTML)
        and set(element.keys()) <= _ATTRIBUTES
        and not any(_ACTIVE.match(link) for link in links)
    )
