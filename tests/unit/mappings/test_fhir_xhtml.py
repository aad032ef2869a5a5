"""Narratives: what FHIR allows in them passes, what acts or says nothing does not."""

from __future__ import annotations

import pytest

from mappings.errors import GuardViolationError
from mappings.fhir_xhtml import check_narrative

NAMESPACE = 'xmlns="http://www.w3.org/1999/xhtml"'


def div(inner: str) -> str:
    return f"<div {NAMESPACE}>{inner}</div>"


@pytest.mark.parametrize(
    "inner",
    [
        "Clear lungs.",
        '<p class="a" xml:lang="de">Größe &lt; 5 mm &#160; <b>links</b><br/></p>',
        '<table><tbody><tr><td colspan="2">1</td></tr></tbody></table>',
        '<a href="https://example.org">x</a>',
        '<img src="#picture" alt="a picture"/>',
    ],
)
def test_text_tables_links_and_pictures_pass(inner: str) -> None:
    check_narrative(div(inner), "Observation.text.div")


@pytest.mark.parametrize(
    ("narrative", "reason"),
    [
        (div("<script>a()</script>"), "txt-1"),
        (div('<p onclick="a()">x</p>'), "txt-1"),
        (div('<a href=" JavaScript:a()">x</a>'), "txt-1"),
        (div("<form>x</form>"), "txt-1"),
        (div("<iframe/>x"), "txt-1"),
        (div("<b>x"), "txt-1"),
        (div("&nbsp;x"), "txt-1"),
        ("<div>x</div>", "txt-1"),
        (f"<p {NAMESPACE}>x</p>", "txt-1"),
        (f'<!DOCTYPE div [<!ENTITY a "b">]>{div("&a;")}', "txt-1"),
        (div(" \n "), "txt-2"),
        ("", "txt-1"),
    ],
)
def test_what_acts_is_unclosed_or_says_nothing_does_not(narrative: str, reason: str) -> None:
    with pytest.raises(GuardViolationError) as caught:
        check_narrative(narrative, "Observation.text.div")

    assert (caught.value.reason, caught.value.where) == (reason, "Observation.text.div")
