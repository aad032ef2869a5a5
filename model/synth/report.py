"""One invented report: what is wrong is drawn first, then written down twice, as findings and as
impression, so that the truth is known and both texts agree with it.

A held-back report takes every sentence from the tables' held_back lists and no other.
"""

from __future__ import annotations

import sys
import textwrap
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from model.synth.denials import drawn_denial, is_same_name
from model.synth.lexicon import ExamKind, Kind, Lexicon, Normal, Organ, frames, lexicon
from model.synth.wording import capitalised, drawn_size, filled, sentence

if TYPE_CHECKING:
    import random

    from mappings.domain import Region
    from model.synth.lexicon import Style

Side = Literal["left", "right", "bilateral"]
# How many things are wrong, of 100 reports: 22 normal, 34 with one, ...
WRONG_COUNT_WEIGHTS = (22, 34, 28, 12, 4)
# One report in so many says something trivial too, has its gravest finding in two places; one
# finding in so many has a further sentence, its earlier size, its image's number.
TRIVIAL_ONE_IN, SECOND_ONE_IN = 4, 6
DETAIL_ONE_IN = 8
CHANGE_ONE_IN = 9
REFERENCE_ONE_IN = 8
NAMES_A_SIDE: tuple[Side, ...] = ("left", "right", "bilateral")


@dataclass(frozen=True, slots=True)
class Stated:
    """One finding: what the report says, what its impression makes of it, by which templates."""

    kind: Kind
    place: str | None
    side: Side | None
    size_mm: int | None
    severity: str | None
    text: str
    summary: str
    template_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Composed:
    """A whole report and its truth. ``denied`` names what the findings rule out."""

    exam: ExamKind
    exam_display: str
    indication: str
    findings: str
    impression: str
    stated: tuple[Stated, ...]
    denied: tuple[str, ...]
    template_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Scene:
    """What the parts of one report share."""

    rng: random.Random
    words: Lexicon
    exam: ExamKind
    side: Literal["left", "right"]
    style: Style
    is_held_back: bool


def compose_report(
    rng: random.Random, region: Region, style: Style, *, is_held_back: bool
) -> Composed:
    """Invent one report.

    Args:
        rng: All chance comes from here: the same state gives the same report.
        region: One of the lexicon's.
        style: How the site writes.
        is_held_back: Use only the sentences that training never sees.

    Returns:
        The report, with its exact truth.
    """
    words = lexicon(region)
    exam = rng.choice(words.exams)
    side: Literal["left", "right"] = rng.choice(("left", "right"))
    scene = _Scene(rng, words, exam, side, style, is_held_back)
    stated = _stated(scene)
    healthy = _healthy(scene, stated)
    while not (stated or healthy):
        healthy = _healthy(scene, stated)
    findings, opening = _findings(scene, stated, healthy)
    ids = [id_ for one in stated for id_ in one.template_ids] + [id_ for _, _, id_ in healthy]
    denied = {name for _, normal, _ in healthy for name in normal.denies}
    return Composed(
        exam=exam,
        exam_display=exam.display.format(SIDE=side.upper()),
        indication=rng.choice(words.indications),
        findings=findings,
        impression=_impression(scene, stated),
        stated=tuple(stated),
        denied=tuple(sorted(denied)),
        template_ids=tuple(sorted({*ids, *opening})),
    )


def _stated(scene: _Scene) -> list[Stated]:
    """Draw what is wrong, most important first; of one kind at most one in each place."""
    rng = scene.rng
    kinds = scene.words.kinds_for(scene.exam)
    count = rng.choices(range(len(WRONG_COUNT_WEIGHTS)), WRONG_COUNT_WEIGHTS)[0]
    reported = [kind for kind in kinds if kind.is_reported]
    drawn: list[Kind] = []
    for kind in rng.sample(reported, len(reported)):
        if len(drawn) < count and not any(is_same_name(kind.name, one.name) for one in drawn):
            drawn.append(kind)
    wrong = {kind.organ for kind in drawn}
    trivial = [
        kind for kind in kinds if not (kind.is_reported or (kind.is_alone and kind.organ in wrong))
    ]
    if trivial and rng.randrange(TRIVIAL_ONE_IN) == 0:
        drawn.append(rng.choice(trivial))
    stated = [_state(scene, kind) for kind in drawn]
    if stated and stated[0].kind.is_reported and rng.randrange(SECOND_ONE_IN) == 0:
        second = _state(scene, stated[0].kind)
        if second.place != stated[0].place:
            stated.append(second)
    return sorted(stated, key=lambda one: -one.kind.rank)


