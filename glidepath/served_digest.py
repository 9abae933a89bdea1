"""The served digest, which identifies the settings with which an Envoy serves a workload.

Envoy's routes carry the digest, and it is stored with every request and pair. So the scorer notices an Envoy that
serves an older or a newer configuration than the scorer's own.
"""

from __future__ import annotations

import hashlib
import json

from glidepath.config import Config

# The settings that decide which server and model answer, and how a request reaches them, but no limits.
_KEYS = {"url", "cluster", "model", "credential", "headers", "strip", "host", "sni", "client_cert"}


def served_digest(config: Config, workload: str) -> str:
    """Return the digest of a workload's two backends and its fallback, as twelve hex digits.

    For a credential, the digest contains the name of the variable or file, not the value.
    """
    section = config.workload(workload)
    sides = [
        [name, config.backends[name].model_dump(mode="json", include=_KEYS, exclude_defaults=True)]
        for name in (section.baseline, section.candidate)
    ]
    text = json.dumps([sides, section.fallback], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
