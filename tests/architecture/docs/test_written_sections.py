"""What the documents say by rote is what the code would say today."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.architecture.written_sections import WRITTEN, first_sentence

if TYPE_CHECKING:
    from tests.architecture.source_tree import Tree


@pytest.mark.parametrize(("path", "name"), list(WRITTEN))
def test_a_section_written_from_the_code_is_up_to_date(tree: Tree, path: str, name: str) -> None:
    # To renew it: make docs
    assert tree.section(path, name) == WRITTEN[path, name](tree)


def test_each_source_file_says_what_it_is_for_in_one_line(tree: Tree) -> None:
    sentences = {path: first_sentence(tree, path) for path in tree.sources}

    assert {str(path): text for path, text in sentences.items() if not 12 < len(text) < 180} == {}
