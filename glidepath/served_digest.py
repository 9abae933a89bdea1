"""The digest of what an Envoy serves for a workload. Envoy carries it, and reports it with every request and pair.

So the scorer notices an Envoy that still serves an older configuration, or already serves a newer one, than its own.
"""

from __future__ import annotations

import hashlib
import json

from glidepath.config import Config

# What decides which server and which model answers, and how a request reaches it. Limits and time limits are left out.
_KEYS = {"url", "cluster", "model", "credential", "headers", "strip", "host", "sni", "client_cert"}


def served_digest(config: Config, workload: str) -> str:
    """Return the digest of both backends of a workload, and of its fallback, as twelve hex digits.

    Of a credential, the digest contains the name of the variable or file, not the value.
    """
    section = config.workload(workload)
    sides = [
        [name, config.backends[name].model_dump(mode="json", include=_KEYS, exclude_defaults=True)]
        for name in (section.baseline, section.candidate)
    ]
    text = json.dumps([sides, section.fallback], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