def _state(scene: _Scene, kind: Kind) -> Stated:
    """Draw side, place, size and severity of one finding, and write it down."""
    rng = scene.rng
    is_limb = "{SIDE}" in scene.exam.display
    side: str = scene.side if is_limb else rng.choice(kind.sides or ("left", "right"))
    values = {"side": side, "severity": rng.choice(kind.severities) if kind.severities else ""}
    values["Severity"] = capitalised(values["severity"])
    if kind.place:
        place = rng.choice(scene.words.places[kind.place][scene.exam.part])
        values["place"] = place.format(side=side)
    size = drawn_size(rng, kind.size, scene.style, area=kind.is_area) if kind.size else None
    values["size"] = size.text if size else ""
    phrase, phrase_id = _picked(scene, kind.phrases, kind.held_back, kind.name)
    text, frame_id = _framed(scene, kind, filled(phrase, values))
    stated = Stated(
        kind=kind,
        place=values.get("place"),
        side=next((word for word in NAMES_A_SIDE if _names(kind, values, word)), None),
        size_mm=size.mm if size else None,
        severity=values["severity"] or None,
        text=text,
        summary=filled(kind.summary, values),
        template_ids=(phrase_id, frame_id) if frame_id else (phrase_id,),
    )
    return _compared(scene, _detailed(scene, stated)) if size and kind.is_reported else stated


def _names(kind: Kind, values: dict[str, str], side: Side) -> bool:
    """Whether what will be written names this side."""
    if side in values.get("place", "").split():
        return True
    return side in kind.sides and values["side"] == side


def _picked(
    scene: _Scene, seen: tuple[str, ...], held_back: tuple[str, ...], name: str
) -> tuple[str, str]:
    """Draw a template and its id, such as ``chest/pulmonary nodule/2`` or ``.../held_back/0``."""
    templates = held_back if scene.is_held_back else seen
    index = scene.rng.randrange(len(templates))
    shelf = "/held_back" if scene.is_held_back else ""
    return templates[index], f"{scene.words.region}/{name}{shelf}/{index}"


def _framed(scene: _Scene, kind: Kind, phrase: str) -> tuple[str, str | None]:
    """Make a sentence of a noun phrase; one that is a sentence already stays as it is."""
    text, frame_id = capitalised(phrase), None
    if not phrase.endswith("."):
        frame, frame_id = _frame(scene, phrase)
        verb = "are" if kind.plural else "is"
        text = frame.format_map({"np": phrase, "Np": capitalised(phrase), "is": verb})
    if kind.size and scene.exam.group in ("CT", "MR") and not scene.rng.randrange(REFERENCE_ONE_IN):
        numbers = {"series": scene.rng.randint(2, 6), "image": scene.rng.randint(12, 190)}
        text = text[:-1] + scene.rng.choice(frames().references).format_map(numbers) + "."
    return text, frame_id


def _frame(scene: _Scene, phrase: str) -> tuple[str, str]:
    """Draw a frame; a phrase with a comma goes last, where it reads well."""
    while True:
        frame, frame_id = _picked(scene, frames().frames, frames().held_back, "frame")
        if "," not in phrase or frame.endswith("p}."):
            return frame, frame_id


def _detailed(scene: _Scene, stated: Stated) -> Stated:
    """Now and then, say more of a mass than an impression repeats."""
    if not stated.kind.is_area or scene.exam.group != "CT" or scene.rng.randrange(DETAIL_ONE_IN):
        return stated
    details = frames().details_held_back if scene.is_held_back else frames().details
    detail = scene.rng.choice(details).format(number=scene.rng.randint(8, 90))
    return replace(stated, text=f"{stated.text} {detail}")


