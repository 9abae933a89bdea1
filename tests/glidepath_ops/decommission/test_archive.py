"""Tests of the archive of a migration: complete, readable, and without secrets."""

from __future__ import annotations

import hashlib
import io
import tarfile

import pytest
import yaml

from glidepath.config import Config, parse_config
from glidepath_ops.decommission.archive import archive_of, sanitized

SECRETS = ("hunter2", "T0K3N", "sk-live-1", "s3cret", "q-key")


@pytest.fixture
def config(valid_yaml: str) -> Config:
    data = yaml.safe_load(valid_yaml)
    data["redis"] = {"url": "redis://user:hunter2@10.0.0.1:6379/0"}
    data["notify"] = [{"kind": "slack", "url": "https://hooks.example.com/services/T0K3N"}]
    data["backends"]["cloud"] |= {
        "headers": {"x-service-key": "sk-live-1", "x-team": "search"},
        "credential": {"env": "CLOUD_KEY"},
        "capacity": {"metrics": "http://u:s3cret@10.0.0.2/metrics?apikey=q-key&x=1", "metric": "m", "limit": 1},
    }
    return parse_config(yaml.safe_dump(data))


def test_secrets_are_hidden_and_everything_else_is_kept(config: Config) -> None:
    data = sanitized(config)
    text = yaml.safe_dump(data)
    assert [secret for secret in SECRETS if secret in text] == []
    assert data["redis"]["url"] == "redis://***@10.0.0.1:6379/0"
    assert data["notify"][0]["url"] == "https://hooks.example.com/***"
    assert data["backends"]["cloud"]["headers"] == {"x-service-key": "***", "x-team": "search"}
    assert data["backends"]["cloud"]["credential"] == {"env": "CLOUD_KEY"}
    assert Config.model_validate(data).workloads == config.workloads


def test_an_archive_is_complete() -> None:
    data = archive_of("chat", {"status.json": b"{}"}, 1_000_000)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert {member.mode for member in tar} == {0o600}
        files = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    assert set(files) == {f"glidepath-chat/{n}" for n in ("README.txt", "status.json", "MANIFEST.sha256")}
    assert f"{hashlib.sha256(b'{}').hexdigest()}  status.json\n" in files["glidepath-chat/MANIFEST.sha256"].decode()
