"""Check that a bootstrap file passes Glidepath's checks and is accepted by a real Envoy."""

from __future__ import annotations

from pathlib import Path

import yaml

from glidepath_ops.envoyconfig.check_by_envoy import check_with_envoy
from glidepath_ops.envoyconfig.validation import check_splits, check_strict
from tests.support.tls_certificate import make_certificate

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def assert_accepted(bootstrap: Path, folder: Path, *, secrets: str, key: str) -> None:
    """Check a copy of ``bootstrap`` in ``folder``, with a certificate of the test as its CA file.

    ``secrets``: the folder of secrets that ``bootstrap`` names; the copy names a folder of the test instead.
    ``key``: the file name of a secret.
    """
    place = folder / "secrets"
    place.mkdir()
    (place / key).write_text("key")
    make_certificate(place, "ca.example.com")[1].rename(place / "ca.pem")
    text = bootstrap.read_text().replace(secrets, str(place)).replace(CERTIFICATES, str(place / "ca.pem"))
    check_strict(yaml.safe_load(text))
    assert check_splits(yaml.safe_load(text))
    copy = folder / "envoy.yaml"
    copy.write_text(text)
    assert check_with_envoy(copy)
