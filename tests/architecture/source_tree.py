"""The tree as data: which files there are, and what their syntax says."""

from __future__ import annotations

import ast
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGES = ("daemon", "interfaces", "mappings", "model")


@dataclass(frozen=True)
class Tree:
    """The files that git keeps, or would keep at the next commit; paths are relative to root."""

    root: Path

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """Every file that is there and not ignored."""
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(
            command, cwd=self.root, check=True, capture_output=True, text=True
        ).stdout
        names = sorted(set(listed.split("\0")) - {""})
        return tuple(Path(name) for name in names if (self.root / name).is_file())

    @cached_property
    def sources(self) -> tuple[Path, ...]:
        """The Python files of the four packages."""
        return tuple(path for path in self.python_files if path.parts[0] in PACKAGES)

    @cached_property
    def python_files(self) -> tuple[Path, ...]:
        """All Python files, tests and benches too."""
        return tuple(path for path in self.files if path.suffix == ".py")

    def read(self, path: Path | str) -> str:
        """Return a file's text."""
        return (self.root / path).read_text(encoding="utf-8")

    def parse(self, path: Path) -> ast.Module:
        """Return a Python file's syntax tree."""
        return ast.parse(self.read(path), filename=str(path))

    def rows(self, path: str, name: str) -> list[list[str]]:
        """Return the rows of the table in a marked section."""
        return table_rows(self.section(path, name))

    def section(self, path: str, name: str) -> str:
        """Return what stands between ``<!-- NAME:begin -->`` and ``<!-- NAME:end -->``."""
        text = self.read(path)
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        assert text.count(begin) == text.count(end) == 1, f"{path} needs one {begin} and {end}"
        return text.split(begin)[1].split(end)[0].strip()


def table_rows(markdown: str) -> list[list[str]]:
    r"""Split a Markdown table into rows of cells, without its head; ``\|`` is part of a cell."""
    lines = [line.strip() for line in markdown.splitlines() if line.lstrip().startswith("|")]
    cells = [
        [cell.strip() for cell in line.replace(r"\|", "\0").strip("|").split("|")] for line in lines
    ]
    return [[cell.replace("\0", "|") for cell in row] for row in cells[2:]]
