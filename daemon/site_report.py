"""What ``prelim site`` prints: as records for programs, and from these as lines for people.

Codes, words and counts only. The names of a record are an outside contract: add freely, rename
never.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias

from mappings.site_coverage import MEASURES
from mappings.site_overlaps import find_overlaps
from mappings.sites import DEFAULT_SITE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mappings.site_coverage import Coverage
    from mappings.site_learning import Proposal
    from mappings.sites import Site, SiteSet

Record: TypeAlias = dict[str, Any]
SHOWN_MAX = 20
"""Codes of one kind that are written for people; a record has them all."""


def describe_sites(sites: SiteSet) -> Record:
    """Describe the sites in the order of trying, and where two can know one sender."""
    return {
        "sites": [_describe_site(site) for site in sites.sites],
        "overlaps": [overlap._asdict() for overlap in find_overlaps(sites)],
    }


def _describe_site(site: Site) -> Record:
    is_default = site.name == DEFAULT_SITE.name
    silent = [code for code, one in site.exams.items() if not (one.modality and one.region)]
    return {
        "name": site.name,
        "order": None if is_default else site.order,
        "match": None
        if is_default
        else {
            "sending_application": site.applications,
            "sending_facility": site.facilities,
            "listener": site.listeners,
            "topic": site.topics,
        },
        "language": site.language,
        "time_zone": None if site.time_zone is None else str(site.time_zone),
        "fields": {
            "accession": site.accession_fields,
            "patient_id": site.patient_fields,
            "placer_order": site.placer_fields,
            "filler_order": site.filler_fields,
            "modality_code": site.modality_fields,
            "reason": site.reason_fields,
        },
        "exam_codes": len(site.exams),
        "exam_codes_without_modality_or_region": silent,
        "observation_codes": dict(site.observation_codes),
        "status_words": {" ".join(key): word for key, word in site.status_words.items()},
        "drafting": [
            {
                "modalities": rule.modalities and sorted(rule.modalities),
                "regions": rule.regions and sorted(rule.regions),
                "adapter": rule.adapter,
                "style": rule.style,
            }
            for rule in site.drafting
        ],
        "undeclared_codecs": site.undeclared_codecs,
        "validation": site.validation,
        "oru_target": site.oru_target,
    }


def describe_coverage(coverage: Coverage) -> Record:
    """Describe what one site came to on sample messages."""
    return {
        "site": coverage.site or None,
        "messages": coverage.messages,
        "reports": coverage.reports,
        "others": coverage.others,
        "unreadable": dict(coverage.unreadable),
        "found": dict(coverage.found),
        "decisions": dict(coverage.decisions),
        "unknown": {kind: dict(counts) for kind, counts in coverage.unknown.items()},
    }


def describe_proposal(proposal: Proposal) -> Record:
    """Describe a proposed site: what was seen, what is proposed, what it changes."""
    draft = proposal.draft
    return {
        "site": draft.name,
        "sending_application": draft.sender[0],
        "sending_facility": draft.sender[1],
        "language": draft.language,
        "charset_declared": proposal.charset_declared,
        "codecs": dict(proposal.codecs),
        "accession": draft.accession,
        "number_fields": [field._asdict() for field in proposal.number_fields],
        "observation_codes": dict(draft.observation_codes),
        "headings": dict(draft.headings),
        "status_words": dict(draft.status_words),
        "exams": [
            {"code": code, "system": system, **asdict(entry)}
            for (code, system), entry in draft.exams.items()
        ],
        "seen": {kind: dict(counts) for kind, counts in proposal.seen.items()},
        "unknown_headings": dict(proposal.unknown_headings),
        "unknown_status_words": dict(proposal.unknown_status_words),
        "refused": proposal.refused,
        "coverage": {
            "default": describe_coverage(proposal.before),
            "proposed": describe_coverage(proposal.after),
        },
        "files": dict(proposal.files),
    }


def write_sites(record: Record, out: TextIO) -> None:
    """Write the sites for people."""
    count = len(record["sites"])
    out.write(f"{count} site folder{'' if count == 1 else 's'}, tried in this order:\n")
    for site in record["sites"]:
        match = site["match"]
        taken = "whoever no other site takes" if match is None else _words(match)
        out.write(f"\n{site['name']}: {taken}\n")
        out.write(
            f"  language {site['language']}; accession {' '.join(site['fields']['accession'])}"
        )
        out.write(f"; {site['exam_codes']} exam codes")
        out.write(f"; {len(site['observation_codes'])} OBX-3 codes")
        out.write(f"; {len(site['status_words'])} status words; validation {site['validation']}\n")
        out.writelines(f"  drafting: {_words(rule)}\n" for rule in site["drafting"])
        silent = site["exam_codes_without_modality_or_region"]
        if silent:
            out.write(f"  exam codes without modality or region: {_list(silent)}\n")
    for overlap in record["overlaps"]:
        out.write(
            f"\noverlap: {overlap['first']} and {overlap['second']} can know the same sender;"
        )
        out.write(f" {overlap['first']} takes it\n")


def write_coverage(record: Record, out: TextIO) -> None:
    """Write what one site came to for people."""
    name = record["site"] or "not read"
    out.write(f"\n{name}: {record['messages']} messages, {record['reports']} radiology reports\n")
    out.writelines(f"  {reason}: {count}\n" for reason, count in record["unreadable"].items())
    if not record["reports"]:
        return
    out.writelines(f"  {measure:15} {_share(record, measure)}\n" for measure in MEASURES)
    decisions = ", ".join(f"{word} {count}" for word, count in record["decisions"].items())
    out.write(f"  decisions: {decisions}\n")
    for kind, counts in record["unknown"].items():
        if counts:
            out.write(f"  unknown {kind}: {_counts(counts)}\n")


def write_proposal(record: Record, out: TextIO) -> None:
    """Write a proposal for people."""
    sender = f"MSH-3 {record['sending_application']}, MSH-4 {record['sending_facility']}"
    before, after = record["coverage"]["default"], record["coverage"]["proposed"]
    out.write(f"\n{record['site']}: {sender}; {before['reports']} radiology reports\n")
    out.write(f"  {'':17}{'shipped tables':>18}{'proposed':>18}\n")
    for measure in MEASURES:
        shares = f"{_share(before, measure):>18}{_share(after, measure):>18}"
        out.write(f"  {measure:17}{shares}\n")
    out.write("  where numbers stand (own: not another patient's; told: repeated in the text)\n")
    for field in record["number_fields"]:
        rates = (f"{name} {field[name]:.0%}" for name in ("present", "own", "told"))
        out.write(f"    {field['name']:7} {'  '.join(rates)}\n")
    declared = f"MSH-18 in {record['charset_declared']}"
    out.write(f"  language {record['language']}; read as {_counts(record['codecs'])}; {declared}\n")
    _write_parts(record, out)


def _write_parts(record: Record, out: TextIO) -> None:
    tables = {
        f"proposed {kind}": [f"{word} = {value}" for word, value in record[kind].items()]
        for kind in ("observation_codes", "headings", "status_words")
    }
    seen = {f"seen {kind}": _counted(counts) for kind, counts in record["seen"].items()}
    unknown = {
        kind: _counted(record[kind]) for kind in ("unknown_headings", "unknown_status_words")
    }
    rows = {
        "proposed accession": list(record["accession"]),
        **tables,
        "proposed exam codes": [str(len(record["exams"]))],
        **seen,
        **unknown,
        "left out, it would know less": list(record["refused"]),
    }
    for name, words in rows.items():
        if words:
            out.write(f"  {name}: {_list(words)}\n")


def _share(record: Record, measure: str) -> str:
    found, reports = record["found"][measure], record["reports"]
    return f"{found}/{reports} ({found / max(1, reports):.0%})"


def _words(values: Mapping[str, Any]) -> str:
    told = (
        f"{name} {value if isinstance(value, str) else ' '.join(value)}"
        for name, value in values.items()
        if value
    )
    return ", ".join(told)


def _counts(counts: Mapping[str, int]) -> str:
    return _list(_counted(counts))


def _counted(counts: Mapping[str, int]) -> list[str]:
    return [f"{word} {count}" for word, count in counts.items()]


def _list(words: list[str]) -> str:
    more = len(words) - SHOWN_MAX
    return ", ".join(words[:SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")
