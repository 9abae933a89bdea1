"""Secrets that a configuration names and this process cannot read."""

from __future__ import annotations

from pathlib import Path

import pytest

from glidepath.config import Config, load_config
from glidepath.errors import ConfigError
from glidepath_ops.local.missing_secrets import missing_secrets, secret_problems, secret_problems_of_up


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "glidepath.yaml"
    file.write_text(
        f"""\
redis: {{password: {{env: GLIDEPATH_TEST_REDIS}}}}
notify:
- {{kind: slack, url_from: {{file: {tmp_path}/hook}}}}
backends:
  cloud: {{url: "http://127.0.0.1:1", credential: {{passthrough: true}}}}
  onprem:
    url: "http://127.0.0.1:2"
    credential: {{env: GLIDEPATH_TEST_KEY}}
workloads:
  chat: {{match: {{path: /v1/chat/completions}}, baseline: cloud, candidate: onprem}}
"""
    )
    return file


@pytest.fixture
def config(path: Path) -> Config:
    return load_config(path)


def test_every_missing_secret_is_named_with_its_place(path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(path, secret_problems)
    assert sorted(str(error.value).splitlines()) == [
        f"{path}:1: redis.password.env: the environment variable GLIDEPATH_TEST_REDIS is not set",
        f"{path}:3: notify[0].url_from.file: {path.parent}/hook cannot be read: No such file or directory",
        f"{path}:8: backends.onprem.credential.env: the environment variable GLIDEPATH_TEST_KEY is not set",
    ]


def test_the_credentials_that_another_envoy_reads_can_be_left_out(path: Path, config: Config) -> None:
    assert [one.dotted for one in missing_secrets(config) if one.for_envoy] == ["backends.onprem.credential.env"]
    assert "onprem" in {problem.path[1] for problem in secret_problems_of_up(config)}
    path.write_text(path.read_text() + "envoy: {admin: 'http://127.0.0.1:9901'}\n")
    assert "onprem" not in {problem.path[1] for problem in secret_problems_of_up(load_config(path))}


def test_secrets_that_are_there_are_no_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path.parent / "hook").write_text("https://example.com")
    monkeypatch.setenv("GLIDEPATH_TEST_REDIS", "a")
    monkeypatch.setenv("GLIDEPATH_TEST_KEY", "b")
    load_config(path, secret_problems)
    monkeypatch.setenv("GLIDEPATH_TEST_KEY", "")
    with pytest.raises(ConfigError, match="GLIDEPATH_TEST_KEY is empty"):
        load_config(path, secret_problems)


@pytest.mark.parametrize(
    ("content", "fault"),
    [(b"", "is empty"), (b" \n\n", "is empty"), (b"a\nb\n", "has several lines"), (b"a" * 70_000, "is longer than")],
)
def test_a_secret_that_no_header_can_carry_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, fault: str
) -> None:
    monkeypatch.setenv("GLIDEPATH_TEST_REDIS", "a")
    monkeypatch.setenv("GLIDEPATH_TEST_KEY", "b")
    (path.parent / "hook").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"notify\[0\].url_from.file: .*/hook {fault}"):
        load_config(path, secret_problems)
    (path.parent / "hook").write_bytes(b"https://example.com\n")
    if len(content) < 70_000:
        monkeypatch.setenv("GLIDEPATH_TEST_KEY", content.decode())
        with pytest.raises(ConfigError, match=f"GLIDEPATH_TEST_KEY {fault}"):
            load_config(path, secret_problems)


def test_secrets_are_checked_beside_other_faults(path: Path) -> None:
    faulty = (
        path.read_text().replace("url_from: {", "url_from: {env: 1-2}} #").replace("passthrough: true", "env: 'a b'")
    )
    path.write_text(faulty.replace("candidate: onprem", "candidate: onprm"))
    with pytest.raises(ConfigError) as error:
        load_config(path, secret_problems)
    assert [
        line.split(": ")[0].rpartition(":")[2] + " " + line.split(": ")[1] for line in str(error.value).splitlines()
    ] == [
        "1 redis.password.env",
        "3 notify[0].url_from.env",
        "5 backends.cloud.credential.env",
        "8 backends.onprem.credential.env",
        "10 workloads.chat.candidate",
    ]
