"""The folder of a study: which file is where, and that nobody else on the machine can read it.

    key.json                    who wrote what; never for readers
    forms/R01.csv, R01.json     one reader's form, twice; R01-timing.* where drafting is timed
    forms/INSTRUCTIONS.md       what readers are told
    answers/R01.json            what came back, checked; still blind

All of it is about patients: every file has mode 0600 and every folder 0700.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from model.errors import StudyInputError

if TYPE_CHECKING:
    from pathlib import Path

KEY = "key.json"
FORMS = "forms"
ANSWERS = "answers"


def make_private_folder(folder: Path) -> None:
    """Make a folder that is its owner's alone, unless it is there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone can read, whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    partial.replace(path)


def write_private_json(path: Path, value: object) -> None:
    """Write JSON for people and programs."""
    write_private(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def read_json(path: Path) -> Any:  # noqa: ANN401 - JSON is any object
    """Read a JSON file of a study.

    Raises:
        StudyInputError: It is not there or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise StudyInputError(f"cannot_read_file ({type(error).__name__})", str(path)) from None
    except ValueError:
        raise StudyInputError("not_json", str(path)) from None
