"""HTML to lines of text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.html_text import is_whole_html, read_html, read_tags_in_text

REPORT = """<!DOCTYPE html>
<html><head><title>Report</title><style>p { color: red }</style></head>
<body><!-- <p>draft</p> --><h2>FINDINGS</h2>
<p>The heart is
normal &amp; small.<br/>No effusion&nbsp;&lt; 5&nbsp;mm.</p>
<table><tr><td>Liver</td><td><b>normal</b></td></tr><tr><td>Spleen</td><td>12 cm</td></tr></table>
<script>alert("<p>x</p>")</script><img src="http://example.invalid/x.png">
<ul><li>One</li><li>Two</li></ul></body></html>"""


def test_a_document_becomes_its_lines() -> None:
    assert is_whole_html(REPORT)
    assert read_html(REPORT) == (
        "FINDINGS\n\nThe heart is normal & small.\nNo effusion < 5 mm.\n\nLiver normal\n"
        "Spleen 12 cm\n\nOne\nTwo"
    )


def test_preformatted_lines_stay() -> None:
    assert read_html("<body><pre>a\n  b\n\nc</pre> d\ne</body>") == "a\n  b\n\nc\n\nd e"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("a<br>b<BR/>c<br />d", "a\nb\nc\nd"),
        ("<b>FINDINGS:</b> clear.", "FINDINGS: clear."),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<p class=\"x\" style='y'>one</p>\ntwo", "one\n\n\ntwo"),
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ('see <a href="http://x/y?a=1&b=2">images</a>', "see images"),
        ("5&nbsp;mm &lt; 1&#176; &#x2264; &quot;x&quot;", '5 mm < 1° ≤ "x"'),
        ("<script>x</script>", "<script>x</script>"),
    ],
)
def test_tags_and_entities_in_a_text_are_read(text: str, meant: str) -> None:
    assert read_tags_in_text(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "nodule < 5 mm and > 3 mm",
        "a<b and c>d",
        "a <b and c> d",
        "<5 mm>",
        "grade <unknown> here",
        "T1 << T2 >>",
        "heart & vessels; R&D;",
        "lung &unknownentity; base",
        "one < two",
        "<",
        "plain",
    ],
)
def test_what_is_no_tag_stays_in_a_text(text: str) -> None:
    assert read_tags_in_text(text) == text


def test_unclosed_parts_lose_no_text() -> None:
    assert read_html("<html>one <b two") == "one <b two"
    assert read_html("<html>one <!-- two") == "one <!-- two"
    assert read_html("<html><head><title>x<body>one") == "one"


@pytest.mark.parametrize(
    "piece", ["<a ", "<!--", "</a", "<!", "<?", "<a b='", "&#", "<![", "<", "<a b=c ", "<p>"]
)
def test_a_hostile_document_is_read_in_the_time_of_its_length(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    start_s = time.process_time()

    read_html(f"<html>{text}")
    read_tags_in_text(text)

    assert time.process_time() - start_s < 3


@given(st.text(alphabet="<>/!-&;#abpr \n='\"x", max_size=80))
def test_any_text_is_read_and_its_words_stay(text: str) -> None:
    read_html(text)

    assert read_tags_in_text("Nodule. " + text.replace("'", "").replace('"', "")).startswith(
        "Nodule."
    )
