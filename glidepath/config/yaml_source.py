"""Reads YAML files with the file and line of every key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from glidepath.errors import ConfigError, error_text

KeyPath = tuple[str | int, ...]
MAX_CONFIG_BYTES = 4 * 2**20


class _KeyCheckingLoader(yaml.SafeLoader):
    """A YAML loader that records repeated keys. SafeLoader silently keeps the last value of such a key."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.repeated: list[tuple[int, str]] = []  # the line and the key


def _mapping(loader: _KeyCheckingLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if isinstance(key, str | int | float):
            if key in seen:
                loader.repeated.append((key_node.start_mark.line + 1, repr(key)))
            seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_KeyCheckingLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def not_yaml(name: str | Path, error: Exception) -> str:
    """Return the error message for a file that is not YAML, with the line number if ``error`` has one."""
    if isinstance(error, yaml.MarkedYAMLError):
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return f"{name}:{line}: is not YAML: {error.problem}"
    return f"{name}: is not YAML: {error_text(error)}"


class YamlSource:
    """The parsed YAML of one or more files, with the file and line of every key.

    ``repeated``: the keys that are given twice, as (file, line, message). If a key is repeated in one file, ``data``
    has its last value. If several files have the same key, ``data`` has the value of the first file.
    """

    def __init__(self, data: dict[str, Any], places: dict[KeyPath, tuple[str, int]], name: str) -> None:
        self.data, self._places, self.name = data, places, name
        self.repeated: list[tuple[str, int, str]] = []

    @classmethod
    def read(cls, file: Path) -> YamlSource:
        """Read a file. Raises ConfigError, with a line for each problem."""
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
    def parse(cls, text: str, name: str) -> YamlSource:
        """Parse a text. Raises ConfigError, with a line for each problem."""
        try:
            loader = _KeyCheckingLoader(text)
            node = loader.get_single_node()
            data = None if node is None else loader.construct_document(node)
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise ConfigError(not_yaml(name, error)) from error
        if not isinstance(data, dict):
            raise ConfigError(f"{name}:1: must be a mapping with the keys backends and workloads")
        places: dict[KeyPath, tuple[str, int]] = {}
        _collect(node, (), name, places, set())
        source = cls(data, places, name)
        source.repeated = [(name, line, f"key {key} is given twice") for line, key in loader.repeated]
        return source

    def __contains__(self, path: KeyPath) -> bool:
        return path in self._places

    def place(self, path: KeyPath) -> str:
        """Return ``FILE:LINE`` of the key, or of the nearest section around it."""
        file, line = self.position(path)
        return f"{file}:{line}" if line else file

    def has(self, path: KeyPath) -> bool:
        return path in self._places

    def position(self, path: KeyPath) -> tuple[str, int]:
        """Return the file and the line of the key, or of the nearest section around it; line 0 if there is none."""
        ends = range(len(path), -1, -1)
        return next((self._places[path[:end]] for end in ends if path[:end] in self._places), (self.name, 0))

    def value(self, path: KeyPath) -> Any:
        """Return the value of a key as it is written in the file. Raises KeyError if there is none."""
        here: Any = self.data
        for part in path:
            try:
                here = here[spelling(here, part)]
            except (LookupError, TypeError):
                raise KeyError(part) from None
        return here

    @classmethod
    def merge(cls, sources: Sequence[YamlSource]) -> YamlSource:
        """Merge several parsed files into one.

        Each file can add backends and workloads. If two files define the same backend or workload, or both contain
        another section, the first definition counts, and the second is added to ``repeated``.
        """
        data: dict[str, Any] = {}
        places: dict[KeyPath, tuple[str, int]] = {}
        merged = cls(data, places, sources[0].name)
        for source in sources:
            merged.repeated += source.repeated
            for path in _also_given(source, merged):
                message = f"{dotted(path)}: is also given at {merged.place(path)}; keep one"
                merged.repeated.append((*source.position(path), message))
            for key, value in source.data.items():
                if _is_additive(key, value) and isinstance(data.get(key, {}), dict):
                    data[key] = {**value, **data.get(key, {})}
                else:
                    data.setdefault(key, value)
            for path, place in source._places.items():
                places.setdefault(path, place)
        return merged


def _is_additive(key: Any, value: Any) -> bool:
    return key in ("backends", "workloads") and isinstance(value, dict)


def _also_given(source: YamlSource, merged: YamlSource) -> list[KeyPath]:
    """Return the paths of the sections, backends and workloads in ``source`` that ``merged`` contains already."""
    found: list[KeyPath] = []
    for key, value in source.data.items():
        before = merged.data.get(key)
        if key not in merged.data:
            continue
        if not _is_additive(key, value) or not isinstance(before, dict):
            found.append((key,))
        else:
            found += [(key, name) for name in value if name in before]
    return found


def spelling(mapping: Any, part: str | int) -> Any:
    """Return the key of ``mapping`` that equals ``part`` as text. Paths contain keys as text, even 50 and true."""
    if not isinstance(mapping, dict) or part in mapping:
        return part
    return next((key for key in mapping if str(key) == str(part)), part)


def _collect(
    node: yaml.Node | None, path: KeyPath, name: str, places: dict[KeyPath, tuple[str, int]], seen: set[int]
) -> None:
    """Write the file and line of each key below ``node`` to ``places``.

    A node in ``seen`` has been visited before. Keys that a YAML alias repeats have the place of the alias.
    """
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    places.setdefault(path, (name, node.start_mark.line + 1))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            child = (*path, key.value) if isinstance(key, yaml.ScalarNode) else path
            places[child] = (name, key.start_mark.line + 1)
            _collect(value, child, name, places, seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _collect(value, (*path, index), name, places, seen)


def dotted(path: KeyPath) -> str:
    """Return a path as text: ``workloads.chat.ramp.steps[0]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text or "(root)"
