"""How the daemon speaks to the process that writes its journal: frames of pickled values.

Rule: only for a socketpair whose two ends are ours from birth, for whoever can write to it can run
code in the other end; and only between two processes of one code, for a pickle names classes, but
holds neither their code nor the names of their fields.
"""

from __future__ import annotations

import io
import pickle
import struct
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from daemon.audit import Head
    from daemon.journal_commit import Outcome

_LENGTH = struct.Struct(">Q")


class Reply(NamedTuple):
    """What became of the oldest jobs that were not answered yet, and how the journal stands."""

    outcomes: Sequence[Outcome]
    head: Head | None
    has_failed: bool


class FrameWriter:
    """One frame: its length in eight bytes, then pickles, each value once for all of them."""

    def __init__(self) -> None:
        self._body = io.BytesIO(bytes(_LENGTH.size))
        self._body.seek(_LENGTH.size)
        self._pickler = pickle.Pickler(self._body, protocol=pickle.HIGHEST_PROTOCOL)

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._body.tell()

    def add(self, value: object) -> None:
        """Add a value; when that fails the frame is as it was, and takes no more."""
        size = self.size
        try:
            self._pickler.dump(value)
        except Exception:
            self._body.truncate(size)
            self._body.seek(size)
            raise

    def render(self) -> bytes:
        """Return the frame."""
        self._body.getbuffer()[: _LENGTH.size] = _LENGTH.pack(self.size - _LENGTH.size)
        return self._body.getvalue()


class FrameReader:
    """Cuts a stream into the values that were sent."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Any]:
        """Take the next bytes, of any length, and yield what they complete."""
        self._kept += chunk
        while len(self._kept) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(self._kept)[0]
            if len(self._kept) < end:
                return
            body = io.BytesIO(self._kept[_LENGTH.size : end])
            del self._kept[:end]
            unpickler = pickle.Unpickler(body)  # noqa: S301 - from our own other half
            while body.tell() < end - _LENGTH.size:
                yield unpickler.load()


def code_digest() -> str:
    """Return sha256 hex of all code that gives a pickle its meaning, as it is on disk now."""
    digest = sha256()
    for package in ("daemon", "mappings"):
        for file in sorted(files(package).iterdir(), key=lambda file: file.name):
            if file.name.endswith(".py"):
                digest.update(file.read_bytes())
    return digest.hexdigest()
