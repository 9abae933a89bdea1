"""Load glidepath.yaml into ``Config``. Errors name the file, the line, the key, the value and the allowed values."""

from __future__ import annotations

import difflib
import re
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from glidepath.config.cross_checks import cross_check
from glidepath.config.root import Config
from glidepath.errors import ConfigError, error_text

KeyPath = tuple[str | int, ...]
# Under these keys, a user may have written a secret instead of its name. Error messages end up in logs and tickets, so
# they never quote these values.
SECRET_KEYS = frozenset({"credential", "password", "routing_key", "url_from", "sticky_key", "headers"})
_USERINFO = re.compile(r"//[^/@\s]*@")
_SHOWN_CHARS = 100
MAX_CONFIG_BYTES = 4 * 2**20


class _UniqueKeyLoader(yaml.SafeLoader):
    """A YAML loader that rejects a repeated key. SafeLoader silently keeps the last value of such a key."""


def _mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if isinstance(key, str | int | float) and key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
        if isinstance(key, str | int | float):
            seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load_config(path: str | Path) -> Config:
    """Load the configuration from one file, or from all ``*.yaml`` files of a directory (for example one per team).

    Raises ConfigError if a file cannot be read or the configuration is not valid.
    """
    root = Path(path)
    files = sorted(root.glob("*.yaml")) if root.is_dir() else [root]
    if not files:
        raise ConfigError(f"{root}: the directory has no *.yaml file")
    sources = [_Source.read(file) for file in files]
    merged = sources[0] if len(sources) == 1 else _merge(sources)
    return _validate(merged)


def parse_config(text: str, name: str = "glidepath.yaml") -> Config:
    """Parse the configuration from a string. Raises ConfigError, whose message gives ``name`` as the file."""
    return _validate(_Source.parse(text, name))


def locate(path: str | Path, *key: str | int) -> str:
    """Return the place of a key in a valid configuration, as ``FILE:LINE: KEY.PATH``.

    Messages about errors that are found after loading contain this place.
    """
    root = Path(path)
    files = sorted(root.glob("*.yaml")) if root.is_dir() else [root]
    sources = [_Source.read(file) for file in files]
    holder = next((source for source in sources if key in source.places), sources[0])
    return f"{holder.place(key)}: {_dotted(key)}"


def not_yaml(name: str | Path, error: Exception) -> str:
    """Return the error message for a file that is not YAML, with the line number if ``error`` has one."""
    if isinstance(error, yaml.MarkedYAMLError):
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return f"{name}:{line}: is not YAML: {error.problem}"
    return f"{name}: is not YAML: {error_text(error)}"


