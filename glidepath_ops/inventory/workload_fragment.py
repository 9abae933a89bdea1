"""The section of ``glidepath.yaml`` for a group of calls that was found in the traffic."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from glidepath.call_classes import form_of_path
from glidepath.config import Config
from glidepath.errors import InputError
from glidepath.inventory.callers import FINGERPRINT, MOST_VALUE
from glidepath.inventory.path_patterns import PLACEHOLDER, model_in_path
from glidepath.inventory.tally import shape_parts
from glidepath_ops.inventory.estimate import CallGroup, CallKey

_MOST_NAME = 48
_TOOLS = 0.5  # the task is tools if at least this share of the requests has tools
_CLUSTER = re.compile(r"[!-~]{1,100}")
_GENERATION = ("openai.completions", "ollama.generate", "tgi.generate")
_CHAT = (
    *("openai.chat", "openai.responses", "anthropic.messages", "ollama.chat", "cohere.chat"),
    *("gemini.generate_content", "bedrock.converse"),
)


@dataclass(frozen=True, slots=True)
class MatchKey:
    """The conditions by which a workload's section in ``glidepath.yaml`` selects its requests.

    Groups of calls (``CallGroup``) with equal conditions get one section together.

    ``header``: the header that names the caller, with its value. None if no header names the caller, or if only a part
    of its value is known. Also None if a fingerprint of the credential names the caller, because a fingerprint cannot
    be a condition.
    """

    path: str
    model: str
    header: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Sides:
    """The two backends of a workload's section. ``known``: the names of the backends in the configuration.

    ``cluster``: the cluster of the user's Envoy that serves most requests of the found workloads, if the configuration
    names no backend; else "".
    """

    baseline: str
    candidate: str
    known: frozenset[str] = frozenset()
    cluster: str = ""


def match_key(key: CallKey) -> MatchKey:
    name, sign, value = key.caller.partition("=")
    whole = "?" not in value and len(value) < MOST_VALUE  # otherwise it is not exactly the client's value
    by_header = bool(sign) and whole and not key.caller.startswith(FINGERPRINT)
    model = "" if model_in_path(key.path) else key.model
    return MatchKey(key.path, model, (name, value) if by_header else None)


def task_of(group: CallGroup) -> str:
    """Return the task of a workload. The form of its calls and the share of requests with tools decide."""
    form = form_of_path(group.key.path)
    surface = form.surface if form else ""
    if surface.endswith((".embed", ".embeddings")):
        return "embeddings"
    if surface.endswith(".rerank"):
        return "rerank"
    if surface in _GENERATION:
        return "generation"
    if surface not in _CHAT:
        return "auto"
    with_tools = sum(shape.requests for name, shape in group.sample.shapes.items() if shape_parts(name)[1])
    return "tools" if group.read and with_tools > _TOOLS * group.read else "chat"


def section_names(keys: Iterable[CallKey], configured: Collection[str] = ()) -> dict[MatchKey, str]:
    """Return a valid and unique name for each workload's section. ``configured``: names that other workloads have."""
    names: dict[MatchKey, str] = {}
    taken = set(configured) | {"backends"}
    for key in keys:
        match = match_key(key)
        if match not in names:
            names[match] = _not_taken(_name(match), taken)
            taken.add(names[match])
    return names


def group_names(keys: Sequence[CallKey], sections: Mapping[MatchKey, str]) -> dict[CallKey, str]:
    """Return a name for each group of calls: the name of its section.

    If several groups share the section, the name of each ends with the group's caller.
    """
    together = Counter(match_key(key) for key in keys)
    names: dict[CallKey, str] = {}
    taken = set(sections.values())
    for key in keys:
        match = match_key(key)
        name = sections[match]
        if together[match] > 1:
            name = _not_taken(f"{name[: _MOST_NAME - 17]}-{_slug(key.caller)[:16]}".rstrip("-"), taken)
            taken.add(name)
        names[key] = name
    return names


def _not_taken(wanted: str, taken: Collection[str]) -> str:
    """Return the name, with a number after it if the name is already used."""
    name, number = wanted, 2
    while name in taken:
        end = f"-{number}"
        name, number = wanted[: _MOST_NAME - len(end)] + end, number + 1
    return name


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _name(match: MatchKey) -> str:
    segments = [one for one in match.path.split("/") if one and one != PLACEHOLDER and not re.fullmatch(r"v\d\w*", one)]
    what = segments[-1] if segments else "calls"
    what = {"completions": "chat"}.get(what, what) if "chat" in segments else what
    parts = [match.header[1] if match.header else "", what, match.model or model_in_path(match.path)]
    text = "-".join(_slug(part) for part in parts if _slug(part))
    return (text if text[:1].isalpha() else f"w-{text}")[:_MOST_NAME].rstrip("-_")


def sides_for(config: Config | None, groups: Sequence[CallGroup], baseline: str | None, candidate: str | None) -> Sides:
    """Return the two backends: those that the user names, or those of the configuration, or placeholder names.

    Raises InputError if both are the same.
    """
    known = frozenset(config.backends) if config else frozenset()
    served: Counter[str] = Counter()
    for group in groups:
        served.update(group.sample.backends)
    if baseline is None:
        most = next((name for name, _ in served.most_common() if name in known), "baseline")
        baseline = (config.envoy.default_backend if config else None) or most
    if candidate is None:
        others = sorted(known - {baseline})
        candidate = others[0] if len(others) == 1 else "candidate"
    if baseline == candidate:
        raise InputError(f"--candidate: is {candidate!r}, the same backend as the baseline")
    cluster = next((name for name, _ in served.most_common() if _CLUSTER.fullmatch(name)), "")
    into = config is not None and not known  # an Envoy of the user's that is only observed
    return Sides(baseline, candidate, known, cluster if into else "")


def workload_section(name: str, match: MatchKey, task: str, sides: Sides) -> dict[str, Any]:
    """Return the ``workloads`` section of one workload as data."""
    found: dict[str, Any] = _path(match.path)
    if match.header is not None:
        found["headers"] = {match.header[0]: match.header[1]}
    if match.model:
        found["model"] = match.model
    section: dict[str, Any] = {"match": found, "task": task, "baseline": sides.baseline, "candidate": sides.candidate}
    return {name: section}


def _path(path: str) -> dict[str, str]:
    if PLACEHOLDER not in path:
        return {"path": path}
    return {"path_prefix": path.partition(PLACEHOLDER)[0].rstrip("/") or "/"}


def backends_section(sides: Sides) -> dict[str, Any]:
    """Return the backends that the configuration lacks, with placeholder addresses."""
    found: dict[str, Any] = {name: {"url": f"http://{name}.example:8000"} for name in (sides.baseline, sides.candidate)}
    if sides.cluster:
        found[sides.baseline] = {"cluster": sides.cluster, "host": f"{sides.baseline}.example"}
    return {name: section for name, section in found.items() if name not in sides.known}


def as_yaml(sections: dict[str, Any], comments: Sequence[str] = ()) -> str:
    """Return sections of a configuration as YAML, below comment lines."""
    lines = "".join(f"# {line}\n" for line in comments)
    return lines + yaml.safe_dump(
        {name: section for name, section in sections.items() if section}, sort_keys=False, width=110
    )
