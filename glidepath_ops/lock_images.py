"""Writes the digests of the public images into .env and deploy/kubernetes/images: ``make lock-images``.

A tag can be moved to other content, but a digest cannot. Nothing is written unless every image has a digest.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from glidepath.errors import GlidepathError, InputError
from glidepath_ops.registry_digests import ImageReference, fetch_digest, parse_reference

LOCK = Path(".env")
KUSTOMIZATION = Path("deploy", "kubernetes", "images", "kustomization.yaml")
IN_KUBERNETES = ("ENVOY_IMAGE",)  # the public images in deploy/kubernetes
_LINE = re.compile(r"^(?P<name>[A-Z_]+)=(?P<image>\S+)$", re.MULTILINE)


def locked_images(lock: str) -> dict[str, ImageReference]:
    """Return the images in the text of the lock file, by the name of their variable.

    Raises InputError if a value is not an image.
    """
    return {found["name"]: parse_reference(found["image"]) for found in _LINE.finditer(lock)}


def with_digests(lock: str, digest_of: Callable[[ImageReference], str]) -> str:
    """Return the text of the lock file with the present digest of each image. The rest of the text is unchanged."""
    pinned = {
        name: ImageReference(image.name, image.tag, digest_of(image)) for name, image in locked_images(lock).items()
    }
    return _LINE.sub(lambda found: f"{found['name']}={pinned[found['name']]}", lock)


def kustomization(images: Mapping[str, ImageReference]) -> str:
    """Return the kustomize component that sets the digests of the lock file in the Kubernetes manifests."""
    pinned = [images[name] for name in IN_KUBERNETES if images[name].digest]
    lines = [f"  - name: {image.name}\n    digest: {image.digest}\n" for image in pinned]
    return (
        "# The digests of the public images, from .env. Written by `make lock-images`.\n"
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
        f"images:{'' if lines else ' []'}\n{''.join(lines)}"
    )


def lock_images(root: Path, digest_of: Callable[[ImageReference], str] = fetch_digest) -> dict[str, ImageReference]:
    """Renew the digests in the repository at ``root``, and return the images with their digests.

    Raises InputError if the lock file cannot be read or names no image, and UnreachableError if a registry returns no
    digest. Nothing is written then.
    """
    path = root / LOCK
    try:
        before = path.read_text()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if not locked_images(before):
        raise InputError(f"{path}: names no image; each line must be NAME=IMAGE:TAG")
    after = with_digests(before, digest_of)
    images = locked_images(after)
    (root / KUSTOMIZATION).parent.mkdir(parents=True, exist_ok=True)
    (root / KUSTOMIZATION).write_text(kustomization(images))
    path.write_text(after)
    return images


def main() -> None:
    try:
        images = lock_images(Path())
    except GlidepathError as error:
        sys.stderr.write(f"lock-images: {error}\n")
        sys.exit(error.exit_status)
    for name, image in images.items():
        sys.stdout.write(f"{name}={image}\n")


if __name__ == "__main__":
    main()
