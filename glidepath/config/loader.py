"""Loads glidepath.yaml into ``Config``. A ConfigError has one line for each error: file, line, key, value, hint."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from glidepath.config.cross_checks import Names, Problem, cross_check, unless_faulty
from glidepath.config.error_messages import messages
from glidepath.config.partial_validation import validate_the_rest
from glidepath.config.root import Config
from glidepath.config.yaml_source import YamlSource, dotted
from glidepath.errors import ConfigError

MAX_SHOWN_ERRORS = 50
_NAMED = ("backends", "workloads")  # sections whose keys are names
_OURS = re.compile(rb"^(backends|workloads):", re.MULTILINE)
Check = Callable[[Config], Iterable[Problem]]


def load_config(path: str | Path, check: Check | None = None) -> Config:
    """Load the configuration from one file, or from all ``*.yaml`` files of a directory (for example one per team).

    Raises ConfigError if a file cannot be read or the configuration is invalid. The error has a line for each fault,
    and for each problem that ``check`` finds. If the configuration has faults, ``check`` gets FAULTY for the invalid
    values (``partial_validation``).
    """
    return _validate(_read(path), check)


def load_with_places(path: str | Path, check: Check | None = None) -> tuple[Config, Places]:
    """Return the configuration, as ``load_config`` does, and the file and line of each key."""
    source = _read(path)
    return _validate(source, check), Places(source)


def parse_config(text: str, name: str = "glidepath.yaml") -> Config:
    """Parse the configuration from a string. Raises ConfigError, whose message gives ``name`` as the file."""
    return _validate(YamlSource.parse(text, name), None)


class Places:
    """The file and line of each key in a valid configuration, for messages about errors found after loading."""

    def __init__(self, source: YamlSource) -> None:
        self._source = source

    @classmethod
    def read(cls, path: str | Path) -> Places:
        """Read the file or the directory again. Raises ConfigError if that is not possible."""
        return cls(_read(path))

    def locate(self, *key: str | int) -> str:
        """Return the place of a key, as ``FILE:LINE: KEY.PATH``; without the line if the file has no such section."""
        place = self._source.place(key) if self._source.has(key[:1]) else self._source.name
        return f"{place}: {dotted(key)}"


def locate(path: str | Path, *key: str | int) -> str:
    """Return the place of one key, as ``FILE:LINE: KEY.PATH``. For several keys, use ``Places.read`` once."""
    return Places.read(path).locate(*key)


def _read(path: str | Path) -> YamlSource:
    root = Path(path)
    files = sorted(root.glob("*.yaml")) if root.is_dir() else [root]
    if misnamed := _misnamed(root):
        raise ConfigError("\n".join(f"{file}: is not read: name it {file.stem}.yaml" for file in misnamed))
    if not files:
        raise ConfigError(f"{root}: the directory has no *.yaml file")
    sources, problems = [], []
    for file in files:
        try:
            sources.append(YamlSource.read(file))
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        repeated = [f"{file}:{line}: {message}" for source in sources for file, line, message in source.repeated]
        raise ConfigError("\n".join([*repeated, *problems]))
    return sources[0] if len(sources) == 1 else YamlSource.merge(sources)


def _validate(source: YamlSource, check: Check | None) -> Config:
    """Return the configuration. Raises ConfigError with all faults: invalid values and broken rules."""
    config, rounds = _modelled(source.data)
    problems = [] if config is None else cross_check(config, _names(source.data))
    if config is not None and check is not None:
        problems += unless_faulty(check(config))
    invalid = {path: text for details in rounds for path, text in messages(details, source).items()}
    broken = {one.path: f"{dotted(one.path)}: {one.message}" for one in problems if one.path not in invalid}
    faults = [*source.repeated, *((*source.position(path), text) for path, text in [*invalid.items(), *broken.items()])]
    if config is None or faults:
        raise _config_error(faults, source.name)
    return config


def _modelled(data: dict[str, Any]) -> tuple[Config | None, list[list[ErrorDetails]]]:
    """Return the valid parts of the configuration, and pydantic's errors in each round."""
    try:
        return Config.model_validate(data), []
    except ValidationError as error:
        return validate_the_rest(data, error.errors())


def _config_error(faults: Iterable[tuple[str, int, str]], name: str) -> ConfigError:
    """Return an error with one line for each fault (file, line, message), sorted by file and line."""
    in_order = sorted(dict.fromkeys(faults), key=lambda fault: fault[:2])
    lines = [f"{file}:{line}: {message}" if line else f"{file}: {message}" for file, line, message in in_order]
    more = len(lines) - MAX_SHOWN_ERRORS
    return ConfigError(
        "\n".join([*lines[:MAX_SHOWN_ERRORS], *([f"{name}: and {more} more errors"] if more > 0 else [])])
    )


def _names(data: dict[str, Any]) -> Names:
    backends, workloads = (data.get(key) for key in _NAMED)
    return Names(
        tuple(map(str, backends)) if isinstance(backends, dict) else (),
        tuple(map(str, workloads)) if isinstance(workloads, dict) else (),
    )


def _misnamed(root: Path) -> list[Path]:
    """Return the ``*.yml`` files of a directory that have a section of Glidepath's configuration at their top level."""
    found = []
    for file in sorted(root.glob("*.yml")) if root.is_dir() else ():
        with suppress(OSError):
            if _OURS.search(file.read_bytes()):
                found.append(file)
    return found
