"""Bytes of a message to text, by what the sender declares in MSH-18.

Decode before splitting: in GB 18030, BIG-5, Shift-JIS and ISO-2022-JP a second byte can look like
``|``, ``^``, ``~`` or a backslash. Nothing is ever replaced: bytes that cannot be read are refused,
with their place. Another set than the declared one is taken only where the bytes prove it, and then
it is said.

Standard: HL7 table 0211, with spellings seen in the field and DICOM's (tables/charsets.csv).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from mappings.errors import UnreadableContentError
from mappings.hl7_separators import DEFAULT_SEPARATORS
from mappings.iso_2022 import decode_switched, has_switch
from mappings.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mappings.hl7_separators import Separators

UNDECLARED_CODECS = ("utf-8", "cp1252")
"""What is tried, in order, where MSH-18 is empty and the site says nothing else."""
DECLARED_WRONG = "charset_declared_wrong"
"""The warning for text that was read, but not as MSH-18 says."""

_YEAR = re.compile(r":\d{4}$")
_PUNCTUATION = re.compile(r"[\s/_.:()-]+")
_PREFIX = re.compile(
    r"^(?:ISO(?=8859)|ISO(?:2022)?(?=IR\d)|(?:CP|WINDOWS|WIN|MS|IBM|OEM)(?=\d)|X(?=SJIS))"
)
_SWITCHING = "iso2022_jp"
_ALSO = {"cp950": ("big5hkscs",)}
"""Senders who declare BIG-5 write Microsoft's, and in Hong Kong HKSCS."""
_PROVEN_BY_ONE = ("ascii", "iso8859", "cp125", "koi8", _SWITCHING)
_PROOF_CHARACTERS = 12
"""As many characters of UTF-8 do not come about by chance in text of a set of several bytes."""
_C1 = re.compile(rb"[\x80-\x9f]")
_LINE_END = re.compile(rb"[\r\n]+")
_NAME = re.compile(rb"[A-Z][A-Z0-9]{2}")
_SEGMENTS = frozenset(
    b"AL1 CTD CTI DG1 EVN GT1 IN1 MSH NK1 NTE OBR OBX ORC PD1 PID PRT PV1 PV2 TQ1 TXA ZDS".split()
)


class Decoded(NamedTuple):
    """A message as text. ``codec`` is the Python codec that read it, ``warning`` a stable word."""

    text: str
    codec: str
    warning: str | None = None


def _fold(name: str) -> str:
    bare = _PUNCTUATION.sub("", _YEAR.sub("", name.strip()))
    return _PREFIX.sub("", bare.upper())


_TABLE = read_table("charsets")
_ROWS = {_fold(row["name"]): row for row in _TABLE} | {row["name"]: row for row in _TABLE}


def _find_row(declared: str) -> dict[str, str] | None:
    return _ROWS.get(declared) or _ROWS.get(_fold(declared))  # most often, spelled as in the table


def find_codec(declared: str) -> str | None:
    """Return the Python codec for a name of MSH-18, or None when there is none."""
    row = _find_row(declared)
    return (row["codec"] or None) if row else None


def refusal_reason(declared: str) -> str | None:
    """Return why a declared character set cannot be taken; None for one that can."""
    row = _find_row(declared)
    return "unsupported_charset" if row is None else (row["refused"] or None)


