"""One invented report in another language than English, with the same truth as an English one.

What is wrong is drawn first, then written down twice, by whole sentences of the phrase book: how
they are kept is told in model/synth/language.py. A held-back report takes every sentence from the
held-back lists and no other.
"""

from __future__ import annotations

import sys
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from model.synth.denials import is_same_name
from model.synth.language import Slots, chapter, language_named, slots_of
from model.synth.lexicon import Kind
from model.synth.report import WRONG_COUNT_WEIGHTS, Composed, Stated
from model.synth.wording import MM_PER_CM, capitalised

if TYPE_CHECKING:
    import random

    from mappings.domain import Region
    from model.synth.language import Chapter, Finding, Healthy, Language, Side
    from model.synth.lexicon import ExamKind, Style

# Of 100 organs, how many deny nothing, one and two findings of theirs.
DENIED_COUNT_WEIGHTS = (50, 35, 15)


@dataclass(frozen=True, slots=True)
class _Scene:
    """What the parts of one report share."""

    rng: random.Random
    grammar: Language
    language: str
    book: Chapter
    exam: ExamKind
    side: Literal["left", "right"]
    style: Style
    is_held_back: bool


@dataclass(frozen=True, slots=True)
class _Said:
    """A sentence of health: of which organ, what it denies, by which template."""

    organ: str
    text: str
    denies: tuple[str, ...]
    template_id: str


def styles_of(language: str) -> tuple[Style, ...]:
    """How the sites of a language write, two or more."""
    return language_named(language).styles


def compose_in(
    language: str, rng: random.Random, *, region: Region, style: Style, is_held_back: bool
) -> Composed:
    """Invent one report.

    Args:
        language: One of model.synth.language.languages(), such as ``de``.
        rng: All chance comes from here: the same state gives the same report.
        region: One of model.synth.language.regions_of(language).
        style: How the site writes, one of styles_of(language).
        is_held_back: Use only the sentences that training never sees.

    Returns:
        The report, with its exact truth.
    """
    book = chapter(language, region)
    exam = rng.choice(book.exams)
    side: Literal["left", "right"] = rng.choice(("left", "right"))
    scene = _Scene(rng, language_named(language), language, book, exam, side, style, is_held_back)
    stated = _stated(scene)
    healthy = _healthy(scene, stated)
    while not (stated or healthy):
        healthy = _healthy(scene, stated)
    ids = {id_ for one in stated for id_ in one.template_ids}
    return Composed(
        exam=exam,
        exam_display=exam.display.format_map(Slots(scene.grammar.sides[side])),
        indication=rng.choice([one.text for one in book.indications if one.fits(exam)]),
        findings=_findings(scene, stated, healthy),
        impression=_impression(scene, stated),
        stated=tuple(stated),
        denied=tuple(sorted({name for said in healthy for name in said.denies})),
        template_ids=tuple(sorted(ids | {said.template_id for said in healthy})),
    )


def _stated(scene: _Scene) -> list[Stated]:
    """Draw what is wrong, most important first; no two that are sorts of one another."""
    rng = scene.rng
    kinds = [kind for kind in scene.book.findings if kind.fits(scene.exam)]
    count = rng.choices(range(len(WRONG_COUNT_WEIGHTS)), WRONG_COUNT_WEIGHTS)[0]
    drawn: list[Finding] = []
    for kind in rng.sample(kinds, len(kinds)):
        is_wanted = kind.is_reported or rng.randrange(3) == 0
        is_there = any(is_same_name(kind.name, one.name) for one in drawn)
        if is_wanted and not is_there and len(drawn) < count:
            drawn.append(kind)
    stated = [_state(scene, kind) for kind in drawn]
    return sorted(stated, key=lambda one: -one.kind.rank)


