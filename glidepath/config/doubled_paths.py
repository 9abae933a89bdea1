"""Finds backends whose URL repeats the start of the clients' path, as an SDK's base URL does. See ADR 0161."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from glidepath.config.backends import Backend
from glidepath.config.workload import Workload


def doubled_path(backend: Backend, workloads: Iterable[Workload]) -> str | None:
    """Return a message with remedies if Envoy would send this backend a path with a repeated part, else None.

    ``workloads``: those that the backend serves. Example: with ``url: https://host/v1``, a client's request to
    ``/v1/chat/completions`` would become ``/v1/v1/chat/completions``. A backend with the key ``strip`` is not checked,
    even if ``strip`` is empty.
    """
    if backend.url is None or "strip" in backend.model_fields_set:
        return None
    paths = (path for workload in workloads for path in _client_paths(workload))
    repeated = next(filter(None, (_repeated(backend, path) for path in paths)), None)
    return _message(backend, *repeated) if repeated is not None else None


def _client_paths(workload: Workload) -> tuple[str, ...]:
    paths = (workload.match.path, workload.match.path_prefix, workload.probes and workload.probes.path)
    return tuple(path for path in paths if path)


def _repeated(backend: Backend, path: str) -> tuple[str, str] | None:
    """Return the repeated part and the client's path.

    The URL's path ends with this part, and the client's path begins with it.

    Return None if there is no such part.
    """
    url, wanted = _segments(urlsplit(backend.url or "").path), _segments(path)
    for count in range(min(len(url), len(wanted)), 0, -1):
        if url[-count:] == wanted[:count]:
            return "/" + "/".join(wanted[:count]), path
    return None


def _segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]


def _message(backend: Backend, part: str, path: str) -> str:
    url = str(backend.url)
    sent = urlsplit(url).path + path
    without = url.removesuffix(part)
    return (
        f"ends with {part}, with which the clients' path {path} begins, so Envoy would request {sent}: "
        f'write url: {without}, or add strip: {part} (strip: "" if this is what you want)'
    )
