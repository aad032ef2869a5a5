"""Reads one site's YAML key by key, and refuses what nobody asked for.

Every scalar is text: YAML would read the exam code 0123 as 83 and NO as false.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from mappings.errors import SiteMappingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from enum import StrEnum

_KIND = TypeVar("_KIND", bound="StrEnum")
_EMPTY = frozenset({"", "~", "null"})


class _TextLoader(yaml.BaseLoader):
    """Scalars as text; a key given twice is an error, not the later of the two."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:  # noqa: FBT001, FBT002 - yaml's own signature
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for number, key in enumerate(keys):
            if key in keys[:number]:
                raise SiteMappingError("key_given_twice", str(key))
        return super().construct_mapping(node, deep=deep)


def read_yaml(where: str, text: str) -> YamlReader:
    """Begin to read a file.

    Args:
        where: The file's name, for errors.
        text: YAML; empty is an empty mapping.

    Raises:
        SiteMappingError: Not YAML, not a mapping, or a key stands there twice.
    """
    try:
        loaded = yaml.load(text, Loader=_TextLoader)  # noqa: S506 - BaseLoader makes text only
    except SiteMappingError as error:
        raise SiteMappingError(error.reason, f"{where}: {error.where}") from None
    except (yaml.YAMLError, TypeError, RecursionError):  # TypeError: a mapping as a key
        raise SiteMappingError("not_yaml", where) from None
    return YamlReader(where, loaded or {})


class YamlReader:
    """A mapping that is read key by key, and knows which keys nobody asked for."""

    def __init__(self, where: str, loaded: object) -> None:
        """Take a loaded mapping; ``where`` is its file and path."""
        if not isinstance(loaded, dict):
            raise SiteMappingError("not_a_mapping", where)
        self.where = where
        self._left: dict[object, object] = dict(loaded)

    def refuse_unread(self) -> None:
        """Raise for the first key that was never read."""
        for key in self._left:
            raise SiteMappingError("unknown_key", f"{self.where}: {key}")

    def has(self, key: str) -> bool:
        """Say whether a key is there and not read yet."""
        return key in self._left

    def child(self, key: str) -> YamlReader:
        """Read a mapping; an absent one is empty."""
        return YamlReader(f"{self.where}: {key}", self._left.pop(key, None) or {})

    def children(self, key: str) -> list[YamlReader]:
        """Read a list of mappings."""
        value = self._left.pop(key, None) or []
        if not isinstance(value, list):
            raise self.bad(key)
        return [
            YamlReader(f"{self.where}: {key}[{number}]", one) for number, one in enumerate(value, 1)
        ]

    def named_children(self, key: str) -> list[tuple[str, YamlReader]]:
        """Read a mapping of mappings."""
        value = self._left.pop(key, None) or {}
        if not isinstance(value, dict):
            raise self.bad(key)
        return [
            (str(name), YamlReader(f"{self.where}: {key}.{name}", value[name])) for name in value
        ]

    def text(self, key: str, characters_max: int = 200) -> str | None:
        """Read one line of text; None when it is absent, empty or null."""
        value = self._left.pop(key, None)
        if value is None or (isinstance(value, str) and value.strip() in _EMPTY):
            return None
        if not isinstance(value, str) or len(value) > characters_max or "\n" in value.strip():
            raise self.bad(key)
        return value.strip()

    def choice(self, key: str, choices: Mapping[str, _KIND] | frozenset[str]) -> str | None:
        """Read one of a few words."""
        value = self.text(key)
        if value is not None and value not in choices:
            raise self.bad(key)
        return value

    def number(self, key: str, default: int) -> int:
        """Read a whole number, 0 to 999,999."""
        value = self.text(key, characters_max=6)
        if value is not None and not (value.isascii() and value.isdigit()):
            raise self.bad(key)
        return default if value is None else int(value)

    def texts(self, key: str, is_good: Callable[[str], object] = bool) -> tuple[str, ...]:
        """Read a word or a list of words, each of which ``is_good``; empty when absent."""
        if key not in self._left:
            return ()
        value = self._left.pop(key)
        values = value if isinstance(value, list) else [value]
        if not values:  # "for none" would be read as "for all"
            raise self.bad(key)
        if not all(isinstance(one, str) and is_good(one) for one in values):
            raise self.bad(key)
        return tuple(values)

    def members(self, key: str, kind: type[_KIND]) -> frozenset[_KIND] | None:
        """Read some of an enumeration's values; None when absent."""
        words = frozenset(member.value for member in kind)
        return frozenset(map(kind, self.texts(key, words.__contains__))) or None

    def member(self, key: str, kind: type[_KIND]) -> _KIND | None:
        """Read one of an enumeration's values."""
        value = self.choice(key, frozenset(member.value for member in kind))
        return None if value is None else kind(value)

    def table(self, key: str, choices: frozenset[str]) -> dict[str, str]:
        """Read words, each with one of the choices."""
        value = self._left.pop(key, None) or {}
        if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
            raise self.bad(key)
        for word in value:
            if value[word] not in choices:
                raise SiteMappingError("bad_value", f"{self.where}: {key}.{word}")
        return {str(word): section for word, section in value.items()}

    def time_zone(self, key: str) -> ZoneInfo | None:
        """Read a name of the time zone database."""
        value = self.text(key)
        try:
            return None if value is None else ZoneInfo(value)
        except (ValueError, ZoneInfoNotFoundError, OSError):
            raise self.bad(key) from None

    def bad(self, key: str) -> SiteMappingError:
        """Return the error of a value that makes no sense."""
        return SiteMappingError("bad_value", f"{self.where}: {key}")
