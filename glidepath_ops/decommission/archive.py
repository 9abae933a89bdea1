"""What is kept of a migration when its baseline ends: one tar.gz, with nothing secret in it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import yaml

from glidepath.config import Config
from glidepath.errors import InputError
from glidepath.keys import CREDENTIAL_HEADERS

HIDDEN = "***"
_TELLING = re.compile(r"auth|key|token|secret|password|cookie|credential|signature", re.IGNORECASE)
_README = """\
Kept by `glidepath decommission {workload}`: the configuration (passwords and credentials hidden; environment variables
and files are named as they were), what Envoy was given, the checklist, every workload's last status and the whole
decision log of {workload}, oldest first, one JSON object a line. MANIFEST.sha256 names each file's digest.
To bring the way back up again: put glidepath.yaml in place, fill in what stands as {hidden}, and `glidepath render`.
"""


def sanitized(config: Config) -> dict[str, Any]:
    """The configuration as plain data, without what could be a secret: passwords in URLs, webhooks, telling headers.

    Secrets proper are references to files and environment variables, and stay.
    """
    found = _hide(config.model_dump(mode="json", exclude_unset=True, by_alias=True))
    data: dict[str, Any] = found if isinstance(found, dict) else {}
    for target in data.get("notify", ()):
        if target.get("url"):
            target["url"] = _origin(target["url"])
    for backend in data["backends"].values():
        for name in backend.get("headers", {}):
            if name.lower() in CREDENTIAL_HEADERS or _TELLING.search(name):
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
    queries = [f"{n}={HIDDEN}" if _TELLING.search(n) else f"{n}{e}{v}" for n, e, v in _queries(parts.query)]
    netloc = f"{HIDDEN}@{parts.netloc.rpartition('@')[2]}" if "@" in parts.netloc else parts.netloc
    return urlunsplit(parts._replace(netloc=netloc, query="&".join(queries)))


def _queries(query: str) -> list[tuple[str, str, str]]:
    return [part.partition("=") for part in query.split("&")] if query else []


def _origin(url: str) -> str:
    """A webhook's path is its secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/{HIDDEN}"


def as_yaml(data: Mapping[str, Any]) -> bytes:
    text: str = yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True)
    return text.encode()


def as_lines(records: list[Any]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def write_archive(path: Path, workload: str, files: Mapping[str, bytes], now_ms: int) -> None:
    """``files`` by name, a README and a manifest, readable by the owner only; there whole or not at all.

    Raises InputError where there is a file of that name already, or none can be written.
    """
    readme = _README.format(workload=workload, hidden=HIDDEN).encode()
    whole = {"README.txt": readme, **files}
    digests = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in whole.items()]
    whole["MANIFEST.sha256"] = "".join(digests).encode()
    part = path.with_name(path.name + ".part")
    try:
        if path.exists():
            raise InputError(f"--archive: {path}: exists already; nothing was written over it")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as out, tarfile.open(fileobj=out, mode="w:gz") as tar:
            for name, data in whole.items():
                tar.addfile(_member(f"glidepath-{workload}/{name}", len(data), now_ms), io.BytesIO(data))
        part.rename(path)
    except OSError as error:
        raise InputError(f"--archive: {path}: {error.strerror}") from error


def _member(name: str, size: int, now_ms: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, now_ms // 1000
    return member
