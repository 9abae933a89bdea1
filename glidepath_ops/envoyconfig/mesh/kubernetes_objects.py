"""Builds Kubernetes objects with comments, and checks names for Kubernetes."""

from __future__ import annotations

import re
from typing import Any

from glidepath.errors import ConfigError
from glidepath_ops.envoyconfig.commented_yaml import Json, with_comment

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def kubernetes_name(text: str, place: str) -> str:
    """Return ``text`` unchanged if it is a valid Kubernetes name (an RFC 1123 label).

    Otherwise raises ConfigError, which shows ``place`` as the key to change.
    """
    if not _LABEL.fullmatch(text):
        raise ConfigError(
            f"{place}: {text!r} is not a valid Kubernetes name (allowed: a-z, 0-9 and -, at most 63 characters)"
        )
    return text


def kubernetes_object(kind: str, version: str, name: str, namespace: str | None, note: str, **sections: Any) -> Json:
    """Return a Kubernetes object with the comment ``note`` at its top."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return with_comment(note, {"apiVersion": version, "kind": kind, "metadata": metadata, **sections})
