"""A registry for container images on loopback, which serves only manifests, with token authentication."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "the-token"


@dataclass(slots=True)
class Registry:
    """The server.

    ``manifests``: REPOSITORY:TAG → the manifest. ``lies``: the manifests for which it sends a wrong digest.
    """

    address: str
    manifests: Mapping[str, bytes]
    lies: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list)  # the scopes of the tokens that were asked for

    def digest(self, name: str) -> str:
        return f"sha256:{hashlib.sha256(self.manifests[name]).hexdigest()}"


@contextmanager
def running_registry(manifests: Mapping[str, bytes], lies: tuple[str, ...] = ()) -> Iterator[Registry]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/token":
                registry.asked += parse_qs(parts.query)["scope"]
                self._answer(200, json.dumps({"token": TOKEN}).encode())
                return
            name = ":".join(parts.path.removeprefix("/v2/").rsplit("/manifests/", 1))
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                scope = f"repository:{name.partition(':')[0]}:pull"
                challenge = f'Bearer realm="http://{registry.address}/token",service="test",scope="{scope}"'
                self._answer(401, b"{}", {"WWW-Authenticate": challenge})
            elif name not in manifests or "vnd.oci.image.index" not in self.headers.get("Accept", ""):
                self._answer(404, b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')
            else:
                digest = f"sha256:{'0' * 64}" if name in lies else registry.digest(name)
                self._answer(200, manifests[name], {"Docker-Content-Digest": digest})

        def _answer(self, status: int, body: bytes, headers: Mapping[str, str] = {}) -> None:
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        registry = Registry(f"127.0.0.1:{server.server_address[1]}", manifests, lies)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield registry
        server.shutdown()
