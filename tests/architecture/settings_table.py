"""The settings of the code as README's table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

from pydantic_core import PydanticUndefined

from daemon.config import Settings, find_area

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting: its dotted path, type, default and what it is for."""

    path: str
    kind: str
    default: str
    description: str


def describe_settings(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[SettingRow]:
    """Yield every leaf setting in the order of the code."""
    for name, field in model.model_fields.items():
        path, kind = prefix + name, field.annotation
        if get_origin(kind) is dict and find_area(get_args(kind)[1]) is not None:
            path, kind = f"{path}.NAME", get_args(kind)[1]
        if (area := find_area(kind)) is not None:
            yield from describe_settings(area, f"{path}.")
        else:
            yield SettingRow(path, _kind(kind), _default(name, field), field.description or "")


def _kind(kind: Any) -> str:  # noqa: ANN401 - an annotation is any object
    """Name a type as a person would write it in YAML."""
    if get_origin(kind) is Annotated:
        return _kind(get_args(kind)[0])
    options = [option for option in get_args(kind) if option is not type(None)]
    if get_origin(kind) in (tuple, dict):
        return "list" if get_origin(kind) is tuple else "mapping"
    if options and not isinstance(kind, type):
        names = [
            str(option) if isinstance(option, str | int) else _kind(option) for option in options
        ]
        return " \\| ".join(names)
    words = {"Path": "path", "bool": "true/false", "str": "text", "HttpUrl": "URL"}
    return words.get(kind.__name__, str(kind.__name__))


def _default(name: str, field: FieldInfo) -> str:
    if name == "data":
        return "the user's data folder"
    if field.default_factory is not None:
        return "{}"
    if field.default is PydanticUndefined:
        return ""
    if isinstance(field.default, tuple):
        return ", ".join(field.default)
    words = {None: "null", True: "true", False: "false"}
    plain = field.default is None or isinstance(field.default, bool)
    return words[field.default] if plain else str(field.default)


def render_markdown() -> str:
    """Return the README's settings table."""
    lines = ["| setting | type | default | what it does |", "|---|---|---|---|"]
    lines += [
        f"| `{row.path}` | {row.kind} | {row.default} | {row.description} |"
        for row in describe_settings()
    ]
    return "\n".join(lines)
