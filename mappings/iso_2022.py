r"""Text that switches between character sets as it goes, by the escape sequences of ISO 2022.

A switch is written with the ASCII ESC, or as HL7 writes it, in hexadecimal: ``\C2842\`` for one
byte a character, ``\M2442\`` for several. It must be read before the message is split: the second
byte of a kanji can look like ``|``, ``^``, ``~``, ``&`` or a backslash. At the end of a segment the
first set holds again.

Standard: ISO/IEC 2022; HL7 v2 control chapter, "Escape sequences supporting multiple character
sets", and table 0356.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Low(NamedTuple):
    """What bytes below 0x80 mean: ``run`` finds them, ``prefix`` leads each pair in ``codecs``.

    The second codec knows what vendors added (circled numbers).
    """

    run: str
    codecs: tuple[str, ...]
    prefix: bytes = b""


# A first byte above 0x74 begins no character: it is a "|" or "~" before which the sender forgot to
# switch back.
_KANJI = _Low(r"[\x21-\x74][\x21-\x7e]", ("euc_jp", "euc_jis_2004"))
_LOW = {
    b"(B": None,
    b"(J": None,  # JIS X 0201 Roman: a yen sign where ASCII has the backslash, HL7's escape
    b"(I": _Low(r"[\x21-\x5f]", ("cp932",)),
    b"$@": _KANJI,
    b"$B": _KANJI,
    b"$(B": _KANJI,
    b"$(D": _Low(r"[\x21-\x74][\x21-\x7e]", ("euc_jp",), b"\x8f"),
    b"$A": _Low(r"[\x21-\x77][\x21-\x7e]", ("gb2312",)),
    b"$(A": _Low(r"[\x21-\x77][\x21-\x7e]", ("gb2312",)),
    b"$(C": _Low(r"[\x21-\x7d][\x21-\x7e]", ("euc_kr",)),
}
_HIGH = {
    b")I": "cp932",
    b"$)A": "gb18030",
    b"$)C": "cp949",
    b"-A": "iso8859-1",
    b"-B": "iso8859-2",
    b"-C": "iso8859-3",
    b"-D": "iso8859-4",
    b"-L": "iso8859-5",
    b"-G": "iso8859-6",
    b"-F": "iso8859-7",
    b"-H": "iso8859-8",
    b"-M": "iso8859-9",
    b"-T": "iso8859-11",
    b"-b": "iso8859-15",
}
_LINE_ENDS = b"\r\n"
_BLANKS = b" \t"
_TO_HIGH = bytes(byte | 0x80 for byte in range(256))


def has_switch(payload: bytes, mark: str) -> bool:
    """Say whether a payload switches its character set; ``mark`` is its escape separator."""
    return _switch(mark.encode("ascii")).search(payload) is not None


def decode_switched(payload: bytes, codec: str, mark: str) -> str:
    """Decode a payload that switches between character sets.

    Args:
        payload: The message, still unsplit.
        codec: Python codec of what is under no switch; ASCII is a part of it.
        mark: The message's own escape separator.

    Returns:
        The text without its switches.

    Raises:
        UnicodeDecodeError: A character is in none of its set, or a set of several bytes is not
            known; ``start`` is the place in the payload.
    """
    return "".join(_decode_pieces(payload, codec, mark.encode("ascii")))


def _decode_pieces(payload: bytes, codec: str, mark: bytes) -> Iterator[str]:
    switch, stop = _switch(mark), _stop(mark)
    low: _Low | None = None
    high = codec
    position = 0
    while position < len(payload):
        found = switch.match(payload, position)
        if found is not None:
            low, high = _designate(_designation(found), low, high, position)
            position = found.end()
        elif low is not None:
            run = _run(low, mark).match(payload, position)
            end = position if run is None else run.end()
            if end > position:
                yield _decode_low(payload[position:end], low, position)
            elif payload[position] in _BLANKS:
                end = position + 1
                yield chr(payload[position])
            else:
                low = None
            position = end
        else:
            stopped = stop.search(payload, position + 1)
            end = len(payload) if stopped is None else stopped.start()
            yield _decode_high(payload[position:end], high, position)
            position = end
        if position and payload[position - 1] in _LINE_ENDS:
            low, high = None, codec


@lru_cache(maxsize=32)
def _switch(mark: bytes) -> re.Pattern[bytes]:
    r"""Find the switches that are known, and any to a set of several bytes.

    Another sequence is none: ``ESC ( s`` and ``ESC & l`` speak to a printer, and stay.
    """
    single = [name for name in (*_LOW, *_HIGH) if name[:1] != b"$"]
    raw = b"|".join(map(re.escape, single))
    hexadecimal = b"|".join(name.hex().encode("ascii") for name in single)
    return re.compile(
        rb"\x1b(%(raw)b|\$[@AB]|\$[\x28-\x2f][\x30-\x7e])"
        rb"|%(mark)b(?:C((?i:%(hex)b))|M(24(?:4[0-2]|2[89A-Fa-f][3-7][0-9A-Fa-f])))%(mark)b"
        % {b"raw": raw, b"hex": hexadecimal, b"mark": re.escape(mark)}
    )


@lru_cache(maxsize=32)
def _stop(mark: bytes) -> re.Pattern[bytes]:
    """Find where text under the first set, or one with high bytes, may end."""
    return re.compile(rb"(?<=[\r\n])|(?=%b)" % _switch(mark).pattern)


@lru_cache(maxsize=64)
def _run(low: _Low, mark: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(?:(?!%b)%b)*" % (_switch(mark).pattern, low.run.encode("ascii")))


def _designation(found: re.Match[bytes]) -> bytes:
    return found[1] or bytes.fromhex((found[2] or found[3]).decode("ascii"))


def _designate(name: bytes, low: _Low | None, high: str, position: int) -> tuple[_Low | None, str]:
    if name in _LOW:
        return _LOW[name], high
    if name in _HIGH:
        return low, _HIGH[name]
    raise UnicodeDecodeError("iso2022", name, position, position + 1, "unknown character set")


def _decode_low(run: bytes, low: _Low, position: int) -> str:
    data = run.translate(_TO_HIGH)
    if low.prefix:
        pairs = (data[at : at + 2] for at in range(0, len(data), 2))
        data = b"".join(low.prefix + pair for pair in pairs)
    for codec in low.codecs:
        try:
            return data.decode(codec)
        except UnicodeDecodeError:
            continue
    raise UnicodeDecodeError(low.codecs[0], b"", position, position + 1, "no such character")


def _decode_high(chunk: bytes, codec: str, position: int) -> str:
    try:
        return chunk.decode(codec)
    except UnicodeDecodeError as error:
        start = position + error.start
        raise UnicodeDecodeError(codec, b"", start, start + 1, error.reason) from None
