"""A place that cannot be written is told by its option, and nothing is left in one that can."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from daemon.cli_outputs import require_writable_file, require_writable_folder
from daemon.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def refused(check: Callable[[Path, str], None], path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        check(path, "--out")
    assert caught.value.where == "--out"
    return caught.value.reason


def test_what_can_be_written_is_passed_and_left_as_it_is(tmp_path: Path) -> None:
    there = tmp_path / "there.jsonl"
    there.write_text("kept")

    require_writable_folder(tmp_path, "--out")
    require_writable_folder(tmp_path / "a" / "b", "--out")
    require_writable_file(there, "--out")
    require_writable_file(tmp_path / "new.jsonl", "--out")
    for check in (require_writable_folder, require_writable_file):
        check(None, "--out")

    assert [path.name for path in tmp_path.iterdir()] == ["there.jsonl"]
    assert there.read_text() == "kept"


def test_a_folder_that_is_a_file_or_lies_in_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")

    assert refused(require_writable_folder, tmp_path / "file").startswith("cannot_write (")
    for name in ("file/below", "nowhere", "x" * 300):
        refused(require_writable_folder, tmp_path / name)


def test_a_file_that_is_a_folder_or_whose_folder_is_missing_is_refused(tmp_path: Path) -> None:
    assert refused(require_writable_file, tmp_path) == "cannot_write (IsADirectoryError)"
    for name in ("gone/drafts.jsonl", "x" * 300):
        refused(require_writable_file, tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_place_of_others_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    for check in (require_writable_folder, require_writable_file):
        assert refused(check, tmp_path / "new") == "cannot_write (PermissionError)"


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    require_writable_file(tmp_path / "pipe", "--out")  # would wait for a reader
