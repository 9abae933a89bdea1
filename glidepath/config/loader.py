"""Load glidepath.yaml into ``Config``. A ConfigError has one line for each error: file, line, key, value, hint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from glidepath.config.cross_checks import Names, Problem, cross_check, unknown_backends
from glidepath.config.error_messages import messages
from glidepath.config.root import Config
from glidepath.config.yaml_source import KeyPath, YamlSource, dotted
from glidepath.errors import ConfigError

MAX_SHOWN_ERRORS = 50
_NAMED = ("backends", "workloads")  # sections whose keys are names


def load_config(path: str | Path) -> Config:
    """Load the configuration from one file, or from all ``*.yaml`` files of a directory (for example one per team).

    Raises ConfigError if a file cannot be read or the configuration is not valid.
    """
    return _validate(_read(path))


def load_with_places(path: str | Path) -> tuple[Config, Places]:
    """Return the configuration, as ``load_config`` does, and the place of each key."""
    source = _read(path)
    return _validate(source), Places(source)


def parse_config(text: str, name: str = "glidepath.yaml") -> Config:
    """Parse the configuration from a string. Raises ConfigError, whose message gives ``name`` as the file."""
    return _validate(YamlSource.parse(text, name))


class Places:
    """The file and line of each key in a valid configuration, for messages about errors found after loading."""

    def __init__(self, source: YamlSource) -> None:
        self._source = source

    @classmethod
    def read(cls, path: str | Path) -> Places:
        """Read the file or the directory again. Raises ConfigError if that is not possible."""
        return cls(_read(path))

    def locate(self, *key: str | int) -> str:
        """Return the place of a key, as ``FILE:LINE: KEY.PATH``."""
        return f"{self._source.place(key)}: {dotted(key)}"


def locate(path: str | Path, *key: str | int) -> str:
    """Return the place of one key, as ``FILE:LINE: KEY.PATH``. For several keys, use ``Places.read`` once."""
    return Places.read(path).locate(*key)


def _read(path: str | Path) -> YamlSource:
    root = Path(path)
    files = sorted(root.glob("*.yaml")) if root.is_dir() else [root]
    if not files:
        raise ConfigError(f"{root}: the directory has no *.yaml file")
    sources, problems = [], []
    for file in files:
        try:
            sources.append(YamlSource.read(file))
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    return sources[0] if len(sources) == 1 else YamlSource.merge(sources)


def _validate(source: YamlSource) -> Config:
    try:
        config = Config.model_validate(source.data)
    except ValidationError as error:
        details = error.errors()
        sound = _sound_part(source.data, [detail["loc"] for detail in details])
        problems = _problems_beside_faults(source.data, sound)
        raise _config_error([*messages(details, source).items(), *_described(problems)], source) from error
    problems = cross_check(config, _names(source.data))
    if problems:
        raise _config_error(_described(problems), source)
    return config


def _problems_beside_faults(data: dict[str, Any], sound: Config | None) -> list[Problem]:
    """Return the violations of rules in ``sound``, and the unknown backends in the workloads that it lacks."""
    names, workloads = _names(data), data.get("workloads")
    found = [] if sound is None else cross_check(sound, names)
    if isinstance(workloads, dict) and names.backends:
        lacking = {str(name): one for name, one in workloads.items() if sound is None or name not in sound.workloads}
        found += unknown_backends(lacking, names)
    return found


def _described(problems: Sequence[Problem]) -> list[tuple[KeyPath, str]]:
    return [(problem.path, f"{dotted(problem.path)}: {problem.message}") for problem in problems]


def _config_error(found: Sequence[tuple[KeyPath, str]], source: YamlSource) -> ConfigError:
    """Return an error with one line for each message, in the order of the files' lines."""
    in_order = sorted(found, key=lambda one: source.position(one[0]))
    lines = [f"{source.place(path)}: {message}" for path, message in in_order[:MAX_SHOWN_ERRORS]]
    more = len(found) - len(lines)
    return ConfigError("\n".join([*lines, f"{source.name}: and {more} more errors"] if more > 0 else lines))


def _names(data: dict[str, Any]) -> Names:
    """Return the names of all backends and workloads in a file, also of those with errors."""
    backends, workloads = (data.get(key) for key in _NAMED)
    return Names(
        tuple(map(str, backends)) if isinstance(backends, dict) else (),
        tuple(map(str, workloads)) if isinstance(workloads, dict) else (),
    )


def _sound_part(data: dict[str, Any], faults: Sequence[tuple[int | str, ...]]) -> Config | None:
    """Return the configuration without the sections, backends and workloads that have errors.

    Return None if no backend or no workload is left. ``faults`` are the places of the errors.
    """
    rest = {key: dict(value) if key in _NAMED and isinstance(value, dict) else value for key, value in data.items()}
    for first, *others in (fault for fault in faults if fault):
        if first in _NAMED and others:
            rest[str(first)].pop(others[0], None)
        else:
            rest.pop(str(first), None)
    try:
        return Config.model_validate(rest)
    except ValidationError:
        return None
