"""Tests of finding an image's digest: references, and a registry's answers."""

from __future__ import annotations

import pytest

from glidepath.errors import InputError, UnreachableError
from glidepath_ops.local.child_process import free_ports
from glidepath_ops.registry_digests import fetch_digest, parse_reference
from tests.support.image_registry import running_registry

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("python:3.11-slim", "https://registry-1.docker.io/v2/library/python/manifests/3.11-slim"),
        ("envoyproxy/envoy:v1.40", "https://registry-1.docker.io/v2/envoyproxy/envoy/manifests/v1.40"),
        ("ghcr.io/o/i:1", "https://ghcr.io/v2/o/i/manifests/1"),
        ("registry.example.com:5000/a/b/c:1.2", "https://registry.example.com:5000/v2/a/b/c/manifests/1.2"),
        ("localhost:5000/x:y", "http://localhost:5000/v2/x/manifests/y"),
        (f"redis:7@{DIGEST}", "https://registry-1.docker.io/v2/library/redis/manifests/7"),
    ],
)
def test_a_reference_is_found_in_its_registry(text: str, url: str) -> None:
    image = parse_reference(text)
    assert image.url == url
    assert str(image) == text


@pytest.mark.parametrize("text", ["", "python", "python:", ":3", "Python:3", "redis:7@sha256:12", "a b:1", "a:1\n"])
def test_another_text_is_no_reference(text: str) -> None:
    with pytest.raises(InputError, match="must be NAME:TAG"):
        parse_reference(text)


def test_the_digest_is_that_of_the_manifest_behind_a_token() -> None:
    with running_registry({"a/b:1": b'{"manifests": []}'}) as registry:
        assert fetch_digest(parse_reference(f"{registry.address}/a/b:1")) == registry.digest("a/b:1")
        assert registry.asked == ["repository:a/b:pull"]


def test_a_digest_that_is_not_that_of_the_content_is_refused() -> None:
    with running_registry({"a/b:1": b"{}"}, lies=("a/b:1",)) as registry:
        image = parse_reference(f"{registry.address}/a/b:1")
        with pytest.raises(UnreachableError, match=rf"names sha256:0+, but sent {registry.digest('a/b:1')}"):
            fetch_digest(image)


def test_an_unknown_tag_and_a_registry_that_does_not_answer_are_named() -> None:
    with running_registry({}) as registry:
        image = parse_reference(f"{registry.address}/a/b:1")
        with pytest.raises(UnreachableError, match=f"{registry.address}/a/b:1: {registry.address} does not .*404"):
            fetch_digest(image)
    with pytest.raises(UnreachableError, match="does not give its manifest"):
        fetch_digest(parse_reference(f"127.0.0.1:{free_ports(1)[0]}/a/b:1"))
