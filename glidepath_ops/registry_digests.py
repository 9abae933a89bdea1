"""Finds the digest of a container image in its registry.

Sources: the OCI Distribution Specification 1.1 (pulling manifests) and its token authentication (``WWW-Authenticate``
with realm, service and scope), and the grammar of references in github.com/distribution/reference.
"""

from __future__ import annotations

import hashlib
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from urllib.response import addinfourl

from glidepath.errors import InputError, UnreachableError

TIMEOUT_S = 30.0
MAX_MANIFEST_BYTES = 4 * 2**20  # the specification's limit for a manifest
DOCKER_HUB = "registry-1.docker.io"
# An index (a list of manifests, one for each platform) is wanted: its digest is right on every platform.
_ACCEPT = (
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)
_REFERENCE = re.compile(
    r"(?P<name>[a-z0-9][a-zA-Z0-9.:-]*(?:/[a-z0-9._-]+)*?):(?P<tag>[\w][\w.-]{0,127})(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class ImageReference:
    """A reference to an image. ``name``: in the user's notation, such as python or ghcr.io/owner/image.

    ``digest``: "" if there is none.
    """

    name: str
    tag: str
    digest: str = ""

    @property
    def registry(self) -> str:
        first, slash, _ = self.name.partition("/")
        return first if slash and ("." in first or ":" in first or first == "localhost") else DOCKER_HUB

    @property
    def repository(self) -> str:
        """Return the name within the registry. Docker Hub's own images have the prefix library/."""
        if self.registry != DOCKER_HUB:
            return self.name.partition("/")[2]
        return self.name if "/" in self.name else f"library/{self.name}"

    @property
    def url(self) -> str:
        """Return the URL of the manifest. As in Docker, a registry on this machine is used without TLS."""
        host = self.registry.partition(":")[0]
        scheme = "http" if host in ("localhost", "127.0.0.1") else "https"
        return f"{scheme}://{self.registry}/v2/{self.repository}/manifests/{self.tag}"

    def __str__(self) -> str:
        return f"{self.name}:{self.tag}{f'@{self.digest}' if self.digest else ''}"


def parse_reference(text: str) -> ImageReference:
    """Return the reference NAME:TAG or NAME:TAG@sha256:…. Raises InputError for any other text."""
    found = _REFERENCE.fullmatch(text)
    if found is None:
        raise InputError(f"{text!r} is not an image: it must be NAME:TAG or NAME:TAG@sha256:DIGEST")
    return ImageReference(found["name"], found["tag"], found["digest"] or "")


def fetch_digest(image: ImageReference) -> str:
    """Return the present digest of the image's tag, as ``sha256:…``. It is computed from the manifest.

    Raises UnreachableError if the registry does not answer or refuses, or if the manifest does not have the digest that
    the registry states.
    """
    try:
        with _get(image.url) as response:
            manifest, named = response.read(MAX_MANIFEST_BYTES + 1), response.headers.get("Docker-Content-Digest", "")
    except (urllib.error.URLError, OSError, ValueError) as error:
        problem = f"{image.name}:{image.tag}: {image.registry} does not give its manifest: {error}"
        raise UnreachableError(problem) from error
    if len(manifest) > MAX_MANIFEST_BYTES:
        raise UnreachableError(f"{image.name}:{image.tag}: the manifest is longer than {MAX_MANIFEST_BYTES} bytes")
    digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    if named.startswith("sha256:") and named != digest:
        raise UnreachableError(f"{image.name}:{image.tag}: {image.registry} names {named}, but sent {digest}")
    return digest


def _get(url: str) -> addinfourl:
    try:
        return _open(url, {"Accept": _ACCEPT})
    except urllib.error.HTTPError as error:
        challenge = error.headers.get("WWW-Authenticate", "")
        if error.code != 401 or not challenge.lower().startswith("bearer "):
            raise
    return _open(url, {"Accept": _ACCEPT, "Authorization": f"Bearer {_token(challenge)}"})


def _token(challenge: str) -> str:
    """Request and return the token that the registry's challenge describes. Public images need no account."""
    parameters = dict(_PARAMETER.findall(challenge))
    query = {key: parameters[key] for key in ("service", "scope") if key in parameters}
    with _open(f"{parameters.get('realm', '')}?{urllib.parse.urlencode(query)}", {}) as response:
        answer = json.load(response)
    if not isinstance(answer, dict) or not (answer.get("token") or answer.get("access_token")):
        raise ValueError("its token server sends no token")
    return str(answer.get("token") or answer["access_token"])


def _open(url: str, headers: dict[str, str]) -> addinfourl:
    if not url.startswith(("https://", "http://localhost", "http://127.0.0.1")):
        raise ValueError(f"{url!r} is not an https URL")
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - checked above
    opened: addinfourl = urllib.request.urlopen(request, timeout=TIMEOUT_S)  # noqa: S310
    return opened
