"""From findings to the prompt an engine gets: a versioned template, kept as data in templates/.

Report text, exam title, indication and a site's style are never trusted: each is a piece of its own
that an engine must tokenise without control tokens. Training rows are made by this same function,
so that a model is asked at work exactly what it was taught. Findings are refused when too long,
never cut: half a report would make a wrong draft that looks right.

The frame is ChatML, the chat format of SmolLM2 and many other models.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from mappings.domain import Prompt, PromptPiece
from mappings.languages import primary_of
from model.errors import PromptRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mappings.domain import Findings

TEMPLATE_VERSION = "impression/1"
FINDINGS_CHARACTERS_MAX = 16_000
INDICATION_CHARACTERS_MAX = 400
EXAM_CHARACTERS_MAX = 120
STYLE_CHARACTERS_MAX = 200
SITE_CHARACTERS_MAX = 60
OUTPUT_TOKENS_MIN = 64
OUTPUT_TOKENS_MAX = 320
CHARACTERS_PER_OUTPUT_TOKEN = 5

_FOLDER = Path(__file__).parent / "templates"
_SLOT = re.compile(r"\{(\w+)\}")
_UNTRUSTED = frozenset({"exam", "indication", "site", "style", "findings"})
# A line that opens an item ("2. ...", "- ...") or an organ ("LIVER: ..."); any other line break
# in a report is only where a 72-column editor wrapped.
_ITEM = re.compile(r"(?:[-*•]|\d{1,2}[.)])\s|[A-Za-z][A-Za-z ,/&-]{1,40}:")


@dataclass(frozen=True, slots=True)
class SitePrompt:
    """What a site says about its impressions, such as "Numbered list."; at most 200 characters."""

    style: str | None = None


Variant = Literal["none", "modality", "site", "both"]
VARIANTS: tuple[Variant, ...] = ("none", "modality", "site", "both")
NO_SITE = "unknown"
"""What a corpus calls the site of a report whose site nothing tells."""


class PromptPlan(BaseModel):
    """What a prompt tells of what is known of a report; an adapter is asked as it was taught.

    Attributes:
        variant: Tells neither modality nor site, one of them, or both. A ``mixed`` adapter was
            taught all four, the reports taking turns; it is asked with both.
        indication: Tells why the exam was ordered.
        exam: Tells the exam's title, which may name the modality, too.
        site_name: Where the site is told and has no style of its own, tells its name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: Variant | Literal["mixed"] = "both"
    indication: bool = True
    exam: bool = True
    site_name: bool = False

    def of_report(self, report_id: str) -> PromptPlan:
        """Return the plan that one report is taught with: itself, or its turn where mixed.

        The turn follows from the id alone: the order of a corpus, where regions and sites may take
        turns themselves, has no part in it.
        """
        if self.variant != "mixed":
            return self
        turn = hashlib.sha256(report_id.encode()).digest()[0] % len(VARIANTS)
        return self.model_copy(update={"variant": VARIANTS[turn]})


DEFAULT_PLAN = PromptPlan()


@dataclass(frozen=True, slots=True)
class _Template:
    version: str
    lines: tuple[str, ...]
    modality: Mapping[str, str]
    normal: Mapping[str, Mapping[str, str]]
    variants: Mapping[str, frozenset[str]]


def build_prompt(
    findings: Findings,
    *,
    site_prompt: SitePrompt | None = None,
    adapter: str | None = None,
    output_tokens_max: int | None = None,
    plan: PromptPlan = DEFAULT_PLAN,
) -> Prompt:
    """Ask for the impression of one report.

    Args:
        findings: The report; ``text`` of at most 16,000 characters. Indication (400) and exam
            title (120) are cut at their limit.
        site_prompt: The site's own style, or None.
        adapter: Name of the adapter that shall write, or None for the bare base model.
        output_tokens_max: A limit under the one that follows from the length of the findings.
        plan: What is told of the report beside its findings.

    Returns:
        A prompt whose pieces, joined, are the whole text; ``output_tokens_max`` is 64..320.

    Raises:
        PromptRefusedError: The findings are empty or too long.
    """
    tidy = _unwrapped(findings.text)
    if not tidy:
        raise PromptRefusedError("findings_empty", "findings")
    if len(tidy) > FINDINGS_CHARACTERS_MAX:
        raise PromptRefusedError("findings_too_long", "findings")
    template = _template(TEMPLATE_VERSION)
    values = {
        **_exam_values(template, findings, plan),
        **_site_values(template, findings.site, site_prompt, plan),
        "indication": _one_line(
            findings.indication if plan.indication else None, INDICATION_CHARACTERS_MAX
        ),
        "findings": tidy,
    }
    budget = output_tokens_for(tidy)
    return Prompt(
        pieces=_pieces(template, values),
        findings=findings.text,
        adapter=adapter,
        template_version=version_of(plan, findings.language),
        output_tokens_max=min(budget, output_tokens_max or budget),
    )


