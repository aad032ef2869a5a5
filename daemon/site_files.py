"""Read the sites' mapping folders: ``SITES/NAME/site.yaml`` and the tables beside it.

All is checked before the first message: a folder that is wrong stops the start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.errors import SiteMappingError
from mappings.site_reading import SITE_FILE, parse_site
from mappings.sites import SiteSet

if TYPE_CHECKING:
    from pathlib import Path

    from mappings.sites import Site

FILE_BYTES_MAX = 33_554_432
"""Longest file of a site's folder; the published LOINC/RSNA table has some 10 MB."""
_TABLE_SUFFIXES = frozenset({".csv", ".json", ".yaml", ".yml"})


def load_sites(folder: Path | None) -> SiteSet:
    """Return the configured sites; the default site alone when there is no folder.

    Raises:
        SiteMappingError: A table cannot be used; ``where`` is its file and field.
    """
    if folder is None:
        return SiteSet(())
    if not folder.is_dir():
        raise SiteMappingError("no_such_folder", str(folder))
    return SiteSet(tuple(load_site(each) for each in sorted(folder.iterdir()) if _is_site(each)))


def load_site(folder: Path) -> Site:
    """Read one site's folder.

    Other kinds of files (a README) are left alone; a table with a name that is not known is not,
    because a misspelt one would be ignored in silence.

    Raises:
        SiteMappingError: See ``load_sites``.
    """
    text = _read(folder / SITE_FILE)
    others = [
        file
        for file in sorted(folder.iterdir())
        if file.suffix.lower() in _TABLE_SUFFIXES
        and file.name != SITE_FILE
        and not file.name.startswith(".")
    ]
    return parse_site(folder.name, text, {file.name: _read(file) for file in others})


def _read(file: Path) -> str:
    where = f"{file.parent.name}/{file.name}"
    try:
        with file.open("rb") as opened:
            content = opened.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise SiteMappingError("file_too_large", where)
        return content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise SiteMappingError("cannot_read_file", where) from None


def _is_site(entry: Path) -> bool:
    """Whether this is a site's folder: its file must be there, or it would be ignored in silence.

    Version control and platforms that mount settings keep hidden folders beside them.
    """
    return entry.is_dir() and not entry.name.startswith((".", "_"))
