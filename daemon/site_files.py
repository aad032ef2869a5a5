"""Read the sites' mapping folders: ``SITES/NAME/site.yaml``, checked before the first message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.errors import SiteMappingError
from mappings.sites import SiteSet, parse_site

if TYPE_CHECKING:
    from pathlib import Path


def load_sites(folder: Path | None) -> SiteSet:
    """Return the configured sites; the default site alone when there is no folder.

    Raises:
        SiteMappingError: A table cannot be used; ``where`` is its file and field.
    """
    if folder is None:
        return SiteSet(())
    if not folder.is_dir():
        raise SiteMappingError("no_such_folder", str(folder))
    sites = []
    for file in sorted(each / "site.yaml" for each in folder.iterdir() if _is_site(each)):
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise SiteMappingError("cannot_read_file", str(file)) from None
        sites.append(parse_site(file.parent.name, text))
    return SiteSet(tuple(sites))


def _is_site(entry: Path) -> bool:
    """Whether this is a site's folder: its file must be there, or it would be ignored in silence.

    Version control and platforms that mount settings keep hidden folders beside them.
    """
    return entry.is_dir() and not entry.name.startswith((".", "_"))
