"""A small client of the Kubernetes API server: it gets and patches one object at a time, with bounded time and size.

The token of a service account changes while the process runs, so its file is read again when it has changed.
Source: Kubernetes API concepts (PATCH with ``application/json-patch+json``, ``fieldManager``, ``dryRun``; Status).
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from glidepath.config.kubernetes import KubernetesSection
from glidepath.errors import error_text

MANAGER = "glidepath"  # the owner of the weights in the object's managedFields
MAX_BYTES = 4 * 2**20  # an object in Kubernetes' store has at most 1.5 MiB
MAX_TEXT = 300  # characters of the server's own message that are shown
CONFLICTS = (409, 422)  # the object has changed: 422 is the answer to a failed test of a JSON patch
_MAX_RETRY_AFTER_S = 10.0

Json = Mapping[str, Any]


class ApiError(Exception):
    """A request to the API server failed. ``status``: the HTTP status of the answer; 0 if there was no answer."""

    def __init__(self, message: str, status: int = 0, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.status, self.retry_after_s = status, retry_after_s

    @property
    def is_conflict(self) -> bool:
        return self.status in CONFLICTS


def http_route_path(namespace: str, name: str) -> str:
    return f"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes/{name}"


class KubernetesApi:
    """A client of the configured API server, or else of the pod's own cluster. It connects at the first request."""

    def __init__(self, settings: KubernetesSection) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._token, self._token_of = "", (0, 0)

    async def get(self, path: str) -> Json:
        """Return the object at ``path``. Raises ApiError."""
        return await self._ask("GET", path)

    async def patch(self, path: str, operations: Sequence[Json], *, dry_run: bool = False) -> Json:
        """Apply a JSON patch (RFC 6902) and return the patched object. Raises ApiError; see ``is_conflict``."""
        query = {"fieldManager": MANAGER, **({"dryRun": "All"} if dry_run else {})}
        return await self._ask("PATCH", path, json.dumps(list(operations)), query)

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _ask(
        self, method: str, path: str, body: str | None = None, query: Mapping[str, str] | None = None
    ) -> Json:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json-patch+json"
        try:
            base = self._base()
            if base.startswith("https:"):
                headers["Authorization"] = f"Bearer {self._read_token()}"
            session = self._opened()
            async with session.request(
                method, base + path, data=body, headers=headers, params=query, allow_redirects=False
            ) as response:
                return await _answer(response)
        except TimeoutError:
            raise ApiError(f"the API server did not answer within {self._settings.timeout:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ApiError(f"the API server cannot be reached: {error_text(error)}") from error

    def _base(self) -> str:
        if self._settings.api is not None:
            return self._settings.api
        host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        if not host:
            raise ValueError("this process runs in no pod (KUBERNETES_SERVICE_HOST is not set): set kubernetes.api")
        return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"

    def _read_token(self) -> str:
        file = Path(self._settings.token_file)
        stat = file.stat()
        if (stat.st_mtime_ns, stat.st_ino) != self._token_of:
            self._token, self._token_of = file.read_text().strip(), (stat.st_mtime_ns, stat.st_ino)
        if not self._token or not self._token.isascii() or not self._token.isprintable():
            raise ValueError(f"{file} has no token")
        return self._token

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            context: ssl.SSLContext | bool = True
            if self._base().startswith("https:"):
                context = ssl.create_default_context(cafile=self._settings.ca_file)
            timeout = aiohttp.ClientTimeout(total=self._settings.timeout)
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context), timeout=timeout)
        return self._session


async def _answer(response: aiohttp.ClientResponse) -> Json:
    body = await response.content.read(MAX_BYTES + 1)
    while len(body) <= MAX_BYTES and not response.content.at_eof():
        body += await response.content.read(MAX_BYTES + 1 - len(body))
    return read_answer(response.status, body, response.headers.get("Retry-After", ""))


def read_answer(status: int, body: bytes, retry_after: str = "") -> Json:
    """Return the object in an answer of the API server.

    Raises ApiError if the status is not 200 or the body is not an object.
    """
    if status != 200:
        raise ApiError(_error_of_status(status, body), status, _seconds(retry_after))
    try:
        found = json.loads(body) if len(body) <= MAX_BYTES else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ApiError(f"the API server's answer is not an object, or is longer than {MAX_BYTES} bytes")
    return found


def _error_of_status(status: int, body: bytes) -> str:
    """Return an error text: the status, and the message in the server's Status object."""
    try:
        message = json.loads(body)["message"]
    except (ValueError, KeyError, TypeError, RecursionError):
        message = ""
    text = "".join(c if c.isprintable() else "?" for c in str(message)[:MAX_TEXT])
    return f"the API server answered {status}" + (f": {text}" if text else "")


def _seconds(text: str) -> float:
    """Return the seconds of a Retry-After header, limited to a maximum; 0 without a header or for a date."""
    return min(float(text), _MAX_RETRY_AFTER_S) if text.isascii() and text.isdigit() and len(text) < 6 else 0.0