def _state(scene: _Scene, kind: Finding) -> Stated:
    """Draw side, place, degree and size of one finding, and write it down."""
    rng, grammar = scene.rng, scene.grammar
    is_limb = bool(slots_of(scene.exam.display))
    side: Side = scene.side if is_limb else rng.choice(kind.sides)
    slots = Slots(grammar.sides[side])
    wording, template_id = _picked(scene, kind.says, kind.held_back, kind.name)
    asked = slots_of(wording)
    if kind.place:
        place = rng.choice(scene.book.places[kind.place])
        asked |= slots_of("".join(place.values()))
        slots |= {form: text.format_map(slots) for form, text in place.items()}
    degree = rng.choice(list(grammar.degrees[kind.degree])) if kind.degree else None
    if kind.degree and degree:
        slots |= grammar.degrees[kind.degree][degree]
    mm = rng.randint(*kind.size) if kind.size else None
    if mm:
        slots["size"] = _size(scene, mm, is_area=kind.is_area)
    text, summary = wording.format_map(slots), kind.summary.format_map(slots)
    if mm and kind.is_followed and rng.randrange(7) == 0:
        text, summary = _compared(scene, mm, text, summary)
    return Stated(
        kind=_kind(kind),
        place=slots.get("place"),
        side=side if asked & grammar.sides[side].keys() else None,
        size_mm=mm,
        severity=degree,
        text=capitalised(text),
        summary=summary,
        template_ids=(template_id,),
    )


def _kind(kind: Finding) -> Kind:
    """The same kind in the type of the English corpus, which the truth is written from."""
    return Kind(
        name=kind.name,
        organ=kind.organ,
        rank=kind.rank,
        words=kind.words,
        phrases=kind.says,
        held_back=kind.held_back,
        summary=kind.summary,
    )


def _picked(
    scene: _Scene, seen: tuple[str, ...], held_back: tuple[str, ...], name: str
) -> tuple[str, str]:
    """Draw a template and its id, such as ``de/chest/pneumothorax/held_back/0``."""
    templates = held_back if scene.is_held_back else seen
    index = scene.rng.randrange(len(templates))
    shelf = "/held_back" if scene.is_held_back else ""
    return templates[index], f"{scene.language}/{scene.book.region}/{name}{shelf}/{index}"


