"""Tests of the archive of a migration: complete, readable, and without secrets."""

from __future__ import annotations

import hashlib
import stat
import tarfile
from pathlib import Path

import pytest
import yaml

from glidepath.config import Config, parse_config
from glidepath.errors import InputError
from glidepath_ops.decommission.archive import sanitized, write_archive

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


def test_an_archive_is_complete_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "end.tar.gz"
    write_archive(path, "chat", {"status.json": b"{}"}, 1_000_000)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(path) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    assert set(files) == {f"glidepath-chat/{n}" for n in ("README.txt", "status.json", "MANIFEST.sha256")}
    assert f"{hashlib.sha256(b'{}').hexdigest()}  status.json\n" in files["glidepath-chat/MANIFEST.sha256"].decode()
    assert list(tmp_path.iterdir()) == [path]


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "end.tar.gz"
    path.write_text("mine")
    with pytest.raises(InputError, match="already exists"):
        write_archive(path, "chat", {}, 0)
    assert path.read_text() == "mine"
    with pytest.raises(InputError, match="No such file"):
        write_archive(tmp_path / "none" / "end.tar.gz", "chat", {}, 0)
