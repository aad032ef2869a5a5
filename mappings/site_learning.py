"""Proposes a site's mapping from sample messages, and says what it would change.

Each part of the proposal is kept only when nothing is known of fewer reports with it than without:
a proposal never understands less than the shipped tables do.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import yaml

from mappings.errors import PrelimError
from mappings.message_plan import plan_message
from mappings.site_coverage import Coverage, measure
from mappings.site_guesses import (
    find_headings,
    find_status_words,
    guess_accession,
    guess_exams,
    guess_headings,
    guess_language,
    guess_observation_codes,
    guess_status_words,
    rate_number_fields,
)
from mappings.site_reading import SITE_FILE, parse_site
from mappings.site_samples import count_seen, read_samples
from mappings.sites import DEFAULT_SITE, SiteSet

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from mappings.domain import ReportStatus, StudyReport
    from mappings.exam_codes import ExamEntry
    from mappings.site_guesses import NumberField
    from mappings.site_samples import SampleReport
    from mappings.sites import Site

_SLUG = re.compile(r"[^a-z0-9]+")
_PATTERN_LETTER = re.compile(r"([*?\[])")
_HEAD = "# Proposed by prelim site learn: read it before you use it (docs/SITES.md has the keys).\n"
_PARTS = ("language", "accession", "observation_codes", "headings", "status_words", "exams")


@dataclass(frozen=True, slots=True)
class Draft:
    """What is proposed to be written; an empty part is left to the shipped tables."""

    name: str
    sender: tuple[str | None, str | None]
    language: str = DEFAULT_SITE.language
    accession: tuple[str, ...] = ()
    observation_codes: Mapping[str, str] = field(default_factory=dict)
    headings: Mapping[str, str] = field(default_factory=dict)
    status_words: Mapping[str, ReportStatus] = field(default_factory=dict)
    exams: Mapping[tuple[str, str], ExamEntry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A site as proposed for one sender, with what was seen.

    ``files`` is what its folder would hold, ``refused`` the parts that would have made it worse;
    ``seen`` counts codes and words by kind and reports; the ``unknown_*`` are a person's to decide.
    """

    draft: Draft
    files: Mapping[str, str]
    before: Coverage
    after: Coverage
    refused: tuple[str, ...]
    seen: Mapping[str, Mapping[str, int]]
    number_fields: Sequence[NumberField]
    codecs: Mapping[str, int]
    charset_declared: int
    unknown_headings: Mapping[str, int]
    unknown_status_words: Mapping[str, int]


@dataclass(slots=True)
class _Feed:
    """The messages of one sender."""

    payloads: list[bytes] = field(default_factory=list, repr=False)
    samples: list[SampleReport] = field(default_factory=list, repr=False)
    silent: list[bool] = field(default_factory=list)


def learn(payloads: Iterable[bytes]) -> list[Proposal]:
    """Propose a site for each sender of radiology reports.

    Args:
        payloads: Messages without framing bytes; what cannot be read is passed over.

    Returns:
        The proposals, the sender of most reports first.
    """
    feeds: dict[tuple[str | None, str | None], _Feed] = defaultdict(_Feed)
    for payload in payloads:
        try:
            samples = list(read_samples(payload))
            studies = {study.group: study for study, _ in plan_message(payload, SiteSet())}
        except PrelimError:
            continue
        for sample in samples:
            feeds[sample.sender].samples.append(sample)
            feeds[sample.sender].silent.append(studies[sample.group].sections.findings is None)
        if samples:
            feeds[samples[0].sender].payloads.append(payload)
    names: set[str] = set()
    found = []
    for sender, feed in sorted(feeds.items(), key=lambda item: -len(item[1].samples)):
        if _cover(None, feed).reports:
            draft = Draft(_name_of(sender, names), sender)
            names.add(draft.name)
            found.append(_propose(draft, feed))
    return found


