"""Kubernetes resources as text for programs in Go, whose YAML parser reads some unquoted strings as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from glidepath_ops.envoyconfig.commented_yaml import to_yaml


def manifests(resources: Sequence[Any]) -> str:
    """Return the resources as one YAML text.

    PyYAML alone would write ``973061937e31`` without quotes, and Go would read it as a number.
    """
    return "".join(f"---\n{to_yaml(one)}" for one in resources)
