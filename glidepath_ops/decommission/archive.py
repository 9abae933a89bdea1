"""Makes a tar.gz archive, without secrets, of a migration whose baseline is being switched off."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import yaml

from glidepath.config import Config
from glidepath.envoy_names import CREDENTIAL_HEADERS

HIDDEN = "***"
_SECRET_NAME = re.compile(r"auth|key|token|secret|password|cookie|credential|signature", re.IGNORECASE)
_README = """\
Written by `glidepath decommission {workload}`: the configuration (passwords and credentials are hidden; names of
environment variables and files are kept), Envoy's bootstrap, the checklist, the last status of every workload, and the
complete decision log of {workload}, oldest first, one JSON object per line. labels.jsonl has people's labels of pairs.
pairs.jsonl has the kept and the labelled pairs as `glidepath pairs export` writes them: requests and answers of
clients, redacted as the configuration says. `glidepath calibrate --labels pairs.jsonl` reads it.
MANIFEST.sha256 has every file's digest.
To restore the baseline: use this glidepath.yaml, replace each {hidden} by its value, and run `glidepath render`.
"""


def sanitized(config: Config) -> dict[str, Any]:
    """Return the configuration as data in which possible secrets are replaced by ``***``.

    Possible secrets are passwords in URLs, paths of webhooks, and values of query parameters and headers whose
    names suggest a secret. The names of files and environment variables that hold secrets are kept.
    """
    found = _hide(config.model_dump(mode="json", exclude_unset=True, by_alias=True))
    data: dict[str, Any] = found if isinstance(found, dict) else {}
    for target in data.get("notify", ()):
        if target.get("url"):
            target["url"] = _origin(target["url"])
    for backend in data["backends"].values():
        for name in backend.get("headers", {}):
            if name.lower() in CREDENTIAL_HEADERS or _SECRET_NAME.search(name):
                backend["headers"][name] = HIDDEN
    return data


def _hide(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _hide(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_hide(one) for one in value]
    return _without_userinfo(value) if isinstance(value, str) and "://" in value else value


def _without_userinfo(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    queries = [f"{n}={HIDDEN}" if _SECRET_NAME.search(n) else f"{n}{e}{v}" for n, e, v in _queries(parts.query)]
    netloc = f"{HIDDEN}@{parts.netloc.rpartition('@')[2]}" if "@" in parts.netloc else parts.netloc
    return urlunsplit(parts._replace(netloc=netloc, query="&".join(queries)))


def _queries(query: str) -> list[tuple[str, str, str]]:
    return [part.partition("=") for part in query.split("&")] if query else []


def _origin(url: str) -> str:
    """Return a webhook's URL with ``***`` instead of its path and query, which may contain a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/{HIDDEN}"


def as_yaml(data: Mapping[str, Any]) -> bytes:
    text: str = yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True)
    return text.encode()


def as_lines(records: list[Any]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def archive_of(workload: str, files: Mapping[str, bytes], now_ms: int) -> bytes:
    """Return a tar.gz archive with ``files`` (content by name), a README and a manifest of digests.

    Its files get the time ``now_ms`` (Unix milliseconds).
    """
    readme = _README.format(workload=workload, hidden=HIDDEN).encode()
    whole = {"README.txt": readme, **files}
    digests = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in whole.items()]
    whole["MANIFEST.sha256"] = "".join(digests).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in whole.items():
            tar.addfile(_member(f"glidepath-{workload}/{name}", len(data), now_ms), io.BytesIO(data))
    return out.getvalue()


def _member(name: str, size: int, now_ms: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, now_ms // 1000
    return member
