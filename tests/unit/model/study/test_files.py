"""Nobody else on the machine can read a file of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model.errors import StudyInputError
from model.study.files import make_private_folder, read_json, write_private, write_private_json

if TYPE_CHECKING:
    from pathlib import Path


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_file_and_its_folder_are_their_owners_alone(tmp_path: Path) -> None:
    make_private_folder(tmp_path / "study")
    write_private(tmp_path / "study" / "a.csv", "a\r\nb")

    assert mode(tmp_path / "study") == 0o700
    assert mode(tmp_path / "study" / "a.csv") == 0o600
    assert (tmp_path / "study" / "a.csv").read_bytes() == b"a\r\nb"


def test_a_file_that_others_could_read_is_replaced_by_one_that_they_cannot(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(0o644)

    write_private(path, "new")

    assert (mode(path), path.read_text()) == (0o600, "new")
    assert list(tmp_path.iterdir()) == [path]


def test_json_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_private_json(tmp_path / "a.json", {"text": "Röntgen"})

    assert read_json(tmp_path / "a.json") == {"text": "Röntgen"}


def test_json_that_is_missing_or_broken_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")

    with pytest.raises(StudyInputError, match="FileNotFoundError"):
        read_json(tmp_path / "none.json")
    with pytest.raises(StudyInputError, match="not_json") as caught:
        read_json(tmp_path / "broken.json")

    assert caught.value.where == str(tmp_path / "broken.json")
    assert caught.value.__suppress_context__
