"""What a plot is written with."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from model.svg import draw_picture, draw_text

SVG = "{http://www.w3.org/2000/svg}"


def test_a_text_from_outside_is_no_markup() -> None:
    drawn = draw_picture(40, 20, [draw_text(1, 2, "a <b> & c", anchor="end")])

    root = ET.fromstring(drawn)  # noqa: S314 - our own text
    (text,) = root.findall(f"{SVG}text")
    assert (root.get("width"), root.get("height")) == ("40", "20")
    assert (text.text, text.get("x"), text.get("text-anchor")) == ("a <b> & c", "1.0", "end")