def _compared(scene: _Scene, stated: Stated) -> Stated:
    """Now and then, say how big it was before."""
    rng = scene.rng
    if rng.randrange(CHANGE_ONE_IN):
        return stated
    change = rng.choice(frames().changes_held_back if scene.is_held_back else frames().changes)
    assert stated.size_mm
    assert stated.kind.size
    earlier = (max(2, stated.size_mm // 2), max(3, stated.size_mm - 1))
    was = {"was": drawn_size(rng, earlier, scene.style, area=False).text}
    return replace(
        stated,
        text=f"{stated.text} {change.text.format_map(was)}",
        summary=stated.summary + change.summary.format_map(was),
    )


def _healthy(scene: _Scene, stated: list[Stated]) -> list[tuple[str, Normal, str]]:
    """Draw what is said of the organs that are well: organ, sentence, template id."""
    wrong_organs = {one.kind.organ for one in stated}
    asks = _asked(scene, stated)
    healthy: list[tuple[str, Normal, str]] = []
    for name in scene.words.organs:
        rows = _candidates(scene, stated, name)
        answers = [row for row in rows if row[1].asked and asks in row[1].denies][:1]
        others = [row for row in rows if not row[1].asked]
        if name in wrong_organs:
            others = [row for row in others if row[1].beside]
        count = scene.rng.choice((0, 0, 1, 1, 1))
        healthy += answers + _distinct(healthy + answers, others, count)
        healthy += _denied(scene, stated, healthy, name)
    return healthy


def _denied(
    scene: _Scene, stated: list[Stated], said: list[tuple[str, Normal, str]], name: str
) -> list[tuple[str, Normal, str]]:
    """Rule out up to two findings of an organ, in a sentence of their own."""
    organ = scene.words.organs[name]
    if not organ.fits(scene.exam):
        return []
    kinds = scene.words.kinds_for(scene.exam)
    text = " ".join(one.text for one in stated).lower()
    there = {kind.name for kind in kinds if any(stem in text for stem in kind.stems)}
    denied = {one for _, normal, _ in said for one in normal.denies}
    possible = {kind.name for kind in kinds} - there - denied
    nouns = {
        one: noun
        for one, noun in organ.deniable.items()
        if one in possible and not any(is_same_name(one, other.kind.name) for other in stated)
    }
    region = scene.words.region
    denial = drawn_denial(scene.rng, region, nouns, is_held_back=scene.is_held_back)
    return [(name, *denial)] if denial else []


def _candidates(scene: _Scene, stated: list[Stated], name: str) -> list[tuple[str, Normal, str]]:
    """All that may be said of an organ in this exam without denying what is there, shuffled."""
    organ = scene.words.organs[name]
    if not organ.fits(scene.exam):
        return []
    wrong = {one.kind.name for one in stated}
    wrong_organs = {one.kind.organ for one in stated}
    shelf, mark = (organ.held_back, "/held_back") if scene.is_held_back else (organ.normal, "")
    rows = [
        (name, normal, f"{scene.words.region}/{name}{mark}/{index}")
        for index, normal in enumerate(shelf)
        if normal.fits(scene.exam)
        and not any(is_same_name(denied, one) for denied in normal.denies for one in wrong)
        and not wrong_organs & set(normal.covers)
    ]
    scene.rng.shuffle(rows)
    return rows


def _distinct(
    said: list[tuple[str, Normal, str]], rows: list[tuple[str, Normal, str]], count: int
) -> list[tuple[str, Normal, str]]:
    """Take up to ``count`` rows; none denies again, and a plain "unremarkable" only goes first."""
    denied = {name for _, normal, _ in said for name in normal.denies}
    taken: list[tuple[str, Normal, str]] = []
    for row in rows:
        denies = set(row[1].denies)
        if len(taken) < count and denied.isdisjoint(denies) and (denies or not taken):
            taken.append(row)
            denied |= denies
    return taken


def _asked(scene: _Scene, stated: list[Stated]) -> str | None:
    """What the exam was ordered for, when it is not there."""
    asks = scene.exam.asks
    return None if asks is None or any(asks in one.kind.name for one in stated) else asks


def _findings(
    scene: _Scene, stated: list[Stated], healthy: list[tuple[str, Normal, str]]
) -> tuple[str, list[str]]:
    """Write the findings organ by organ, as the site does."""
    rng, style = scene.rng, scene.style
    paragraphs: list[tuple[str, bool]] = []
    for name, organ in scene.words.organs.items():
        wrong = [one.text for one in stated if one.kind.organ == name]
        well = [normal.text for organ_name, normal, _ in healthy if organ_name == name]
        said = well + wrong if rng.randrange(3) == 0 else wrong + well
        if said:
            paragraphs.append((_label(organ, style) + " ".join(said), bool(wrong)))
    if style.labels == "none" and rng.randrange(4) == 0:
        paragraphs.sort(key=lambda paragraph: not paragraph[1])
    lines = [text for text, _ in paragraphs]
    ids: list[str] = []
    if rng.randrange(6) == 0:
        opening, id_ = _picked(scene, frames().openings, frames().openings_held_back, "opening")
        lines, ids = [opening, *lines], [id_]
    if style.labels == "none":
        lines = [" ".join(lines)]
    wrapper = textwrap.TextWrapper(style.wrap or sys.maxsize, break_on_hyphens=False)
    return "\n".join(wrapper.fill(line) for line in lines), ids


def _label(organ: Organ, style: Style) -> str:
    """The heading of an organ's paragraph."""
    if style.labels == "none":
        return ""
    return f"{organ.label if style.labels == 'capitals' else organ.label.capitalize()}: "


def _impression(scene: _Scene, stated: list[Stated]) -> str:
    """Write what is wrong by weight, else that all is well.

    Nothing is denied beside something wrong: a small model learns such a sentence as a habit, and
    then denies what is there.
    """
    items = [sentence(one.summary) for one in stated if one.kind.is_reported]
    items = items or [scene.words.normal[scene.exam.group]]
    if scene.style.items == "sentences" or len(items) == 1:
        return " ".join(items)
    if scene.style.items == "lines":
        return "\n".join(f"- {item}" for item in items)
    return "\n".join(f"{number}. {item}" for number, item in enumerate(items, start=1))
