"""The separators of one message. They are read from MSH-1 and MSH-2, never assumed.

Standard: HL7 v2 control chapter, "Message delimiters".
"""

from __future__ import annotations

from dataclasses import dataclass

_DEFAULTS = "^~\\&"
_WITH_TRUNCATION = 5


@dataclass(frozen=True, slots=True)
class Separators:
    """Each is one ASCII character; ``truncation`` is None before v2.7."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str | None = None


DEFAULT_SEPARATORS = Separators()


def parse_separators(field: str, encoding: str) -> Separators | None:
    """Read MSH-1 and MSH-2.

    Args:
        field: MSH-1, one character.
        encoding: MSH-2; 1 to 5 characters, a missing one falls to its default.

    Returns:
        The separators, or None when these cannot be separators.
    """
    if field == "|" and encoding == _DEFAULTS:
        return DEFAULT_SEPARATORS
    if not 1 <= len(encoding) <= _WITH_TRUNCATION:
        return None
    if not all(
        "!" <= character <= "~" and not character.isalnum() for character in field + encoding
    ):
        return None
    full = encoding + _DEFAULTS[len(encoding) :]
    if len(set(field + full)) <= len(full):
        return None  # one character for two jobs, such as a doubled backslash: no reading is right
    return Separators(field, full[0], full[1], full[2], full[3], full[4:] or None)
