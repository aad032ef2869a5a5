"""The parts of the documents that are written from the code: ``make docs`` renews them.

A section is written only between its markers; for log events the column "when" is kept as it is.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.lifecycle import TRANSITIONS
from mappings.tables import read_table
from tests.architecture.log_events import CODE_SPAN, events_in_code
from tests.architecture.settings_table import render_markdown
from tests.architecture.source_tree import PACKAGES, Tree
from tests.architecture.validation_table import render_validation

if TYPE_CHECKING:
    from collections.abc import Callable


def render_settings(_tree: Tree) -> str:
    """Return README's settings table."""
    return render_markdown()


def render_codemap(tree: Tree) -> str:
    """Return a line for each source file: the first sentence of its docstring."""
    lines: list[str] = []
    for package in PACKAGES:
        lines += [f"\n**{package}/**\n"]
        lines += [
            f"- `{path}`: {first_sentence(tree, path)}"
            for path in tree.sources
            if path.parts[0] == package and path.name != "__init__.py"
        ]
    return "\n".join(lines).strip()


def first_sentence(tree: Tree, path: Path) -> str:
    """Return what a file says it is for."""
    docstring = " ".join((ast.get_docstring(tree.parse(path)) or "").split("\n\n")[0].split())
    return docstring.split(". ")[0].rstrip(".").replace("``", "`") + "."


def render_life_cycle(_tree: Tree) -> str:
    """Return TRANSITIONS as a Mermaid state diagram, one arrow for each pair of states."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for (start, event), end in TRANSITIONS.items():
        arrows.setdefault((start.value, end.value), []).append(event.value)
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> RECEIVED", "    [*] --> REJECTED"]
    lines += [f"    {a} --> {b}: {', '.join(events)}" for (a, b), events in arrows.items()]
    return "\n".join([*lines, "```"])


def render_events(tree: Tree) -> str:
    """Return the table of log events."""
    told = {
        (CODE_SPAN.findall(event)[0], level): when
        for event, level, _, when in tree.rows("docs/EVENTS.md", "events")
    }
    lines = ["| event | level | keys | when |", "|---|---|---|---|"]
    for (event, level), keys in sorted(events_in_code(tree).items()):
        listed = ", ".join(f"`{key}`" for key in sorted(keys))
        lines.append(f"| `{event}` | {level} | {listed} | {told.get((event, level), '')} |")
    return "\n".join(lines)


def render_headings(_tree: Tree) -> str:
    """Return the headings that are known, by language and section."""
    lines = ["| language | section | headings |", "|---|---|---|"]
    rows = read_table("section_headings")
    named = sorted({(language, row["section"]) for row in rows for language in _languages(row)})
    for language, section in named:
        words = [
            row["heading"]
            for row in rows
            if row["section"] == section and language in _languages(row)
        ]
        lines.append(f"| {language} | {section} | {', '.join(words)} |")
    return "\n".join(lines)


def _languages(row: dict[str, str]) -> list[str]:
    return row["language"].split()


def render_trailers(_tree: Tree) -> str:
    """Return what begins a signature or stands as a banner, by language and kind."""
    lines = ["| language | kind | phrases |", "|---|---|---|"]
    rows = read_table("report_trailers")
    for language, kind in sorted({(row["language"], row["kind"]) for row in rows}):
        phrases = [
            row["phrase"] for row in rows if (row["language"], row["kind"]) == (language, kind)
        ]
        lines.append(f"| {language} | {kind} | {'; '.join(phrases)} |")
    return "\n".join(lines)


def render_variants(_tree: Tree) -> str:
    """Return who notices each broken resource."""
    return render_validation()


WRITTEN: dict[tuple[str, str], Callable[[Tree], str]] = {
    ("README.md", "settings"): render_settings,
    ("ARCHITECTURE.md", "life-cycle"): render_life_cycle,
    ("ARCHITECTURE.md", "codemap"): render_codemap,
    ("docs/EVENTS.md", "events"): render_events,
    ("docs/SECTIONS.md", "headings"): render_headings,
    ("docs/SECTIONS.md", "trailers"): render_trailers,
    ("docs/VALIDATION.md", "variants"): render_variants,
}


def rewrite_all(tree: Tree) -> None:
    """Renew every written section in place."""
    for (path, name), render in WRITTEN.items():
        text = tree.read(path)
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        head, tail = text.split(begin)[0], text.split(end)[1]
        renewed = f"{head}{begin}\n{render(tree)}\n{end}{tail}"
        (tree.root / path).write_text(renewed, encoding="utf-8")


if __name__ == "__main__":
    rewrite_all(Tree(Path(__file__).resolve().parents[2]))
