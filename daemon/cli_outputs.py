"""Asks of a place whether it can be written before anything is worked for it, which may be hours.

It is tried, not computed from modes: a read-only disk or a quota is told by nothing else. Nothing
is left behind, and what is there is not touched.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from daemon.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def require_writable_folder(path: Path | None, option: str) -> None:
    """Refuse a folder that cannot be written into, or not be made; None asks for nothing.

    Raises:
        ConfigurationError: ``cannot_write``, at the option.
    """
    if path is not None:
        with _refusing(option):
            _try_new_file(next(one for one in (path, *path.absolute().parents) if _is_there(one)))


def require_writable_file(path: Path | None, option: str) -> None:
    """Refuse a file that cannot be written over, or not be made; None asks for nothing.

    Raises:
        ConfigurationError: ``cannot_write``, at the option.
    """
    if path is not None:
        with _refusing(option):
            if not _is_there(path):
                _try_new_file(path.parent)
            elif path.is_file() or path.is_dir():  # and no pipe, whose reader would hear of it
                os.close(os.open(path, os.O_WRONLY))


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _try_new_file(folder: Path) -> None:
    with tempfile.TemporaryFile(dir=folder):
        pass


@contextmanager
def _refusing(option: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"cannot_write ({type(error).__name__})", option) from None
