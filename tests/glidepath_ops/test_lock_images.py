"""Tests of the lock of images: its content, and that the repository's files name the images in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from glidepath.errors import InputError, UnreachableError
from glidepath_ops.lock_images import IN_KUBERNETES, KUSTOMIZATION, LOCK, kustomization, lock_images, locked_images
from glidepath_ops.registry_digests import ImageReference
from tests.support.image_registry import running_registry

ROOT = Path(__file__).parents[2]
IMAGES = locked_images((ROOT / LOCK).read_text())


def write_lock(root: Path, registry: str) -> str:
    text = f"# a comment\nPYTHON_IMAGE={registry}/python:3\nENVOY_IMAGE={registry}/envoyproxy/envoy:v1\n"
    (root / LOCK).write_text(text)
    return text


def test_the_lock_gets_the_digests_and_keeps_its_comments_and_tags(tmp_path: Path) -> None:
    manifests = {"python:3": b"{}", "envoyproxy/envoy:v1": b'{"manifests": []}'}
    with running_registry(manifests) as registry:
        write_lock(tmp_path, registry.address)
        for _ in range(2):  # a second time, the digests are renewed
            lock_images(tmp_path)
            python, envoy = registry.digest("python:3"), registry.digest("envoyproxy/envoy:v1")
            assert (tmp_path / LOCK).read_text() == (
                f"# a comment\nPYTHON_IMAGE={registry.address}/python:3@{python}\n"
                f"ENVOY_IMAGE={registry.address}/envoyproxy/envoy:v1@{envoy}\n"
            )
            images = yaml.safe_load((tmp_path / KUSTOMIZATION).read_text())["images"]
            assert images == [{"name": f"{registry.address}/envoyproxy/envoy", "digest": envoy}]
            manifests["python:3"] = b'{"moved": true}'


def test_nothing_is_written_unless_every_image_has_a_digest(tmp_path: Path) -> None:
    with running_registry({"python:3": b"{}"}) as registry:
        before = write_lock(tmp_path, registry.address)
        with pytest.raises(UnreachableError, match="envoyproxy/envoy:v1"):
            lock_images(tmp_path)
    assert (tmp_path / LOCK).read_text() == before
    assert not (tmp_path / KUSTOMIZATION).exists()


def test_a_lock_without_an_image_or_that_is_missing_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{tmp_path / LOCK}: cannot be read"):
        lock_images(tmp_path)
    (tmp_path / LOCK).write_text("# nothing\n")
    with pytest.raises(InputError, match=f"{tmp_path / LOCK}: names no image"):
        lock_images(tmp_path)


def test_the_images_of_the_dockerfile_are_those_of_the_lock() -> None:
    text = (ROOT / "Dockerfile").read_text()
    defaults = dict(re.findall(r"^ARG (\w+_IMAGE)=(\S+)$", text, re.MULTILINE))
    assert defaults == {name: f"{IMAGES[name].name}:{IMAGES[name].tag}" for name in ("PYTHON_IMAGE", "REDIS_IMAGE")}
    stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?$", text, re.MULTILINE)
    names = {name for _, name in stages}
    assert {base for base, _ in stages if base not in names} == {"${PYTHON_IMAGE}", "${REDIS_IMAGE}"}


def test_the_compose_file_names_no_image_but_ours_and_those_of_the_lock() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    named = {service["image"] for service in services.values()}
    locked = {f"${{{name}:?}}" for name in ("ENVOY_IMAGE", "PROMETHEUS_IMAGE", "GRAFANA_IMAGE")}
    assert named == {"glidepath", "glidepath-redis", *locked}
    passed = {name: value for one in services.values() for name, value in one.get("build", {}).get("args", {}).items()}
    assert passed.pop("MULTILINGUAL") == "${MULTILINGUAL:-0}"  # no image, but whether ours has the second model
    assert passed == {name: f"${{{name}:?}}" for name in ("PYTHON_IMAGE", "REDIS_IMAGE")}


def test_the_kubernetes_manifests_have_the_images_of_the_lock() -> None:
    assert (ROOT / KUSTOMIZATION).read_text() == kustomization(IMAGES), "run: make lock-images"
    named = set()
    for path in (ROOT / "deploy" / "kubernetes").glob("*/*.yaml"):
        named |= set(re.findall(r"^ +image: (\S+)$", path.read_text(), re.MULTILINE))
    assert named == {"glidepath", *(f"{IMAGES[name].name}:{IMAGES[name].tag}" for name in IN_KUBERNETES)}


def test_an_image_without_a_digest_is_not_in_the_kustomization() -> None:
    unpinned = {name: ImageReference("envoyproxy/envoy", "v1") for name in IN_KUBERNETES}
    assert yaml.safe_load(kustomization(unpinned))["images"] == []