def version_of(plan: PromptPlan, language: str = "en") -> str:
    """Name the template with what a plan does not tell, and with the language of what it lets a
    report say that is normal: ``impression/1``, ``.../1+de``, ``.../1+none``.
    """
    primary = primary_of(language)
    has_normal = primary in _template(TEMPLATE_VERSION).normal
    marks = {
        f"+{primary}": has_normal and primary != "en",
        "+no-normal": not has_normal,
        f"+{plan.variant}": plan.variant not in {"both", "mixed"},
        "+no-indication": not plan.indication,
        "+no-exam": not plan.exam,
        "+site-name": plan.site_name,
    }
    return TEMPLATE_VERSION + "".join(mark for mark, is_set in marks.items() if is_set)


def output_tokens_for(findings_text: str) -> int:
    """Tokens an impression of these findings may take: 64..320, growing with their length."""
    grown = OUTPUT_TOKENS_MIN + len(findings_text) // CHARACTERS_PER_OUTPUT_TOKEN
    return min(OUTPUT_TOKENS_MAX, grown)


def _exam_values(template: _Template, findings: Findings, plan: PromptPlan) -> dict[str, str]:
    exam = findings.exam
    if "modality" not in template.variants[plan.variant]:
        exam = replace(exam, modality=None)
    modality = exam.modality.value if exam.modality else "none"
    region = exam.region.value if exam.region else ""
    normal = template.normal.get(primary_of(findings.language), {})
    title = (exam.display or exam.alternate_display) if plan.exam else None
    return {
        "modality": template.modality[modality],
        "region": region,
        "normal": normal.get(f"{modality} {region}", normal.get(region, "")),
        "exam": _one_line(title, EXAM_CHARACTERS_MAX),
    }


def _site_values(
    template: _Template, site: str, site_prompt: SitePrompt | None, plan: PromptPlan
) -> dict[str, str]:
    is_told = "site" in template.variants[plan.variant]
    style = site_prompt.style if site_prompt and is_told else None
    is_named = is_told and plan.site_name and not style and site != NO_SITE
    return {
        "style": _one_line(style, STYLE_CHARACTERS_MAX),
        "site": _one_line(site if is_named else None, SITE_CHARACTERS_MAX),
    }


def _pieces(template: _Template, values: Mapping[str, str]) -> tuple[PromptPiece, ...]:
    pieces: list[PromptPiece] = []
    for line in template.lines:
        slot = _SLOT.search(line)
        if slot is None:
            _append(pieces, line, is_trusted=True)
        elif value := values[slot[1]]:
            _append(pieces, line[: slot.start()], is_trusted=True)
            _append(pieces, value, is_trusted=slot[1] not in _UNTRUSTED)
            _append(pieces, line[slot.end() :], is_trusted=True)
    return tuple(pieces)


def _append(pieces: list[PromptPiece], text: str, *, is_trusted: bool) -> None:
    """Add text, melting neighbours of equal trust into one piece."""
    if text and pieces and pieces[-1].is_trusted == is_trusted:
        text = pieces.pop().text + text
    if text:
        pieces.append(PromptPiece(text=text, is_trusted=is_trusted))


def _unwrapped(text: str) -> str:
    """Undo line wraps: a line break stays only before an item or an organ heading."""
    tidy = ""
    for line in filter(None, (_one_line(raw) for raw in text.splitlines())):
        joint = "\n" if _ITEM.match(line) else " "
        tidy = f"{tidy}{joint}{line}" if tidy else line
    return tidy


def _one_line(text: str | None, characters_max: int | None = None) -> str:
    return " ".join((text or "").split())[:characters_max].rstrip()


@cache
def _template(version: str) -> _Template:
    path = _FOLDER / f"{version.replace('/', '-')}.yaml"
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    return _Template(
        version=data["version"],
        lines=tuple(data["lines"]),
        modality=data["modality"],
        normal=data["normal"],
        variants={name: frozenset(told) for name, told in data["variants"].items()},
    )
