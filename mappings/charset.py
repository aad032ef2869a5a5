"""Bytes of a message to text, by what the sender declares in MSH-18.

Decode before splitting: in GB 18030, BIG-5 and ISO-2022-JP a second byte can look like ``|``,
``^``, ``~`` or a backslash. A declared character set is believed and decoded strictly; nothing is
ever replaced.

Standard: HL7 table 0211, with spellings seen in the field.
"""

from __future__ import annotations

import re
from types import MappingProxyType

from mappings.errors import UnreadableContentError

CODECS = MappingProxyType(
    {
        "ASCII": "ascii",
        "USASCII": "ascii",
        "ISOIR6": "ascii",
        "UNICODE": "utf-8",  # deprecated and ambiguous in table 0211; UTF-8 in practice
        "UNICODEUTF8": "utf-8",
        "UTF8": "utf-8",
        "ISOIR192": "utf-8",
        "LATIN1": "iso8859-1",
        "ISOIR100": "iso8859-1",
        "WINDOWS1252": "cp1252",
        "CP1252": "cp1252",
        "ISOIR14": "shift_jis",
        "ISOIR87": "iso2022_jp",
        "ISOIR159": "iso2022_jp_1",
        "GB180302000": "gb18030",
        "GB18030": "gb18030",
        "KSX1001": "euc_kr",
        "ISOIR149": "euc_kr",
        "BIG5": "cp950",  # what senders of BIG-5 write: BIG-5 and Microsoft's additions
        **{f"8859{part}": f"iso8859-{part}" for part in (*range(1, 10), 15)},
        **{f"ISO8859{part}": f"iso8859-{part}" for part in (*range(1, 10), 15)},
    }
)
"""Python codec by name of table 0211 without blanks and punctuation.

Left out on purpose: UTF-16 and UTF-32 (their bytes cannot be framed by MLLP) and CNS 11643-1992
(no codec).
"""

_PUNCTUATION = re.compile(r"[\s/_.:-]+")
_UNDECLARED = ("utf-8", "cp1252")


def find_codec(declared: str) -> str | None:
    """Return the Python codec for a name of MSH-18, or None when there is none."""
    return CODECS.get(_PUNCTUATION.sub("", declared).upper())


def decode_text(payload: bytes, declared: str) -> tuple[str, str]:
    """Decode a whole message.

    Args:
        payload: The message without framing bytes.
        declared: First repetition of MSH-18, may be empty.

    Returns:
        The text, and the codec that was used: declared, or UTF-8 and then Windows-1252.

    Raises:
        UnreadableContentError: The bytes are not what MSH-18 says.
    """
    codecs = (find_codec(declared),) if declared.strip() else _UNDECLARED
    for codec in codecs:
        text = None if codec is None else _decode(payload, codec)
        if text is not None and codec is not None:
            return text, codec
    raise UnreadableContentError("undecodable_content", "MSH-18")


def _decode(payload: bytes, codec: str) -> str | None:
    try:
        return payload.decode(codec)
    except UnicodeDecodeError:
        return None