def _propose(bare: Draft, feed: _Feed) -> Proposal:
    samples = feed.samples
    headings, words = find_headings(samples), find_status_words(samples)
    fields = rate_number_fields(samples)
    language = guess_language(sample.text for sample in samples)
    guessed = replace(
        bare,
        language=language,
        accession=guess_accession(fields),
        observation_codes=guess_observation_codes(samples, feed.silent),
        headings=guess_headings(headings),
        status_words=guess_status_words(words),
        exams=guess_exams(_studies(feed.payloads, language)),
    )
    before = after = _cover(None, feed)
    kept, refused = bare, []
    for part in _PARTS:
        more = replace(kept, **{part: getattr(guessed, part)})
        if more == kept:
            continue
        coverage = _cover(more, feed)
        if coverage.is_at_least(after):
            kept, after = more, coverage
        else:
            refused.append(part)
    return Proposal(
        draft=kept,
        files=render_files(kept),
        before=before,
        after=after,
        refused=tuple(refused),
        seen=count_seen(samples),
        number_fields=fields,
        codecs=Counter(sample.codec for sample in samples),
        charset_declared=sum(sample.is_charset_declared for sample in samples),
        unknown_headings={one: headings[one] for one in headings if one not in kept.headings},
        unknown_status_words={one: words[one] for one in words if one not in kept.status_words},
    )


def _studies(payloads: Iterable[bytes], language: str) -> list[StudyReport]:
    sites = SiteSet((replace(DEFAULT_SITE, language=language),))
    planned = (one for payload in payloads for one in plan_message(payload, sites))
    return [study for study, _ in planned if study.is_radiology and study.exam.code]


def _cover(draft: Draft | None, feed: _Feed) -> Coverage:
    """Count what a site would know of a feed; None is the shipped tables alone."""
    sites = SiteSet() if draft is None else SiteSet((_as_site(draft),))
    name = DEFAULT_SITE.name if draft is None else draft.name
    return next((one for one in measure(feed.payloads, sites) if one.site == name), Coverage(name))


def _as_site(draft: Draft) -> Site:
    files = render_files(draft)
    return parse_site(draft.name, files.pop(SITE_FILE), files)


def render_files(draft: Draft) -> dict[str, str]:
    """Return the files of a site's folder, text by name, as ``parse_site`` reads them."""
    application, facility = draft.sender
    match = {"sending_application": application, "sending_facility": facility}
    site: dict[str, object] = {}
    if draft.name != DEFAULT_SITE.name:
        site["match"] = {key: _as_pattern(said) for key, said in match.items() if said}
    if draft.language != DEFAULT_SITE.language:
        site["language"] = draft.language
    if draft.accession:
        site["accession"] = list(draft.accession)
    files = {SITE_FILE: _HEAD + yaml.safe_dump(site, sort_keys=False, allow_unicode=True)}
    exams = [
        (code, system, entry.modality, entry.region, entry.laterality, entry.display)
        for (code, system), entry in draft.exams.items()
    ]
    tables: dict[str, tuple[str, Sequence[tuple[str | None, ...]]]] = {
        "exams.csv": ("code,system,modality,region,laterality,display", exams),
        "obx3.csv": ("code,section", list(draft.observation_codes.items())),
        "headings.csv": ("heading,section", list(draft.headings.items())),
        "status_words.csv": ("word,status", list(draft.status_words.items())),
    }
    files |= {name: _as_csv(head, rows) for name, (head, rows) in tables.items() if rows}
    return files


def _as_csv(head: str, rows: Sequence[tuple[str | None, ...]]) -> str:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(head.split(","))
    writer.writerows(rows)
    return written.getvalue()


def _as_pattern(value: str) -> str:
    """Return a shell pattern that only this value fits."""
    return _PATTERN_LETTER.sub(r"[\1]", value)


def _name_of(sender: tuple[str | None, str | None], taken: Container[str]) -> str:
    """Return a name for a sender's folder; a feed that says no sender is the default's."""
    application, facility = sender
    if application is None and facility is None:
        return DEFAULT_SITE.name
    slug = _SLUG.sub("-", f"{facility or ''}-{application or ''}".lower()).strip("-") or "site"
    slug = f"{slug}-site" if slug == DEFAULT_SITE.name else slug
    numbered = (f"{slug}-{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain([slug], numbered) if name not in taken)