class _Source:
    """The parsed YAML of one or more files, with the file and line of every key."""

    def __init__(self, data: dict[str, Any], places: dict[KeyPath, str], name: str) -> None:
        self.data, self.places, self.name = data, places, name

    @classmethod
    def read(cls, file: Path) -> _Source:
        try:
            raw = file.read_bytes()
        except OSError as error:
            raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
        if len(raw) > MAX_CONFIG_BYTES:
            raise ConfigError(f"{file}: {len(raw)} bytes, more than the limit of {MAX_CONFIG_BYTES}")
        try:
            return cls.parse(raw.decode(), str(file))
        except UnicodeDecodeError as error:
            raise ConfigError(f"{file}: is not UTF-8 text (byte {error.start})") from error

    @classmethod
    def parse(cls, text: str, name: str) -> _Source:
        try:
            node = yaml.compose(text, Loader=_UniqueKeyLoader)
            data = yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 - a SafeLoader
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise ConfigError(not_yaml(name, error)) from error
        if not isinstance(data, dict):
            raise ConfigError(f"{name}:1: must be a mapping with the keys backends and workloads")
        places: dict[KeyPath, str] = {}
        _collect(node, (), name, places)
        return cls(data, places, name)

    def place(self, path: KeyPath) -> str:
        for end in range(len(path), -1, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return self.name


def _collect(node: yaml.Node | None, path: KeyPath, name: str, places: dict[KeyPath, str]) -> None:
    if node is None:
        return
    places.setdefault(path, f"{name}:{node.start_mark.line + 1}")
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            child = (*path, key.value)
            places[child] = f"{name}:{key.start_mark.line + 1}"
            _collect(value, child, name, places)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _collect(value, (*path, index), name, places)


def _merge(sources: Sequence[_Source]) -> _Source:
    """Merge several parsed files into one.

    Each of the files can add backends and workloads. Raises ConfigError if two files define the same backend or the
    same workload, or if two files contain the same other section.
    """
    data: dict[str, Any] = {}
    places: dict[KeyPath, str] = {}
    for source in sources:
        for key, value in source.data.items():
            additive = key in ("backends", "workloads") and isinstance(value, dict)
            if not additive and key in data:
                raise ConfigError(f"{source.place((key,))}: {key}: is also given at {places[(key,)]}; keep one")
            if additive:
                twice = [name for name in value if name in data.get(key, {})]
                if twice:
                    first = places[(key, twice[0])]
                    raise ConfigError(f"{source.place((key, twice[0]))}: {key}.{twice[0]}: is also given at {first}")
                data.setdefault(key, {}).update(value)
            else:
                data[key] = value
        for path, place in source.places.items():
            places.setdefault(path, place)
    return _Source(data, places, sources[0].name)


def _validate(source: _Source) -> Config:
    try:
        config = Config.model_validate(source.data)
    except ValidationError as error:
        raise ConfigError(_describe(error.errors()[0], source, more=error.error_count() - 1)) from error
    problem = cross_check(config)
    if problem is not None:
        raise ConfigError(f"{source.place(problem.path)}: {_dotted(problem.path)}: {problem.message}")
    return config


def _describe(detail: ErrorDetails, source: _Source, more: int) -> str:
    path = _real_path(detail["loc"], source.data)
    place, dotted = source.place(path), _dotted(path)
    rest = f" (and {more} more)" if more else ""
    if detail["type"] == "extra_forbidden":
        allowed = _fields_at(path[:-1])
        near = difflib.get_close_matches(str(path[-1]), allowed, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        return f"{place}: {dotted}: unknown key ({hint}allowed: {', '.join(allowed)}){rest}"
    if detail["type"] == "missing":
        return f"{place}: {dotted}: is missing{rest}"
    if path and path[-1] == "[key]":
        return f"{place}: {_dotted(path[:-1])}: the name must match [a-z][a-z0-9_-]*, at most 48 characters{rest}"
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    got = "" if isinstance(detail["input"], dict | list) else f" (got {_shown(detail['input'], path)})"
    return f"{place}: {dotted}: {message}{got}{rest}"


def _shown(value: Any, path: KeyPath) -> str:
    """Return ``value`` as text for an error message, or only its type if it may be a secret."""
    if not SECRET_KEYS.isdisjoint(path) or (path[:1] == ("notify",) and "events" not in path):
        return f"a value of type {type(value).__name__}, not shown"
    text = _USERINFO.sub("//***@", repr(value))
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"


def _real_path(loc: tuple[int | str, ...], data: Any) -> KeyPath:
    """Return the path of a key in the file, from the location of a pydantic error.

    Names of union members are removed from the location, and numeric keys are spelt as in the file.
    """
    path: list[str | int] = []
    here = data
    for index, part in enumerate(loc):
        key = _number_key(here, part)
        try:
            here = here[part if key is None else key]
            path.append(part if key is None else str(key))
        except (KeyError, IndexError, TypeError):  # a union member, or the missing key
            if part == "[key]" or (index == len(loc) - 1 and isinstance(here, dict)):
                path.append(part)
    return tuple(path)


def _number_key(here: Any, part: int | str) -> Any:
    """Return the key of the mapping ``here`` that equals the number ``part``, or None.

    The spellings can differ: a key that is 50 in the file is 50.0 in the location of pydantic's error.
    """
    if not isinstance(here, dict) or part in here:
        return None
    try:
        number = float(part)
    except ValueError:
        return None
    return next((key for key in here if isinstance(key, int | float) and key == number), None)


def _fields_at(path: KeyPath) -> list[str]:
    """Return the keys that are allowed in the section at ``path``."""
    annotation: Any = Config
    for part in path:
        section = _section_in(annotation)
        in_container = isinstance(part, int) or typing.get_origin(annotation) is dict
        if section is not None and not in_container:
            field = section.model_fields.get(str(part))
            annotation = field.annotation if field else None
        else:
            annotation = section
    section = _section_in(annotation)
    return sorted(field.alias or name for name, field in section.model_fields.items()) if section else []


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """Return the section class X in a type annotation: ``X``, ``X | None``, ``tuple[X, ...]`` or ``dict[str, X]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_section_in(argument) for argument in reversed(typing.get_args(annotation)))
    return next((section for section in found if section), None)


def _dotted(path: KeyPath) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text or "(root)"