def decode_message(
    payload: bytes,
    declared: Sequence[str],
    *,
    separators: Separators = DEFAULT_SEPARATORS,
    undeclared: Sequence[str] = UNDECLARED_CODECS,
) -> Decoded:
    r"""Decode a whole message.

    Args:
        payload: The message from MSH on.
        declared: The repetitions of MSH-18. The first is what the message is written in; it may be
            empty. The others are switched to, by ``\C..\`` and ``\M..\`` or by ESC.
        separators: The message's own.
        undeclared: Python codecs to try, in order, where nothing is declared.

    Returns:
        The text, the codec that was used, and a warning where it is not the declared one.

    Raises:
        UnreadableContentError: The bytes are not what MSH-18 says, or no codec reads it.
    """
    if b"\x00" in payload:
        payload = payload.replace(b"\x00", b"")  # no set of table 0211 that can be framed has one
    codecs, is_declared = _choose(declared, undeclared)
    is_switched = b"\x1b" in payload or (
        len(declared) > 1 and has_switch(payload, separators.escape)
    )
    if not is_switched and payload.isascii():
        return Decoded(payload.decode("ascii"), codecs[0])
    if is_declared and not is_switched:
        proven = _find_proven(payload, codecs[0])
        if proven is not None:
            return proven
    first: UnicodeDecodeError | None = None
    for codec in codecs:
        try:
            return Decoded(_decode(payload, codec, separators if is_switched else None), codec)
        except UnicodeDecodeError as error:
            first = first or error
    where = _locate(payload, 0 if first is None else first.start, separators)
    raise UnreadableContentError("undecodable_content", where) from None


def _choose(declared: Sequence[str], undeclared: Sequence[str]) -> tuple[Sequence[str], bool]:
    """Return the codecs to try, and whether the sender named the first."""
    name, *others = declared or ("",)
    switched_to = {find_codec(other) for other in others}
    if not name.strip():
        return ((_SWITCHING, *undeclared) if _SWITCHING in switched_to else undeclared), False
    codec = find_codec(name)
    if codec is None:
        reason = refusal_reason(name) or "unsupported_charset"
        raise UnreadableContentError(reason, "MSH-18")
    if codec == "ascii" and _SWITCHING in switched_to:
        codec = _SWITCHING
    return (codec, *_ALSO.get(codec, ())), True


def _decode(payload: bytes, codec: str, separators: Separators | None) -> str:
    if separators is not None and codec != "iso2022_kr":
        plain = "ascii" if codec == _SWITCHING else codec
        return decode_switched(payload, plain, separators.escape)
    return payload.decode(codec)


def _find_proven(payload: bytes, codec: str) -> Decoded | None:
    """Read bytes that prove by themselves that they are not what was declared."""
    if codec == "utf-8":
        return None
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        return _read_windows(payload) if codec == "iso8859-1" else None
    beyond_ascii = len(text) - len(text.encode("ascii", "ignore"))
    is_thai = codec == "iso8859-11"  # a vowel after a consonant looks like UTF-8
    is_proven_by_one = codec.startswith(_PROVEN_BY_ONE) and not is_thai
    if beyond_ascii < (1 if is_proven_by_one else _PROOF_CHARACTERS):
        return None
    return Decoded(text, "utf-8", DECLARED_WRONG)


def _read_windows(payload: bytes) -> Decoded | None:
    """Read what is declared as Latin-1 and has quotes and dashes where Latin-1 has controls."""
    if _C1.search(payload) is None:
        return None
    try:
        return Decoded(payload.decode("cp1252"), "cp1252", DECLARED_WRONG)
    except UnicodeDecodeError:
        return None


def _locate(payload: bytes, offset: int, separators: Separators) -> str:
    """Name the field of a byte, such as ``OBX[3]-5``; a segment of no known name by its number."""
    mark = separators.field.encode("ascii")
    lines = _LINE_END.split(payload[:offset])
    starts = [number for number, line in enumerate(lines) if _is_segment(line, mark)]
    if not starts:
        return "MSH"
    name = lines[starts[-1]][:3]
    if name not in _SEGMENTS:
        return f"segment[{len(starts)}]"
    count = sum(lines[start].startswith(name) for start in starts)
    field = sum(line.count(mark) for line in lines[starts[-1] :]) + (name == b"MSH")
    return f"{name.decode('ascii')}[{count}]-{field}"


def _is_segment(line: bytes, mark: bytes) -> bool:
    return line[3:4] == mark and _NAME.match(line) is not None
