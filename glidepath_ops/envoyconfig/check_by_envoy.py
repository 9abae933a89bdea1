"""Lets a real Envoy check a configuration (``envoy --mode validate``), without starting a server."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from glidepath.errors import DependencyError, InputError
from glidepath_ops.envoyconfig.yaml_insertion import compose_for_reading, verbatim
from glidepath_ops.local.child_process import envoy_binary

_TIMEOUT_S = 60
_MAX_REASON = 500  # characters: Envoy repeats the whole configuration in some messages


def check_with_envoy(path: Path, name: str = "") -> str | None:
    """Let Envoy check the configuration file. Raises InputError if Envoy rejects it, or does not answer.

    ``name``: the name of the file in the error message; default: its path. Returns the path of the Envoy binary, or
    None if none is installed.
    """
    binary = installed_envoy()
    reason = None if binary is None else _refusal(binary, path)
    if reason is not None:
        raise InputError(f"{name or path}: Envoy rejects it: {reason.replace(str(path), name or str(path))}")
    return binary


def installed_envoy() -> str | None:
    """Return the path of the installed Envoy, or None if there is none."""
    try:
        return envoy_binary()
    except DependencyError:
        return None


def check_change_with_envoy(before: str, after: str, name: str, binary: str | None) -> str:
    """Let Envoy check the bootstrap ``after``, which was made from ``before``. Both are YAML of the file ``name``.

    ``binary``: see ``installed_envoy``. Returns a sentence that says whether Envoy has accepted ``after``, or why Envoy
    could not check it here. Raises InputError if Envoy accepts ``before`` and rejects ``after``.
    """
    if binary is None:
        return "not checked, because no Envoy is installed here"
    missing = sorted(file for file in _files(after) - _files(before) if not Path(file).exists())
    if missing:
        return f"not checked, because Envoy needs {', '.join(missing)}, which is not on this machine"
    reason = _refusal_of_text(binary, after)
    if reason is None:
        return "Envoy accepts it"
    earlier = _refusal_of_text(binary, before)
    if earlier is not None:
        return f"not checked, because the Envoy here rejects your own bootstrap too: {earlier}"
    raise InputError(f"{name}: was not changed, because Envoy rejects the result: {reason}")


def _refusal_of_text(binary: str, text: str) -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "envoy.yaml"  # Envoy recognises the format by the file's name
        path.write_text(text)
        return _refusal(binary, path)


def _refusal(binary: str, path: Path) -> str | None:
    """Return why Envoy rejects the file, or None if it accepts it.

    Relative paths in the file start at this process' folder. Raises InputError if Envoy cannot be run.
    """
    command = [binary, "--mode", "validate", "--log-level", "critical", "-c", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise InputError(f"{binary} --mode validate did not end within {_TIMEOUT_S} s") from error
    except OSError as error:
        raise InputError(f"{binary} cannot be run: {error.strerror}") from error
    return None if done.returncode == 0 else _reason(done.stdout + done.stderr)


def _reason(output: str) -> str:
    lines = [line for line in output.splitlines() if "error initializing" in line or "[critical]" in line]
    line = (lines or output.splitlines() or ["no reason given"])[0]
    return re.sub(r"^.*?error initializing configuration '[^']*': ", "", line).strip()[:_MAX_REASON]


def _files(text: str) -> set[str]:
    """Return the paths of certificates, keys and other secrets in a bootstrap."""
    return {file for document in compose_for_reading(text) for file in _file_names(verbatim(document))}


def _file_names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, child in value.items():
            if key == "filename" and isinstance(child, str):
                yield child
            elif key == "path_config_source" and isinstance(child, dict):
                yield str(child.get("path"))
            else:
                yield from _file_names(child)
    elif isinstance(value, list):
        for child in value:
            yield from _file_names(child)
