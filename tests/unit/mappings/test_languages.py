"""Which language a tag is of."""

from __future__ import annotations

import pytest

from mappings.languages import primary_of


@pytest.mark.parametrize(
    ("tag", "primary"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("ZH-Hans", "zh"),
        ("zh_CN", "zh"),
        ("eng", "en"),
        ("GER-AT", "de"),
        ("dum", "dum"),
        ("", ""),
    ],
)
def test_a_language_is_told_by_what_its_tag_begins_with(tag: str, primary: str) -> None:
    assert primary_of(tag) == primary
