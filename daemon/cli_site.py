"""Commands on sites' mapping folders: site check, site learn."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli_options import AsJson, Listener, print_json
from daemon.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mappings.site_learning import Proposal


def add_commands(app: typer.Typer) -> None:
    """Add this module's commands."""
    site = typer.Typer(
        no_args_is_help=True,
        help="Mapping folders: what a sender does its own way, as files (docs/SITES.md).",
    )
    site.command()(check)
    site.command()(learn)
    app.add_typer(site, name="site")


def check(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The setting sites, or one site's folder.")
    ],
    more: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILES]...", help="More files of --messages, so that *.hl7 works."),
    ] = None,
    messages: Annotated[
        list[str] | None,
        typer.Option(metavar="FILES", help="Sample messages, files or folders; see what is known."),
    ] = None,
    listener: Listener = "",
    as_json: AsJson = False,
) -> None:
    """Read mapping folders as the daemon would: whom they take, where they overlap, what they hold.

    With --messages: of how many reports the accession number, the exam, the status and the texts
    are found, and which codes nothing knows. Prints codes and counts, no patient data. Exit 2 with
    file and field when a folder is wrong.
    """
    from daemon.site_files import load_site, load_sites
    from daemon.site_report import describe_coverage, describe_sites, write_coverage, write_sites
    from mappings.site_coverage import measure
    from mappings.site_reading import SITE_FILE
    from mappings.sites import SiteSet

    if more and not messages:
        raise ConfigurationError("message files need --messages", "FILES")
    is_one = (folder / SITE_FILE).is_file()
    sites = SiteSet((load_site(folder),)) if is_one else load_sites(folder)
    coverages = measure(_payloads([*(messages or ()), *(more or ())]), sites, listener)
    described = describe_sites(sites)
    if as_json:
        coverage = [describe_coverage(one) for one in coverages]
        print_json({**described, "coverage": coverage if messages else None})
        return
    write_sites(described, sys.stdout)
    for one in coverages:
        write_coverage(describe_coverage(one), sys.stdout)


def learn(
    files: Annotated[
        list[str],
        typer.Argument(help="Sample messages of a feed: .hl7 files, folders of them, - for stdin."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write a folder for each sender into this one."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Propose a mapping folder for each sender of sample messages, and say what it would change.

    Some hundred messages are enough. Read what is proposed, then try it: prelim site check DIR
    --messages FILES. Prints codes, words and counts, no patient data. Exit 1 when there is no
    radiology report in the files.
    """
    from daemon.site_report import describe_proposal, write_proposal
    from mappings.site_learning import learn as propose

    proposals = propose(_payloads(files))
    if out is not None:
        _write_folders(proposals, out)
    for proposal in proposals:
        if as_json:
            print_json(describe_proposal(proposal))
        else:
            write_proposal(describe_proposal(proposal), sys.stdout)
    if not proposals:
        sys.stdout.write("no radiology report in these messages\n")
        raise typer.Exit(1)
    if out is not None and not as_json:
        sys.stdout.write(f"written to {out}: read it, then set sites: {out}\n")


def _write_folders(proposals: Iterable[Proposal], out: Path) -> None:
    """Write each proposal; a folder that is there is somebody's work and stays."""
    for proposal in proposals:
        if (out / proposal.draft.name).exists():
            raise ConfigurationError("is there already", str(out / proposal.draft.name))
    for proposal in proposals:
        folder = out / proposal.draft.name
        folder.mkdir(parents=True)
        for name, text in proposal.files.items():
            (folder / name).write_text(text, encoding="utf-8")


def _payloads(names: Iterable[str]) -> Iterator[bytes]:
    from daemon.cli_reports import read_messages

    for name in names:
        inside = sorted(map(str, filter(Path.is_file, Path(name).glob("*"))))
        for _source, _index, payload in read_messages(inside or [name]):
            yield payload