def _size(scene: _Scene, mm: int, *, is_area: bool) -> str:
    """Write a size as language and site do; under 10 mm it is always in mm."""
    rng, grammar, unit = scene.rng, scene.grammar, scene.style.unit
    unit = unit if unit != "mixed" else rng.choice(("mm", "cm"))
    unit = unit if mm >= MM_PER_CM else "mm"
    values = {"a": _number(mm, unit, grammar), "unit": unit}
    if not is_area or rng.randrange(3):
        return grammar.size.format_map(values)
    second = rng.randint(max(2, mm // 2), mm)
    return grammar.area.format_map({**values, "b": _number(second, unit, grammar)})


def _number(mm: int, unit: str, grammar: Language) -> str:
    return str(mm) if unit == "mm" else f"{mm / MM_PER_CM:.1f}".replace(".", grammar.decimal)


def _compared(scene: _Scene, mm: int, text: str, summary: str) -> tuple[str, str]:
    """Say how big it was before, in both texts."""
    grammar, rng = scene.grammar, scene.rng
    change = rng.choice(grammar.changes_held_back if scene.is_held_back else grammar.changes)
    earlier = rng.randint(max(2, mm // 2), max(3, mm - 1))
    was = {"was": _size(scene, earlier, is_area=False)}
    summary = summary.rstrip(grammar.stop) + change.summary.format_map(was) + grammar.stop
    return grammar.gap.join((text, change.text.format_map(was))), summary


def _healthy(scene: _Scene, stated: list[Stated]) -> list[_Said]:
    """Draw what is said of organs that are well, and what is denied, organ by organ."""
    wrong = {one.kind.name for one in stated}
    wrong_organs = {one.kind.organ for one in stated}
    said: list[_Said] = []
    for organ, part in scene.book.organs.items():
        if not part.fits(scene.exam):
            continue
        rows = part.held_back if scene.is_held_back else part.normal
        shelf = "/held_back" if scene.is_held_back else ""
        fitting = [
            _Said(organ, row.text, row.denies, _id(scene, f"{organ}{shelf}/{index}"))
            for index, row in enumerate(rows)
            if _may_say(row, scene, wrong) and (row.beside or organ not in wrong_organs)
        ]
        fresh = [one for one in fitting if not _is_denied(one.denies, said)]
        if fresh and scene.rng.randrange(5):
            said.append(scene.rng.choice(fresh))
        said += _denied(scene, organ, wrong, said)
    return said


def _may_say(row: Healthy, scene: _Scene, wrong: set[str]) -> bool:
    ruled_out = (*row.denies, *row.unless)
    return row.fits(scene.exam) and not any(
        is_same_name(name, one) for name in ruled_out for one in wrong
    )


def _is_denied(names: tuple[str, ...], said: list[_Said]) -> bool:
    """Whether one of these has been denied already."""
    return any(is_same_name(name, other) for name in names for one in said for other in one.denies)


def _denied(scene: _Scene, organ: str, wrong: set[str], said: list[_Said]) -> list[_Said]:
    """Deny up to two findings of an organ, and always the one that the exam was ordered for."""
    rng, asks = scene.rng, scene.exam.asks
    shelf = "/no_held_back" if scene.is_held_back else "/no"
    possible = [
        (kind.name, kind.no_held_back if scene.is_held_back else kind.no)
        for kind in scene.book.findings
        if kind.organ == organ and kind.fits(scene.exam)
    ]
    possible = [pair for pair in possible if pair[1]]
    count = rng.choices(range(len(DENIED_COUNT_WEIGHTS)), DENIED_COUNT_WEIGHTS)[0]
    drawn = rng.sample(possible, min(count, len(possible)))
    drawn = [pair for pair in possible if pair[0] == asks] + drawn
    denials: list[_Said] = []
    for name, wordings in drawn:
        is_there = any(is_same_name(name, one) for one in wrong)
        if not is_there and not _is_denied((name,), [*said, *denials]):
            index = rng.randrange(len(wordings))
            id_ = _id(scene, f"{name}{shelf}/{index}")
            denials.append(_Said(organ, wordings[index], (name,), id_))
    return denials


def _id(scene: _Scene, template: str) -> str:
    return f"{scene.language}/{scene.book.region}/{template}"


def _findings(scene: _Scene, stated: list[Stated], healthy: list[_Said]) -> str:
    """Write the findings organ by organ, as the site does."""
    rng, grammar, style = scene.rng, scene.grammar, scene.style
    lines: list[str] = []
    for organ, part in scene.book.organs.items():
        wrong = [one.text for one in stated if one.kind.organ == organ]
        well = [one.text for one in healthy if one.organ == organ]
        texts = well + wrong if rng.randrange(3) == 0 else wrong + well
        if texts:
            text = grammar.gap.join(texts)
            label = part.label.upper() if style.labels == "capitals" else part.label
            is_plain = style.labels == "none"
            lines.append(text if is_plain else grammar.label.format(label=label, text=text))
    if rng.randrange(6) == 0:
        openings = grammar.openings_held_back if scene.is_held_back else grammar.openings
        lines.insert(0, rng.choice(openings))
    if style.labels == "none":
        lines = [grammar.gap.join(lines)]
    wrapper = textwrap.TextWrapper(style.wrap or sys.maxsize, break_on_hyphens=False)
    return "\n".join(wrapper.fill(line) for line in lines)


def _impression(scene: _Scene, stated: list[Stated]) -> str:
    """Write what is wrong by weight, else that all is well."""
    grammar = scene.grammar
    items = [capitalised(one.summary) for one in stated if one.kind.is_reported]
    if not items:
        items = [next(row.text for row in scene.book.normal if row.fits(scene.exam))]
    if scene.style.items == "sentences":
        return grammar.gap.join(items)
    if scene.style.items == "numbers" and len(items) > 1:
        numbered = enumerate(items, start=1)
        items = [grammar.item.format(number=number, item=item) for number, item in numbered]
    return "\n".join(items)
